"""Learning on a CUDA device by a step that is recorded once and then replayed as one launch.

A step of the classifier is some hundred small operations; launched one by one, each waits for the host.
:class:`Learner` does what :func:`~.learning.learn` does, where it may by replays of a :class:`StaticStep`.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .attention import ASKING_THE_HOST
from .classifier import Head, Kept
from .features import Batch
from .learning import LearningRequest, Pool, Recipe, Watch, begun, ended, hardest, learn, step_loss
from .levels import AtFeatures

LOG = logging.getLogger(__name__)

MOST_RECORDED = 4  # kinds of heads and samples; others are learned from step by step

Record = Callable[[Callable[[], None], torch.device], tuple[Callable[[], None], None]]
"""``record(step, device)``: what replays a step, beside what the step gave back, which is nothing."""


class StaticStep:
    """A step on memory of its own, which no call moves: weights, momentum, samples, dropout, learning rate.

    It asks the host for nothing and takes nothing from it. Calling it changes the weights and the momentum.

    Args:
        head: like which the heads are that it will learn; on the device where it computes.
        recipe: of a step, see :func:`is_recordable`.
        sample: (C, grid, grid) of each sample's features.
    """

    def __init__(self, head: Head, recipe: Recipe, sample: torch.Size) -> None:
        self._recipe = recipe
        self._head = copy.deepcopy(head).requires_grad_(True).train()
        device = head.fc4.weight.device

        def room(count: int) -> Tensor:
            # As pooled features lie in memory, so that the head reads them without a copy.
            return torch.zeros((count, *sample), device=device).to(memory_format=torch.channels_last)

        self._targets, self._drawn = room(recipe.positives), room(recipe.mined_from)
        self._count = recipe.positives + min(recipe.negatives, recipe.mined_from)
        self._is_target = torch.arange(self._count, device=device) < recipe.positives
        self._kept: Kept | None = None
        if head.dropout > 0:
            first, second = (torch.ones(self._count, fc.out_features) for fc in (head.fc4, head.fc5))
            self._kept = first.to(device), second.to(device)
        self._learning_rate, self._last_learning_rate = (torch.zeros((), device=device) for _ in range(2))
        self._learned = [
            (value, torch.zeros_like(value), self._rate_of(name))
            for name, value in self._head.named_parameters()
        ]

    def begin(self, head: Head, learning_rate: float) -> None:
        """Start anew from a head's weights, with no momentum."""
        self._learning_rate.fill_(learning_rate)
        self._last_learning_rate.fill_(learning_rate * self._recipe.last_layer_gain)
        with torch.no_grad():
            for (value, momentum, _), start in zip(self._learned, head.parameters(), strict=True):
                value.copy_(start)
                momentum.zero_()

    def fill(self, targets: Tensor, drawn: Tensor, generator: torch.Generator) -> None:
        """What the next call learns from.

        Args:
            targets: (positives, C, grid, grid).
            drawn: (mined_from, C, grid, grid) negatives, of which the hardest are learned.
            generator: of the dropout, which is drawn here as a step by itself would draw it.
        """
        self._targets.copy_(targets)
        self._drawn.copy_(drawn)
        kept = self._head.train().kept(self._count, generator)
        for own, new in zip(self._kept or (), kept or (), strict=True):
            own.copy_(new)

    def __call__(self) -> None:
        """Take it."""
        recipe, head = self._recipe, self._head
        negatives = self._drawn
        if recipe.negatives < recipe.mined_from:
            rows = hardest(head, negatives, recipe.negatives).sort().values
            negatives = negatives.index_select(0, rows)
        batch = Batch(torch.cat([self._targets, negatives]))
        loss = step_loss(head.train(), batch, self._is_target, recipe, self._kept)
        head.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(head.parameters(), recipe.clip_norm)
        with torch.no_grad():
            for value, momentum, learning_rate in self._learned:
                assert value.grad is not None
                momentum.mul_(recipe.momentum).add_(value.grad.add(value, alpha=recipe.weight_decay))
                value.addcmul_(momentum, learning_rate, value=-1)

    def learned(self) -> Head:
        """A copy of the weights as they are now."""
        return copy.deepcopy(self._head)

    def _rate_of(self, name: str) -> Tensor:
        return self._last_learning_rate if name.startswith("fc6.") else self._learning_rate


@dataclass(frozen=True, eq=False, slots=True)
class Recorded:
    """A step, and what replays it."""

    step: StaticStep
    replay: Callable[[], None]


class Learner:
    """:func:`~.learning.learn` by one recipe, for any thread; its steps are replayed where they can be.

    One call at a time replays. One that comes meanwhile (an update beside the rest of a first fit, or the fit
    of a target that was just clicked on) takes its steps one by one: it begins at once, heeds its own stop,
    and learns the same but for rounding, where it would else wait for all steps of another.

    Args:
        recipe: how a step is taken.
        record: records a step, or None where nothing can be: not on a CUDA device.
    """

    def __init__(self, recipe: Recipe, record: Record | None) -> None:
        self._recipe = recipe
        self._record = record if is_recordable(recipe) else None
        self._recorded: dict[Any, Recorded] = {}
        self._lock = threading.Lock()  # of all recordings: held while one of them is made or replayed

    @property
    def recordings(self) -> int:
        """How many steps have been recorded so far."""
        return len(self._recorded)

    def __call__(
        self,
        request: LearningRequest,
        latest: Head | None,
        should_stop: Callable[[], bool],
        watch: Watch | None = None,
    ) -> Head | None:
        """See :func:`~.learning.learn`; a call with a watch takes its steps one by one."""
        if self._record is not None and watch is None and self._lock.acquire(blocking=False):
            try:
                start, positives, negatives = begun(request, latest)
                recorded = self._recorded_for(start, positives)
                if recorded is not None:
                    return self._replayed(recorded, request, (start, positives, negatives), should_stop)
            finally:
                self._lock.release()
        return learn(request, latest, self._recipe, should_stop, watch)

    def _replayed(
        self,
        recorded: Recorded,
        request: LearningRequest,
        given: tuple[Head, Pool, Pool],
        should_stop: Callable[[], bool],
    ) -> Head | None:
        """The loop of :func:`~.learning.learn`, of replays."""
        recipe, step = self._recipe, recorded.step
        start, positives, negatives = given
        device = positives.device
        chance = np.random.default_rng(request.seed)
        generator = torch.Generator(device=device).manual_seed(request.seed)
        targets, background = positives.all_features(), negatives.all_features()
        step.begin(start, request.learning_rate)
        for _ in range(request.iterations):
            if should_stop():
                _wait_for(device)
                return None
            rows = positives.drawn(recipe.positives, chance), negatives.drawn(recipe.mined_from, chance)
            # Sent without waiting for the steps before; each pool is gathered once, not frame by frame.
            ours, theirs = (torch.from_numpy(one).to(device, non_blocking=True) for one in rows)
            step.fill(targets.index_select(0, ours), background.index_select(0, theirs), generator)
            recorded.replay()
        return ended(step.learned())

    def _recorded_for(self, head: Head, positives: Pool) -> Recorded | None:
        """The recording for such a head and such samples; the caller holds the lock."""
        sample = positives.sample
        key = type(head), head.dropout, sample, tuple(value.shape for value in head.parameters())
        if key not in self._recorded and len(self._recorded) < MOST_RECORDED and self._record is not None:
            try:
                step = StaticStep(head, self._recipe, sample)
                replay, _ = self._record(step, positives.device)
                self._recorded[key] = Recorded(step, replay)
            except RuntimeError as error:
                LOG.warning("no CUDA graph of learning, whose steps are launched one by one: %s", error)
                self._record = None
        return self._recorded.get(key)


def is_recordable(recipe: Recipe) -> bool:
    """Whether a step may be recorded: attention, if any, over the features, by a reading that stays there."""
    return recipe.attention_weight == 0 or (
        isinstance(recipe.level, AtFeatures) and recipe.reading not in ASKING_THE_HOST
    )


def _wait_for(device: torch.device) -> None:
    """Until the memory of a step is nobody's: who has it next may be on another stream."""
    if device.type == "cuda":
        torch.cuda.current_stream(device).synchronize()
