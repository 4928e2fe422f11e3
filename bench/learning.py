"""What a step of reciprocative learning costs: by automatic differentiation, and by the constant Jacobian.

``.venv/bin/python bench/learning.py [--device cuda] [--quick] [--json out.json]``

For each network and attention level, a step with 32 + 32 samples is learned in three forms that give the
same weights: ``fast``, the library's own, recorded where the tracker's is; ``naive``, double backward through
the network with one forward pass for both classes' maps; ``four passes``, the same as the authors' released
code takes it, each class and each label in a pass of its own. They take turns within one run, and ratios of
medians are what counts. Ends with exit code 1 when a ratio that is promised is missed. ``--quick`` is to see
that it runs, with one sample of each label: no figure of it means anything, and none is promised.
"""

from __future__ import annotations

import functools
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from recip_tracker_core import recorded_steps
from recip_tracker_core.attention import READINGS
from recip_tracker_core.backbones import INPUT, load_backbone
from recip_tracker_core.box_crops import CropNetwork
from recip_tracker_core.classifier import BACKGROUND, TARGET, Head, Kept
from recip_tracker_core.features import Batch
from recip_tracker_core.learning import LearningRequest, Recipe
from recip_tracker_core.levels import FEATURES, AtFeatures, BeforeFeatures, Level
from recip_tracker_core.shared_parts import recorder, resolve_device

NETWORKS = {"vgg_m": ("relu3", 107), "efficientnet_lite0": ("s16", 112)}
FIRST_STAGE = {"vgg_m": "conv1", "efficientnet_lite0": "s4"}
PLAIN = "none"  # the level of a step without the term
SAMPLES = 32  # of each label a step
UPDATE_STEPS, FIRST_STEPS = 15, 50
HIDDEN = 512
MINED_FROM = 1024  # in updates and first fits

# network, level, what, at most times, what
PROMISES = (
    ("vgg_m", "conv1", "fast", 0.6, "naive"),
    ("vgg_m", "conv1", "fast", 1 / 3, "four passes"),
)
UPDATE_PROMISE = 1.6  # an update with attention at the features, over one without the term


class NaiveHead(Head):
    """A head whose gradients are left to automatic differentiation."""

    def with_gradients(self, features: Tensor, kept: Kept | None = None) -> tuple[Tensor, Tensor]:
        """See :class:`Head`."""
        features = features.detach().requires_grad_(True)
        scores = self(features, kept)
        return scores, _both_classes(lambda c: _gradient(scores[:, c].sum(), features))


@dataclass(frozen=True)
class NaiveLevel:
    """Gradients by double backward, in one pass for all samples and classes, or in four."""

    network: CropNetwork
    level: str
    has_four_passes: bool
    border: float = 0.0

    def gradients(self, at_features: Tensor, batch: Batch) -> Tensor:
        """See :class:`Level`."""
        assert batch.crops is not None
        if not self.has_four_passes:
            activation, features = self._passed(batch.crops)
            return _both_classes(lambda c: _gradient(features, activation, at_features[c]))
        halves = zip(batch.crops.chunk(2), at_features.chunk(2, dim=1), strict=True)
        return torch.cat([_both_classes(functools.partial(self._alone, *half)) for half in halves], dim=1)

    def _alone(self, crops: Tensor, at_features: Tensor, which: int) -> Tensor:
        activation, features = self._passed(crops)
        return _gradient(features, activation, at_features[which])

    def _passed(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            activation = self.network.activation(crops, self.level)
        activation = activation.detach().requires_grad_(True)
        return activation, self.network.after(self.level)(activation)


def _both_classes(of: Callable[[int], Tensor]) -> Tensor:
    return torch.stack([of(which) for which in sorted((BACKGROUND, TARGET))])


def _gradient(output: Tensor, by: Tensor, weight: Tensor | None = None) -> Tensor:
    (gradient,) = torch.autograd.grad(output, by, weight, create_graph=True)
    return gradient


@dataclass(frozen=True)
class Plan:
    """How much is learned from.

    Attributes:
        samples: of each label a step.
        positives, negatives: there are.
        mined_from: negatives a step in updates and first fits.
        longest_s: expected, beyond which many steps are not timed but counted.
    """

    samples: int
    positives: int
    negatives: int
    mined_from: int
    longest_s: float


FULL = Plan(SAMPLES, 200, 1024, MINED_FROM, longest_s=15.0)
QUICK = Plan(samples=1, positives=2, negatives=4, mined_from=4, longest_s=0.1)


@dataclass(frozen=True)
class Learner:
    """One form of learning at one level of one network; recorded as the tracker does it, or launched."""

    head: Head
    recipe: Recipe
    positives: Batch
    negatives: Batch
    is_recorded: bool

    def learned(self, steps: int, mined_from: int) -> None:
        """So many steps, from negatives of which the hardest are taken."""
        recipe = replace(self.recipe, mined_from=mined_from)
        request = LearningRequest(self.head, (self.positives,), (self.negatives,), steps, 1e-6, 0)
        recording_by(recipe, self.positives.features.device, self.is_recorded)(request, None, lambda: False)


@functools.cache
def recording_by(recipe: Recipe, device: torch.device, is_recorded: bool) -> recorded_steps.Learner:
    """What keeps the recordings, if any, from one turn to the next."""
    return recorded_steps.Learner(recipe, recorder(device) if is_recorded else None)


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    repeats: Annotated[int, typer.Option(min=1, help="Turns that each form takes.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of one operation.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Only to see that it runs.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Print times and operation counts of steps, updates and first fits."""
    torch.set_num_threads(threads)
    where = resolve_device(device)
    plan, repeats = (QUICK, 1) if quick else (FULL, repeats)
    rows = [row for name in NETWORKS for row in network_rows(name, where, repeats, plan)]
    used = torch.cuda.get_device_name(where) if where.type == "cuda" else platform.machine()
    console = Console()
    console.print(
        table(rows, f"{used}, {threads} thread(s), torch {torch.__version__}, medians of {repeats}")
    )
    promises = kept(rows)
    for text, ratio, most in promises:
        console.print(f"{'kept  ' if ratio <= most else 'MISSED'}  {text}: {ratio:.2f}, at most {most:.2f}")
    if json_file is not None:
        found = {"device": used, "torch": torch.__version__, "threads": threads, "rows": rows}
        json_file.write_text(json.dumps(found | {"promises": promises}, indent=2))
    if not quick and any(ratio > most for _, ratio, most in promises):
        raise typer.Exit(1)


def network_rows(name: str, device: torch.device, repeats: int, plan: Plan) -> list[dict[str, Any]]:
    """Every level of one network."""
    stage, size_px = NETWORKS[name]
    backbone = load_backbone(name, "random" if name == "vgg_m" else "")
    assert isinstance(backbone, torch.nn.Module)
    network = CropNetwork(backbone.to(device), stage, size_px, 3, device)
    chance = torch.Generator().manual_seed(0)
    batches = []
    for count in (plan.positives, plan.negatives):
        crops = torch.randint(0, 256, (count, 3, size_px, size_px), generator=chance, dtype=torch.uint8)
        crops = crops.to(device)
        batches.append(Batch(network.features(crops), crops))
    rows = []
    for level in track((PLAIN, FEATURES, FIRST_STAGE[name], INPUT), name, transient=True):
        forms = learners(network, level, *batches, samples=plan.samples)
        cost = {form: flops(learner) for form, learner in forms.items()}
        steps = in_turns(forms, repeats)
        for form, learner in forms.items():
            rows.append({"network": name, "level": level, "form": form, "gflop": cost[form] / 1e9})
            rows[-1] |= {"step_ms": 1e3 * steps[form]}
            for what, count in (("update", UPDATE_STEPS), ("first_fit", FIRST_STEPS)):
                rows[-1] |= longer(learner, what, count, plan, steps[form])
    return rows


def learners(
    network: CropNetwork, level: str, positives: Batch, negatives: Batch, samples: int = SAMPLES
) -> dict[str, Learner]:
    """Each form of learning at a level; without the term there is but one."""
    size = network.channels, network.grid, HIDDEN, 0.5, 0
    written, naive = (kind(*size).to(network.device) for kind in (Head, NaiveHead))

    def made(head: Head, at: Level, weight: float = 5.0) -> Learner:
        recipe = Recipe(
            attention_weight=weight,
            reading=READINGS["paper"],
            level=at,
            is_mean=False,
            momentum=0.9,
            weight_decay=5e-4,
            clip_norm=10.0,
            last_layer_gain=10.0,
            positives=samples,
            negatives=samples,
            mined_from=samples,
        )
        return Learner(head, recipe, positives, negatives, is_recorded=head is written)

    if level == PLAIN:
        return {"fast": made(written, AtFeatures(), 0.0)}
    if level == FEATURES:
        return {"fast": made(written, AtFeatures()), "naive": made(naive, AtFeatures())}
    return {
        "fast": made(written, BeforeFeatures(network, level, 0.0)),
        "naive": made(naive, NaiveLevel(network, level, has_four_passes=False)),
        "four passes": made(naive, NaiveLevel(network, level, has_four_passes=True)),
    }


def flops(learner: Learner) -> int:
    """Floating point operations of matrix products and convolutions in a step, forwards and backwards."""
    with OperationCounter() as counter:  # which sees nothing of a replay
        replace(learner, is_recorded=False).learned(1, learner.recipe.negatives)
    return counter.total


class OperationCounter(TorchDispatchMode):
    """Adds up what torch's own table says of each operation; its counter by module stumbles over second
    derivatives."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """One operation."""
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        self.total += count(*args, **(kwargs or {}), out_val=result) if count else 0
        return result


def in_turns(forms: dict[str, Learner], repeats: int) -> dict[str, float]:
    """Median seconds of a step of each form; they take turns, after one that is not counted."""
    times: dict[str, list[float]] = {form: [] for form in forms}
    for turn in range(repeats + 1):
        for form, learner in forms.items():
            took = seconds(learner, 1, learner.recipe.negatives)
            if turn > 0:
                times[form].append(took)
    return {form: statistics.median(taken) for form, taken in times.items()}


def seconds(learner: Learner, steps: int, mined_from: int) -> float:
    """Of so many steps, the device's queue included."""
    started = time.perf_counter()
    learner.learned(steps, mined_from)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def longer(learner: Learner, what: str, steps: int, plan: Plan, step_s: float) -> dict[str, Any]:
    """Milliseconds of many steps with mining; as many times one step where that would take long."""
    is_measured = steps * step_s < plan.longest_s
    if is_measured:
        learner.learned(1, plan.mined_from)  # records where that is done
    took = seconds(learner, steps, plan.mined_from) if is_measured else steps * step_s
    return {f"{what}_ms": 1e3 * took, f"{what}_is_measured": is_measured}


def kept(rows: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    """Each promise: what it says, the ratio seen, and the largest that keeps it."""
    by_name = {(row["network"], row["level"], row["form"]): row for row in rows}
    found = []
    for network, level, form, most, other in PROMISES:
        ratio = by_name[network, level, form]["step_ms"] / by_name[network, level, other]["step_ms"]
        found.append((f"{network}, {level}: a step, {form} over {other}", ratio, most))
    for network in NETWORKS:
        plain, attentive = (by_name[network, level, "fast"]["update_ms"] for level in (PLAIN, FEATURES))
        text = f"{network}: an update, attention at the features over none"
        found.append((text, attentive / plain, UPDATE_PROMISE))
    return found


def table(rows: list[dict[str, Any]], title: str) -> Table:
    """One line a network, level and form; times that were not measured begin with a tilde."""
    shown = Table(title=title)
    for heading in ("network", "level", "form", "GFLOP a step", "step ms", "update ms", "first fit ms"):
        shown.add_column(heading, justify="left" if heading in {"network", "level", "form"} else "right")
    for row in rows:
        times = [
            ("" if row[f"{what}_is_measured"] else "~") + f"{row[f'{what}_ms']:.0f}"
            for what in ("update", "first_fit")
        ]
        names = (row["network"], row["level"], row["form"])
        shown.add_row(*names, f"{row['gflop']:.2f}", f"{row['step_ms']:.1f}", *times)
    return shown


if __name__ == "__main__":
    typer.run(main)
