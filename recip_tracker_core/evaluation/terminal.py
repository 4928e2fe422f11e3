"""What an evaluation shows while it runs, and when it is done, in a terminal."""

from __future__ import annotations

import math
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

COLUMNS = {  # of the table, short enough for a terminal of 80 characters
    "auc": "auc",
    "std": "auc_std",
    "dp20": "dp20",
    "os50": "os50",
    "fps": "fps",
    "auroc": "auroc",
    "ece": "ece",
    "absent": "absent_called_tracked",
    "refound": "refound",
}


def bar(console: Console) -> Progress:
    """Runs done, what came last, time left."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[last]}"))
    return Progress(*columns, console=console, refresh_per_second=1)


def table_of(summary: dict[str, Any]) -> Table:
    """The figures that are looked at first, best tracker first; a stream's beside those without hurry."""
    trackers = summary["trackers"]
    is_live = any(values["realtime"] for values in trackers.values())
    live = ["auc live"] if is_live else []
    title = escape(str(summary["dataset"]))
    table = Table("tracker", *COLUMNS, *live, title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name, values in sorted(trackers.items(), key=lambda item: -(item[1]["auc"] or 0.0)):
        cells = [shown(values[key], key) for key in COLUMNS.values()]
        if is_live:
            cells.append(shown((values["realtime"] or {}).get("auc"), "auc"))
        table.add_row(escape(name), *cells)
    return table


def shown(value: float | None, column: str) -> str:
    """Three digits, or a dash where there is no figure."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.1f}" if column == "fps" else f"{value:.3f}"
