"""Which keys of a rulebook choose a mechanism by name, and among which.

The reader takes the keys of the chosen mechanisms beside those of the table, the checks refuse what
nobody asks for. Margin models are chosen in the margin tables and are not listed here.
"""

from typing import Any, Final

from risk.adl_price import ADL_PRICES
from risk.bankruptcy_split import BANKRUPTCY_SPLITS
from risk.fund_delta import FUND_DELTAS
from risk.liquidation.policy import CLOSE_POLICIES
from risk.liquidation.ranking import ADL_RANKINGS
from risk.prices.funding import FUNDING_METHODS
from risk.prices.index_price import INDEX_METHODS
from risk.prices.mark import MARK_METHODS
from risk.registry import Mechanism, Registry
from risk.rulebook import Rulebook

CHOICES: Final[dict[str, dict[str, Registry[Any]]]] = {
    "index": {"method": INDEX_METHODS},
    "mark": {"method": MARK_METHODS},
    "funding": {"method": FUNDING_METHODS},
    "liquidation": {
        "partial": CLOSE_POLICIES,
        "split": BANKRUPTCY_SPLITS,
        "fund_delta": FUND_DELTAS,
    },
    "adl": {"ranking": ADL_RANKINGS, "price": ADL_PRICES},
}
"""By table and key."""


def chosen(rulebook: Rulebook, table: str) -> list[Mechanism]:
    """The mechanisms a table of the rulebook names.

    Raises:
        SettingFault: a name is unknown.
    """
    rule = getattr(rulebook, table)
    return [registry.get(getattr(rule, key)) for key, registry in CHOICES[table].items()]
