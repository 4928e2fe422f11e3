"""The long mode: one run for many minutes, and whether memory or times grow with it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from streams import Scene
from turns import MB, Player, Turn, builder, peak_gpu_mb, status_mb, update_counts

WINDOW_S = 10.0
AFRESH_S = 60.0  # between two inits
SETTLED_S = 120.0  # before that, caches fill; trends begin here


def endured(turn: Turn, window_s: float = WINDOW_S, afresh_s: float = AFRESH_S) -> Iterator[dict[str, Any]]:
    """Windows of a paced stream, each with times, memory, and updates since the start.

    The target is given anew where it is by then whenever ``afresh_s`` have passed; frames that are released
    meanwhile count for nothing. ``rss_mb`` is without the rendered frames; of several targets' first fits
    ``updates`` has all.
    """
    scene = Scene(*turn.size)
    loop = scene.rendered()
    frames, begun_s, first, inits = round(window_s * turn.rate_hz), time.perf_counter(), 0, 0
    with contextlib.closing(builder(turn)()) as follower:
        player = Player(follower, scene, loop, turn.rate_hz)
        while (elapsed_s := time.perf_counter() - begun_s) < 60 * turn.minutes:
            fit_ms = None
            if elapsed_s >= inits * afresh_s:
                fit_ms, inits = player.init(first), inits + 1
            answers = player.paced(first + 1, frames)
            yield {
                "at_s": time.perf_counter() - begun_s,
                "dropped": 1 - len(answers) / frames,
                "fit_ms": fit_ms,
                "rss_mb": status_mb("VmRSS") - loop.nbytes / MB,
                "gpu_mb": gpu_mb(),
                **times(answers),
                **update_counts(follower),
            }
            first += frames


def times(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of a window: median and p99 of processing times, and boxes with the numbers of their frames."""
    took_ms = [answer["took_ms"] for answer in answers]
    return {
        "median_ms": float(np.median(took_ms)),
        "p99_ms": float(np.percentile(took_ms, 99)),
        "boxes": [answer["box"] for answer in answers],
        "indices": [answer["index"] for answer in answers],
    }


def gpu_mb() -> float | None:
    """That torch has in use on its GPU now; None without one."""
    if peak_gpu_mb() is None:
        return None
    import torch  # noqa: PLC0415 - a core of another checkout may not want it before

    return float(torch.cuda.memory_allocated()) / MB


def slope_per_hour(
    windows: Sequence[dict[str, Any]], figure: str, settled_s: float = SETTLED_S
) -> tuple[float, float]:
    """By which a figure grows in an hour, and the standard error of that.

    Least squares over the windows that end later than ``settled_s``, three at least. The error takes windows
    for independent, which those of a machine that has other things to do are not.
    """
    points = [(window["at_s"] / 3600, window[figure]) for window in windows if window["at_s"] > settled_s]
    at_h, values = np.array(points, np.float64).T
    (slope, _), covariance = np.polyfit(at_h - at_h.mean(), values, 1, cov=True)
    return float(slope), float(np.sqrt(covariance[0, 0]))
