"""The running exchange as what pages show: one client of the gateway for all of them."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dashboard.board import Board
from dashboard.sections import Sections, sections
from engine.commands import QueryAccount
from engine.events import AccountReport
from gateway.client import Client
from gateway.connection import Address
from gateway.host.pulse import SILENT_NS, Pulses
from seawall.terminal.watch import Options, Watcher
from seawall.terminal.watch_lines import BAD, DIM, GOOD
from seawall.terminal.watch_units import duration, printable
from seawall.world.status_file import EVERY_S, read_status

ACCOUNTS: Final[int] = 20
"""Accounts nearest to liquidation that are shown."""

ACCOUNT_S: Final[float] = 1.0
"""How often the account whose prices are drawn is asked about."""

MAX_ASKED: Final[int] = 32
"""Accounts that are asked about for all pages together: one for each that may be open."""


class Live:
    """A `Watcher` that follows every instrument, and the accounts pages have chosen. ``services``
    are those whose signs of life lie in ``run_dir``."""

    def __init__(self, address: Address, run_dir: Path, services: Sequence[str]) -> None:
        self.board = Board()
        self._client = Client(address)
        options = Options(address, accounts=ACCOUNTS)
        self._watcher = Watcher(self._client, options, self.board)
        self._services = services
        self._pulses = Pulses(run_dir, services, time.monotonic_ns)
        self._run_dir = run_dir
        self._scenario: list[str] = []
        self._look_s = 0.0
        self._followed: set[int] = set()
        self._due_s: dict[int, float] = {}
        self._asked: dict[int, int] = {}
        self._reports: dict[int, AccountReport] = {}
        self._refusals: dict[int, str] = {}

    def step(self) -> None:
        """Hear what came, and ask what is due; returns at once."""
        self._watcher.step(0.0)
        for instrument_id in self.board.instruments:
            if instrument_id not in self._followed:
                self._followed.add(instrument_id)
                self._client.subscribe(instrument_id)
        if self._client.connection.welcome is not None:
            self._ask_accounts()
        self._hear_accounts()
        if time.monotonic() >= self._look_s:
            self._look_s = time.monotonic() + EVERY_S
            self._scenario = list(map(printable, read_status(self._run_dir)))

    def first_instrument(self) -> int | None:
        """What a page shows that chose nothing."""
        return min(self.board.instruments, default=None)

    def sections(self, instrument_id: int | None, account_id: int | None) -> Sections:
        """What a page is to show."""
        report = None
        if account_id is not None:
            if len(self._due_s) < MAX_ASKED:
                self._due_s.setdefault(account_id, 0.0)
            report = self._reports.get(account_id)
        view = self._watcher.view(instrument_id=instrument_id)
        found = sections(view, report)
        if account_id in self._refusals:
            found["account"] = {"trouble": f"account {account_id}: {self._refusals[account_id]}"}
        return {**found, "services": self._health(), "scenario": self._scenario, "run": None}

    def forget(self, account_id: int | None) -> None:
        """No page draws the prices of this account any more."""
        if account_id is not None:
            self._due_s.pop(account_id, None)
            self._reports.pop(account_id, None)
            self._refusals.pop(account_id, None)

    def close(self) -> None:
        """Leave."""
        self._client.close()

    def _ask_accounts(self) -> None:
        now_s = time.monotonic()
        waiting = set(self._asked.values())
        for account_id, due_s in self._due_s.items():
            if due_s <= now_s and account_id not in waiting:
                [number] = self._client.send([QueryAccount(0, account_id)])
                self._asked[number] = account_id
                self._due_s[account_id] = now_s + ACCOUNT_S

    def _hear_accounts(self) -> None:
        for number, account_id in list(self._asked.items()):
            reply = self._client.take_reply(number)
            if reply is None:
                continue
            del self._asked[number]
            self._refusals.pop(account_id, None)
            if reply.rejection is not None:
                self._refusals[account_id] = reply.rejection.words
            for event in reply.events:
                if isinstance(event, AccountReport) and account_id in self._due_s:
                    self._reports[account_id] = event

    def _health(self) -> list[list[str]]:
        """Each service, what it is, and its style."""
        rows = []
        for name in self._services:
            silent_ns = self._pulses.silent_ns(name)
            if silent_ns is None:
                rows.append([name, "not seen yet", DIM])
            elif silent_ns > SILENT_NS:
                rows.append([name, f"silent for {duration(silent_ns)}", BAD])
            else:
                rows.append([name, "works", GOOD])
        return rows
