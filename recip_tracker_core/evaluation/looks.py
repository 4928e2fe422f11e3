"""How trackers look in the figures of a report: the same in each, and ours in front."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

Place = Literal["outside upper center", "outside lower center"]
Summary = Mapping[str, Any]
"""What :func:`.summary.summarise` answers."""

# Those of others are readable apart by people who don't tell red from green.
OUR_COLORS = ("#d00000", "#c2185b", "#7b1e3a")
OTHER_COLORS = ("#0072b2", "#009e73", "#e69f00", "#56b4e9", "#8c564b", "#6f42c1", "#7f7f7f", "#111111")
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 2, 1, 2, 1, 2)))  # 5 and 8 colours: 40 pairs
MARKERS = "osD^vPX"
QUIET = "#9aa3af"  # what only helps to read
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#e3e6ea",
    "legend.fontsize": 9,
    "text.parse_math": False,  # a name may have dollars
}
DPI = 200  # a column of a paper, in print
LEAST_IN = 1.8  # of height: less has no room for the names of the axes


@dataclass(frozen=True)
class Look:
    """How a tracker is drawn."""

    color: str
    line: Any
    marker: str
    is_ours: bool

    @property
    def stroke(self) -> dict[str, Any]:
        """Of a line: ours is thick and on top."""
        width, order = (2.8, 3.0) if self.is_ours else (1.7, 2.0)
        return {"color": self.color, "ls": self.line, "lw": width, "zorder": order}

    @property
    def point(self) -> dict[str, Any]:
        """Of a marker without a line."""
        size, order = (10, 3.0) if self.is_ours else (7.5, 2.0)
        return {"color": self.color, "marker": self.marker, "ms": size, "zorder": order, "ls": "none"}


def is_ours(name: str) -> bool:
    """Whether it is this package's tracker, in any of its settings."""
    return name.split(":", maxsplit=1)[0] == "recip"


def ranked(summary: Summary, figure: str = "auc") -> list[str]:
    """The trackers by one of their figures, the largest first, those without it last."""
    scores = summary["trackers"]
    return sorted(scores, key=lambda name: (-_or_last(scores[name][figure]), name))


def looks(summary: Summary) -> dict[str, Look]:
    """Of each tracker, by its rank."""
    names = ranked(summary)
    ours = [name for name in names if is_ours(name)]
    others = [name for name in names if not is_ours(name)]
    return {
        name: Look(
            colors[at % len(colors)], LINES[at % len(LINES)], MARKERS[at % len(MARKERS)], is_ours(name)
        )
        for group, colors in ((ours, OUR_COLORS), (others, OTHER_COLORS))
        for at, name in enumerate(group)
    }


def scores_with(summary: Summary, figure: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The trackers of which a figure is known, by rank, with all of their figures."""
    for name in ranked(summary):
        if summary["trackers"][name][figure] is not None:
            yield name, summary["trackers"][name]


def panel_of(width_in: float, height_in: float, across: str, up: str = "") -> tuple[Figure, Axes]:
    """A figure with one panel, and the names of its axes."""
    figure = Figure(figsize=(width_in, max(height_in, LEAST_IN)), layout="constrained")
    panel = figure.subplots()
    panel.set(xlabel=across, ylabel=up)
    return figure, panel


def name_rows(panel: Axes, names: Items[str]) -> None:
    """Names instead of numbers on the upright axis, the first on top."""
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0)
    for label in panel.get_yticklabels():
        if is_ours(label.get_text()):
            label.set_fontweight("bold")


def add_legend(figure: Figure, panel: Axes, place: Place) -> None:
    """The names of what a panel shows, beside it, in as many columns as fit; the figure grows by them.

    Args:
        figure: that the panel is of.
        panel: whose labels count.
        place: above or below.
    """
    handles, labels = panel.get_legend_handles_labels()
    width_in, height_in = map(float, figure.get_size_inches())
    column_in = 0.8 + 0.075 * max(map(len, labels))  # the line, and letters of 9 points
    columns = max(1, min(len(labels), int(width_in / column_in)))
    figure.set_size_inches(width_in, height_in + 0.2 * math.ceil(len(labels) / columns))
    figure.legend(handles, labels, loc=place, ncols=columns, handlelength=3.2, frameon=False)


def as_png(figure: Figure, dpi: int = DPI) -> bytes:
    """A PNG file that is the same for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def _or_last(value: float | None) -> float:
    return float("-inf") if value is None else value
