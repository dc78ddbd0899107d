"""The same position under every shipped rulebook: margin, margin call and liquidation price."""

from risk.rulebook import LEVEL_CALL
from risk.rulebook_file import list_rulebooks, load_rulebook
from seawall import Question, calculate

ENTRY = "30000"
LEVERAGE = 5


def row(name: str, side: str) -> list[str]:
    """One line of the table: two coins at 5x, with no more collateral than the initial margin."""
    inverse = name == "binance-coinm"
    answer = calculate(
        Question(
            rulebook=name,
            side=side,
            # An inverse contract is worth a fixed amount of the quote currency: 100 each.
            qty="600" if inverse else "2",
            multiplier="100" if inverse else "1",
            inverse=inverse,
            entry=ENTRY,
            leverage=LEVERAGE,
        )
    )
    prices = dict(answer.levels)
    levels = load_rulebook(name).rulebook.levels
    call = next((prices[level.name] for level in levels if level.kind == LEVEL_CALL), None)
    liquidation = prices[levels[-1].name]
    return [
        name,
        side,
        f"{answer.initial_margin} {answer.asset}",
        f"{answer.maintenance_margin} {answer.asset}",
        call or "-",
        liquidation or "never",
        answer.bankruptcy_price or "never",
    ]


def main() -> None:
    """Print the table."""
    head = ["rulebook", "side", "initial", "maintenance", "call", "liquidation", "bankruptcy"]
    table = [head] + [row(name, side) for name in list_rulebooks() for side in ("long", "short")]
    widths = [max(len(line[column]) for line in table) for column in range(len(head))]
    for line in table:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
