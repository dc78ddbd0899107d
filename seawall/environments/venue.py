"""The venue: sets margin levels and the ADL ranking while the market falls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from gymnasium.spaces import MultiDiscrete, Space

from engine.commands import SetRulebook
from engine.events import (
    BadDebtBooked,
    Deleveraged,
    LiquidationEnded,
    LiquidationStarted,
    MarginCallEnded,
    MarginCallIssued,
    Trade,
)
from risk.accounts import FUND
from seawall.environments.episode import Episode
from seawall.environments.fields import Field, Vector, read_choices, vector_of
from seawall.environments.market_fields import BOOK_FIELDS, MARKET_FIELDS, MarketLook
from seawall.environments.seat import Seat, Task
from seawall.environments.venue_rules import RuleChoice
from seawall.scenario import Scenario

COSTS: Final[tuple[str, ...]] = ("bad_debt", "adl", "liquidated", "called")

VENUE_FIELDS: Final[tuple[Field, ...]] = (
    Field("fund", -10, 10, "equity of the insurance fund over the open value"),
    Field("calls", 0, 1, "share of accounts with an open margin call"),
    Field("liquidations", 0, 1, "share of accounts that are being liquidated"),
    Field("call_factor", 0, 1, "the call factor in force: 0 the first choice, 1 the last"),
    Field("liquidation_factor", 0, 1, "the same of the liquidation factor"),
    Field("ranking", 0, 1, "the same of the ranking"),
    *(Field(name, 0, 10, f"{name}, see the reward, over the open value") for name in COSTS),
)


@dataclass(frozen=True)
class VenueTask(Task):
    """Bring the market through the window at the least cost.

    An action names one choice of ``call`` and ``liquidation`` factors (times maintenance) and of
    ADL ``rankings``. The reward of a step is minus the sum of ``weights`` times: deficits that
    were recognised (``bad_debt``), the value of what was deleveraged (``adl``) and of what
    liquidations traded (``liquidated``), and money asked for by margin calls (``called``), all over
    the value of the open interest as the window begins.
    """

    fields = (*MARKET_FIELDS, *VENUE_FIELDS, *BOOK_FIELDS)

    call: Sequence[str] = ("1.25", "1.5", "2", "3")
    liquidation: Sequence[str] = ("1", "1.1", "1.2")
    rankings: Sequence[str] = ("profit_leverage", "pro_rata", "water_filling")
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"bad_debt": 1.0, "adl": 0.1, "liquidated": 0.02, "called": 0.02}
    )

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            if name not in COSTS or not 0 <= weight < float("inf"):
                raise ValueError(
                    f"venue: weight {name!r} is {weight!r}; allowed are {', '.join(COSTS)}, each 0 "
                    "or more"
                )

    @cached_property
    def _counts(self) -> dict[str, int]:
        return {
            "call": len(self.call),
            "liquidation": len(self.liquidation),
            "ranking": len(self.rankings),
        }

    @property
    def action_space(self) -> Space[Any]:
        """A choice of each."""
        return MultiDiscrete(list(self._counts.values()))

    def read(self, action: Any) -> list[int]:
        """The choices of an action.

        Raises:
            ValueError: it is none of the action space.
        """
        return read_choices(self._counts, action)

    def tables(self, name: str) -> Mapping[str, object]:
        """It has no account."""
        return {}

    def check(self, scenario: Scenario) -> None:
        """Refuse a scenario whose contracts settle in several assets or whose rules leave no
        choice.

        Raises:
            ValueError: it is one.
        """
        if len({spec.settle_asset_id for spec in scenario.instruments.values()}) > 1:
            raise ValueError("venue: the contracts settle in several assets; allowed is one")
        self.rules_of(scenario)

    def rules_of(self, scenario: Scenario) -> RuleChoice:
        """The rulebooks of a scenario to choose from."""
        return RuleChoice(scenario.rulebook, self.call, self.liquidation, self.rankings)

    def seat(self, episode: Episode, name: str) -> "VenueSeat":
        """The venue of an episode."""
        return VenueSeat(self, episode)


class VenueSeat(Seat):
    """Puts rules in force and pays for what comes of them."""

    def __init__(self, task: VenueTask, episode: Episode) -> None:
        scenario = episode.scenario
        self._task = task
        self._episode = episode
        self._asset_id = episode.view.spec.settle_asset_id
        self._rules = task.rules_of(scenario)
        self._chosen = self._rules.in_force()
        self._sent = False
        self._accounts = max(1, scenario.accounts)
        self._calls = self._liquidations = 0
        self._costs_q = dict.fromkeys(COSTS, 0)
        self._step_q = dict.fromkeys(COSTS, 0)
        self._total_q = dict.fromkeys(COSTS, 0)
        episode.exchange.subscribe(self._on_event)

    def begin(self) -> None:
        """Count from here."""
        episode = self._episode
        unit_lots = max(1, episode.view.open_interest_lots)
        self._look = MarketLook(episode, episode.view, unit_lots)
        self._costs_q = dict.fromkeys(COSTS, 0)
        exchange = episode.exchange
        self._open_q = sum(
            exchange.listing(view.instrument_id).instrument.notional_q(
                view.open_interest_lots, view.mark_ticks
            )
            for view in episode.simulation.views.values()
        )

    def act(self, action: Sequence[int]) -> None:
        """Put the rules of the choices in force, if they are others than before."""
        chosen = list(action)
        if self._sent and chosen == self._chosen:
            return
        self._chosen, self._sent = chosen, True
        rules = self._rules.rulebook(chosen)
        self._episode.simulation.send(SetRulebook(self._episode.time_ns, rules.to_json()))

    def _on_event(self, event: Any) -> None:
        kind = type(event)
        if kind is Trade:
            if event.liquidation:
                self._count("liquidated", event.instrument_id, event.qty_lots, event.price_ticks)
        elif kind is Deleveraged:
            self._count("adl", event.instrument_id, abs(event.qty_lots), event.mark_ticks)
        elif kind is BadDebtBooked:
            self._costs_q["bad_debt"] += event.amount_q
        elif kind is MarginCallIssued:
            self._costs_q["called"] += event.amount_q
            self._calls += 1
        elif kind is MarginCallEnded:
            self._calls -= 1
        elif kind is LiquidationStarted:
            self._liquidations += 1
        elif kind is LiquidationEnded:
            self._liquidations -= 1

    def _count(self, cost: str, instrument_id: int, lots: int, price_ticks: int) -> None:
        instrument = self._episode.exchange.listing(instrument_id).instrument
        self._costs_q[cost] += instrument.notional_q(lots, price_ticks)

    def earn(self) -> float:
        """Minus the weighted costs since the last step, over the open value at the beginning."""
        self._step_q, self._costs_q = self._costs_q, dict.fromkeys(COSTS, 0)
        for name, amount_q in self._step_q.items():
            self._total_q[name] += amount_q
        weights = self._task.weights
        return -sum(
            weights.get(name, 0.0) * amount_q / max(1, self._open_q)
            for name, amount_q in self._step_q.items()
        )

    def observe(self) -> Vector:
        """Values of the fields of `VenueTask`."""
        open_q = max(1, self._open_q)
        values = {
            **self._look.market(),
            **self._look.book(),
            "fund": self._fund_q() / open_q,
            "calls": self._calls / self._accounts,
            "liquidations": self._liquidations / self._accounts,
            **{name: amount_q / open_q for name, amount_q in self._step_q.items()},
        }
        names = ("call_factor", "liquidation_factor", "ranking")
        counts = self._rules.counts.values()
        for name, choice, count in zip(names, self._chosen, counts, strict=True):
            values[name] = choice / max(1, count - 1)
        return vector_of(self._task.fields, values)

    def _fund_q(self) -> int:
        pots = self._episode.exchange.account_report(FUND).margin_accounts
        return sum(pot.equity_q for pot in pots if pot.asset_id == self._asset_id)

    def info(self) -> dict[str, Any]:
        """Costs so far in quanta, and the rules in force."""
        return {
            "time_ns": self._episode.time_ns,
            "rules": dict(zip(self._rules.counts, self._chosen, strict=True)),
            **{f"{name}_q": amount_q for name, amount_q in self._total_q.items()},
        }
