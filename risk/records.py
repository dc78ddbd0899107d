"""What a margin account remembers beside its positions: a liquidation, a call, realised gains."""


class LiquidationRecord:
    """Where the equity of an account in liquidation went, part by part.

    Every change of equity is added to exactly one part at the moment it happens, so the parts sum
    to the total by construction. `target_ppb` is the multiple of maintenance that ends it.
    `awaits_cancels` is set while the liquidation engine waits for the open orders to be gone.
    """

    __slots__ = (
        "adl_q",
        "asset_id",
        "awaits_cancels",
        "call_expired",
        "equity_before_q",
        "fee_q",
        "funding_q",
        "haircut_q",
        "last_equity_q",
        "liquidation_id",
        "price_q",
        "slippage_q",
        "stage",
        "started_ns",
        "surrender_q",
        "target_ppb",
        "transfer_q",
    )

    def __init__(
        self, liquidation_id: int, asset_id: int, equity_q: int, target_ppb: int, started_ns: int
    ) -> None:
        self.liquidation_id = liquidation_id
        self.asset_id = asset_id
        self.equity_before_q = equity_q
        self.last_equity_q = equity_q
        self.target_ppb = target_ppb
        self.awaits_cancels = False
        self.call_expired = False
        self.started_ns = started_ns
        self.stage = ""
        self.price_q = 0
        self.slippage_q = 0
        self.fee_q = 0
        self.funding_q = 0
        self.surrender_q = 0
        self.adl_q = 0
        self.haircut_q = 0
        self.transfer_q = 0


class MarginCall:
    """An open demand for collateral; `deadline_ns` -1 means none. `paid_q` and `reduced_q` are what
    the owner did about it, see `risk.levels.margin_calls`."""

    __slots__ = ("amount_q", "call_id", "deadline_ns", "issued_ns", "paid_q", "reduced_q")

    def __init__(
        self,
        call_id: int,
        amount_q: int,
        issued_ns: int,
        deadline_ns: int,
        paid_q: int = 0,
        reduced_q: int = 0,
    ) -> None:
        self.call_id = call_id
        self.amount_q = amount_q
        self.issued_ns = issued_ns
        self.deadline_ns = deadline_ns
        self.paid_q = paid_q
        self.reduced_q = reduced_q


class RealisedGains:
    """What a trader realised in one asset, by trades and funding, in the present window of time and
    the one before.

    `window` is the number of the present one, counted from time zero.
    """

    __slots__ = ("preceding_q", "present_q", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.present_q = 0
        self.preceding_q = 0

    def add(self, window: int, amount_q: int) -> None:
        """A gain, or with a minus a loss, in this window."""
        if window != self.window:
            self.preceding_q = self.present_q if window == self.window + 1 else 0
            self.present_q = 0
            self.window = window
        self.present_q += amount_q

    def total_q(self, window: int) -> int:
        """What counts in this window: its own and the preceding one's."""
        if window == self.window:
            return self.present_q + self.preceding_q
        return self.present_q if window == self.window + 1 else 0
