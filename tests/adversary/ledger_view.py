"""What accounts are worth, added up by the adversary itself.

Nothing here calls the engine's own health figures: an error there must not hide itself. Money is in
quanta of the pot's asset.
"""

from engine.units import magnitude
from risk.accounts import BACKSTOP, BAD_DEBT, FUND, RESIDUE, MarginAccount, Position, Trader
from seawall.exchange import Exchange

LOSERS = (FUND, BACKSTOP, RESIDUE, BAD_DEBT)
"""House accounts that may not lose to colluders; the fee account pays rebates."""


def unrealised_q(position: Position) -> int:
    """Gain since entry at the mark."""
    listing = position.listing
    value_q = listing.instrument.position_value_q(position.qty_lots, listing.mark_ticks)
    return value_q - position.entry_value_q


def own_q(account: MarginAccount) -> int:
    """Wallet and unrealised gains of one pot, without other assets that count in it."""
    total_q = account.wallet_q
    for position in account.positions:
        if position.qty_lots:
            total_q += unrealised_q(position)
    return total_q


def equity_q(account: MarginAccount) -> int:
    """Wallet, unrealised gains and what other assets count for."""
    return own_q(account) + sum(holding.value_q() for holding in account.holdings)


def requirement_q(account: MarginAccount, maintenance: bool = False) -> int:
    """Initial (or maintenance) margin of the positions alone, open orders left out."""
    total_q = 0
    for position in account.positions:
        if position.qty_lots:
            listing = position.listing
            model = listing.model
            rate = model.maintenance_q if maintenance else model.initial_q
            total_q += rate(
                position.qty_lots,
                listing.instrument.notional_q(position.qty_lots, listing.mark_ticks),
                magnitude(position.entry_value_q),
                position.leverage,
            )
    return total_q


def prices(exchange: Exchange) -> tuple[int, ...]:
    """Everything that values a pot: marks and the prices of collateral."""
    core = exchange.risk.core
    return (
        *(core.listings[key].mark_ticks for key in core.listings),
        *(asset.price_ppb for asset in core.ledger.collateral.values()),
    )


def at_stake_q(exchange: Exchange, colluders: frozenset[int]) -> dict[int, dict[str, int]]:
    """What colluders could take from others, by asset and by who would lose it.

    The house and the honest count with all they have; of the colluders' pots only what is below
    zero counts, for nobody but the house will ever pay that.
    """
    core = exchange.risk.core
    found: dict[int, dict[str, int]] = {}
    for account in core.ledger.accounts.values():
        owner = account.trader.account_id
        house = account.trader.is_house()
        if house and owner not in LOSERS:
            continue
        asset_id = account.asset_id
        if owner in colluders:
            name, amount_q = "colluders below zero", min(0, equity_q(account))
        else:
            name = f"house {owner}" if house else "honest"
            amount_q = own_q(account)
            collateral = core.ledger.collateral.get(asset_id)
            if collateral is not None:
                amount_q = collateral.full_value_q(amount_q)
                asset_id = collateral.margin_asset_id
        row = found.setdefault(asset_id, {})
        row[name] = row.get(name, 0) + amount_q
    return found


def idle(trader: Trader) -> bool:
    """Whether a trader has neither positions nor open orders."""
    return not trader.open_orders() and not any(
        position.qty_lots for account in trader.accounts for position in account.positions
    )
