"""What a market shows of accounts, positions, calls and contracts: decimals as text."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CollateralView:
    """A balance in another asset: how much, its price, and the ``value`` it counts for after the
    haircut. ``liquidation_price`` is the price of the asset at which the account falls to
    liquidation if only this asset moves; None where there is none."""

    asset: str
    amount: str
    price: str
    haircut: str
    value: str
    liquidation_price: str | None


@dataclass(frozen=True)
class AccountView:
    """One pot of collateral.

    ``margin_ratio`` is equity over position value, ``times_maintenance`` equity over maintenance
    margin, which the margin levels are multiples of; both rounded down, None without a position.
    """

    asset: str
    wallet: str
    equity: str
    initial_margin: str
    maintenance_margin: str
    free: str
    withdrawable: str
    margin_ratio: str | None
    times_maintenance: str | None
    level: str
    collateral: tuple[CollateralView, ...] = ()


@dataclass(frozen=True)
class PositionView:
    """A position; a price is None where there is none.

    ``entry_price`` is the average price, rounded to the contract's tick and eight digits more;
    ``adl_rank`` 1 (next to be deleveraged) to 5, 0 without a profit to take.
    """

    contract: str
    leg: str
    isolated: bool
    leverage: int
    qty: str
    entry_price: str
    mark_price: str
    unrealised: str
    initial_margin: str
    maintenance_margin: str
    liquidation_price: str | None
    bankruptcy_price: str | None
    adl_rank: int


@dataclass(frozen=True)
class OrderView:
    """An open order, or one that waits for its price.

    ``qty`` is None where it closes the whole position, ``price`` where it will be a market order;
    ``waits_for`` is stop, take_profit or trailing, with ``by`` the price it looks at and
    ``fires_at`` where (None: a trailing order that is not active yet); all three are None of an
    order in the book. ``expires_s`` is in seconds from the market's start, None without an end.
    """

    order_id: int
    contract: str
    leg: str
    side: str
    qty: str | None
    remaining: str | None
    price: str | None
    reduce_only: bool
    state: str
    expires_s: str | None
    waits_for: str | None = None
    by: str | None = None
    fires_at: str | None = None


@dataclass(frozen=True)
class CallView:
    """A margin call and what came of it; times in seconds from the market's start.

    ``contract`` is that of an isolated pot, None for the cross account. ``deadline_s`` is None
    without a deadline. ``outcome`` is ``open``, ``cured``, ``expired`` or ``overtaken``;
    ``cured_by`` is ``deposit``, ``reduction``, ``both`` or ``price`` where it was cured. ``paid``
    is what the owner brought since, ``reduced`` how much less is missing by the owner's own trades.
    """

    call_id: int
    account_id: int
    contract: str | None
    amount: str
    issued_s: str
    deadline_s: str | None
    outcome: str
    ended_s: str | None
    cured_by: str
    paid: str
    reduced: str


@dataclass(frozen=True)
class ContractView:
    """A contract's public prices; None while unknown.

    ``funding_rate`` is the rate that would settle if the interval ended now, at ``funding_s``
    seconds from the market's start (None: not known before the first clock tick).
    """

    symbol: str
    mark: str | None
    index: str | None
    last: str | None
    open_interest: str
    funding_rate: str
    funding_s: str | None
