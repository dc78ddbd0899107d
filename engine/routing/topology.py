"""The routing table of messages, used by the in-process bus and by the services.

`draw` prints it for docs/architecture.md. What no component takes is an event and goes to the
outside.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, get_args

from engine import commands as c
from engine import internal as k

MATCHING: Final[str] = "matching"
RISK: Final[str] = "risk"
LIQUIDATION: Final[str] = "liquidation"
GATEWAY: Final[str] = "gateway"

COMPONENTS: Final[tuple[str, ...]] = (MATCHING, RISK, LIQUIDATION)

ROUTES: Final[dict[type, tuple[str, ...]]] = {
    # commands, in at the gateway
    c.AddAsset: (RISK,),
    c.AddInstrument: (RISK,),
    c.SetRulebook: (RISK,),
    c.OpenAccount: (RISK,),
    c.Deposit: (RISK,),
    c.Withdraw: (RISK,),
    c.SetLeverage: (RISK,),
    c.SetMarginMode: (RISK,),
    c.SetPositionMode: (RISK,),
    c.AdjustIsolatedMargin: (RISK,),
    c.SubmitOrder: (RISK,),
    c.SubmitTrigger: (RISK,),
    c.CancelOrder: (RISK,),
    c.CancelAll: (RISK,),
    c.AmendOrder: (RISK,),
    c.AmendTrigger: (RISK,),
    c.IndexPrice: (RISK,),
    c.AssetPrice: (RISK,),
    c.AdvanceTime: (RISK, MATCHING, LIQUIDATION),
    c.QueryAccount: (RISK,),
    c.QueryMarket: (RISK,),
    c.QueryRisk: (RISK,),
    c.QueryOrders: (RISK,),
    c.Skipped: (RISK,),
    # risk -> risk
    k.FireTrigger: (RISK,),
    # risk -> matching and liquidation
    k.InstrumentListed: (MATCHING, LIQUIDATION),
    k.RulesInForce: (LIQUIDATION,),
    # risk -> matching
    k.PlaceOrder: (MATCHING,),
    k.PullOrder: (MATCHING,),
    k.ChangeOrder: (MATCHING,),
    k.PositionMoved: (MATCHING,),
    k.AskImpact: (MATCHING,),
    # matching -> risk
    k.Fill: (RISK,),
    k.OrderGone: (RISK,),
    k.OrderChanged: (RISK,),
    k.PullFailed: (RISK,),
    k.BookTop: (RISK,),
    k.ImpactPrices: (RISK,),
    # risk -> liquidation
    k.LiquidationRequired: (LIQUIDATION,),
    k.LiquidationReport: (LIQUIDATION,),
    k.HouseInventory: (LIQUIDATION,),
    k.MarginRate: (LIQUIDATION,),
    # liquidation -> risk
    k.LiquidateCancel: (RISK,),
    k.LiquidateOrder: (RISK,),
    k.LiquidateTakeover: (RISK,),
    k.LiquidateAdl: (RISK,),
    k.LiquidateSocialise: (RISK,),
    k.LiquidateStage: (RISK,),
    k.LiquidateRelease: (RISK,),
}

BOOK_OF: Final[dict[type, Callable[[Any], int]]] = {
    k.InstrumentListed: attrgetter("spec.instrument_id"),
    k.PlaceOrder: attrgetter("instrument_id"),
    k.PullOrder: attrgetter("instrument_id"),
    k.ChangeOrder: attrgetter("instrument_id"),
    k.PositionMoved: attrgetter("instrument_id"),
    k.AskImpact: attrgetter("instrument_id"),
}
"""The instrument whose book a message for matching concerns; what is not here concerns all books,
and is answered instrument by instrument in the order of their ids."""

SENDERS: Final[dict[type, str]] = {
    **dict.fromkeys(get_args(c.Command), GATEWAY),
    k.FireTrigger: RISK,
    k.InstrumentListed: RISK,
    k.RulesInForce: RISK,
    k.PlaceOrder: RISK,
    k.PullOrder: RISK,
    k.ChangeOrder: RISK,
    k.PositionMoved: RISK,
    k.AskImpact: RISK,
    k.LiquidationRequired: RISK,
    k.LiquidationReport: RISK,
    k.HouseInventory: RISK,
    k.MarginRate: RISK,
    k.Fill: MATCHING,
    k.OrderGone: MATCHING,
    k.OrderChanged: MATCHING,
    k.PullFailed: MATCHING,
    k.BookTop: MATCHING,
    k.ImpactPrices: MATCHING,
    k.LiquidateCancel: LIQUIDATION,
    k.LiquidateOrder: LIQUIDATION,
    k.LiquidateTakeover: LIQUIDATION,
    k.LiquidateAdl: LIQUIDATION,
    k.LiquidateSocialise: LIQUIDATION,
    k.LiquidateStage: LIQUIDATION,
    k.LiquidateRelease: LIQUIDATION,
}
"""Who sends each message of `ROUTES`; only the printed table needs to know."""

EVENT_SENDERS: Final[tuple[str, ...]] = (RISK, MATCHING)
"""Who tells the outside; what the liquidation engine does, risk publishes."""


def draw() -> str:
    """The routing table as a Markdown table: one row per sender and receiver, with its messages."""
    routes: dict[tuple[str, str], list[str]] = {}
    for message, receivers in ROUTES.items():
        for receiver in receivers:
            routes.setdefault((SENDERS[message], receiver), []).append(message.__name__)
    lines = ["| from | to | messages |", "| --- | --- | --- |"]
    lines += [
        f"| {sender} | {receiver} | {', '.join(names)} |"
        for (sender, receiver), names in routes.items()
    ]
    lines += [f"| {component} | {GATEWAY} | events |" for component in EVENT_SENDERS]
    return "\n".join(lines)
