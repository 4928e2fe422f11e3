"""The first fit step by step: what the classifier looked at, and what it was told, on its way."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection

import torch
from torch import Tensor

from ..attention import Reading, Sensitivity, at_one_scale, classification_loss, positive_map, relative_spread
from ..classifier import BACKGROUND, TARGET, Head
from ..features import Batch
from ..levels import Level

SPREADS = (
    "target_map_of_positives",
    "background_map_of_positives",
    "target_map_of_negatives",
    "background_map_of_negatives",
)
TERMS = ("classification", "regularizer")
COURSES = (*SPREADS, *TERMS)


class FitRecord:
    """Watches a first fit; see :data:`~..learning.Watch`.

    Args:
        level, reading: where maps are taken, and how the regulariser of them is read.
        kept: after how many steps a copy of the head is wanted.
        on_step: called at each step.

    Attributes:
        courses: a value for each step, by the names of :data:`COURSES`.
        heads: the copies, by the number of steps behind them.
    """

    def __init__(
        self, level: Level, reading: Reading, kept: Collection[int], on_step: Callable[[], None]
    ) -> None:
        self._level, self._reading, self._kept, self._on_step = level, reading, kept, on_step
        self.courses: dict[str, list[float]] = {name: [] for name in COURSES}
        self.heads: dict[int, Head] = {}

    def watch(self, head: Head, batch: Batch, is_target: Tensor) -> None:
        """Note what a step starts from."""
        done = len(self.courses[COURSES[0]])
        if done in self._kept:
            self.heads[done] = copy.deepcopy(head).eval().requires_grad_(False)
        for name, value in measured(head, batch, is_target, self._level, self._reading).items():
            self.courses[name].append(value)
        self._on_step()


def measured(head: Head, batch: Batch, is_target: Tensor, level: Level, reading: Reading) -> dict[str, float]:
    """Of each course its next value: sigma / mu of the samples' maps, and both terms of Eq. 5 without lambda.

    Means over samples, of the whole head: nothing is dropped out, as when it is used.
    """
    with torch.no_grad():
        scores, by_features = head.eval().with_gradients(batch.features)
        seen = Sensitivity(level.gradients(by_features, batch), is_target, level.border)
        of_target, of_background = (
            relative_spread(positive_map(seen.gradients[c])) for c in (TARGET, BACKGROUND)
        )
        groups = (
            of_target[is_target],
            of_background[is_target],
            of_target[~is_target],
            of_background[~is_target],
        )
        spreads = {name: float(group.mean()) for name, group in zip(SPREADS, groups, strict=True)}
        terms = (classification_loss(scores, is_target), reading(at_one_scale(seen)))
    return spreads | {name: float(term) / len(batch) for name, term in zip(TERMS, terms, strict=True)}
