"""What a scenario reads of files of prices, for whoever runs it."""

from collections.abc import Iterator

from seawall.index_path import source_table
from seawall.price_files.price_table import PriceTable
from seawall.price_files.times import utc
from seawall.scenario import Scenario


def price_tables(scenario: Scenario) -> Iterator[tuple[str, PriceTable]]:
    """The place of each source that has a file, and its prices.

    Raises:
        ScenarioError: a file is wrong.
    """
    for section, plans in (("index", scenario.indices), ("asset_prices", scenario.asset_prices)):
        for name, plan in plans.items():
            for source in plan.sources:
                if source.file is not None:
                    yield f"{section}.{name}.sources.{source.name}", source_table(source)


def recognised(scenario: Scenario) -> list[str]:
    """A line for each file: what it was taken for, and how far it reaches."""
    return [
        f"{place}: {table.layout.shape} ({table.form}), {len(table.times_ns):,} {table.kind}, "
        f"{utc(table.times_ns[0])} to {utc(table.times_ns[-1])}"
        for place, table in price_tables(scenario)
    ]


def price_warnings(scenario: Scenario) -> list[str]:
    """What was left out of files."""
    return [
        f"{table.where}: {warning}"
        for _, table in price_tables(scenario)
        for warning in table.warnings
    ]
