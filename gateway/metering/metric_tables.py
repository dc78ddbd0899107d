"""Every metric there is: its name, its help text and its labels, by who shows it.

Names follow the Prometheus conventions: ``seawall_`` first, base units (seconds, whole units of an
asset, contracts), ``_total`` for counters. `docs/metrics.md` has the same list for readers.
"""

from typing import Final

from engine.events import CALL_OUTCOMES, CURES
from gateway.metering.metric_families import COUNTER, GAUGE, Family, Histogram, steps
from risk.liquidation.engine import CLOSED, DELEVERAGED, RESTORED, SOCIALISED, TAKEN_OVER
from risk.rulebook import STAGES

SHORT_NS: Final[list[int]] = steps(1_000, 1_000_000_000)
"""1 microsecond to 1 second: work inside one process."""

LONG_NS: Final[list[int]] = steps(100_000, 10_000_000_000)
"""100 microseconds to 10 seconds: disks, sockets, several processes."""

_SECOND_NS: Final[int] = 1_000_000_000
CALL_NS: Final[list[int]] = [
    seconds * _SECOND_NS
    for seconds in (0, 1, 5, 15, 60, 300, 900, 3_600, 4 * 3_600, 12 * 3_600, 24 * 3_600)
]
"""0 seconds to a day, in the exchange's own time: how long margin calls stay open."""


class HostMetrics:
    """Shown by every service: its queues, its journal, its recovery."""

    def __init__(self) -> None:
        self.ready = Family(
            GAUGE, "seawall_service_ready", "1 while the service knows all its peers and works."
        )
        self.silent = Family(
            GAUGE,
            "seawall_service_silent_seconds",
            "How long a service (name) of this run directory gave no sign of life.",
            ("name",),
        )
        self.queue_depth = Family(
            GAUGE, "seawall_queue_depth", "Messages waiting in a queue of the service.", ("queue",)
        )
        self.commit = Histogram(
            "seawall_journal_commit_seconds", "Time to commit a group of inputs.", LONG_NS
        )
        self.inputs = Family(COUNTER, "seawall_journal_inputs_total", "Inputs journaled.")
        self.snapshot = Histogram(
            "seawall_snapshot_seconds", "Time to write a snapshot, without encoding it.", LONG_NS
        )
        self.snapshot_size = Family(
            GAUGE, "seawall_snapshot_size_bytes", "Size of the last snapshot."
        )
        self.recovery_time = Family(
            GAUGE, "seawall_recovery_seconds", "Time the last start took to rebuild the state."
        )
        self.recovery_inputs = Family(
            GAUGE, "seawall_recovery_inputs", "Inputs handled again at the last start."
        )
        self.observer_errors = Family(
            COUNTER, "seawall_observer_errors_total", "Messages the metrics could not count."
        )


class DoorMetrics:
    """Shown by the gateway: its clients and what they wait for."""

    def __init__(self) -> None:
        self.latency = Histogram(
            "seawall_command_latency_seconds",
            "From a client's batch in at the gateway to its answer, through all services.",
            LONG_NS,
        )
        self.sessions = Family(GAUGE, "seawall_sessions", "Clients connected.")
        self.refusals = Family(
            COUNTER, "seawall_refusals_total", "Frames refused at the door.", ("cause",)
        )


class OrderMetrics:
    """Shown by risk: commands, orders and the market they make."""

    def __init__(self) -> None:
        self.commands = Family(
            COUNTER, "seawall_commands_total", "Commands handled, by type.", ("command",)
        )
        self.accepted = Family(
            COUNTER,
            "seawall_orders_accepted_total",
            "Orders that passed the margin check, those of liquidations included.",
            ("instrument",),
        )
        self.closed = Family(
            COUNTER, "seawall_orders_closed_total", "Orders finished, by reason.", ("reason",)
        )
        self.fired = Family(
            COUNTER,
            "seawall_triggers_fired_total",
            "Trigger orders whose price came.",
            ("instrument",),
        )
        self.rejections = Family(
            COUNTER, "seawall_rejections_total", "Commands refused, by reason.", ("reason",)
        )
        self.fills = Family(
            COUNTER, "seawall_fills_total", "Fills, two per trade.", ("role", "liquidation")
        )
        self.trades = Family(COUNTER, "seawall_trades_total", "Trades settled.", ("instrument",))
        self.traded = Family(
            COUNTER,
            "seawall_traded_contracts_total",
            "Contracts traded, one side.",
            ("instrument",),
        )
        self.liquidated = Family(
            COUNTER,
            "seawall_liquidated_contracts_total",
            "Contracts traded by liquidation orders.",
            ("instrument",),
        )
        self.margin_check = Histogram(
            "seawall_margin_check_seconds",
            "Time risk takes for a new order: margin check and reservation.",
            SHORT_NS,
        )
        self.open_interest = Family(
            GAUGE, "seawall_open_interest_contracts", "Open interest, one side.", ("instrument",)
        )
        self.mark = Family(
            GAUGE, "seawall_mark_price", "Mark price in the quote currency.", ("instrument",)
        )
        self.index = Family(
            GAUGE, "seawall_index_price", "Index price in the quote currency.", ("instrument",)
        )
        self.index_stale = Family(
            GAUGE,
            "seawall_index_stale",
            "1 while every source of the index has been silent for too long.",
            ("instrument",),
        )
        self.settlements = Family(
            COUNTER, "seawall_funding_settlements_total", "Funding settlements.", ("instrument",)
        )
        self.funding = Family(
            COUNTER,
            "seawall_funding_paid_total",
            "Funding paid by one side to the other, in units of the asset.",
            ("instrument", "asset"),
        )
        self.collateral_price = Family(
            GAUGE,
            "seawall_collateral_price",
            "Price of a collateral asset in units of the margin asset.",
            ("asset", "margin_asset"),
        )


class MarginMetrics:
    """Shown by risk: accounts in trouble, and what became of them."""

    def __init__(self) -> None:
        self.accounts = Family(
            GAUGE,
            "seawall_margin_accounts",
            "Margin accounts at each level below healthy; one in liquidation is at the last.",
            ("level",),
        )
        self.calls_open = Family(GAUGE, "seawall_margin_calls_open", "Margin calls open.")
        self.calls_issued = Family(COUNTER, "seawall_margin_calls_issued_total", "Margin calls.")
        self.calls_ended = Family(
            COUNTER,
            "seawall_margin_calls_ended_total",
            "Margin calls ended, by outcome.",
            ("outcome",),
        )
        self.calls_cured = Family(
            COUNTER,
            "seawall_margin_calls_cured_total",
            "Margin calls cured, by what the owner did since the call.",
            ("by",),
        )
        self.call_open = Histogram(
            "seawall_margin_call_open_seconds",
            "How long margin calls were open, in the exchange's time.",
            CALL_NS,
        )
        self.liquidations_open = Family(
            GAUGE, "seawall_liquidations_open", "Accounts in liquidation."
        )
        self.started = Family(
            COUNTER,
            "seawall_liquidations_started_total",
            "Liquidations started: by the margin level, or by a call that expired.",
            ("trigger",),
        )
        self.stages = Family(
            COUNTER,
            "seawall_liquidation_stages_total",
            "Stages of the waterfall entered.",
            ("stage",),
        )
        self.ended = Family(
            COUNTER,
            "seawall_liquidations_ended_total",
            "Liquidations ended, by outcome.",
            ("outcome",),
        )
        self.takeovers = Family(
            COUNTER, "seawall_takeovers_total", "Positions taken over, by taker.", ("taker",)
        )
        self._add_losses()
        self._start()

    def _add_losses(self) -> None:
        """Who bore what an account could not."""
        self.adl_fills = Family(
            COUNTER,
            "seawall_adl_fills_total",
            "Positions reduced by auto-deleveraging.",
            ("instrument",),
        )
        self.socialised = Family(
            COUNTER,
            "seawall_socialised_loss_total",
            "Losses borne by winners, in units of the asset.",
            ("asset",),
        )
        self.bad_debt = Family(
            COUNTER,
            "seawall_bad_debt_total",
            "Deficits recognised, by the stage that met them, in units of the asset.",
            ("asset", "stage"),
        )
        self.exchanged = Family(
            COUNTER,
            "seawall_collateral_exchanged_total",
            "Collateral the house took for debts in another asset, in units of the asset.",
            ("asset",),
        )
        self.fund = Family(
            GAUGE,
            "seawall_insurance_fund_balance",
            "Wallet of the insurance fund, in units of the asset.",
            ("asset",),
        )
        self.backstop = Family(
            GAUGE,
            "seawall_backstop_balance",
            "Wallet of the backstop, in units of the asset.",
            ("asset",),
        )
        self.insolvencies = Family(
            COUNTER,
            "seawall_house_insolvencies_total",
            "Times the fund or the backstop fell below its solvency limit.",
            ("house", "asset"),
        )

    def _start(self) -> None:
        """Values known beforehand are shown from the beginning."""
        self.calls_ended.start(*((name,) for name in CALL_OUTCOMES))
        self.calls_cured.start(*((name,) for name in CURES))
        self.started.start(("level",), ("call_expired",))
        self.stages.start(*((stage,) for stage in STAGES))
        self.ended.start(
            *((name,) for name in (RESTORED, CLOSED, TAKEN_OVER, DELEVERAGED, SOCIALISED))
        )
        self.takeovers.start(("fund",), ("backstop",))


Table = HostMetrics | DoorMetrics | OrderMetrics | MarginMetrics


def families(table: Table) -> list[Family | Histogram]:
    """The metrics of a table, in its order."""
    return list(vars(table).values())
