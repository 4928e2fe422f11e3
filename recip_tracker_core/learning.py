"""Learning on the target alone: one flat loop serves the first fit and every update.

:func:`learn` is a function of its request: it trains a copy and returns it frozen, so it may run on
any thread and a failure leaves nothing behind.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .attention import Reading, Sensitivity, attentive_loss, classification_loss
from .classifier import Head, Kept, margin
from .errors import LearningError
from .features import Batch
from .levels import Level


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a step is taken.

    Attributes:
        attention_weight: lambda of Eq. 5; at 0 no map is computed.
        reading: of the regulariser.
        level: where maps are taken.
        is_mean: whether the loss is the mean over a step's samples rather than their sum.
        momentum, weight_decay, clip_norm: of stochastic gradient descent.
        last_layer_gain: what the last layer's learning rate is multiplied by.
        positives, negatives: samples a step; the negatives are the hardest of ``mined_from``.
    """

    attention_weight: float
    reading: Reading
    level: Level
    is_mean: bool
    momentum: float
    weight_decay: float
    clip_norm: float
    last_layer_gain: float
    positives: int
    negatives: int
    mined_from: int


@dataclass(frozen=True, slots=True)
class LearningRequest:
    """What to learn.

    Attributes:
        head: where to start from, for a first fit; None starts from the newest head.
        positives, negatives: samples, one batch a remembered frame.
        iterations: steps.
        learning_rate: of each step.
        seed: of batches and dropout.
    """

    head: Head | None
    positives: tuple[Batch, ...]
    negatives: tuple[Batch, ...]
    iterations: int
    learning_rate: float
    seed: int


Watch = Callable[[Head, Batch, Tensor], None]
"""``watch(head, batch, is_target)``: what a step is about to learn, and the head that it will change; a watch
changes none of them, but may leave the head in either mode."""


def learn(
    request: LearningRequest,
    latest: Head | None,
    recipe: Recipe,
    should_stop: Callable[[], bool],
    watch: Watch | None = None,
) -> Head | None:
    """A trained, frozen copy of the request's head or the latest one, or None when told to stop.

    Args:
        should_stop: read before each step.
        watch: told of each step before it is taken.

    Raises:
        LearningError: without positives, negatives or a head, or when the weights do not stay finite.
    """
    start, positives, negatives = begun(request, latest)
    head = copy.deepcopy(start).requires_grad_(True)
    optimizer = _optimizer(head, request.learning_rate, recipe)
    chance = np.random.default_rng(request.seed)
    generator = torch.Generator(device=positives.device).manual_seed(request.seed)
    for _ in range(request.iterations):
        if should_stop():
            return None
        targets = positives.batch(positives.drawn(recipe.positives, chance))
        background = _mined(head, negatives, negatives.drawn(recipe.mined_from, chance), recipe.negatives)
        batch = Batch.cat([targets, background])
        is_target = torch.arange(len(batch), device=positives.device) < len(targets)
        if watch is not None:
            watch(head, batch, is_target)
        head.train()
        loss = step_loss(head, batch, is_target, recipe, head.kept(len(batch), generator))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(head.parameters(), recipe.clip_norm)
        optimizer.step()
    optimizer.zero_grad()  # the copy that is published carries no gradients
    return ended(head)


def begun(request: LearningRequest, latest: Head | None) -> tuple[Head, Pool, Pool]:
    """Where to start from, and the positives and negatives.

    Raises:
        LearningError: one of them is missing.
    """
    start = request.head if request.head is not None else latest
    if start is None:
        raise LearningError("there is no head to start from: an update came before the first fit")
    positives, negatives = Pool(request.positives), Pool(request.negatives)
    if len(positives) == 0 or len(negatives) == 0:
        raise LearningError(
            f"learning needs positive and negative samples, got {len(positives)} and {len(negatives)}"
        )
    return start, positives, negatives


def ended(head: Head) -> Head:
    """The head, frozen.

    Raises:
        LearningError: its weights did not stay finite.
    """
    if not all(bool(parameter.isfinite().all()) for parameter in head.parameters()):
        raise LearningError("learning diverged: the weights are no longer finite; the last good ones stay")
    return head.eval().requires_grad_(False)


def step_loss(head: Head, batch: Batch, is_target: Tensor, recipe: Recipe, kept: Kept | None) -> Tensor:
    """Eq. 5 of a step's samples."""
    if recipe.attention_weight == 0:
        loss = classification_loss(head(batch.features, kept), is_target)
    else:
        scores, by_features = head.with_gradients(batch.features, kept)
        gradients = recipe.level.gradients(by_features, batch)
        seen = Sensitivity(gradients, is_target, recipe.level.border)
        loss = attentive_loss(scores, seen, recipe.reading, recipe.attention_weight)
    return loss / len(batch) if recipe.is_mean else loss


def _optimizer(head: Head, learning_rate: float, recipe: Recipe) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [
        {"params": [value for name, value in head.named_parameters() if not name.startswith("fc6.")]},
        {"params": [*head.fc6.parameters()], "lr": learning_rate * recipe.last_layer_gain},
    ]
    return torch.optim.SGD(
        groups, lr=learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay
    )


class Pool:
    """Samples of many frames to draw from; only what is drawn is ever copied.

    Args:
        frames: one batch each.
    """

    def __init__(self, frames: tuple[Batch, ...]) -> None:
        self._frames = frames
        self._ends = np.cumsum([len(samples) for samples in frames])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def device(self) -> torch.device:
        """Where the samples are."""
        return self._frames[0].features.device

    @property
    def sample(self) -> torch.Size:
        """(C, grid, grid) of each one's features."""
        return self._frames[0].features.shape[1:]

    def drawn(self, count: int, chance: np.random.Generator) -> NDArray[np.int64]:
        """(count,) numbers of random samples, each at most once while there are enough."""
        rows = np.concatenate([chance.permutation(len(self)) for _ in range(-(-count // len(self)))])
        return np.sort(rows[:count])

    def features(self, rows: NDArray[np.int64]) -> Tensor:
        """(M, C, grid, grid) of samples by their (M,) ascending numbers."""
        return torch.cat([batch.features[places] for batch, places in self._located(rows)])

    def all_features(self) -> Tensor:
        """(len, C, grid, grid) of every sample, by its number."""
        return torch.cat([batch.features for batch in self._frames])

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """Such samples whole, by their numbers."""
        return Batch.cat([batch[places] for batch, places in self._located(rows)])

    def _located(self, rows: NDArray[np.int64]) -> Iterator[tuple[Batch, Tensor]]:
        frames = np.searchsorted(self._ends, rows, side="right")
        starts = self._ends - [len(samples) for samples in self._frames]
        for frame in np.unique(frames):
            places = torch.from_numpy(rows[frames == frame] - starts[frame])
            yield self._frames[frame], places.to(self.device)


def _mined(head: Head, negatives: Pool, rows: NDArray[np.int64], count: int) -> Batch:
    """Of those negatives the ones that the head takes for the target most."""
    if count >= len(rows):
        return negatives.batch(rows)
    hard = hardest(head, negatives.features(rows), count).cpu().numpy()
    return negatives.batch(np.sort(rows[hard]))


def hardest(head: Head, features: Tensor, count: int) -> Tensor:
    """(count,) numbers of those of (N, C, grid, grid) negatives that the head takes for the target most.

    Leaves the head in the mode in which it is used.
    """
    head.eval()
    with torch.no_grad():
        return margin(head(features)).topk(count).indices
