"""From what workers print to the figures of a run, and what is promised of them."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from streams import Scene

from recip_tracker_core.geometry import iou

HIT = 0.5  # overlap from which an answer is on the target
KEPT = 0.95  # share of hits below which a run has lost its target
PACKAGES = {
    "torch": ("torch",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "opencv": ("opencv-contrib-python-headless", "opencv-contrib-python", "opencv-python"),
    "numpy": ("numpy",),
}

Figures = Mapping[str, Any]
"""Of one run, by name; None for what does not apply."""


def pooled(turns: Sequence[Mapping[str, Any]], scene: Scene) -> dict[str, Any]:
    """The figures of a run from all of its turns.

    Times are those of the paced phase, ``fps`` that of the other; ``jitter_ms`` is the standard deviation of
    the time between two answers. ``updates`` and ``replaced`` are sums, ``first_fit_ms`` is the median, and
    memory the largest.
    """
    paced = [answer for turn in turns for answer in turn["paced"]]
    flat_ms = [answer["took_ms"] for turn in turns for answer in turn["flat"]]
    took_ms = [answer["took_ms"] for answer in paced]
    age_ms = [answer["age_ms"] for answer in paced]
    between = [np.diff([answer["at_s"] for answer in turn["paced"]]) for turn in turns]
    return {
        "fps": 1e3 * len(flat_ms) / sum(flat_ms) if flat_ms else None,
        **{f"{name}_ms": percentile(took_ms, q) for name, q in QUANTILES.items()},
        "jitter_ms": 1e3 * float(np.std(np.concatenate(between))),
        "dropped": 1 - len(paced) / sum(turn["released"] for turn in turns),
        "age_median_ms": percentile(age_ms, 50),
        "age_p99_ms": percentile(age_ms, 99),
        "cpu_share": sum(turn["cpu_s"] for turn in turns) / sum(turn["wall_s"] for turn in turns),
        "gpu_share": _known(np.mean, turns, "gpu_share"),
        **{name: _known(max, turns, name) for name in ("peak_rss_mb", "grown_rss_mb", "peak_gpu_mb")},
        "first_fit_ms": _known(np.median, turns, "first_fit_ms"),
        "hit": hit_share((answer for turn in turns for answer in (*turn["paced"], *turn["flat"])), scene),
        "updates": _known(sum, turns, "updates"),
        "replaced": _known(sum, turns, "replaced"),
    }


QUANTILES = {"median": 50, "p95": 95, "p99": 99, "max": 100}


def percentile(values: Sequence[float], q: float) -> float:
    """Of some values, as a plain number."""
    return float(np.percentile(values, q))


def hit_share(answers: Iterable[Mapping[str, Any]], scene: Scene) -> float:
    """Share of answers whose box overlaps the target's by half; one without a box (None) is no hit."""
    known = list(answers)
    found = [answer for answer in known if answer["box"] is not None]
    if not found:
        return 0.0
    truth = np.array([scene.box(answer["index"]) for answer in found])
    overlaps = iou(np.array([answer["box"] for answer in found], np.float64), truth)
    return float((overlaps >= HIT).sum()) / len(known)


def _known(merge: Any, turns: Sequence[Mapping[str, Any]], name: str) -> Any:
    values = [turn[name] for turn in turns if turn[name] is not None]
    if not values:
        return None
    merged = merge(values)
    return merged if isinstance(merged, int) else float(merged)


@dataclass(frozen=True)
class Comparison:
    """A figure, or a ratio of two, and what is promised of it.

    Attributes:
        text: what it is.
        value: as measured.
        least, most: bounds that are promised, if any is.
    """

    text: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the value is within what is promised."""
        return (self.least is None or self.value >= self.least) and (
            self.most is None or self.value <= self.most
        )

    @property
    def verdict(self) -> str:
        """In words."""
        if self.least is None and self.most is None:
            return "no promise"
        bound = f"at most {self.most:g}" if self.most is not None else f"at least {self.least:g}"
        return f"{'kept' if self.is_kept else 'MISSED'}, {bound}"


def comparisons(runs: Mapping[str, Figures]) -> list[Comparison]:
    """What matters of all runs, with what the project promises for a 30 Hz camera on two cores."""

    def ratio(figure: str, over: str, under: str) -> float:
        return float(runs[over][figure]) / float(runs[under][figure])

    background = runs["background"]
    found = [
        Comparison("background, median ms", background["median_ms"], most=25),
        Comparison("background, p99 ms", background["p99_ms"], most=50),
        Comparison("background, share of frames dropped", background["dropped"], most=0.01),
    ]
    if "csrt" in runs:
        found.append(Comparison("fps, background / csrt", ratio("fps", "background", "csrt"), least=0.8))
    if "before" in runs:
        found.append(Comparison("fps, background / before", ratio("fps", "background", "before"), least=1.5))
    found.append(Comparison("p99, background / off", ratio("p99_ms", "background", "off"), most=1.5))
    found.append(Comparison("p99, inline / off", ratio("p99_ms", "inline", "off")))
    return found


def machine() -> dict[str, Any]:
    """What the figures depend on beside the code."""
    return {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **{name: _version(packages) for name, packages in PACKAGES.items()},
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": commit(Path(__file__).parent),
    }


def commit(folder: Path) -> str | None:
    """Of a checkout, with ``-dirty`` where files differ from it; None where git does not know."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _version(packages: Sequence[str]) -> str | None:
    for package in packages:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return None


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
