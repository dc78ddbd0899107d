"""A rulebook: one venue's rules as data, resolved to integers.

Where a rule names a mechanism (a method, a policy, a ranking), the name is one of a registry of
`risk.choices`, and ``params`` holds the figures only that mechanism asks for, by inside name.
`risk.rulebook_file` reads the TOML form and its margin tables; this is what travels in
`engine.commands.SetRulebook` and what the risk and liquidation engines obey.
"""

from typing import Annotated, Final

import msgspec

from engine.setting_units import (
    BELOW_ONE,
    OneOf,
    Rate,
    Seconds,
    SourceWeights,
    Whole,
)
from engine.settings import NO_KEY
from engine.units import PPB

LEVEL_ALERT: Final[str] = "alert"
LEVEL_CALL: Final[str] = "call"
LEVEL_LIQUIDATE: Final[str] = "liquidate"
LEVEL_KINDS: Final[tuple[str, ...]] = (LEVEL_ALERT, LEVEL_CALL, LEVEL_LIQUIDATE)

MAX_FACTOR_PPB: Final[int] = 1_000 * PPB
MAX_NOTIONAL: Final[int] = 10**18

STAGES: Final[tuple[str, ...]] = (
    "cancel",
    "reduce",
    "close",
    "backstop",
    "fund",
    "adl",
    "socialise",
)
"""Every stage of the waterfall there is; a rulebook lists those it uses, in its order."""

ENDS_LEVEL: Final[str] = "level"
ENDS_MET: Final[str] = "met"
CALL_ENDS: Final[tuple[str, ...]] = (ENDS_LEVEL, ENDS_MET)
REDUCE_ONLY_RULES: Final[tuple[str, ...]] = ("cap", "count")

GO_ON: Final[str] = "go_on"
REDUCE_ONLY: Final[str] = "reduce_only"
HALT_LIQUIDATIONS: Final[str] = "halt_liquidations"
WHEN_STALE: Final[tuple[str, ...]] = (GO_ON, REDUCE_ONLY, HALT_LIQUIDATIONS)
"""What happens while every source of an index is stale."""

PAID_ON_MARK: Final[str] = "mark"
PAID_ON_INDEX: Final[str] = "index"
PLAIN: Final[str] = "plain"
RISING: Final[str] = "rising"


class LevelRule(msgspec.Struct, frozen=True):
    """A margin level, entered when equity falls below ``factor x maintenance``."""

    name: str
    kind: Annotated[str, OneOf(*LEVEL_KINDS)]
    factor_ppb: Annotated[int, Rate(1, MAX_FACTOR_PPB)]


class CallRule(msgspec.Struct, frozen=True):
    """What a margin call demands. The amount lifts equity to ``restore_to`` (``initial`` or
    ``maintenance``) times ``1 + buffer``; ``grace_ns`` -1 means no deadline; ``on_expiry`` is
    ``liquidate`` or ``notify``. ``ends``: a call is cured as soon as the account is above the call
    ``level``, or only when what it asked for is ``met``."""

    restore_to: Annotated[str, OneOf("initial", "maintenance")] = "maintenance"
    buffer_ppb: Annotated[int, Rate(0, MAX_FACTOR_PPB)] = 0
    grace_ns: Annotated[int, Seconds(never=True)] = -1
    on_expiry: Annotated[str, OneOf("liquidate", "notify")] = "notify"
    ends: Annotated[str, OneOf(*CALL_ENDS)] = ENDS_LEVEL


class SymbolFeeRule(msgspec.Struct, frozen=True):
    """Fees of the contracts of these symbols, in the place of those of all contracts."""

    symbols: list[str]
    maker_ppb: Annotated[int, Rate(-BELOW_ONE, BELOW_ONE)]
    taker_ppb: Annotated[int, Rate(0, BELOW_ONE)]
    liquidation_ppb: Annotated[int, Rate(0, BELOW_ONE)]


class FeeRule(msgspec.Struct, frozen=True):
    """Fees on notional; a negative maker fee is a rebate, no more than the other side of the fill
    paid. The liquidation fee goes to the fund and is charged on what is liquidated, never beyond
    the account's remaining equity.
    ``contracts`` are those with fees of their own."""

    maker_ppb: Annotated[int, Rate(-BELOW_ONE, BELOW_ONE)] = 0
    taker_ppb: Annotated[int, Rate(0, BELOW_ONE)] = 0
    liquidation_ppb: Annotated[int, Rate(0, BELOW_ONE)] = 0
    contracts: list[SymbolFeeRule] = []

    def rates_of(self, symbol: str) -> tuple[int, int, int]:
        """Maker, taker and liquidation fee of a contract, in parts per billion."""
        for rule in self.contracts:
            if symbol in rule.symbols:
                return rule.maker_ppb, rule.taker_ppb, rule.liquidation_ppb
        return self.maker_ppb, self.taker_ppb, self.liquidation_ppb


class CoinRule(msgspec.Struct, frozen=True):
    """How much of its coin a short may borrow, in whole coins, in contracts of these symbols."""

    symbols: list[str]
    coins: Annotated[int, Whole(0, MAX_NOTIONAL, zero="no limit")]


class BorrowRule(msgspec.Struct, frozen=True):
    """Fees on what a position borrows: a share of the value of a long's opening and of a short's
    coin, charged when it opens and again every ``rollover_ns`` after (0: at the opening only).

    Orders lead no long beyond the value ``allowance`` (whole units of the asset; 0: no limit), and
    no short beyond the coins of its contract in ``contracts``."""

    long_ppb: Annotated[int, Rate(0, PPB // 10)] = 0
    short_ppb: Annotated[int, Rate(0, PPB // 10)] = 0
    rollover_ns: Annotated[int, Seconds()] = 0
    allowance: Annotated[int, Whole(0, MAX_NOTIONAL, zero="no limit")] = 0
    contracts: list[CoinRule] = []


class IndexRule(msgspec.Struct, frozen=True):
    """How sources make an index, by a method of `risk.indices` (weights by source id, default 1);
    sources older than ``stale_ns`` or further than ``outlier_ppb`` from the median are left out
    (0: rule off). ``when_stale`` is what happens while all of them are older: the last index goes
    on, or orders may only reduce and the house does not sell, or none is liquidated either."""

    method: str = "median"
    stale_ns: Annotated[int, Seconds()] = 0
    outlier_ppb: Annotated[int, Rate(0, PPB)] = 0
    weights: Annotated[list[tuple[int, int]], SourceWeights()] = []
    when_stale: Annotated[str, OneOf(*WHEN_STALE)] = GO_ON
    params: Annotated[list[tuple[str, int]], NO_KEY] = []


class MarkRule(msgspec.Struct, frozen=True):
    """How the mark is made, by a method of `risk.marks`. Samples of the basis are taken every
    ``basis_interval_ns``; ``basis_samples`` of them are the window an average runs over. The mark
    is never further than ``max_distance_ppb`` from the index (0: no bound). Sources with
    ``weights`` report the price of other venues' contracts: they are part of the mark, by their
    weighted median, and not of the index."""

    method: str = "median"
    basis_samples: Annotated[int, Whole(1, 100_000)] = 30
    basis_interval_ns: Annotated[int, Seconds(1)] = 5_000_000_000
    max_distance_ppb: Annotated[int, Rate(0, BELOW_ONE)] = 100_000_000
    weights: Annotated[list[tuple[int, int]], SourceWeights()] = []
    params: Annotated[list[tuple[str, int]], NO_KEY] = []


class ImpactRule(msgspec.Struct, frozen=True):
    """The size of the impact prices of the contracts of these symbols."""

    symbols: list[str]
    notional: Annotated[int, Whole(0, MAX_NOTIONAL, zero="best prices")]


class FundingRule(msgspec.Struct, frozen=True):
    """Funding: rate = mean premium + clamp(interest - premium, +-clamp), limited to +-cap, settled
    every ``interval_ns`` (0: no funding). Interest and premium belong to ``rate_period_ns`` (0: the
    interval itself), of which an interval pays its share; the cap (0: none) is per interval.

    It is paid on the value at the ``mark`` or at the ``index`` (``paid_on``). The mean of the
    premium is ``plain``, or the n-th sample counts n times (``rising``).

    The premium is that of the best prices, or of impact prices: the average at which a standard
    size trades, ``impact_notional`` or ``impact_margin`` times the highest leverage, in whole units
    of the quote currency (0, 0: best prices). ``contracts`` have a notional of their own."""

    interval_ns: Annotated[int, Seconds()] = 0
    interest_ppb: Annotated[int, Rate(-BELOW_ONE, BELOW_ONE)] = 0
    clamp_ppb: Annotated[int, Rate(0, BELOW_ONE)] = 0
    cap_ppb: Annotated[int, Rate(0, BELOW_ONE)] = 0
    sample_interval_ns: Annotated[int, Seconds(1)] = 5_000_000_000
    rate_period_ns: Annotated[int, Seconds()] = 0
    method: str = "clamped_interest"
    paid_on: Annotated[str, OneOf(PAID_ON_MARK, PAID_ON_INDEX)] = PAID_ON_MARK
    averaging: Annotated[str, OneOf(PLAIN, RISING)] = PLAIN
    impact_notional: Annotated[int, Whole(0, MAX_NOTIONAL, zero="best prices")] = 0
    impact_margin: Annotated[int, Whole(0, MAX_NOTIONAL, zero="best prices")] = 0
    contracts: list[ImpactRule] = []
    params: Annotated[list[tuple[str, int]], NO_KEY] = []


class LiquidationRule(msgspec.Struct, frozen=True):
    """The waterfall's order and the pace of each stage.

    ``partial`` names the reduce policy. ``restore_buffer_ppb``: equity must reach
    ``maintenance x (1 + buffer)`` before the account is released. ``fraction_ppb`` of the position
    is closed at a time by the ``fraction`` policy, if its notional is at least
    ``fraction_min_notional`` (whole units of the asset); for ``cooldown_ns`` after such a step the
    account either waits (``after_fraction`` = ``wait``) or is closed whole (``whole``).
    Liquidation orders are never sent past the price that uses the equity up (``order_price``
    ``bankruptcy``); with ``slippage`` no further than ``slippage_ppb`` from the mark either.
    ``residual``: margin left at takeover goes to the ``taker`` or back to the ``account``.
    ``inclusive``: equity equal to maintenance triggers. ``split`` names how equity is shared out
    over the positions where they close at the value that uses it up, ``fund_delta`` what the fund
    gets of a liquidation order's fill.
    """

    stages: list[Annotated[str, OneOf(*STAGES)]]
    partial: str = "all"
    restore_buffer_ppb: Annotated[int, Rate(0, MAX_FACTOR_PPB)] = 0
    fraction_ppb: Annotated[int, Rate(1, PPB)] = 200_000_000
    fraction_min_notional: Annotated[int, Whole(0)] = 0
    cooldown_ns: Annotated[int, Seconds()] = 0
    after_fraction: Annotated[str, OneOf("wait", "whole")] = "wait"
    order_price: Annotated[str, OneOf("bankruptcy", "slippage")] = "bankruptcy"
    slippage_ppb: Annotated[int, Rate(0, BELOW_ONE)] = 50_000_000
    residual: Annotated[str, OneOf("taker", "account")] = "taker"
    inclusive: bool = False
    split: str = "by_maintenance"
    fund_delta: str = "fee"
    params: Annotated[list[tuple[str, int]], NO_KEY] = []


class FundRule(msgspec.Struct, frozen=True):
    """The insurance fund's limits and how it sells what it took over.

    ``notional_cap_ppb``: its positions may not exceed this share of its equity.
    ``loss_cap_ppb``: one takeover may not cost more than this share (0: no limit, for both).
    Every ``disposal_interval_ns`` it offers ``disposal_fraction_ppb`` of each position within
    ``disposal_slippage_ppb`` of the mark, and beyond the mark only as far as it gains on what it
    gave for it. ``solvency_ppb`` (of the backstop too): with equity below this share of its
    positions' value it is insolvent; they are deleveraged, and what it owes is socialised.
    """

    notional_cap_ppb: Annotated[int, Rate(0, MAX_FACTOR_PPB)] = 0
    loss_cap_ppb: Annotated[int, Rate(0, PPB)] = 0
    disposal_fraction_ppb: Annotated[int, Rate(0, PPB)] = 0
    disposal_interval_ns: Annotated[int, Seconds()] = 0
    disposal_slippage_ppb: Annotated[int, Rate(0, BELOW_ONE)] = 0
    solvency_ppb: Annotated[int, Rate(0, PPB)] = 0


class BackstopRule(msgspec.Struct, frozen=True):
    """The backstop takes accounts whose equity is below ``trigger_ppb`` of maintenance, up to
    ``notional_cap_ppb`` of its own equity (0: no limit), and sells like the fund does."""

    trigger_ppb: Annotated[int, Rate(1, PPB)] = PPB
    notional_cap_ppb: Annotated[int, Rate(0, MAX_FACTOR_PPB)] = 0


class AdlRule(msgspec.Struct, frozen=True):
    """Ranking of counterparties (`risk.liquidation.rankings`) and the price they are closed at
    (`risk.liquidation.adl_prices`).

    ``negative_equity_only``: the stage waits until the account's equity is below zero. No price
    lies further than ``max_distance_ppb`` from the mark; what does not fit is socialised.
    """

    ranking: str = "profit_leverage"
    price: str = "bankruptcy"
    negative_equity_only: bool = False
    max_distance_ppb: Annotated[int, Rate(0, BELOW_ONE)] = 50_000_000
    params: Annotated[list[tuple[str, int]], NO_KEY] = []


class SocialisationRule(msgspec.Struct, frozen=True):
    """Who bears a deficit that is left: winners, by their open gains and those realised in the
    present and the preceding window of ``window_ns`` (0: open gains only)."""

    window_ns: Annotated[int, Seconds()] = 86_400_000_000_000


class WithdrawalRule(msgspec.Struct, frozen=True):
    """Whether unrealised profit may leave, and the least equity (share of notional) that must
    stay behind beyond initial margin."""

    unrealised_profit: bool = False
    min_notional_ppb: Annotated[int, Rate(0, PPB)] = 0


class CollateralAssetRule(msgspec.Struct, frozen=True):
    """An asset, by its symbol, that counts at its index price less ``haircut_ppb``."""

    asset: str
    haircut_ppb: Annotated[int, Rate(0, BELOW_ONE)]


class CollateralRule(msgspec.Struct, frozen=True):
    """Which other assets count in the cross accounts of ``margin_asset`` (a symbol).

    Their order is the order in which they are exchanged for a debt. A debt beyond ``debt_limit``
    (whole units of the margin asset; 0: no limit) is exchanged at once, any other in liquidation.
    """

    margin_asset: str
    assets: list[CollateralAssetRule]
    debt_limit: Annotated[int, Whole(0, MAX_NOTIONAL, zero="no limit")] = 0


class Rulebook(msgspec.Struct, frozen=True):
    """All of a venue's rules. Levels are sorted from the mildest to ``liquidate``, the last.

    ``reduce_only``: open reduce-only orders may together ask for more than the position and close
    what is left of it (``cap``), or they ``count`` and one too many is refused.
    """

    name: str
    title: str
    sources: list[str]
    levels: list[LevelRule]
    liquidation: LiquidationRule
    call: CallRule = CallRule()
    fees: FeeRule = FeeRule()
    borrow: BorrowRule = BorrowRule()
    index: IndexRule = IndexRule()
    mark: MarkRule = MarkRule()
    funding: FundingRule = FundingRule()
    fund: FundRule = FundRule()
    backstop: BackstopRule = BackstopRule()
    adl: AdlRule = AdlRule()
    socialisation: SocialisationRule = SocialisationRule()
    withdrawal: WithdrawalRule = WithdrawalRule()
    profit_margins_orders: bool = True
    market_slippage_ppb: Annotated[int, Rate(0, BELOW_ONE)] = 1_500_000
    reduce_only: Annotated[str, OneOf(*REDUCE_ONLY_RULES)] = "cap"
    collateral: list[CollateralRule] = []

    def to_json(self) -> str:
        """The form that travels in messages and journals; what only some rules have is left out
        where it is empty or usual, so that it adds nothing to the others."""
        plain = msgspec.to_builtins(self)
        if not self.collateral:
            del plain["collateral"]
        usual = msgspec.to_builtins(FundingRule())
        for key in (
            *("method", "paid_on", "averaging"),
            *("impact_notional", "impact_margin", "contracts"),
        ):
            if plain["funding"][key] == usual[key]:
                del plain["funding"][key]
        plain_liquidation = msgspec.to_builtins(LiquidationRule([]))
        for key in ("split", "fund_delta"):
            if plain["liquidation"][key] == plain_liquidation[key]:
                del plain["liquidation"][key]
        if self.borrow == BorrowRule():
            del plain["borrow"]
        if not self.fees.contracts:
            del plain["fees"]["contracts"]
        if not self.mark.weights:
            del plain["mark"]["weights"]
        for rule in plain.values():
            if isinstance(rule, dict) and rule.get("params") == []:
                del rule["params"]
        return msgspec.json.encode(plain).decode()


NO_RULES: Final = Rulebook(
    name="none",
    title="No rulebook set yet",
    sources=[],
    levels=[LevelRule(name="liquidation", kind=LEVEL_LIQUIDATE, factor_ppb=PPB)],
    liquidation=LiquidationRule(stages=["cancel", "close", "socialise"]),
)
"""What is in force until the first `engine.commands.SetRulebook`."""


def rulebook_from_json(text: str) -> Rulebook:
    """The inverse of `Rulebook.to_json`.

    Raises:
        ValueError: not a rulebook; the message says which field and why.
    """
    try:
        return msgspec.json.decode(text, type=Rulebook)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"not a rulebook: {error}") from None
