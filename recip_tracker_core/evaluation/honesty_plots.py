"""The figures of honesty: what a tracker's confidence promised, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from .honesty import BAD, GOOD
from .looks import QUIET, Summary, add_legend, is_ours, looks, ranked, scores_with
from .metrics import overlaps
from .records import Evaluation, Run

OUTCOMES = {  # colour and name of what came of a frame
    "#009e73": f"overlap {GOOD:g} or more",
    "#d55e00": f"overlap below {BAD:g}",
    "#555b66": "target absent",
}
BARS = 40


def reliability_plot(summary: Summary) -> Figure | None:
    """Share of good frames over the confidence that was said; below, how often it was said."""
    found = list(scores_with(summary, "reliability"))
    if not found:
        return None
    figure = Figure(figsize=(5.2, 4.8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color=QUIET, lw=1, zorder=1)
    for name, score in found:
        look, bins = looks(summary)[name], score["reliability"]
        confidence, good, count = (np.array(bins[key], float) for key in ("confidence", "good", "count"))
        filled = count > 0
        label = name if score["ece"] is None else f"{name} [ECE {score['ece']:.3f}]"
        above.plot(confidence[filled], good[filled], marker=look.marker, ms=5, label=label, **look.stroke)
        below.stairs(count / count.sum(), np.linspace(0, 1, len(count) + 1), **look.stroke)
    above.set(xlim=(0, 1), ylim=(-0.02, 1.02), ylabel=f"share with overlap {GOOD:g} or more")
    add_legend(figure, above, "outside lower center")
    below.set_ylim(bottom=0)
    below.set(xlabel="confidence", ylabel="share of\nframes")
    return figure


def confidence_plot(evaluation: Evaluation, summary: Summary) -> Figure | None:
    """What confidence was said in good, in bad and in absent frames, each in the tracker's own unit."""
    runs = {name: evaluation.runs.get(name, ()) for name in ranked(summary)}
    sure = {
        name: some for name, some in runs.items() if some and all(run.record.has_confidence for run in some)
    }
    if not sure:
        return None
    figure = Figure(figsize=(5.2, 0.9 + 1.15 * len(sure)), layout="constrained")
    panels = figure.subplots(len(sure), 1, squeeze=False)[:, 0]
    for panel, (name, some) in zip(panels, sure.items(), strict=True):
        kinds = _confidences(some)
        edges = np.linspace(*_span(np.concatenate(kinds)), BARS + 1)
        for color, kind in zip(OUTCOMES, kinds, strict=True):
            share = np.histogram(kind, edges)[0] / max(len(kind), 1)
            panel.stairs(share, edges, color=color, fill=True, alpha=0.5)
        panel.set_title(name, loc="left", fontsize=10, fontweight="bold" if is_ours(name) else "normal")
        panel.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.08 * panel.dataLim.y1), yticks=[])
    panels[-1].set_xlabel("confidence")
    handles = [Patch(color=color, alpha=0.5, label=kind) for color, kind in OUTCOMES.items()]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    return figure


def _confidences(runs: Iterable[Run]) -> tuple[NDArray[np.float64], ...]:
    """Of the good, of the bad and of the absent frames; the first frame of a run, which is given, is none."""
    overlap = np.concatenate([overlaps(run.record, run.sequence.truth)[1:] for run in runs])
    confidence = np.concatenate([run.record.confidences[1:] for run in runs])
    return confidence[overlap >= GOOD], confidence[overlap < BAD], confidence[np.isnan(overlap)]


def _span(confidence: NDArray[np.float64]) -> tuple[float, float]:
    """[0, 1] for what lies in it, else from the lowest to the highest."""
    if ((confidence >= 0) & (confidence <= 1)).all():
        return 0.0, 1.0
    low, high = float(confidence.min()), float(confidence.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)
