"""The picture of ``scaling.py``: a panel a dimension, a line a series, medians with what lies up to p99."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from recip_tracker_core.evaluation.looks import OTHER_COLORS, OUR_COLORS, QUIET, STYLE, as_png

COLUMNS = 3
PANEL_IN = (4.0, 3.1)
MOST_MEDIANS = 2.0  # up to which p99 is shown: one hiccup must not flatten the lines


class Cost(Protocol):
    """What one value of a series costs."""

    @property
    def value(self) -> int | str: ...
    @property
    def at(self) -> float: ...
    @property
    def median_ms(self) -> float: ...
    @property
    def p99_ms(self) -> float: ...


Costs = Mapping[str, Sequence[Cost]]


def drawn(axes: Mapping[str, str], found: Mapping[str, Costs]) -> bytes:
    """A PNG file.

    Args:
        axes: what a dimension's numbers are, by its name.
        found: its series, by the same name.
    """
    columns = min(COLUMNS, len(axes))
    rows = -(-len(axes) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(PANEL_IN[0] * columns, PANEL_IN[1] * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels[len(axes) :]:
            panel.set_axis_off()
        for panel, (name, axis) in zip(panels, axes.items(), strict=False):
            draw_panel(panel, name, axis, found[name])
        return as_png(figure, dpi=120)


def draw_panel(panel: Axes, name: str, axis: str, series: Costs) -> None:
    """Milliseconds over the values of a dimension."""
    panel.set(title=name, xlabel=axis, ylabel="milliseconds", xscale="log")
    colors = (OUR_COLORS[0], *OTHER_COLORS)
    for color, (label, costs) in zip(colors, series.items(), strict=False):
        at, median = [cost.at for cost in costs], [cost.median_ms for cost in costs]
        told = label.removeprefix(name).removeprefix(": ")
        marker: dict[str, Any] = (
            {"marker": "o", "ms": 4} if len(costs) > 1 else {"marker": "D", "ms": 7, "ls": "none"}
        )
        panel.plot(at, median, color=color, lw=1.8, label=told or None, **marker)
        p99 = [cost.p99_ms for cost in costs]
        panel.fill_between(at, median, p99, color=color, alpha=0.12, lw=0)
    of_all = [cost for costs in series.values() for cost in costs]
    highest, most = max(cost.p99_ms for cost in of_all), max(cost.median_ms for cost in of_all)
    panel.set_ylim(0, min(1.08 * highest, MOST_MEDIANS * most))
    name_values(panel, of_all)
    if len(series) > 1:
        panel.legend(frameon=False)


def name_values(panel: Axes, costs: list[Cost]) -> None:
    """Ticks where something was measured, as it is called."""
    ticks = {cost.at: f"{cost.value}" for cost in costs}
    panel.set_xticks(list(ticks), list(ticks.values()))
    panel.minorticks_off()
    if any(isinstance(cost.value, str) for cost in costs):
        panel.tick_params(axis="x", labelsize=8, rotation=20)
    panel.tick_params(color=QUIET)
