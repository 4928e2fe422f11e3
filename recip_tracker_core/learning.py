"""Learning on the target alone: one flat loop serves the first fit and every update.

:func:`learn` is a function of its request: it trains a copy and returns it frozen, so it may run on
any thread and a failure leaves nothing behind.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .attention import attentive_loss
from .classifier import Head, margin
from .errors import LearningError


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a step is taken.

    Attributes:
        attention_weight: lambda of Eq. 5.
        momentum, weight_decay, clip_norm: of stochastic gradient descent.
        positives, negatives: samples a step; the negatives are the hardest of ``mined_from``.
    """

    attention_weight: float
    momentum: float
    weight_decay: float
    clip_norm: float
    positives: int
    negatives: int
    mined_from: int


@dataclass(frozen=True, slots=True)
class LearningRequest:
    """What to learn.

    Attributes:
        head: where to start from, for a first fit; None starts from the newest head.
        positives, negatives: features (N_i, C, grid, grid), one tensor a remembered frame.
        iterations: steps.
        learning_rate: of each step.
        seed: of batches and dropout.
    """

    head: Head | None
    positives: tuple[Tensor, ...]
    negatives: tuple[Tensor, ...]
    iterations: int
    learning_rate: float
    seed: int


def learn(
    request: LearningRequest, latest: Head | None, recipe: Recipe, should_stop: Callable[[], bool]
) -> Head | None:
    """A trained, frozen copy of the request's head or the latest one, or None when told to stop.

    Args:
        should_stop: read before each step.

    Raises:
        LearningError: without positives, negatives or a head, or when the weights do not stay finite.
    """
    start = request.head if request.head is not None else latest
    if start is None:
        raise LearningError("there is no head to start from: an update came before the first fit")
    positives, negatives = Pool(request.positives), Pool(request.negatives)
    if len(positives) == 0 or len(negatives) == 0:
        raise LearningError(
            f"learning needs positive and negative samples, got {len(positives)} and {len(negatives)}"
        )
    head = copy.deepcopy(start).requires_grad_(True)
    optimizer = torch.optim.SGD(
        head.parameters(),
        lr=request.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
    )
    chance = np.random.default_rng(request.seed)
    generator = torch.Generator(device=positives.device).manual_seed(request.seed)
    for _ in range(request.iterations):
        if should_stop():
            return None
        targets = positives.draw(recipe.positives, chance)
        background = _hardest(head, negatives.draw(recipe.mined_from, chance), recipe.negatives)
        activation = torch.cat([targets, background]).requires_grad_(True)
        is_target = torch.arange(len(activation), device=activation.device) < len(targets)

        head.train()
        loss = attentive_loss(head(activation, generator), activation, is_target, recipe.attention_weight)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(head.parameters(), recipe.clip_norm)
        optimizer.step()
    if not all(bool(parameter.isfinite().all()) for parameter in head.parameters()):
        raise LearningError("learning diverged: the weights are no longer finite; the last good ones stay")
    optimizer.zero_grad()  # the copy that is published carries no gradients
    return head.eval().requires_grad_(False)


class Pool:
    """Samples of many frames to draw from; only what is drawn is ever copied.

    Args:
        frames: features (N_i, C, grid, grid), one tensor a frame.
    """

    def __init__(self, frames: tuple[Tensor, ...]) -> None:
        self._frames = frames
        self._ends = np.cumsum([len(samples) for samples in frames])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def device(self) -> torch.device:
        """Where the samples are."""
        return self._frames[0].device

    def draw(self, count: int, chance: np.random.Generator) -> Tensor:
        """(count, C, grid, grid) random samples, each at most once while there are enough."""
        rows = np.concatenate([chance.permutation(len(self)) for _ in range(-(-count // len(self)))])
        rows = np.sort(rows[:count])
        frames = np.searchsorted(self._ends, rows, side="right")
        starts = self._ends - [len(samples) for samples in self._frames]
        drawn = [
            self._frames[frame][torch.from_numpy(rows[frames == frame] - starts[frame]).to(self.device)]
            for frame in np.unique(frames)
        ]
        return torch.cat(drawn)


def _hardest(head: Head, negatives: Tensor, count: int) -> Tensor:
    """The negatives that the head takes for the target most."""
    if count >= len(negatives):
        return negatives
    head.eval()
    with torch.no_grad():
        return negatives[margin(head(negatives)).topk(count).indices]
