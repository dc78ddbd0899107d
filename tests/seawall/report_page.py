"""What tests look for in a report's page."""

import re
from typing import Any

from seawall.report import ReportData
from seawall.report.page import report_charts


def own_part(page: str) -> str:
    """The page without the embedded library, whose source text mentions addresses."""
    library_end = page.rindex("</script>\n<script>")
    library_start = page.rindex("</script>\n<script>", 0, library_end)
    return page[:library_start] + page[library_end:]


def figures(data: ReportData) -> dict[str, dict[str, Any]]:
    """Every figure by the key of its chart."""
    return {
        chart.key: chart.figure
        for charts in report_charts(data).values()
        for chart in charts
        if chart.figure is not None
    }


def rows_of(table: str) -> list[list[str]]:
    """The cells of a table, row by row."""
    rows = re.findall(r"<tr>(.*?)</tr>", table)
    return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]
