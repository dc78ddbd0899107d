"""What the flow of trades looks like: some of the stylised facts of `seawall.records`."""

from typing import Final

from seawall.lab.realism.market_day import MarketDay
from seawall.records.stylised_facts import stylised_facts

_FIGURES: Final[tuple[str, ...]] = (
    "sign_1",
    "sign_100",
    "spread_bp",
    "flow_r2",
    "volatility",
    "per_minute",
)


def flow_figures(day: MarketDay) -> dict[str, float | None]:
    """The figures by name; None where there are too few trades."""
    facts = stylised_facts(day.trades, day.start_ns, day.end_ns)
    return {name: facts[name] for name in _FIGURES}
