"""No command stops the market: random worlds at the limits of every field, and what they found."""

import os
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from engine import commands as c
from engine.commands import Command
from engine.events import AccountReport, CommandRejected, Event, OrderClosed, RiskReport
from engine.forms import Word, struct_form
from engine.instruments import LINEAR, AssetSpec, InstrumentSpec, MarginSpec, build_instrument_spec
from engine.messages import EVENT_TYPES, INTERNAL_TYPES, decode_message
from engine.reasons import Reason
from engine.services.rounds import encode_frame
from engine.units import MAX_WIRE, on_wire
from risk.reports import Reports
from risk.risk_engine import RiskEngine
from risk.rulebook_file import load_rulebook
from risk.rules.admission import fault_of
from seawall.exchange import Exchange
from tests.services.poison import World

USD = AssetSpec(1, "USDT", 6)
DOLLAR = 10**6
FLAT = MarginSpec("flat", params=[("maintenance_ppb", 10**7), ("max_leverage", 20)])
DEEP = '{"x":' + "[" * 3_000 + "]" * 3_000 + "}"
WORLDS = 4_000 if os.environ.get("SEAWALL_PROFILE") == "long" else 320
"""Worlds of 150 commands; 320 of them are some twenty seconds of one core."""


def contract(**more: object) -> InstrumentSpec:
    spec = build_instrument_spec(
        instrument_id=3,
        symbol="PEPE",
        kind=LINEAR,
        asset=USD,
        tick="0.000001",
        lot="1",
        margin=FLAT,
    )
    return msgspec.structs.replace(spec, **more)


def answers(*commands: Command) -> list[list[Event]]:
    """What each command is answered, after a small market with two funded accounts."""
    exchange = Exchange()
    told: list[Event] = []
    exchange.subscribe(told.append)
    opening: list[Command] = [
        c.AddAsset(0, USD),
        c.SetRulebook(0, load_rulebook("teaching-default").rulebook.to_json()),
    ]
    for account_id in (100, 101):
        opening += [c.OpenAccount(0, account_id), c.Deposit(0, account_id, 1, 100_000 * DOLLAR)]
    found: list[list[Event]] = []
    for command in (*opening, *commands):
        told.clear()
        exchange.send(command)
        found.append(list(told))
        encode_frame(told)
    return found[len(opening) :]


def rejection(events: list[Event]) -> CommandRejected:
    assert isinstance(events[-1], CommandRejected), events
    return events[-1]


@pytest.mark.parametrize("part", range(4))
def test_no_command_stops_a_world_at_the_limits(part: int) -> None:
    for seed in range(part, WORLDS, 4):
        world = World(seed)
        world.run(150)
        assert not sum(world.metrics.host.observer_errors.values.values()), f"world {seed}"


def test_the_worlds_are_worlds() -> None:
    """In most of them somebody trades, and somebody is liquidated in some."""
    fills = liquidations = 0
    for seed in range(40):
        world = World(seed)
        world.run(150)
        world.metrics.fold()
        fills += bool(world.metrics.orders.fills.values)
        liquidations += bool(sum(world.metrics.margin.started.values.values()))
    assert fills > 20
    assert liquidations > 2


def test_an_account_with_a_tiny_position_can_be_asked_for() -> None:
    """Regression: equity over position value did not fit the wire, and risk ended for good."""
    *_, account, risk = answers(
        c.AddInstrument(0, contract()),
        c.IndexPrice(0, 3, 1, 5),
        c.SubmitOrder(0, 101, 3, 1, c.SELL, 1, 5),
        c.SubmitOrder(0, 100, 3, 2, c.BUY, 1, 5),
        c.QueryAccount(0, 100),
        c.QueryRisk(0, [], 10),
    )
    report = account[0]
    assert isinstance(report, AccountReport)
    assert report.margin_accounts[0].margin_ratio_ppb == MAX_WIRE
    assert isinstance(risk[0], RiskReport)
    assert max(row.distance_ppb for row in risk[0].rows) <= MAX_WIRE


def test_a_market_order_at_the_highest_marks_keeps_to_the_prices_there_are() -> None:
    """Regression: the band's edge beyond the highest price ended matching for good."""
    *_, order = answers(
        c.AddInstrument(0, contract(band_ppb=5 * 10**7)),
        c.IndexPrice(0, 3, 1, c.MAX_TICKS),
        c.SubmitOrder(0, 100, 3, 1, c.BUY, 1, 0, c.MARKET, c.IOC),
    )
    assert isinstance(order[-1], OrderClosed | CommandRejected)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (c.SetRulebook(0, DEEP), "not a rulebook"),
        (c.SetRulebook(0, "[]"), "not a rulebook"),
        (c.AddInstrument(0, contract(tick="0,01")), "tick: '0,01' is not a decimal number"),
        (c.AddInstrument(0, contract(lot="-1")), "lot -1: must be positive"),
        (c.AddInstrument(0, contract(tick="NaN")), "not finite"),
        (c.AddInstrument(0, contract(tick="1e900000")), "more than 60 digits"),
        (c.AddInstrument(0, contract(unit_q=MAX_WIRE)), "unit_q"),
        (c.AddInstrument(0, contract(band_ppb=-1)), "band_ppb -1: allowed are 0 to"),
        (c.AddInstrument(0, contract(symbol="")), "symbol ''"),
        (c.AddAsset(0, AssetSpec(5, "X", 13)), "decimals 13: allowed are 0 to 12"),
    ],
)
def test_text_that_is_none_is_refused_by_the_door_and_by_risk(command: Command, words: str) -> None:
    assert words in fault_of(command)
    found = rejection(answers(command)[0])
    assert found.reason == Reason.INVALID_FIELD
    assert words in found.detail


def test_a_query_that_fails_is_answered_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def raises(*_: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(Reports, "market", raises)
    engine = RiskEngine()
    out: list[Event] = []
    engine.handle(c.QueryMarket(0), out)
    assert rejection(out).reason == Reason.INTERNAL_ERROR
    assert rejection(out).detail == "ZeroDivisionError: planted"


@pytest.mark.parametrize("kind", [*EVENT_TYPES, *INTERNAL_TYPES], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("figure", [2**70, -(2**70), 2**64])
def test_every_figure_of_every_event_can_be_told(kind: type, figure: int) -> None:
    """Whatever a rule makes of a figure, telling it cannot fail."""
    wire = msgspec.msgpack.decode(encode_frame([filled(kind, figure)]))[0]
    figures = [number for number in flat(wire) if isinstance(number, int)]
    assert {number for number in figures if not isinstance(number, bool)} == {on_wire(figure)}
    decode_message(msgspec.msgpack.encode(wire))


def filled(kind: Any, figure: int) -> Any:
    """A value of a type with every number in it set to a figure, or to the nearest machine word
    where it is one."""
    if kind == Word:
        return on_wire(figure)
    origin, inside = get_origin(kind), get_args(kind)
    if origin is list:
        return [filled(inside[0], figure)]
    if origin is tuple:
        return tuple(filled(item, figure) for item in inside)
    if kind in (int, bool, str):
        return {int: figure, bool: True, str: "text"}[kind]
    form = struct_form(kind)
    types = get_type_hints(form, include_extras=True)
    return kind(*(filled(types[name], figure) for name in form.__struct_fields__))


def flat(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [item for inside in value for item in flat(inside)]
    return [value]
