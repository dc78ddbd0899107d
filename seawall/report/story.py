"""The story of a run in sentences with figures: what happened, why, who lost, what people did."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from statistics import median
from typing import Any, Final

import polars as pl

from engine.commands import SELL
from seawall.records.house_accounts import END, START
from seawall.report.call_charts import ANSWERED_OUTCOMES, BY_PRICE, CLASSES
from seawall.report.contract import ContractData
from seawall.report.data import ReportData
from seawall.report.facts import call_facts
from seawall.report.market_facts import BURST_NS, NEAR_BPS, PriceFacts, forced_facts
from seawall.report.market_table import market_facts
from seawall.report.portfolios import portfolios_share
from seawall.report.text import clock, counted, duration, rounded

_QUIET: Final[float] = 0.0005
"""A move below this share is told as none."""


def what_happened(data: ReportData, contracts: Sequence[ContractData]) -> list[str]:
    """The prices, the accounts, the forced sales and the house, a paragraph each."""
    told = [_prices(contract) for contract in contracts]
    told += [_accounts(data), *(forced_sentences(data, each) for each in contracts), _house(data)]
    return [text for text in told if text]


def _prices(contract: ContractData) -> str:
    markets = market_facts(contract)
    mark, here, index = markets["Mark"], markets["Traded here"], markets["Index"]
    if mark is None:
        return ""
    text = f"The mark of {contract.instrument.symbol} {_went(mark, contract.digits)}."
    if index is not None:
        text += f" Its index {_moved(index)}."
    if here is None:
        return f"{text} Nothing was traded."
    edge, far = ("lowest", here.low) if -mark.fall >= mark.rise else ("highest", here.high)
    text += f" The {edge} trade was at {far:,.{contract.digits}f}"
    if here.basis is not None:
        where = "below" if here.basis < 0 else "above"
        text += f"; the furthest from the index was {abs(here.basis):.1%} {where} it"
        text += f", at {clock(here.basis_ns)}"
    real = markets.get(contract.real_name)
    if real is not None:
        text += f". {contract.real_name}: it {_went(real, contract.digits)}"
    return f"{text}."


def _went(facts: PriceFacts, digits: int) -> str:
    first, last = (f"{each:,.{digits}f}" for each in (facts.first, facts.last))
    if -facts.fall < _QUIET and facts.rise < _QUIET:
        return f"stayed at {first}"
    if -facts.fall >= facts.rise:
        verb, far, change, at_ns = "fell", facts.low, facts.fall, facts.low_ns
    else:
        verb, far, change, at_ns = "rose", facts.high, facts.rise, facts.high_ns
    return (
        f"{verb} from {first} to {far:,.{digits}f} ({change:+.1%}) at {clock(at_ns)} UTC and ended "
        f"at {last}"
    )


def _moved(facts: PriceFacts) -> str:
    if -facts.fall < _QUIET and facts.rise < _QUIET:
        return "did not move"
    if -facts.fall >= facts.rise:
        return f"fell by {-facts.fall:.1%}"
    return f"rose by {facts.rise:.1%}"


def _accounts(data: ReportData) -> str:
    summary = data.summary
    if not isinstance(summary.get("accounts"), int):
        return ""
    accounts = summary["accounts"]
    text = f"Of {counted(accounts, 'margined account')}, {summary.get('entered', 0):,} traded"
    calls = (summary.get("margin_calls") or {}).get("issued", 0)
    liquidated = (summary.get("liquidations") or {}).get("accounts", 0)
    called = data.events.filter(pl.col("type") == "MarginCallIssued")["account_id"].n_unique()
    if calls:
        text += f". {counted(calls, 'margin call')} went to {counted(called, 'account')}"
    else:
        text += ". No margin call was issued"
    if not liquidated:
        return f"{text}, and nobody was liquidated."
    share = f" ({liquidated / accounts:.0%})" if accounts else ""
    return f"{text}, and {counted(liquidated, 'account')}{share} were liquidated."


def forced_sentences(data: ReportData, contract: ContractData) -> str:
    """What liquidations did in one contract, and how much of it accounts with several did; empty
    without any."""
    facts = forced_facts(contract)
    symbol = contract.instrument.symbol
    if facts is None:
        return ""
    parts = {"sold": facts.sold, "bought": facts.bought}
    done = _listed([f"{verb} {rounded(size)}" for verb, size in parts.items() if size])
    text = (
        f"Liquidations {done} contracts of {symbol} in the book, {facts.share:.1%} of all that was "
        "traded"
    )
    shared = portfolios_share(data, contract)
    if shared is not None:
        text += f"; {shared:.0%} of it for accounts that hold other contracts too"
    text += "."
    taken, closed = contract.forced("TakenOver"), contract.forced("Deleveraged")
    if taken.height:
        text += (
            f" The house took over {counted(taken.height, 'position')}, at the mark worth "
            f"{contract.worth(float(taken['notional'].sum()))}."
        )
    if closed.height:
        text += (
            f" {counted(closed.height, 'position')} of winners, at the mark worth "
            f"{contract.worth(float(closed['notional'].sum()))}, were closed by auto-deleveraging."
        )
    return text


def _house(data: ReportData) -> str:
    sentences = []
    for symbol, lines in _fund(data).items():
        start, end = Decimal(lines[START]), Decimal(lines[END])
        if start == end:
            continue
        verb = "grew" if end > start else "shrank"
        sentences.append(
            f"The insurance fund {verb} from {rounded(start)} to {rounded(end)} {symbol}."
        )
    for key, words in (
        ("bad_debt", "Deficits of {} were recognised."),
        ("socialised", "Winners were charged {} for deficits that were left."),
    ):
        amounts = {k: v for k, v in (data.summary.get(key) or {}).items() if Decimal(v)}
        if amounts:
            sentences.append(words.format(_amounts(amounts)))
    return " ".join(sentences)


def _fund(data: ReportData) -> dict[str, dict[str, str]]:
    houses: dict[str, Any] = data.summary.get("house_accounts") or {}
    fund: dict[str, dict[str, str]] = houses.get("insurance_fund") or {}
    return fund


def _amounts(amounts: Mapping[str, str]) -> str:
    return ", ".join(f"{rounded(value)} {symbol}" for symbol, value in amounts.items())


def why(contract: ContractData) -> list[str]:
    """The chain in one contract: the index, the calls and liquidations, what met the sales."""
    markets = market_facts(contract)
    here, index = markets["Traded here"], markets["Index"]
    facts = forced_facts(contract)
    if here is None or index is None or facts is None:
        return []
    falls = -index.fall >= index.rise
    own, outside = (here.low, index.low) if falls else (here.high, index.high)
    edge, beyond = ("low", "below") if falls else ("high", "above")
    sentences = [f"The index by itself {_moved(index)}."]
    if (own < outside) == falls:
        added = abs(own / outside - 1)
        sentences[0] += (
            f" The {edge} of the trades was {added:.1%} {beyond} the {edge} of the index: so much "
            "the market's own selling and buying added."
        )
    side, book, verb = ("bids", "bid", "sold")
    if facts.burst_side != SELL:
        side, book, verb = ("offers", "offered", "bought")
    burst = (
        f"Most was forced in the {BURST_NS // 10**9} seconds from {clock(facts.burst_ns)} UTC: "
        f"liquidations {verb} {rounded(facts.burst)} contracts."
    )
    if facts.met is not None:
        burst += (
            f" Just before, {side} within {NEAR_BPS / 100:g} % of the mid held {rounded(facts.met)}"
        )
        if facts.met and facts.burst > facts.met:
            times = facts.burst / facts.met
            burst += f": {times:,.1f} times as much was {verb} as was {book} there"
        burst += "."
    return [*sentences, burst]


def who(data: ReportData) -> list[str]:
    """What the liquidated lost and who won it, asset by asset."""
    return [
        text
        for (symbol,), accounts in data.accounts.group_by("asset", maintain_order=True)
        if (text := " ".join(_who(str(symbol), accounts)))
    ]


def _who(symbol: str, accounts: pl.DataFrame) -> Iterator[str]:
    traders = accounts.filter(pl.col("kind") == "group")
    for fate, words in (
        ("liquidated", "liquidated at least once"),
        ("deleveraged", "with a position closed by ADL (and not liquidated)"),
    ):
        chosen = traders.filter(pl.col("fate") == fate)
        if chosen.height:
            result, deposit = Decimal(chosen["result"].sum()), Decimal(chosen["deposit"].sum())
            yield (
                f"The {counted(chosen.height, 'trader')} {words} {_gained(result)} {symbol}; "
                f"{rounded(deposit)} had been paid in."
            )
    others = traders.filter(~pl.col("fate").is_in(["liquidated", "deleveraged"]))
    parts = []
    for name, chosen in (
        ("the other traders", others),
        ("the agents", accounts.filter(pl.col("kind") == "agent")),
        ("the house", accounts.filter(pl.col("kind") == "house")),
    ):
        result = Decimal(chosen["result"].sum())
        if result:
            parts.append(f"{name} {_gained(result)}")
    if parts:
        yield f"{_listed(parts).capitalize()} {symbol}. All of it adds up to zero."


def _gained(result: Decimal) -> str:
    return f"{'lost' if result < 0 else 'won'} {rounded(abs(result))}"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def fund_sentences(data: ReportData) -> list[str]:
    """What changed the fund most."""
    sentences = []
    for symbol, lines in _fund(data).items():
        parts = {key: Decimal(value) for key, value in lines.items() if key not in (START, END)}
        if not any(parts.values()):
            continue
        change = Decimal(lines[END]) - Decimal(lines[START])
        key, largest = max(parts.items(), key=lambda part: abs(part[1]))
        part = _PARTS.get(key, key)
        sentences.append(
            f"In all the fund {_gained(change)} {symbol}. The largest part is {part}: "
            f"{rounded(largest)}."
        )
    return sentences


_PARTS: Final[dict[str, str]] = {
    "liquidation_fees": "fees of liquidated accounts",
    "deficits": "deficits it paid in cash",
    "takeovers": "what positions were worth against the mark when it took them over",
    "disposal": "what became of those positions until it sold or closed them",
    "unrealised": "what became of the positions it still holds",
    "collateral_exchanged": "collateral exchanged for debts",
    "socialised": "its own deficits, paid by winners",
}


def what_people_did(data: ReportData) -> list[str]:
    """How many calls were answered, how many the price cured, how many came too late."""
    facts = call_facts(data.events)
    if not facts.issued:
        return []
    by_class = {
        name: sum(len(facts.open_ns.get(each, [])) for each in outcomes)
        for name, (_, outcomes) in CLASSES.items()
    }
    answered, price, late = by_class.values()
    parts = [f"{len(facts.open_ns.get(each, [])):,} {each[6:]}" for each in ANSWERED_OUTCOMES]
    share = 1 / facts.issued
    sentences = [
        f"Of {counted(facts.issued, 'call')}, {answered:,} ({answered * share:.1%}) were cured by "
        f"their owners ({', '.join(parts)}), {price:,} ({price * share:.1%}) by the price alone, "
        f"and {late:,} ({late * share:.1%}) were too late: expired, or overtaken by liquidation."
    ]
    answers_ns = [each for name in ANSWERED_OUTCOMES for each in facts.open_ns.get(name, [])]
    times = [
        f"half of the {what} came within {duration(int(median(each)))}"
        for what, each in (
            ("liquidations", facts.response_ns),
            ("answers", answers_ns),
            ("cures by price", facts.open_ns.get(BY_PRICE, [])),
        )
        if each
    ]
    if times:
        sentences.append(f"After the call, {_listed(times)}.")
    return sentences
