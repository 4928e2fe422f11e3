"""How hard the regulariser pulls at each attention level, and why: sigma / mu, and each reading's gradient.

``.venv/bin/python bench/levels.py SOURCE --init X,Y,W,H [--json out.json]``

A sum over C channels of positive parts evens itself out: for independent channels sigma / mu is about
sqrt(pi - 1) / sqrt(C), 0.14 at 112 channels. The terms with its inverse in Eq. 3 and 4 have the slope of
(mu / sigma) squared there. On the first frame of SOURCE, for crops of EfficientNet-Lite0, before learning and
after 30 steps of plain cross entropy; means over three seeds of head and samples.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from recip_tracker_core import BoundingBox, Frame, TrackerConfig, sampling
from recip_tracker_core.attention import (
    READINGS,
    Sensitivity,
    box_mask,
    classification_loss,
    positive_map,
    relative_spread,
)
from recip_tracker_core.backbones import load_backbone
from recip_tracker_core.classifier import TARGET, Head
from recip_tracker_core.commands.parsing import parsed_box
from recip_tracker_core.features import Batch
from recip_tracker_core.gaussian_build import build_features
from recip_tracker_core.learning import LearningRequest, learn
from recip_tracker_core.levels import AtFeatures
from recip_tracker_core.parameters import replaced
from recip_tracker_core.shared_parts import build_recipe
from recip_tracker_core.sources import open_source

CROPS = {"proposals": "gaussian", "features.mode": "crops", "features.stages": ("s16",), "device": "cpu"}
LEVELS = ("input", "s4", "s8", "s16", "features")
SEEDS, SAMPLES, STEPS = 3, 32, 30


def main(
    source: Annotated[Path, typer.Argument(help="A video file, a folder of images, or a ROS bag.")],
    init: Annotated[str, typer.Option(help="The target in the first frame: X,Y,W,H in pixels.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Print one line a level, before and after learning."""
    torch.set_num_threads(1)
    frame, box = next(iter(open_source(source, None).frames)), parsed_box(init)
    rows = [row for level in track(LEVELS, "levels") for row in level_rows(level, frame, box)]
    readings = list(READINGS)
    shown = Table(
        title="sigma / mu of the target's map; norm of each regulariser's gradient over cross entropy's"
    )
    for heading in ("level", "channels", "steps", "expected", "sigma/mu", "inside the box", *readings):
        shown.add_column(heading, justify="left" if heading == "level" else "right")
    for row in rows:
        figures = (row["expected"], row["spread"], row["inside"], *(row[name] for name in readings))
        shown.add_row(row["level"], str(row["channels"]), str(row["steps"]), *(f"{x:.3g}" for x in figures))
    Console().print(shown)
    if json_file is not None:
        json_file.write_text(json.dumps(rows, indent=2) + "\n")


def level_rows(level: str, frame: Frame, box: BoundingBox) -> Iterator[dict[str, Any]]:
    """The figures of one level, before learning and after."""
    for steps in (0, STEPS):
        found = [measured(level, frame, box, steps, seed) for seed in range(SEEDS)]
        means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
        channels = int(means.pop("channels"))
        expected = math.sqrt(math.pi - 1) / math.sqrt(channels)
        yield {"level": level, "channels": channels, "steps": steps, "expected": expected, **means}


def measured(level: str, frame: Frame, box: BoundingBox, steps: int, seed: int) -> dict[str, float]:
    """Spread and place of the target's map, and what each reading pulls, of one head."""
    config = replaced(TrackerConfig(), {**CROPS, "attention.level": level, "seed": seed})
    source, at, _ = build_features(config, load_backbone("efficientnet_lite0"), torch.device("cpu"))
    chance, size = np.random.default_rng(seed), (frame.width, frame.height)
    view = source.look(frame, box)
    positives = view.batch(sampling.positives(box, *size, SAMPLES, chance))
    negatives = view.batch(sampling.negatives(box, *size, SAMPLES, chance))
    head = Head(source.channels, source.grid, 256, 0.0, seed)
    if steps > 0:
        plain = replaced(config, {"attention.weight": 0.0})
        request = LearningRequest(head, (positives,), (negatives,), steps, 3e-3, seed)
        learned = learn(request, None, build_recipe(plain, AtFeatures()), lambda: False)
        assert learned is not None
        head = learned.requires_grad_(True)
    batch = Batch.cat([positives, negatives])
    is_target = torch.arange(len(batch)) < len(positives)
    scores, by_features = head.with_gradients(batch.features)
    gradients = at.gradients(by_features, batch)
    seen = Sensitivity(gradients, is_target, at.border)
    own = positive_map(gradients.detach())[TARGET][is_target]
    mask = box_mask(own.shape[-2:], at.border).to(own)
    plain_pull = pull(classification_loss(scores, is_target), head)
    return {
        "channels": gradients.shape[2],
        "spread": relative_spread(own).mean().item(),
        "inside": float(((own * mask).sum(dim=(1, 2)) / own.sum(dim=(1, 2))).mean()),
        **{name: pull(reading(seen), head) / plain_pull for name, reading in READINGS.items()},
    }


def pull(loss: Tensor, head: Head) -> float:
    """Norm of a loss's gradient by the head's weights."""
    gradients = torch.autograd.grad(loss, list(head.parameters()), retain_graph=True, allow_unused=True)
    return math.sqrt(sum(float(one.square().sum()) for one in gradients if one is not None))


if __name__ == "__main__":
    typer.run(main)
