"""Time and what is listed."""

from typing import Any, Final

import msgspec

from doors.exchange.contracts import Contract, share
from doors.exchange.decimals import plain
from doors.usdm.call import Call

LIMIT_ORDER: Final[str] = "LIMIT"
MARKET_ORDER: Final[str] = "MARKET"
CONDITIONAL: Final[tuple[str, ...]] = (
    *("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"),
)
ORDER_TYPES: Final[tuple[str, ...]] = (LIMIT_ORDER, MARKET_ORDER, *CONDITIONAL)
TIMES_IN_FORCE: Final[tuple[str, ...]] = ("GTC", "IOC", "FOK", "GTX", "GTD")

NEVER_MS: Final[int] = 4_133_404_800_000
"""The day the venue gives as the end of what has none."""

ONBOARD_MS: Final[int] = 1_569_398_400_000
NO_LIMIT: Final[int] = 10**12


async def ping(_: Call) -> Any:
    """Nothing."""
    return {}


async def server_time(call: Call) -> Any:
    """The wall clock."""
    return {"serverTime": call.now_ms()}


async def exchange_info(call: Call) -> Any:
    """What is listed, with its filters."""
    door = call.door
    return {
        "timezone": "UTC",
        "serverTime": call.now_ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": door.limits.stated(),
        "exchangeFilters": [],
        "assets": [
            {"asset": asset.symbol, "marginAvailable": True, "autoAssetExchange": "0"}
            for asset in door.listed.assets.values()
        ],
        "symbols": [_symbol(call, contract) for contract in door.listed],
    }


def _symbol(call: Call, contract: Contract) -> dict[str, Any]:
    spec, tiers = contract.spec, contract.spec.margin.tiers
    maintenance_ppb = tiers[0].maintenance_ppb if tiers else 0
    initial_ppb = 1_000_000_000 // contract.max_leverage  # only shown; rounded down
    _, _, liquidation_ppb = call.door.listed.fees_ppb(contract)
    return {
        "symbol": contract.symbol,
        "pair": contract.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER_MS,
        "onboardDate": ONBOARD_MS,
        "status": "TRADING",
        "maintMarginPercent": share(maintenance_ppb * 100, 4),
        "requiredMarginPercent": share(initial_ppb * 100, 4),
        "baseAsset": contract.base,
        "quoteAsset": contract.asset.symbol,
        "marginAsset": contract.asset.symbol,
        "pricePrecision": contract.price_decimals,
        "quantityPrecision": contract.qty_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "triggerProtect": share(spec.band_ppb, 4),
        "liquidationFee": share(liquidation_ppb, 6),
        "marketTakeBound": share(spec.band_ppb, 4),
        "maxMoveOrderLimit": 10_000,
        "filters": _filters(contract),
        "orderTypes": list(ORDER_TYPES),
        "timeInForce": list(TIMES_IN_FORCE),
        "permissionSets": ["COPY"],
    }


def _filters(contract: Contract) -> list[dict[str, Any]]:
    spec = contract.spec
    lots = {
        "minQty": contract.qty(max(1, spec.min_lots)),
        "maxQty": contract.qty(spec.max_lots or NO_LIMIT),
        "stepSize": contract.qty(1),
    }
    band_ppb = spec.band_ppb or 1_000_000_000
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": contract.price(1),
            "maxPrice": contract.price(NO_LIMIT),
            "tickSize": contract.price(1),
        },
        {"filterType": "LOT_SIZE", **lots},
        {"filterType": "MARKET_LOT_SIZE", **lots},
        {"filterType": "MAX_NUM_ORDERS", "limit": spec.max_open_orders},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": spec.max_open_orders},
        {
            "filterType": "MIN_NOTIONAL",
            "notional": plain(spec.min_notional_q, contract.asset.decimals),
        },
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": share(1_000_000_000 + band_ppb, 4),
            "multiplierDown": share(1_000_000_000 - band_ppb, 4),
            "multiplierDecimal": "4",
        },
    ]


async def leverage_bracket(call: Call) -> Any:
    """The margin table of each contract; numbers, as the venue sends them."""
    return [
        {
            "symbol": contract.symbol,
            "notionalCoef": 1.0,
            "brackets": [
                {
                    "bracket": number,
                    "initialLeverage": tier.max_leverage,
                    "notionalCap": _number(contract, tier.cap_q or NO_LIMIT * 10**9),
                    "notionalFloor": _number(contract, tier.floor_q),
                    "maintMarginRatio": msgspec.Raw(plain(tier.maintenance_ppb, 9).encode()),
                    "cum": _number(contract, tier.deduction_q),
                }
                for number, tier in enumerate(contract.spec.margin.tiers, 1)
            ],
        }
        for contract in call.contracts()
    ]


def _number(contract: Contract, amount_q: int) -> msgspec.Raw:
    """An amount as a JSON number, exactly."""
    return msgspec.Raw(plain(amount_q, contract.asset.decimals).encode())
