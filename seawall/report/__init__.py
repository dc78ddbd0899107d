"""The report of a run: one self-contained HTML page, rebuilt from the run directory alone."""

from seawall.report.data import (
    ReportData,
    ReportDataError,
    load_report_data,
    save_series,
)
from seawall.report.facts import fund_series
from seawall.report.page import rebuild_report, write_report

__all__ = [
    "ReportData",
    "ReportDataError",
    "fund_series",
    "load_report_data",
    "rebuild_report",
    "save_series",
    "write_report",
]
