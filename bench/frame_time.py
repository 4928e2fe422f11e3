"""Where a frame's time goes, stage by stage, with learning off, beside and before the frame.

``.venv/bin/python bench/frame_time.py [--device cuda] [--preset paper] [--frames 200] [--quick] [--json F]``

The stream is rendered (640 x 480, a textured square on a textured ground) and does not wait: the next frame
comes when the last is answered. The paper's preset has random weights here, which take as long as any.
The first fit is timed warm: one before it is not counted. Times of one run on a shared machine say
little; compare within a run. ``--quick`` is to see that it runs: little is learned, and few candidates are
looked at; no figure of it means anything.
"""

from __future__ import annotations

import contextlib
import json
import platform
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from recip_tracker_core import BoundingBox, Frame, TrackerConfig, build_tracker
from recip_tracker_core.parameters import replaced
from recip_tracker_core.presets import preset

WIDTH, HEIGHT, SIDE = 640, 480, 90
QUICK: dict[str, Any] = {
    "first_fit.iterations": 2,
    "first_fit.positives": 8,
    "first_fit.negatives": 24,
    "update.iterations": 1,
    "update.positives": 4,
    "update.negatives": 12,
    "optimizer.positives": 4,
    "optimizer.negatives": 4,
    "optimizer.mined_from": 8,
    "regression.samples": 16,
    "search.candidates": 8,
    "features.crop_px": 75,
}
SEEN_S = 2e-3  # of a frame's time in learning, from which it did learn
RUNS: dict[str, dict[str, Any]] = {
    "off": {
        "update.updater": "inline",
        "ridge.interval": 1000,
        "ridge.eager_frames": 0,
        "update.interval": 100_000,
    },
    "background": {"update.updater": "background"},
    "inline": {"update.updater": "inline"},
}


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    preset_name: Annotated[str, typer.Option("--preset", help="default or paper.")] = "default",
    frames: Annotated[int, typer.Option(min=10)] = 200,
    threads: Annotated[int, typer.Option(min=0, help="CPU threads of one operation.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Only to see that it runs.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Print median and 99th percentile of each stage for each way of learning."""
    weights = {"backbone.weights": "random"} if preset_name == "paper" else {}
    base = replaced(preset(preset_name), {"device": device, "threads": threads, **weights})
    base = replaced(base, QUICK) if quick else base
    runs = {name: measured(replaced(base, values), frames, name) for name, values in RUNS.items()}
    used = (
        torch.cuda.get_device_name()
        if device != "cpu" and torch.cuda.is_available()
        else platform.processor()
    )
    Console().print(
        table(runs, f"milliseconds a frame, {used or platform.machine()}, torch {torch.__version__}")
    )
    if json_file is not None:
        json_file.write_text(json.dumps({"device": used, "torch": torch.__version__, "runs": runs}, indent=2))


def measured(config: TrackerConfig, frames: int, name: str) -> dict[str, dict[str, float]]:
    """Median and p99 milliseconds of each stage, of whole frames, and of the first fit."""
    background, target = texture(0, HEIGHT, WIDTH), texture(1, SIDE, SIDE)
    with contextlib.closing(build_tracker(config)) as tracker:
        x, y = place(0)
        tracker.init(Frame(rendered(background, target, 0)), BoundingBox(x, y, SIDE, SIDE))
        first = tracker.init(Frame(rendered(background, target, 0)), BoundingBox(x, y, SIDE, SIDE))
        laps = [
            tracker.update(Frame(rendered(background, target, index))).timings_s
            for index in track(range(1, frames), f"learning {name}")
        ]
    stages = {stage: [lap[stage] for lap in laps] for stage in laps[0]}
    stages["frame"] = [sum(lap.values()) for lap in laps]
    # What an inline update takes; a submitted one takes a frame no time that could be seen.
    stages["update"] = [lap["learn"] for lap in laps if lap["learn"] > SEEN_S] or [0.0]
    stages["first fit"] = [sum(first.timings_s.values())]
    return {
        stage: {"median_ms": 1e3 * float(np.median(s)), "p99_ms": 1e3 * float(np.percentile(s, 99))}
        for stage, s in stages.items()
    }


def table(runs: dict[str, dict[str, dict[str, float]]], title: str) -> Table:
    """A row a stage, a column a way of learning: median / p99."""
    shown = Table("stage", *(f"learning {name}" for name in runs), title=title)
    for stage in next(iter(runs.values())):
        cells = [f"{run[stage]['median_ms']:.1f} / {run[stage]['p99_ms']:.1f}" for run in runs.values()]
        shown.add_row(stage, *cells)
    return shown


def rendered(background: NDArray[np.uint8], target: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """The target on the background where it is in that frame."""
    picture, (x, y) = background.copy(), place(index)
    picture[y : y + SIDE, x : x + SIDE] = target
    return picture


def place(index: int) -> tuple[int, int]:
    """Top-left corner of the target: an ellipse, once in 120 frames."""
    angle = 2 * np.pi * index / 120
    return (
        round((WIDTH - SIDE) * (0.5 + 0.35 * np.cos(angle))),
        round((HEIGHT - SIDE) * (0.5 + 0.35 * np.sin(angle))),
    )


def texture(seed: int, height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3) smooth noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


if __name__ == "__main__":
    typer.run(main)
