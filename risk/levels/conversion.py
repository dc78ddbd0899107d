"""Collateral exchanged for a debt: at the value it counted with, to the house or to winners.

The payer gives the margin asset, as far as it has any, and takes the collateral at index price less
haircut. So the account's equity stays what it was, and the haircut is what the payer gets for
bearing the price of what it took.
"""

from engine.events import CollateralExchanged
from risk.accounts import FUND, Holding, MarginAccount
from risk.collateral import NO_LIMIT
from risk.core import RiskCore


def exceeds_debt_limit(account: MarginAccount) -> bool:
    """Whether a debt is beyond what the rulebook leaves standing on collateral."""
    if account.wallet_q >= 0 or not account.holdings:
        return False
    limit_q = account.holdings[0].asset.debt_limit_q
    return limit_q != NO_LIMIT and -account.wallet_q > limit_q


def exchange_for_debt(
    core: RiskCore, account: MarginAccount, cause: str, taker_account_id: int = FUND
) -> None:
    """Exchange as much collateral as the account's debt asks for, in the rulebook's order.

    The amount is rounded up to a quantum of the collateral and paid for exactly, so the wallet ends
    at zero or by less than that quantum's value above. Without a debt nothing happens. What the
    payer has not got it does not lend: the rest of the debt goes on standing on its collateral.
    """
    payer = core.ledger.house(taker_account_id, account.asset_id)
    for holding in account.holdings:
        debt_q = min(-account.wallet_q, payer.wallet_q)
        if debt_q <= 0:
            return
        exchange(core, holding, debt_q, payer, payer.wallet_q, cause)


def exchange(
    core: RiskCore, holding: Holding, value_q: int, payer: MarginAccount, most_q: int, cause: str
) -> None:
    """Let a payer pay ``value_q`` of a debt, and take the collateral that counts for so much, as
    far as there is any. Rounded up to a quantum of that, unless it costs more than ``most_q``."""
    source, asset = holding.source, holding.asset
    if source.wallet_q <= 0 or not asset.price_ppb:
        return
    amount_q = min(source.wallet_q, asset.amount_for_q(value_q))
    paid_q = _counted_for_q(holding, amount_q)
    if paid_q > most_q:
        amount_q -= 1
        paid_q = _counted_for_q(holding, amount_q)
    if not paid_q:
        return
    taker = core.ledger.cross(payer.trader, asset.asset_id)
    core.ledger.transfer(payer, holding.account, paid_q)
    core.ledger.transfer(source, taker, amount_q)
    core.fund_moved(payer, -paid_q, "collateral")
    core.fund_moved(taker, amount_q, "collateral")
    core.emit(
        CollateralExchanged(
            core.now_ns,
            holding.account.margin_account_id,
            asset.asset_id,
            amount_q,
            asset.margin_asset_id,
            paid_q,
            max(0, asset.full_value_q(amount_q) - paid_q),
            asset.price_ppb,
            payer.trader.account_id,
            cause,
        )
    )


def _counted_for_q(holding: Holding, amount_q: int) -> int:
    """What a part of a balance counted for beside the rest of it: by roundings a quantum more than
    alone, without which its account would have lost that."""
    left_q = holding.asset.value_q(holding.source.wallet_q - amount_q)
    return holding.asset.value_q(holding.source.wallet_q) - left_q
