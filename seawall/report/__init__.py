"""The report of a run: one self-contained HTML page, rebuilt from the run directory alone."""

from seawall.report.data import (
    ReportAsset,
    ReportData,
    ReportDataError,
    ReportInstrument,
    load_report_data,
    save_series,
    scenario_block,
)
from seawall.report.facts import fund_series
from seawall.report.page import rebuild_report, write_report

__all__ = [
    "ReportAsset",
    "ReportData",
    "ReportDataError",
    "ReportInstrument",
    "fund_series",
    "load_report_data",
    "rebuild_report",
    "save_series",
    "scenario_block",
    "write_report",
]
