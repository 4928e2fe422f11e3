"""The pictures of ``realtime.py``: how long frames took, and what became of times and memory over minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from recip_tracker_core.evaluation.looks import OTHER_COLORS, OUR_COLORS, QUIET, STYLE, as_png

STROKES: dict[str, dict[str, Any]] = {
    "background": {"color": OUR_COLORS[0], "lw": 2.8, "zorder": 4},
    "inline": {"color": OUR_COLORS[1], "lw": 1.9, "ls": "--", "zorder": 3},
    "off": {"color": OUR_COLORS[2], "lw": 1.9, "ls": ":", "zorder": 3},
    "before": {"color": OTHER_COLORS[6], "lw": 1.9, "ls": "-.", "zorder": 3},
    "csrt": {"color": OTHER_COLORS[0], "lw": 1.7},
    "kcf": {"color": OTHER_COLORS[1], "lw": 1.7},
    "nanotrack": {"color": OTHER_COLORS[2], "lw": 1.7},
}
TICKS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
Times = Mapping[str, Sequence[float]]
"""Of each run, milliseconds."""


def draw_times(groups: Mapping[str, Times], period_ms: float, path: Path) -> None:
    """Share of frames that took longer than a time, a panel a group; PNG.

    Args:
        groups: runs by the title of their panel.
        period_ms: between two frames of the stream.
        path: of the file.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(1.2 + 5.4 * len(groups), 4.4), layout="constrained")
        panels = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
        for panel, (title, times) in zip(panels, groups.items(), strict=True):
            panel.set(title=title, xlabel="processing time of a frame, ms (logarithmic)", xscale="log")
            _tails(panel, times)
            _marks(panel, times, period_ms)
        panels[0].set(ylabel="share of frames that took longer", yscale="log")
        panels[0].set_ylim(top=2.5)  # room for a name above the curves
        panels[0].yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:.4g}"))
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
        path.write_bytes(as_png(figure))


def _tails(panel: Axes, times: Times) -> None:
    for name, values in times.items():
        ordered = np.sort(values)
        # Before the first value all frames took longer; the last step ends where one frame is left.
        longer = 1 - np.arange(len(ordered)) / len(ordered)
        panel.plot(ordered, longer, drawstyle="steps-post", label=name, **STROKES[name])


def _marks(panel: Axes, times: Times, period_ms: float) -> None:
    """The period, and the shares that median and p99 are read at."""
    low = min(min(values) for values in times.values())
    high = max(period_ms, *(max(values) for values in times.values()))
    panel.set_xlim(0.8 * low, 1.3 * high)
    panel.set_xticks([tick for tick in TICKS_MS if 0.8 * low <= tick <= 1.3 * high])
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.axvline(period_ms, color=QUIET, lw=1.2, ls="--", zorder=1)
    told = f" period, {period_ms:.1f} ms"
    panel.text(period_ms, 0.985, told, color=QUIET, va="top", transform=panel.get_xaxis_transform())
    for share, name in ((0.5, "median"), (0.01, "p99")):
        panel.axhline(share, color=QUIET, lw=0.8, zorder=1)
        across = panel.get_yaxis_transform()
        panel.text(0.99, share, name, color=QUIET, ha="right", va="bottom", transform=across)


def draw_endurance(windows: Sequence[Mapping[str, Any]], trends: Mapping[str, str], path: Path) -> None:
    """Times above and memory below, over minutes; PNG.

    Args:
        windows: see :func:`endurance.endured`.
        trends: what to write above each: slopes an hour, by the figure's name.
        path: of the file.
    """
    minutes = [window["at_s"] / 60 for window in windows]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.8), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        _curve(above, minutes, windows, "p99_ms", "p99", OTHER_COLORS[0])
        _curve(above, minutes, windows, "median_ms", "median", OUR_COLORS[0])
        above.set(ylabel="processing time, ms", title=f"median {trends['median_ms']} ms an hour", ylim=0)
        _curve(below, minutes, windows, "rss_mb", "resident", OUR_COLORS[0])
        if windows[0]["gpu_mb"] is not None:
            _curve(below, minutes, windows, "gpu_mb", "in use on the GPU", OTHER_COLORS[0])
        below.set(ylabel="memory, MB", xlabel="minutes", title=f"resident {trends['rss_mb']} MB an hour")
        below.set_ylim(0, 1.15 * max(max(w["rss_mb"], w["gpu_mb"] or 0) for w in windows))
        for panel in (above, below):
            panel.legend(loc="best", ncols=2, frameon=False)
        path.write_bytes(as_png(figure))


def _curve(
    panel: Axes,
    minutes: Sequence[float],
    windows: Sequence[Mapping[str, Any]],
    figure: str,
    name: str,
    color: str,
) -> None:
    panel.plot(minutes, [window[figure] for window in windows], color=color, lw=1.7, label=name)
