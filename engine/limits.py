"""Upper limits of sizes, prices and amounts: every sum of two still fits 63 bits on the wire."""

from typing import Final

MAX_LOTS: Final[int] = 10**12
MAX_TICKS: Final[int] = 10**12
MAX_AMOUNT_Q: Final[int] = 2**61
