"""The account: balances, positions, settings as they are."""

from typing import Any

from doors.exchange.contracts import share
from doors.exchange.decimals import plain
from doors.usdm.call import Call
from doors.usdm.pots import (
    LEG_OF_SIDE,
    AssetSums,
    Place,
    largest_notional_q,
    places_of,
    settings_of,
    sums_of,
)


async def account_v2(call: Call) -> Any:
    """Balances and all positions, empty ones included."""
    report = await call.door.account(call.account_id)
    sums = sums_of(call.door, report)
    places = places_of(call.door, report, list(call.door.listed))
    now_ms = call.now_ms()
    return {
        "feeTier": 0,
        "feeBurn": False,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
        **_totals(sums),
        "assets": [_asset(one, now_ms) | {"marginAvailable": True} for one in sums],
        "positions": [_position_v2(place, now_ms) for place in places],
    }


async def account_v3(call: Call) -> Any:
    """Balances, and the positions that there are."""
    report = await call.door.account(call.account_id)
    sums = sums_of(call.door, report)
    now_ms = call.now_ms()
    places = places_of(call.door, report, list(call.door.listed))
    return {
        **_totals(sums),
        "assets": [_asset(one, now_ms) for one in sums],
        "positions": [_position_v3(place, now_ms) for place in places if place.lots],
    }


def _totals(sums: list[AssetSums]) -> dict[str, str]:
    """The figures of the asset that contracts are settled in; the first one of several."""
    first = sums[0]
    amounts = {
        "totalInitialMargin": first.initial_q,
        "totalMaintMargin": first.maintenance_q,
        "totalWalletBalance": first.wallet_q,
        "totalUnrealizedProfit": first.unrealised_q,
        "totalMarginBalance": first.equity_q,
        "totalPositionInitialMargin": first.position_initial_q,
        "totalOpenOrderInitialMargin": first.order_initial_q,
        "totalCrossWalletBalance": first.cross_wallet_q,
        "totalCrossUnPnl": first.cross_unrealised_q,
        "availableBalance": first.available_q,
        "maxWithdrawAmount": first.withdrawable_q,
    }
    return {name: first.text(amount_q) for name, amount_q in amounts.items()}


def _asset(one: AssetSums, now_ms: int) -> dict[str, Any]:
    amounts = {
        "walletBalance": one.wallet_q,
        "unrealizedProfit": one.unrealised_q,
        "marginBalance": one.equity_q,
        "maintMargin": one.maintenance_q,
        "initialMargin": one.initial_q,
        "positionInitialMargin": one.position_initial_q,
        "openOrderInitialMargin": one.order_initial_q,
        "crossWalletBalance": one.cross_wallet_q,
        "crossUnPnl": one.cross_unrealised_q,
        "availableBalance": one.available_q,
        "maxWithdrawAmount": one.withdrawable_q,
    }
    texts = {name: one.text(amount_q) for name, amount_q in amounts.items()}
    return {"asset": one.asset.symbol, **texts, "updateTime": now_ms}


def _position_v2(place: Place, now_ms: int) -> dict[str, Any]:
    contract, money = place.contract, place.contract.money
    return {
        "symbol": contract.symbol,
        "initialMargin": money(place.initial_q),
        "maintMargin": money(place.maintenance_q),
        "unrealizedProfit": money(place.unrealised_q),
        "positionInitialMargin": money(place.position_initial_q),
        "openOrderInitialMargin": money(place.order_initial_q),
        "leverage": str(place.leverage),
        "isolated": place.isolated,
        "entryPrice": place.entry_price,
        "breakEvenPrice": place.entry_price,
        "maxNotional": _largest(place),
        "bidNotional": "0",
        "askNotional": "0",
        "positionSide": place.side,
        "positionAmt": contract.qty(place.lots),
        "updateTime": now_ms if place.lots else 0,
        "notional": money(place.notional_q),
        "isolatedWallet": money(place.isolated_wallet_q),
    }


def _largest(place: Place) -> str:
    contract = place.contract
    return plain(largest_notional_q(contract, place.leverage), contract.asset.decimals)


def _position_v3(place: Place, now_ms: int) -> dict[str, Any]:
    contract, money = place.contract, place.contract.money
    return {
        "symbol": contract.symbol,
        "positionSide": place.side,
        "positionAmt": contract.qty(place.lots),
        "unrealizedProfit": money(place.unrealised_q),
        "isolatedMargin": money(place.isolated_margin_q),
        "notional": money(place.notional_q),
        "isolatedWallet": money(place.isolated_wallet_q),
        "initialMargin": money(place.initial_q),
        "maintMargin": money(place.maintenance_q),
        "updateTime": now_ms,
    }


async def balance(call: Call) -> Any:
    """Balances, one row per asset."""
    report = await call.door.account(call.account_id)
    now_ms = call.now_ms()
    return [
        {
            "accountAlias": f"SW{call.account_id}",
            "asset": one.asset.symbol,
            "balance": one.text(one.wallet_q),
            "crossWalletBalance": one.text(one.cross_wallet_q),
            "crossUnPnl": one.text(one.cross_unrealised_q),
            "availableBalance": one.text(one.available_q),
            "maxWithdrawAmount": one.text(one.withdrawable_q),
            "marginAvailable": True,
            "updateTime": now_ms,
        }
        for one in sums_of(call.door, report)
    ]


async def position_risk_v2(call: Call) -> Any:
    """Positions, empty ones included."""
    contracts = call.contracts()
    report = await call.door.account(call.account_id)
    now_ms = call.now_ms()
    return [_risk_v2(place, now_ms) for place in places_of(call.door, report, contracts)]


def _risk_v2(place: Place, now_ms: int) -> dict[str, Any]:
    contract, money = place.contract, place.contract.money
    return {
        "symbol": contract.symbol,
        "positionAmt": contract.qty(place.lots),
        "entryPrice": place.entry_price,
        "breakEvenPrice": place.entry_price,
        "markPrice": contract.price(place.mark_ticks),
        "unRealizedProfit": money(place.unrealised_q),
        "liquidationPrice": place.liquidation_price,
        "leverage": str(place.leverage),
        "maxNotionalValue": _largest(place),
        "marginType": "isolated" if place.isolated else "cross",
        "isolatedMargin": money(place.isolated_margin_q),
        "isAutoAddMargin": "false",
        "positionSide": place.side,
        "notional": money(place.notional_q),
        "isolatedWallet": money(place.isolated_wallet_q),
        "updateTime": now_ms if place.lots else 0,
    }


async def position_risk_v3(call: Call) -> Any:
    """The positions that there are."""
    contracts = call.contracts()
    report = await call.door.account(call.account_id)
    now_ms = call.now_ms()
    places = places_of(call.door, report, contracts)
    return [_risk_v3(place, now_ms) for place in places if place.lots]


def _risk_v3(place: Place, now_ms: int) -> dict[str, Any]:
    contract, money = place.contract, place.contract.money
    return {
        "symbol": contract.symbol,
        "positionSide": place.side,
        "positionAmt": contract.qty(place.lots),
        "entryPrice": place.entry_price,
        "breakEvenPrice": place.entry_price,
        "markPrice": contract.price(place.mark_ticks),
        "unRealizedProfit": money(place.unrealised_q),
        "liquidationPrice": place.liquidation_price,
        "isolatedMargin": money(place.isolated_margin_q),
        "notional": money(place.notional_q),
        "marginAsset": contract.asset.symbol,
        "isolatedWallet": money(place.isolated_wallet_q),
        "initialMargin": money(place.initial_q),
        "maintMargin": money(place.maintenance_q),
        "positionInitialMargin": money(place.position_initial_q),
        "openOrderInitialMargin": money(place.order_initial_q),
        "adl": place.adl_quantile,
        "bidNotional": "0",
        "askNotional": "0",
        "updateTime": now_ms,
    }


async def adl_quantile(call: Call) -> Any:
    """How near each position is to being deleveraged."""
    contracts = call.contracts()
    report = await call.door.account(call.account_id)
    found = {contract.symbol: dict.fromkeys(LEG_OF_SIDE, 0) for contract in contracts}
    for place in places_of(call.door, report, contracts):
        found[place.contract.symbol][place.side] = place.adl_quantile
    rows = [{"symbol": symbol, "adlQuantile": sides} for symbol, sides in found.items()]
    return rows[0] if call.parameters.has("symbol") and rows else rows


async def symbol_config(call: Call) -> Any:
    """Leverage and margin type of each contract."""
    contracts = call.contracts()
    report = await call.door.account(call.account_id)
    settings = settings_of(call.door, report, contracts)
    return [
        {
            "symbol": contract.symbol,
            "marginType": "ISOLATED" if setting.isolated else "CROSSED",
            "isAutoAddMargin": False,
            "leverage": setting.leverage,
            "maxNotionalValue": plain(
                largest_notional_q(contract, setting.leverage), contract.asset.decimals
            ),
        }
        for contract, setting in zip(contracts, settings, strict=True)
    ]


async def account_config(call: Call) -> Any:
    """Settings of the whole account."""
    report = await call.door.account(call.account_id)
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": True,
        "dualSidePosition": report.hedge,
        "updateTime": 0,
        "multiAssetsMargin": False,
        "tradeGroupId": -1,
    }


async def position_mode(call: Call) -> Any:
    """Hedge mode or not."""
    report = await call.door.account(call.account_id)
    return {"dualSidePosition": report.hedge}


async def multi_assets(_: Call) -> Any:
    """Whether several assets count together is a matter of the rules, not of the account."""
    return {"multiAssetsMargin": False}


async def commission_rate(call: Call) -> Any:
    """Maker and taker fee of a contract."""
    contract = call.contract()
    maker_ppb, taker_ppb, _ = call.door.listed.fees_ppb(contract)
    return {
        "symbol": contract.symbol,
        "makerCommissionRate": share(maker_ppb, 6),
        "takerCommissionRate": share(taker_ppb, 6),
        "rpiCommissionRate": "0",
    }


async def fee_burn(_: Call) -> Any:
    """Fees are not paid in another coin."""
    return {"feeBurn": False}


async def trading_status(_: Call) -> Any:
    """Nobody's trading is restricted."""
    return {"indicators": {}, "updateTime": 0}


async def order_limits(call: Call) -> Any:
    """The limits of orders."""
    return [one for one in call.door.limits.stated() if one["rateLimitType"] == "ORDERS"]
