"""The cards at the head of a report: six figures, and what each is made of."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import Any, Final

from seawall.report.contract import ContractData
from seawall.report.data import ReportData
from seawall.report.market_table import market_facts
from seawall.report.text import plain, rounded

Details = list[tuple[str, str]]

_NOTHING: Final[str] = "none"


def cards_html(data: ReportData, contracts: Sequence[ContractData]) -> str:
    """All cards as HTML."""
    cards = [*_markets(contracts), _calls(data), _liquidations(data), *_money(data)]
    return f'<div class="cards">{"".join(_card(*card) for card in cards)}</div>'


def _card(label: str, value: str, details: Details) -> str:
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(each)}</dd>" for name, each in details)
    listed = f"<dl>{rows}</dl>" if rows else ""
    return (
        f'<div class="card"><div class="label">{escape(label)}</div>'
        f'<div class="value">{escape(value)}</div>{listed}</div>'
    )


def _markets(contracts: Sequence[ContractData]) -> Iterator[tuple[str, str, Details]]:
    for contract in contracts:
        facts = market_facts(contract)
        mark, here, index = facts["Mark"], facts["Traded here"], facts["Index"]
        if mark is None:
            continue
        falls = -mark.fall >= mark.rise
        details = []
        if index is not None:
            details.append(("index", f"{index.fall if falls else index.rise:+.1%}"))
        if here is not None:
            far = here.low if falls else here.high
            what = "lowest trade" if falls else "highest trade"
            details.append((what, f"{far:,.{contract.digits}f}"))
        if here is not None and here.basis is not None:
            details.append(("largest basis of a trade", f"{here.basis:+.1%}"))
        yield (
            f"Mark of {contract.instrument.symbol}, first to {'low' if falls else 'high'}",
            f"{mark.fall if falls else mark.rise:+.1%}",
            details,
        )


def _calls(data: ReportData) -> tuple[str, str, Details]:
    calls = _block(data.summary, "margin_calls")
    cured = _block(calls, "cured_by")
    by_owners = sum(cured.get(name, 0) for name in ("deposit", "reduction", "both"))
    details = [
        ("cured by their owners", plain(by_owners if cured else None)),
        ("cured by price alone", plain(cured.get("price"))),
        ("expired", plain(calls.get("expired"))),
        ("overtaken by liquidation", plain(calls.get("overtaken"))),
    ]
    return "Margin calls", plain(calls.get("issued")), details


def _liquidations(data: ReportData) -> tuple[str, str, Details]:
    counts = _block(data.summary, "liquidations")
    details = [
        ("of all margined accounts", plain(data.summary.get("accounts"))),
        ("liquidations that left a position", plain(counts.get("partial"))),
        ("that left none", plain(counts.get("full"))),
    ]
    return "Accounts liquidated", plain(counts.get("accounts")), details


def _money(data: ReportData) -> Iterator[tuple[str, str, Details]]:
    fund = _block(data.summary, "insurance_fund")
    start, end = _block(fund, "start"), _block(fund, "end")
    used = [symbol for symbol in end if Decimal(end[symbol]) or Decimal(start.get(symbol, 0))]
    yield (
        "Insurance fund at the end",
        _amounts({symbol: end[symbol] for symbol in used}),
        [("at the start", _amounts({symbol: start.get(symbol, "0") for symbol in used}))],
    )
    adl = _block(data.summary, "adl")
    worth = _amounts(_block(adl, "notional"))
    yield "Positions closed by ADL", plain(adl.get("fills")), [("worth", worth)]
    socialised = _amounts(_block(data.summary, "socialised"))
    yield "Bad debt", _amounts(_block(data.summary, "bad_debt")), [("socialised", socialised)]
    exchanged = _amounts(_block(data.summary, "collateral_exchanged"))
    if exchanged != _NOTHING:
        yield "Collateral taken for debts", exchanged, []


def _amounts(amounts: Mapping[str, Any]) -> str:
    some = {symbol: str(value) for symbol, value in amounts.items() if Decimal(value)}
    return ", ".join(f"{rounded(value)} {symbol}" for symbol, value in some.items()) or _NOTHING


def _block(summary: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = summary.get(key)
    return value if isinstance(value, dict) else {}
