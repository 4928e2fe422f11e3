"""What is promised of a CUDA device, measured in one run: frames, first fit, update, memory.

``.venv/bin/python bench/gpu.py [--device cuda] [--frames 10000] [--quick] [--json gpu.json]``

Rates are those of the rendered stream of ``realtime.py`` flat out, learning beside it; ``crops`` is the
paper's way with its network, whose weights are random here and take as long as any. Everything is timed
warm. Ends with exit code 1 when something is missed. It also runs on a CPU, of which none of this is
promised. ``--quick`` is to see that it runs; nothing is promised of that either. ``gpu_report.py`` runs this
and all else that is owed on a GPU.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from figures import Comparison, machine
from frame_time import QUICK
from learning import FEATURES, MINED_FROM, UPDATE_STEPS, learners
from rich.console import Console
from rich.progress import track
from streams import Scene

from recip_tracker_core import BoundingBox, Frame, Tracker, TrackerConfig, build_tracker
from recip_tracker_core.backbones import load_backbone
from recip_tracker_core.box_crops import CropNetwork
from recip_tracker_core.build import warm_up
from recip_tracker_core.features import Batch
from recip_tracker_core.parameters import parsed, replaced
from recip_tracker_core.presets import preset
from recip_tracker_core.shared_parts import resolve_device

SCENE = Scene(640, 480)
SETTLED = 1000  # frames after which memory is compared with that at the end
FITS = 5
MB = 1e6


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    frames: Annotated[
        int, typer.Option(min=40, help="Of the long run, in which memory may not grow.")
    ] = 10_000,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter of the default tracker, name=value.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only to see that it runs.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Print each figure beside what is promised of it."""
    where = resolve_device(device)
    values = {"device": str(where), "update.updater": "background"}
    default = replaced(
        TrackerConfig(), values | dict(parsed(TrackerConfig(), text) for text in settings or [])
    )
    paper = replaced(preset("paper"), values | {"backbone.weights": "random"})
    if quick:
        default, paper = replaced(default, QUICK), replaced(paper, QUICK)
    found = [
        *map_mode(default, frames, where),
        Comparison("frames a second, crops with VGG-M", rate(paper, max(frames // 50, 20)), least=100),
        Comparison(f"update of {UPDATE_STEPS} steps, ms", update_ms(where), most=20),
    ]
    console = Console()
    for one in found:
        console.print(f"{one.text}: {one.value:.4g} ({one.verdict})", highlight=False)
    if json_file is not None:
        told = {"machine": machine(), "device": str(where), "figures": [asdict(one) for one in found]}
        json_file.write_text(json.dumps(told, indent=2), encoding="utf-8")
    if where.type == "cuda" and not quick and not all(one.is_kept for one in found):
        raise typer.Exit(1)


def map_mode(config: TrackerConfig, frames: int, device: torch.device) -> list[Comparison]:
    """Of the default tracker."""
    loop = SCENE.rendered()
    with contextlib.closing(build_tracker(config)) as tracker:
        warm_up(tracker)
        fit_ms = statistics.median(first_track_ms(tracker, loop) for _ in range(FITS))
        settled, began = min(SETTLED, frames // 2), time.perf_counter()
        settled_mb = 0.0
        for index in track(range(1, frames + 1), "default"):
            tracker.update(Frame(loop[index % len(loop)], index=index))
            if index == settled:
                settled_mb = used_mb(device)
        fps = frames / (time.perf_counter() - began)
        grown_mb = used_mb(device) - settled_mb
    found = [
        Comparison("frames a second, default", fps, least=250),
        Comparison("first fit to first track, ms", fit_ms, most=150),
    ]
    if device.type == "cuda":
        peak_mb = torch.cuda.max_memory_allocated(device) / MB
        found += [
            Comparison("peak memory of the device, MB", peak_mb, most=1500),
            Comparison(f"its growth from frame {settled} to {frames}, MB", grown_mb, most=5),
        ]
    return found


def first_track_ms(tracker: Tracker, loop: Any) -> float:
    """From a target's box to the answer to the next frame."""
    began = time.perf_counter()
    tracker.init(Frame(loop[0]), BoundingBox(*SCENE.box(0)))
    tracker.update(Frame(loop[1]))
    return 1e3 * (time.perf_counter() - began)


def rate(config: TrackerConfig, frames: int) -> float:
    """Frames a second of a stream that waits."""
    loop = SCENE.rendered()
    with contextlib.closing(build_tracker(config)) as tracker:
        first_track_ms(tracker, loop)
        began = time.perf_counter()
        for index in track(range(2, frames + 2), "crops"):
            tracker.update(Frame(loop[index % len(loop)], index=index))
        return frames / (time.perf_counter() - began)


def update_ms(device: torch.device) -> float:
    """Of the attentive classifier on the default network's features, as ``learning.py`` takes its steps."""
    backbone = load_backbone("efficientnet_lite0")
    assert isinstance(backbone, torch.nn.Module)
    network = CropNetwork(backbone.to(device), "s16", 112, 3, device)
    positives, negatives = (
        Batch(torch.randn(count, network.channels, 3, 3, device=device)) for count in (200, 1024)
    )
    learner = learners(network, FEATURES, positives, negatives)["fast"]
    times_ms = []
    for _ in range(FITS + 1):
        began = time.perf_counter()
        learner.learned(UPDATE_STEPS, MINED_FROM)  # ends with a look at the weights, and so with the device
        times_ms.append(1e3 * (time.perf_counter() - began))
    return statistics.median(times_ms[1:])


def used_mb(device: torch.device) -> float:
    """Of the device, by tensors."""
    return torch.cuda.memory_allocated(device) / MB if device.type == "cuda" else 0.0


if __name__ == "__main__":
    typer.run(main)
