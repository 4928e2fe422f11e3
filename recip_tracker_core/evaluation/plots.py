"""The figures of accuracy and speed, in the style of the field's papers: white ground, ranked legends."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from .honesty_plots import confidence_plot, reliability_plot
from .looks import QUIET, STYLE, Summary, add_legend, as_png, looks, name_rows, panel_of, ranked, scores_with
from .metrics import ERROR_THRESHOLDS, OVERLAP_THRESHOLDS
from .records import Evaluation
from .summary import Accuracies

Marks = Mapping[str, Mapping[str, Mapping[int, float]]]
"""AUC of each run: by tracker, sequence and seed."""

PLOTS = (
    "success",
    "precision",
    "speed",
    "realtime",
    "seeds",
    "spread",
    "attributes",
    "reliability",
    "confidence",
)
MOST_ROWS = 16  # sequences that still read well on a page
PLACES: tuple[dict[str, Any], ...] = (  # of a point's name, in points from it: the first free one is taken
    {"xytext": (8, 0), "ha": "left", "va": "center"},
    {"xytext": (-8, 0), "ha": "right", "va": "center"},
    {"xytext": (0, 8), "ha": "center", "va": "bottom"},
    {"xytext": (0, -8), "ha": "center", "va": "top"},
    {"xytext": (8, 12), "ha": "left", "va": "bottom"},
    {"xytext": (8, -12), "ha": "left", "va": "top"},
)


def draw_plots(evaluation: Evaluation, summary: Summary, scores: Accuracies) -> dict[str, bytes]:
    """PNG files by the names of their figures; a figure without numbers is left out.

    Args:
        evaluation: what the trackers said.
        summary: its :func:`.summary.summarise`.
        scores: its :func:`.summary.accuracies`.
    """
    marks = _marks(evaluation, scores)
    drawings: tuple[Callable[[], Figure | None], ...] = (
        lambda: success_plot(summary),
        lambda: precision_plot(summary),
        lambda: speed_plot(summary),
        lambda: realtime_plot(summary),
        lambda: seeds_plot(marks, summary),
        lambda: spread_plot(marks, summary),
        lambda: attributes_plot(summary),
        lambda: reliability_plot(summary),
        lambda: confidence_plot(evaluation, summary),
    )
    with mpl.rc_context(STYLE):
        figures = {name: draw() for name, draw in zip(PLOTS, drawings, strict=True)}
        return {name: as_png(figure) for name, figure in figures.items() if figure is not None}


def success_plot(summary: Summary) -> Figure | None:
    """Share of frames above each overlap; the legend ranks by the area under the curve."""
    figure, panel = panel_of(5.2, 4.0, "overlap threshold", "success rate")
    return figure if _curves(figure, panel, summary, "success", "auc", OVERLAP_THRESHOLDS) else None


def precision_plot(summary: Summary) -> Figure | None:
    """Share of frames within each centre error; the legend ranks by its value at 20 pixels."""
    figure, panel = panel_of(5.2, 4.0, "centre error threshold, pixels", "precision")
    panel.axvline(20, color=QUIET, lw=1, zorder=1)
    return figure if _curves(figure, panel, summary, "precision", "dp20", ERROR_THRESHOLDS) else None


def speed_plot(summary: Summary) -> Figure | None:
    """AUC over frames a second, for the trackers of which both are known."""
    found = [(name, score["fps"], score["auc"]) for name, score in scores_with(summary, "fps")]
    points = [(name, fps, auc) for name, fps, auc in found if auc is not None]
    if not points:
        return None
    figure, panel = panel_of(6.4, 3.8, "frames a second on one core (logarithmic)", "success AUC")
    for name, fps, auc in points:
        panel.plot(fps, auc, **looks(summary)[name].point)
    _fps_axis(panel, [fps for _, fps, _ in points])
    panel.set_ylim(
        max(min(auc for *_, auc in points) - 0.08, 0), min(max(auc for *_, auc in points) + 0.08, 1)
    )
    for rate_hz in {score["realtime"]["rate_hz"] for _, score in scores_with(summary, "realtime")} - {None}:
        panel.axvline(rate_hz, color=QUIET, lw=1, ls="--", zorder=1)
        panel.annotate(
            f" stream, {rate_hz:g} Hz", (rate_hz, 0.01), xycoords=("data", "axes fraction"), color=QUIET
        )
    _name_points(figure, panel, points)
    return figure


def realtime_plot(summary: Summary) -> Figure | None:
    """AUC when every frame waits for the tracker, and when the stream does not."""
    found = list(scores_with(summary, "realtime"))
    if not found:
        return None
    figure, panel = panel_of(6.4, 1.0 + 0.6 * len(found), "success AUC")
    for row, (name, score) in enumerate(found):
        live, color = score["realtime"], looks(summary)[name].color
        seen = "" if live["looked_at"] is None else f", {live['looked_at']:.0%} of frames"
        _bar(panel, row - 0.2, score["auc"], "offline", color=color, alpha=0.4)
        _bar(panel, row + 0.2, live["auc"], f"real time{seen}", color=color)
    name_rows(panel, [name for name, _ in found])
    panel.set_xlim(0, 1)
    panel.grid(visible=False, axis="y")
    return figure


def seeds_plot(marks: Marks, summary: Summary) -> Figure | None:
    """Mean AUC of each seed, a dot, and of all of them, a bar; none if no tracker has several seeds."""
    names = [name for name in ranked(summary) if marks.get(name)]
    if not any(map(_is_seeded, (marks[name] for name in names))):
        return None
    figure, panel = panel_of(5.2, 0.9 + 0.36 * len(names), "mean success AUC of a seed")
    for row, name in enumerate(names):
        seeds: dict[int, list[float]] = defaultdict(list)
        for seed, auc in (item for found in marks[name].values() for item in found.items()):
            seeds[seed].append(auc)
        means, color = [float(np.mean(aucs)) for aucs in seeds.values()], looks(summary)[name].color
        panel.plot([np.mean(means)], [row], "|", color=color, ms=18, mew=2)
        panel.plot(means, [row] * len(means), "o", color=color, ms=7, alpha=0.6, mew=0)
    name_rows(panel, names)
    return figure


def spread_plot(marks: Marks, summary: Summary) -> Figure | None:
    """Lowest to highest AUC of the seeds in each sequence, the widest first; the dot is the mean."""
    names = [name for name in ranked(summary) if _is_seeded(marks.get(name, {}))]
    if not names:
        return None
    widths: dict[str, float] = defaultdict(float)
    for row, found in (item for name in names for item in marks[name].items()):
        widths[row] = max(widths[row], float(np.ptp(list(found.values()))))
    rows = sorted(widths, key=lambda row: (-widths[row], row))[:MOST_ROWS]
    figure, panel = panel_of(5.2, 0.9 + (0.12 + 0.07 * len(names)) * len(rows), "success AUC")
    for place, name in enumerate(names):
        shift = (place - (len(names) - 1) / 2) * 0.7 / len(names)
        shown = [
            (at + shift, list(marks[name][row].values())) for at, row in enumerate(rows) if row in marks[name]
        ]
        heights, color = [height for height, _ in shown], looks(summary)[name].color
        panel.hlines(
            heights, [min(aucs) for _, aucs in shown], [max(aucs) for _, aucs in shown], color=color, lw=2
        )
        panel.plot([np.mean(aucs) for _, aucs in shown], heights, "o", color=color, ms=4.5, label=name)
    name_rows(panel, rows)
    panel.set_xlim(0, 1)
    add_legend(figure, panel, "outside upper center")
    return figure


def attributes_plot(summary: Summary) -> Figure | None:
    """AUC over the sequences of each attribute."""
    rows = sorted({row for score in summary["trackers"].values() for row in score["attributes"]})
    if not rows:
        return None
    figure, panel = panel_of(6.4, 0.9 + 0.32 * len(rows), "success AUC")
    names = ranked(summary)
    for name in names:
        found = summary["trackers"][name]["attributes"]
        values = np.array([found.get(row) for row in rows], float)  # None becomes NaN, which is not drawn
        panel.plot(values, range(len(rows)), alpha=0.85, label=name, **looks(summary)[name].point)
    name_rows(panel, rows)
    panel.set_xlim(0, 1)
    add_legend(figure, panel, "outside upper center")
    return figure


def _marks(evaluation: Evaluation, scores: Accuracies) -> Marks:
    marks: dict[str, dict[str, dict[int, float]]] = {}
    for name, runs in evaluation.runs.items():
        for run, score in zip(runs, scores[name], strict=True):
            if not math.isnan(score.auc):
                marks.setdefault(name, {}).setdefault(run.sequence.name, {})[run.seed] = score.auc
    return marks


def _is_seeded(marks: Mapping[str, Mapping[int, float]]) -> bool:
    return any(len(found) > 1 for found in marks.values())


def _curves(figure: Figure, panel: Axes, summary: Summary, curve: str, rank: str, thresholds: Any) -> bool:
    """Whether there was anything to draw."""
    names = [name for name in ranked(summary, rank) if summary["trackers"][name][rank] is not None]
    for name in names:
        score = summary["trackers"][name]
        values = np.array(score[curve], float)
        panel.plot(thresholds, values, label=f"{name} [{score[rank]:.3f}]", **looks(summary)[name].stroke)
    panel.set(xlim=(0, thresholds[-1]), ylim=(0, 1))
    if names:
        add_legend(figure, panel, "outside lower center")
    return bool(names)


def _bar(panel: Axes, height: float, auc: float | None, words: str, **look: Any) -> None:
    if auc is not None:
        panel.barh(height, auc, 0.36, **look)
        panel.text(auc + 0.01, height, f"{auc:.3f} {words}", va="center", fontsize=8.5)


def _fps_axis(panel: Axes, values: Iterable[float]) -> None:
    """Logarithmic, with plain numbers, and room for the points' names."""
    low, high = min(values), max(values)
    panel.set_xscale("log")
    panel.set_xlim(low / 2, high * 2)
    panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_formatter(NullFormatter())


def _name_points(figure: Figure, panel: Axes, points: list[tuple[str, float, float]]) -> None:
    """Each name beside its point, in the first place where it covers no other name and no point."""
    figure.draw_without_rendering()
    places = [panel.transData.transform((fps, auc)) for _, fps, auc in points]
    reach = 6 / 72 * figure.dpi  # of a marker, from its centre
    taken = [Bbox([place - reach, place + reach]) for place in places]
    for name, fps, auc in points:
        for place in PLACES:
            text = panel.annotate(name, (fps, auc), textcoords="offset points", fontsize=9, **place)
            extent = text.get_window_extent()
            if not extent.count_overlaps(taken) or place is PLACES[-1]:
                taken.append(extent)
                break
            text.remove()
