"""A finished run played again: the events of its directory up to a time, as the page shows them."""

from bisect import bisect_right
from datetime import datetime
from typing import Any, Final

from dashboard.board import Board
from dashboard.chart import scale_of
from dashboard.live import ACCOUNTS
from dashboard.run_events import market_of, shown_events
from dashboard.sections import Sections, sections
from dashboard.standing import Standing
from engine.units import SECOND_NS
from seawall.runs.run_directory import Run, RunDirectoryError
from seawall.terminal.watch_frame import Status, View
from seawall.terminal.watch_units import Units, printable

FASTEST: Final[int] = 3_600
"""Most seconds of the run that a page plays in one."""

BASIS_POINTS: Final[int] = 100
"""In a per cent."""


class Recording:
    """What a run's directory has for pages, read once.

    Raises:
        RunDirectoryError: a file is missing or damaged, or nothing happened in it.
        ValueError: its rulebook cannot be read.
    """

    def __init__(self, run: Run) -> None:
        self.path = str(run.path)
        self.title = run.scenario.title
        self.market = market_of(run)
        self.events = shown_events(run)
        if not self.events:
            raise RunDirectoryError(f"{run.path}: nothing happened in this run")
        self.times_ns = [event.time_ns for event in self.events]
        self.begin_ns = run.scenario.begin_ns or self.times_ns[0]
        self.start_ns = run.scenario.start_ns
        self.end_ns = max(run.scenario.end_ns, self.times_ns[-1])
        self.warnings = [str(text) for text in run.summary.get("warnings", [])]
        self._depths = {
            str(symbol): frame
            for (symbol,), frame in run.series.partition_by("instrument", as_dict=True).items()
        }
        self._depth_times: dict[str, list[datetime]] = {
            symbol: frame["time"].to_list() for symbol, frame in self._depths.items()
        }

    def depth(self, symbol: str, time_ns: int) -> Sections:
        """Sizes within some distances of the mid, as sampled last."""
        frame = self._depths.get(symbol)
        if frame is None:
            return {}
        at = datetime.fromtimestamp(time_ns / SECOND_NS, tz=self._depth_times[symbol][0].tzinfo)
        place = bisect_right(self._depth_times[symbol], at) - 1
        if place < 0:
            return {}
        row: dict[str, Any] = frame.row(place, named=True)
        sums = [
            [
                f"within {int(name.rpartition('_')[2]) / BASIS_POINTS:g} %",
                str(row[name]),
                str(row[other]),
            ]
            for name in row
            if name.startswith("depth_bid_") and (other := name.replace("bid", "ask")) in row
        ]
        bid, ask = row["bid"], row["ask"]
        return {"sums": sums, "best": [_text(bid), _text(ask)]}


def _text(price: object) -> str:
    return "-" if price is None else str(price)


class Player:
    """One page's place in a recording. ``speed`` is seconds of the run in a second, 0 stands
    still.

    Events are read when somebody looks: a slider that is dragged asks for many times, and only the
    last one is worth the work.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.speed = 0
        self._begin()

    def _begin(self) -> None:
        recording = self.recording
        self.now_ns = recording.begin_ns
        self._board = Board(scale_of(recording.end_ns - recording.begin_ns))
        self._board.apply(recording.market)
        self._standing = Standing(Units(recording.market))
        self._place = 0

    def seek(self, time_ns: int) -> None:
        """Go to a time, forwards or back."""
        recording = self.recording
        wanted_ns = min(max(time_ns, recording.begin_ns), recording.end_ns)
        if self._place and wanted_ns < recording.times_ns[self._place - 1]:
            self._begin()
        self.now_ns = wanted_ns

    def advance(self, elapsed_s: float) -> None:
        """Play on for so long by the page's clock."""
        if self.speed:
            self.now_ns += int(elapsed_s * self.speed * SECOND_NS)
            if self.now_ns >= self.recording.end_ns:
                self.now_ns, self.speed = self.recording.end_ns, 0

    @property
    def board(self) -> Board:
        """What is known at this time of the run."""
        place = bisect_right(self.recording.times_ns, self.now_ns)
        for event in self.recording.events[self._place : place]:
            self._board.apply(event)
            self._standing.apply(event)
        self._board.apply(self._standing.report(self.now_ns))
        self._place = max(place, self._place)
        return self._board

    def first_instrument(self) -> int | None:
        """What a page shows that chose nothing."""
        return min(self.board.instruments, default=None)

    def sections(self, instrument_id: int | None, account_id: int | None) -> Sections:
        """What a page is to show."""
        recording = self.recording
        status = Status(recording.path)
        view = View(self.board, status, instrument_id, None, self.now_ns, ACCOUNTS)
        found = sections(view, None)
        if instrument_id is not None:
            symbol = Units(recording.market).symbol(instrument_id)
            found["book"] = recording.depth(symbol, self.now_ns)
        run = {
            "title": printable(recording.title),
            "begin": recording.begin_ns // SECOND_NS,
            "start": recording.start_ns // SECOND_NS,
            "end": recording.end_ns // SECOND_NS,
            "now": self.now_ns // SECOND_NS,
            "speed": self.speed,
        }
        services = [["run", text, "warn"] for text in recording.warnings]
        return {**found, "run": run, "services": services, "scenario": []}
