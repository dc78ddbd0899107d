"""What a living scenario is made of: ids, pace, faster rules, the fall known beforehand."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.commands import (
    BUY,
    MAX_TICKS,
    SELL,
    STOP,
    AmendOrder,
    CancelOrder,
    Command,
    IndexPrice,
    SubmitOrder,
    SubmitTrigger,
)
from engine.events import (
    CommandRejected,
    Event,
    MarginCallIssued,
    OrderAccepted,
    OrderClosed,
    OrderFilled,
    TriggerFired,
)
from engine.reasons import Reason
from engine.units import SECOND_NS
from gateway.protocol import Reply
from risk.rulebook import rulebook_from_json
from risk.rulebook_file import list_rulebooks, load_rulebook
from risk.rules.rulebook_check import check_rulebook
from seawall.scenario import load_scenario
from seawall.world.fall import falls
from seawall.world.faster_rules import faster_rules
from seawall.world.gateway_market import GatewayMarket
from seawall.world.order_ids import NO_AGENTS, NO_ORDER, OrderIds
from seawall.world.pace import SLACK_NS, Pace

ROOT = Path(__file__).parents[2]


class Line:
    """A client whose gateway answers when the test says so, with order ids from 1,000."""

    class connection:
        lost_deliveries = 0
        new_sessions = 0

    def __init__(self) -> None:
        self.sent: list[list[Command]] = []
        self.events: list[Event] = []
        self._numbers = 0
        self._replies: list[Reply] = []

    def send(self, commands: list[Command]) -> list[int]:
        self.sent.append(commands)
        numbers = list(range(self._numbers + 1, self._numbers + 1 + len(commands)))
        self._numbers += len(commands)
        for number, command in zip(numbers, commands, strict=True):
            is_new = isinstance(command, SubmitOrder | SubmitTrigger)
            order_id = 1_000 + number if is_new else 0
            refused = isinstance(command, SubmitOrder) and command.qty_lots == 13
            reason = Reason.INSUFFICIENT_MARGIN.value
            said: list[Event] = [CommandRejected(0, 100, 0, reason)] if refused else []
            self._replies.append(Reply(number, order_id, said))
        return numbers

    def take_replies(self, timeout_s: float) -> list[Reply]:
        found, self._replies = self._replies, []
        return found

    def poll(self, timeout_s: float) -> list[Event]:
        found, self.events = self.events, []
        return found


def market_on(line: Any, speed: float = 1.0) -> tuple[GatewayMarket, list[Event]]:
    market = GatewayMarket(line, speed)
    heard: list[Event] = []
    market.subscribe(heard.append)
    return market, heard


def order(market: GatewayMarket, lots: int = 5) -> SubmitOrder:
    return SubmitOrder(9, 100, 0, market.next_order_id(), BUY, lots, 100)


def test_a_stop_has_the_agents_id_until_it_is_over() -> None:
    line = Line()
    market, heard = market_on(line)
    asked = SubmitTrigger(9, 100, 0, market.next_order_id(), SELL, 0, STOP, 90)
    market.send(asked)
    market.pump(0.0)
    market.pump(0.0)
    line.events = [TriggerFired(9, 100, 1_001, 0, 89, 90), OrderClosed(9, 100, 1_001, 0, 0, 300)]
    market.pump(0.0)
    assert [event.order_id for event in heard[-2:]] == [asked.order_id] * 2  # type: ignore[union-attr]


def test_a_cancel_waits_for_the_gateways_id_of_its_order_and_goes_out_with_it() -> None:
    line = Line()
    market, _ = market_on(line)
    asked = order(market)
    market.send(asked)
    market.send(CancelOrder(9, 100, asked.order_id))
    market.pump(0.0)
    assert [type(command) for command in line.sent[0]] == [SubmitOrder]
    assert line.sent[0][0].time_ns == 0
    assert not market.idle
    market.pump(0.0)
    [[_], [cancel]] = line.sent
    assert isinstance(cancel, CancelOrder) and cancel.order_id == 1_001


def test_nothing_goes_out_before_all_was_answered() -> None:
    line = Line()
    line.take_replies = lambda timeout_s: []  # type: ignore[method-assign]
    market, _ = market_on(line)
    market.send(order(market))
    market.pump(0.0)
    market.send(order(market))
    market.pump(0.0)
    assert len(line.sent) == 1 and not market.idle


def test_what_a_refused_order_is_told_stays_at_home_and_is_counted() -> None:
    line = Line()
    market, heard = market_on(line)
    asked = order(market, lots=13)
    market.send(asked)
    market.pump(0.0)
    market.send(AmendOrder(9, 100, asked.order_id, 101, 5))
    market.pump(0.0)
    assert len(line.sent) == 1 and market.idle
    assert market.refused == {Reason.INSUFFICIENT_MARGIN.value: 1}
    assert [type(event) for event in heard] == [CommandRejected]


def test_an_agent_hears_of_its_order_by_its_own_id_until_it_is_closed() -> None:
    ids = OrderIds()
    mine = ids.fresh()
    ids.learn(mine, 70_000)
    assert ids.to_agent(OrderAccepted(1, 100, 70_000, 0, BUY, 5, 100)).order_id == mine
    assert ids.to_gateway(CancelOrder(0, 100, mine)).order_id == 70_000
    assert ids.to_agent(OrderClosed(1, 100, 70_000, 0, 0, 300)).order_id == mine
    assert len(ids) == 0
    assert ids.to_gateway(CancelOrder(0, 100, mine)).order_id == NO_ORDER


def test_a_fill_of_an_order_of_no_agent_keeps_its_figures() -> None:
    fill = OrderFilled(1, 100, 5, 0, 0, BUY, 3, 100, False, True, 0, 0, 8, 77)
    told = OrderIds().to_agent(fill)
    assert (told.order_id, told.position_lots, told.trade_id) == (NO_AGENTS, 8, 77)


def test_a_call_is_heard_in_the_agents_time() -> None:
    line = Line()
    market, heard = market_on(line, speed=10.0)
    market.run_until(5_000 * SECOND_NS)
    line.events = [MarginCallIssued(7, 100, 1, 50, 7 + 6 * SECOND_NS, 10, 20)]
    market.pump(0.0)
    [call] = heard
    assert isinstance(call, MarginCallIssued)
    assert (call.time_ns, call.deadline_ns) == (5_000 * SECOND_NS, 5_060 * SECOND_NS)


def test_an_index_is_moved_and_its_path_keeps_its_shape() -> None:
    line = Line()
    market, _ = market_on(line)
    market.send(IndexPrice(9, 0, 1, 10_000))
    market.pump(0.0)
    market.move(0, 9_000)
    market.send(IndexPrice(9, 0, 1, 11_000))
    market.pump(0.0)
    assert line.sent[1] == [IndexPrice(0, 0, 1, 9_900)]
    assert market.index_ticks(0) == 9_900
    market.move(0, MAX_TICKS - 1)
    market.send(IndexPrice(9, 0, 1, 11_000_000))
    market.pump(0.0)
    assert line.sent[2] == [IndexPrice(0, 0, 1, MAX_TICKS)], "no further than a price can be told"


def test_time_passes_at_its_pace_and_does_not_run_away() -> None:
    now = [0]
    pace = Pace(4.0, lambda: now[0])
    pace.begin(100)
    now[0] = 10
    assert pace.due_ns() == 140
    pace.pause()
    now[0] = 1_000
    assert pace.due_ns() == 140
    pace.resume()
    now[0] = 1_001
    assert pace.due_ns() == 144
    pace.reached(140)
    assert pace.slipped_ns == 0, "a little is made up for"
    now[0] += SLACK_NS
    pace.reached(144)
    assert pace.slipped_ns == 0
    now[0] += 10
    pace.reached(150)
    assert pace.due_ns() == 150
    assert pace.slipped_ns == 144 + 40 + 4 * SLACK_NS - 150


@pytest.mark.parametrize("name", list_rulebooks())
def test_faster_rules_are_rules(name: str) -> None:
    rules = load_rulebook(name).rulebook
    faster = faster_rules(rules, Decimal(7))
    check_rulebook(faster)
    assert rulebook_from_json(faster.to_json()) == faster
    assert faster_rules(rules, Decimal(1)) == rules


def test_every_time_of_a_rulebook_is_shorter_and_nothing_else() -> None:
    teaching = load_rulebook("teaching-default").rulebook
    faster = faster_rules(teaching, Decimal(6))
    assert faster.call.grace_ns == 10 * SECOND_NS
    assert faster.funding.interval_ns == 4_800 * SECOND_NS
    assert faster.funding.interest_ppb == teaching.funding.interest_ppb
    assert faster_rules(load_rulebook("kraken-spot").rulebook, Decimal(6)).call.grace_ns == -1
    averaged = faster_rules(load_rulebook("deribit-linear").rulebook, Decimal(6))
    assert averaged.mark.params == [("average_ns", 5 * SECOND_NS)]


def test_the_fall_is_known_beforehand() -> None:
    scenario = load_scenario(ROOT / "examples" / "small_crash.toml")
    fall = falls(scenario, scenario.seed)["perp"]
    assert 0.24 < fall.share < 0.28
    assert fall.from_ns < scenario.time.start_ns + 20 * SECOND_NS
    assert abs(fall.to_ns - scenario.time.start_ns - 100 * SECOND_NS) < 10 * SECOND_NS
