"""Confidence and latency over time as an SVG that takes the page's text colour, light or dark."""

from __future__ import annotations

import io
from typing import Any

import matplotlib as mpl
import numpy as np
from hidings import Hiding
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from recording import Recording, spans

STATE_COLORS = {"tracking": "#00a152", "uncertain": "#f59e0b", "lost": "#e53935"}
OTHER_STATE = "#8a8f98"
CONFIDENCE, LATENCY = "#2563eb", "#a855f7"
INK = "#0a0b0c"  # stands for the page's text colour and is replaced by it
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
}


def chart_svg(recording: Recording, hidings: list[Hiding]) -> str:
    """An ``<svg>`` element: confidence above, latency below, both over bands in the colour of the state."""
    start_ns = recording.played_ns[0]
    seconds = np.array([(answer.stamp_ns - start_ns) / 1e9 for answer in recording.answers])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 4.6), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        _bands((above, below), recording, start_ns)
        _confidence(above, recording, seconds)
        _hidden(above, hidings, start_ns)
        _latency(below, recording, seconds)
        _updates(above, recording, start_ns)
        below.set_xlabel("seconds")
        below.margins(x=0.01)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _bands(axes: tuple[Axes, ...], recording: Recording, start_ns: int) -> None:
    for state, start, end in spans(recording):
        for panel in axes:
            color = STATE_COLORS.get(state, OTHER_STATE)
            panel.axvspan((start - start_ns) / 1e9, (end - start_ns) / 1e9, color=color, alpha=0.13, lw=0)


def _confidence(panel: Axes, recording: Recording, seconds: np.ndarray) -> None:
    values = [np.nan if answer.confidence is None else answer.confidence for answer in recording.answers]
    panel.plot(seconds, np.array(values, float), color=CONFIDENCE, lw=1.6)
    panel.set_ylim(0, 1.05)
    panel.set_ylabel("confidence")


def _hidden(panel: Axes, hidings: list[Hiding], start_ns: int) -> None:
    """A bar at the top where, by the truth, nothing of the target is in view."""
    for hiding in hidings:
        ends = [(stamp - start_ns) / 1e9 for stamp in (hiding.start_ns, hiding.end_ns)]
        panel.plot(ends, [1.02, 1.02], color=INK, lw=5, solid_capstyle="butt")


def _latency(panel: Axes, recording: Recording, seconds: np.ndarray) -> None:
    latency_ms = np.array([answer.latency_ms for answer in recording.answers])
    panel.plot(seconds, latency_ms, color=LATENCY, lw=1.2)
    if len(latency_ms):
        median = float(np.median(latency_ms))
        panel.axhline(median, color=LATENCY, lw=1, ls="--", alpha=0.7)
        panel.set_title(f"median {median:.0f} ms", loc="right", fontsize=9, color=LATENCY)
        panel.set_ylim(0, max(latency_ms) * 1.1)
    panel.set_ylabel("latency, ms")


def _updates(panel: Axes, recording: Recording, start_ns: int) -> None:
    """A tick on the axis where a newer model was first announced."""
    known = 0
    for change in recording.changes:
        if change.updates > known:
            known = change.updates
            panel.plot([(change.stamp_ns - start_ns) / 1e9], [0], "^", color=INK, ms=5, clip_on=False)
