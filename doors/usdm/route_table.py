"""The table of endpoints: what each is called with, who may call it, what it weighs.

The table of `docs/doors.md` is made from it, and the tests walk it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from doors.usdm.call import Call
from doors.usdm.endpoints import (
    account,
    batch,
    candles,
    conditional,
    elsewhere,
    entry,
    general,
    listening,
    market,
    past,
    settings,
    standing,
)
from gateway.protocol import READ, TRADE

PUBLIC: Final[str] = "public"
KEYED: Final[str] = "key"
SIGNED: Final[str] = "signed"
"""How a request has to come: as it is, with an API key, or signed with it."""

Handler = Callable[[Call], Awaitable[Any]]


class Route(NamedTuple):
    """An endpoint. ``right`` is what the key needs; ``covers`` says where it is not the venue's."""

    verb: str
    path: str
    form: str
    handler: Handler
    weight: int = 1
    right: str = READ
    covers: str = ""


def _public(path: str, handler: Handler, weight: int = 1, covers: str = "") -> Route:
    return Route("GET", path, PUBLIC, handler, weight, covers=covers)


def _read(path: str, handler: Handler, weight: int = 1, covers: str = "") -> Route:
    return Route("GET", path, SIGNED, handler, weight, READ, covers)


def _trade(verb: str, path: str, handler: Handler, weight: int = 1, covers: str = "") -> Route:
    return Route(verb, path, SIGNED, handler, weight, TRADE, covers)


NO_OTHER_MARKET: Final[str] = "always empty: clients ask before anything else"

ROUTES: Final[tuple[Route, ...]] = (
    _public("/fapi/v1/ping", general.ping),
    _public("/fapi/v1/time", general.server_time),
    _public(
        "/fapi/v1/exchangeInfo", general.exchange_info, 1, "linear contracts of one base asset"
    ),
    _public("/fapi/v1/depth", market.depth, 5, "the book to its end, at most 1000 levels"),
    _public("/fapi/v1/rpiDepth", market.depth, 20, "as depth"),
    _public("/fapi/v1/trades", market.trades, 5),
    _public("/fapi/v1/historicalTrades", market.trades, 20, "without an API key"),
    _public("/fapi/v1/aggTrades", market.agg_trades, 20, "each trade stands alone"),
    _public("/fapi/v1/klines", candles.klines, 5, "from the exchange's first trade on; no months"),
    _public("/fapi/v1/continuousKlines", candles.continuous_klines, 5, "perpetual contracts"),
    _public("/fapi/v1/indexPriceKlines", candles.index_klines, 5),
    _public("/fapi/v1/markPriceKlines", candles.mark_klines, 5),
    _public("/fapi/v1/premiumIndexKlines", candles.premium_klines, 5, "from open and close"),
    _public("/fapi/v1/premiumIndex", market.premium_index),
    _public("/fapi/v1/fundingRate", market.funding_rate),
    _public("/fapi/v1/fundingInfo", market.funding_info),
    _public("/fapi/v1/ticker/24hr", market.day_ticker, 1, "to the minute"),
    _public("/fapi/v1/ticker/price", market.price_ticker),
    _public("/fapi/v2/ticker/price", market.price_ticker),
    _public("/fapi/v1/ticker/bookTicker", market.book_ticker, 2),
    _public("/fapi/v1/openInterest", market.open_interest),
    _public("/fapi/v1/insuranceBalance", market.insurance_balance, 1, "the fund as it is"),
    _public("/fapi/v1/symbolAdlRisk", market.adl_risk, 1, "high while the fund is empty"),
    Route("POST", "/fapi/v1/listenKey", KEYED, listening.open_key),
    Route("PUT", "/fapi/v1/listenKey", KEYED, listening.renew_key),
    Route("DELETE", "/fapi/v1/listenKey", KEYED, listening.close_key),
    _read("/fapi/v2/account", account.account_v2, 5),
    _read("/fapi/v3/account", account.account_v3, 5),
    _read("/fapi/v2/balance", account.balance, 5),
    _read("/fapi/v3/balance", account.balance, 5),
    _read("/fapi/v2/positionRisk", account.position_risk_v2, 5),
    _read("/fapi/v3/positionRisk", account.position_risk_v3, 5),
    _read("/fapi/v1/leverageBracket", general.leverage_bracket),
    _read("/fapi/v1/symbolConfig", account.symbol_config, 5),
    _read("/fapi/v1/accountConfig", account.account_config, 5),
    _read("/fapi/v1/positionSide/dual", account.position_mode, 30),
    _trade("POST", "/fapi/v1/positionSide/dual", settings.set_position_mode),
    _read("/fapi/v1/multiAssetsMargin", account.multi_assets, 30, "a matter of the rulebook"),
    _trade("POST", "/fapi/v1/multiAssetsMargin", settings.set_multi_assets, 1, "refused"),
    _trade("POST", "/fapi/v1/leverage", settings.set_leverage),
    _trade("POST", "/fapi/v1/marginType", settings.set_margin_type),
    _trade("POST", "/fapi/v1/positionMargin", settings.set_position_margin),
    _read("/fapi/v1/commissionRate", account.commission_rate, 20),
    _read("/fapi/v1/feeBurn", account.fee_burn),
    _read("/fapi/v1/apiTradingStatus", account.trading_status, 1, "nobody is restricted"),
    _read("/fapi/v1/rateLimit/order", account.order_limits),
    _trade("POST", "/fapi/v1/order", conditional.new_order_or_conditional, 1, "no priceMatch"),
    _trade("POST", "/fapi/v1/order/test", entry.test_order, 1, "read, not margined"),
    _trade("PUT", "/fapi/v1/order", standing.amend_order),
    _read("/fapi/v1/order", standing.query_order),
    _trade("DELETE", "/fapi/v1/order", standing.cancel_order),
    _trade("POST", "/fapi/v1/batchOrders", batch.place_batch, 5),
    _trade("PUT", "/fapi/v1/batchOrders", batch.amend_batch, 5),
    _trade("DELETE", "/fapi/v1/batchOrders", batch.cancel_batch),
    _read("/fapi/v1/openOrder", standing.query_open_order),
    _read("/fapi/v1/openOrders", standing.open_orders),
    _read("/fapi/v1/allOrders", past.all_orders, 5),
    _trade("DELETE", "/fapi/v1/allOpenOrders", standing.cancel_all),
    _trade("POST", "/fapi/v1/countdownCancelAll", standing.countdown, 10, "held by the door"),
    _read("/fapi/v1/userTrades", past.user_trades, 5),
    _read("/fapi/v1/income", past.income, 30),
    _read("/fapi/v1/forceOrders", past.force_orders, 20, "of a takeover no fee and no profit"),
    _read("/fapi/v1/adlQuantile", account.adl_quantile, 5),
    _read("/fapi/v1/orderAmendment", past.amendments),
    _trade("POST", "/fapi/v1/algoOrder", conditional.new_algo, 1, "held by the exchange"),
    _read("/fapi/v1/algoOrder", conditional.query_algo),
    _trade("DELETE", "/fapi/v1/algoOrder", conditional.cancel_algo),
    _read("/fapi/v1/openAlgoOrders", conditional.open_algos),
    _read("/fapi/v1/allAlgoOrders", conditional.all_algos, 5),
    _trade("DELETE", "/fapi/v1/algoOpenOrders", conditional.cancel_algos),
    _public("/api/v3/ping", general.ping),
    _public("/api/v3/time", general.server_time),
    _public("/api/v3/exchangeInfo", elsewhere.no_symbols, 1, NO_OTHER_MARKET),
    _public("/dapi/v1/exchangeInfo", elsewhere.no_symbols, 1, NO_OTHER_MARKET),
    _read("/sapi/v1/capital/config/getall", elsewhere.nothing, 1, NO_OTHER_MARKET),
    _read("/sapi/v1/margin/allPairs", elsewhere.nothing, 1, NO_OTHER_MARKET),
    _read("/sapi/v1/margin/isolated/allPairs", elsewhere.nothing, 1, NO_OTHER_MARKET),
)

BY_CALL: Final[dict[tuple[str, str], Route]] = {(route.verb, route.path): route for route in ROUTES}
PATHS: Final[frozenset[str]] = frozenset(route.path for route in ROUTES)


def draw() -> str:
    """The table as Markdown, for `docs/doors.md`."""
    lines = ["| endpoint | needs | weight | here |", "| --- | --- | ---: | --- |"]
    for route in ROUTES:
        needs = route.form if route.form != SIGNED else f"{route.form}, {route.right}"
        covers = route.covers or "as the venue's"
        lines.append(f"| `{route.verb} {route.path}` | {needs} | {route.weight} | {covers} |")
    return "\n".join(lines) + "\n"
