"""Builds the engine's hot modules with mypyc; without the tools for it they stay plain Python.

The environment variable SEAWALL_COMPILE decides: ``0`` leaves everything plain, ``1`` makes missing
tools an error, unset leaves the engine plain without a C compiler or Python's headers. A
compilation that fails is an error in any case. SEAWALL_OPT is the C compiler's optimisation level,
2 unless set.

An editable install is always plain: a compiled module beside its source would go on running after
the source was edited.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent

sys.path.insert(0, str(ROOT))
from setup_messages import write_messages  # noqa: E402

COMPILED = [
    "engine/connections/link.py",
    "engine/contract.py",
    "engine/native_message.py",
    "engine/orders_by_id.py",
    "engine/record/hashing.py",
    "engine/record/journal.py",
    "engine/record/service_journal.py",
    "engine/routing/bus.py",
    "engine/routing/component.py",
    "engine/services/answering.py",
    "engine/services/away.py",
    "engine/services/hub.py",
    "engine/services/service.py",
    "engine/units.py",
    "gateway/door/budgets.py",
    "gateway/door/cancel_on_disconnect.py",
    "gateway/door/deliveries.py",
    "gateway/door/event_log.py",
    "gateway/door/front_door.py",
    "gateway/door/intake.py",
    "gateway/door/kept_aside.py",
    "gateway/door/order_notes.py",
    "gateway/door/parcels.py",
    "gateway/door/pending.py",
    "gateway/door/session_book.py",
    "gateway/door/sessions.py",
    "gateway/door/addressing.py",
    "gateway/door/steady_clock.py",
    "gateway/door/tally.py",
    "gateway/host/merged.py",
    "gateway/host/one_process.py",
    "gateway/metering/metered.py",
    "matching/batch.py",
    "matching/book.py",
    "matching/book_side.py",
    "matching/impact.py",
    "matching/level.py",
    "matching/market_data.py",
    "matching/matching_engine.py",
    "matching/order.py",
    "matching/positions.py",
    "matching/step.py",
    "risk/accounts.py",
    "risk/adl_price.py",
    "risk/allowance.py",
    "risk/bankruptcy_split.py",
    "risk/borrowing.py",
    "risk/check/bankruptcy.py",
    "risk/check/pretrade.py",
    "risk/collateral.py",
    "risk/core.py",
    "risk/cover/cover.py",
    "risk/cover/reservations.py",
    "risk/entry/cancels.py",
    "risk/entry/orders.py",
    "risk/entry/settlement.py",
    "risk/entry/transfers.py",
    "risk/entry/triggers.py",
    "risk/exponential_average.py",
    "risk/fees.py",
    "risk/frontier.py",
    "risk/fund_delta.py",
    "risk/health.py",
    "risk/impact.py",
    "risk/ledger.py",
    "risk/levels/conversion.py",
    "risk/levels/margin_calls.py",
    "risk/levels/watch.py",
    "risk/liquidation/adl.py",
    "risk/liquidation/allocation.py",
    "risk/liquidation/engine.py",
    "risk/liquidation/limits.py",
    "risk/liquidation/liquidation.py",
    "risk/liquidation/policy.py",
    "risk/liquidation/ranking.py",
    "risk/listing.py",
    "risk/losses/adl_queue.py",
    "risk/losses/adl_rounds.py",
    "risk/losses/close_out.py",
    "risk/losses/deleveraging.py",
    "risk/losses/house_waterfall.py",
    "risk/losses/socialisation.py",
    "risk/margin/family.py",
    "risk/margin/model.py",
    "risk/margin/open_interest.py",
    "risk/margin/rate_meter.py",
    "risk/margin/two_rates.py",
    "risk/margin/volatility.py",
    "risk/nearest.py",
    "risk/prices/funding.py",
    "risk/prices/index_price.py",
    "risk/prices/mark.py",
    "risk/records.py",
    "risk/registry.py",
    "risk/reports.py",
    "risk/requirement.py",
    "risk/revaluation/funding_settlement.py",
    "risk/revaluation/pricing.py",
    "risk/risk_engine.py",
    "risk/solve.py",
    "risk/state.py",
    "risk/triggers/expiries.py",
    "risk/triggers/ladder.py",
    "risk/triggers/store.py",
    "risk/triggers/trails.py",
    "risk/triggers/trigger.py",
    "risk/triggers/trigger_book.py",
    "seawall/actions.py",
    "seawall/agents/arbitrageur.py",
    "seawall/agents/base.py",
    "seawall/agents/desk_capital.py",
    "seawall/agents/dice.py",
    "seawall/agents/hawkes.py",
    "seawall/agents/holding.py",
    "seawall/agents/latent_density.py",
    "seawall/agents/latent_trader.py",
    "seawall/agents/margin_room.py",
    "seawall/agents/margin_traders.py",
    "seawall/agents/market_maker.py",
    "seawall/agents/momentum_trader.py",
    "seawall/agents/noise_trader.py",
    "seawall/agents/outside.py",
    "seawall/agents/quotes.py",
    "seawall/agents/spot_account.py",
    "seawall/agents/stake.py",
    "seawall/agents/view.py",
    "seawall/agents/volatility.py",
    "seawall/exchange.py",
    "seawall/interrupts.py",
    "seawall/invariants.py",
    "seawall/profiles.py",
    "seawall/records/event_table.py",
    "seawall/records/recorder.py",
    "seawall/records/series.py",
    "seawall/records/summary.py",
    "seawall/records/warm_up.py",
    "seawall/simulating/agenda.py",
    "seawall/simulating/forced_sales.py",
    "seawall/simulating/index_stream.py",
    "seawall/simulating/market_setup.py",
    "seawall/simulating/opening.py",
    "seawall/simulating/owners.py",
    "seawall/simulating/simulation.py",
]
"""Modules on the path of a command, and of a scenario around it. Modules that define messages
(msgspec structs) cannot be compiled: mypyc would ignore what makes them structs. The busiest
messages get native classes instead (`setup_messages`)."""

MECHANISMS = [
    "risk/funding_rates",
    "risk/indices",
    "risk/liquidation/adl_prices",
    "risk/liquidation/fund_deltas",
    "risk/liquidation/policies",
    "risk/liquidation/rankings",
    "risk/liquidation/splits",
    "risk/margin/models",
    "risk/marks",
]
"""Folders of the mechanisms a rulebook can name: each file registers itself and is compiled."""

EXACT_FLOATS = ["-ffp-contract=off"]
"""Agents draw and decide in floats. Fused multiply-add, which some machines have and the
interpreter never uses, would round differently and give a run another state hash."""

DIRECT_CALLS = ["-fno-semantic-interposition", "-fvisibility=hidden"]
"""Compiled functions call each other directly, and small ones are put in place: nobody outside the
library may replace them."""

NO_WARNINGS = ["-Wno-all", "-w"]
"""The C is generated. Looking at its indentation alone takes GCC 12 two fifths of the compilation,
even if it is not to say what it sees (-w without -Wno-all); and mypyc makes errors of warnings, of
which a newer compiler may have more."""

C_FLAGS = [] if sys.platform == "win32" else [*EXACT_FLOATS, *DIRECT_CALLS, *NO_WARNINGS]

MYPY_OPTIONS = ["--config-file=", "--ignore-missing-imports", "--follow-imports=silent"]
"""`make lint` judges the types; here packages that only other modules need may be missing."""

MODE = os.environ.get("SEAWALL_COMPILE", "")


WHY_PLAIN = Path("seawall", "why_plain.txt")
"""In the installed package: why its engine was not compiled, for ``seawall --version``."""

REASONS: list[str] = []
"""Why this build is plain; empty where it is compiled."""


def leave_plain(why: str) -> None:
    """The engine will run as plain Python: say so in one line, and in what is installed, for pip
    shows no line of a build that went well. An error if that is not allowed."""
    if MODE == "1":
        raise SystemExit(f"SEAWALL_COMPILE=1, but the engine cannot be compiled: {why}")
    print(f"seawall: the engine will run as plain Python ({why})", file=sys.stderr)
    REASONS.append(why)


def broken(why: str) -> SystemExit:
    """The error of a compilation that began and failed: nothing slow is installed unasked."""
    return SystemExit(
        f"seawall: the engine cannot be compiled: {why}\n"
        "SEAWALL_COMPILE=0 installs it as plain Python."
    )


def mechanisms() -> list[str]:
    """The modules in the folders of `MECHANISMS`."""
    found = [path for folder in MECHANISMS for path in sorted(Path(folder).glob("*.py"))]
    return [path.as_posix() for path in found if path.name != "__init__.py"]


class BuildExt(build_ext):
    """A failing C compiler ends the build and names the way out."""

    def run(self) -> None:
        """Compile."""
        try:
            super().run()
        except Exception as error:
            raise broken(f"the C compiler failed: {error}") from None

    def get_source_files(self) -> list[str]:
        """The generated C is no part of a source distribution: the Python modules are."""
        return []


class BuildPy(build_py):
    """The modules, and why nothing else comes with them."""

    def run(self) -> None:
        """Copy, and note why the build is plain where it is."""
        super().run()
        note = Path(self.build_lib, WHY_PLAIN)
        if REASONS and note.parent.exists():
            note.write_text(REASONS[0], encoding="utf-8")
        else:
            note.unlink(missing_ok=True)


def extensions() -> list[Extension]:
    """The extension modules, or none, with a notice, where they cannot be built."""
    if MODE == "0":
        REASONS.append("SEAWALL_COMPILE was 0 when it was installed")
        return []
    if "editable_wheel" in sys.argv or "develop" in sys.argv:
        return []
    if not any(name in sys.argv for name in ("bdist_wheel", "build", "build_ext", "install")):
        return []
    try:
        from mypyc.build import mypycify
    except ImportError:
        leave_plain("mypyc is not installed")
        return []
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        leave_plain(f"there is no C compiler {compiler!r}")
        return []
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        leave_plain("there is no Python.h: the headers of Python are not installed")
        return []
    classes, definitions = write_messages(ROOT, Path("build", "messages"))
    compiled = [*COMPILED, *mechanisms(), str(classes)]
    try:
        modules = mypycify(
            [*MYPY_OPTIONS, *compiled, *map(str, definitions)],
            only_compile_paths=compiled,
            opt_level=os.environ.get("SEAWALL_OPT", "2"),
            group_name="seawall",
            strip_asserts=False,
        )
    except (Exception, SystemExit) as error:
        raise broken(f"mypyc failed: {error}") from None
    for module in modules:  # mypyc gives all of them one list
        module.extra_compile_args = [*module.extra_compile_args, *C_FLAGS]
    return modules


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExt, "build_py": BuildPy})
