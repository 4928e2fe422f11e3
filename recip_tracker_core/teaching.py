"""How a target is learned: what runs behind the :class:`~.updater.Updater`.

:class:`Teacher` is a function of a request and of the newest appearance, so it may run on any thread,
and a failure leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import config, sampling
from .appearance import Appearance, Completed, FirstLook, Lesson, Part, Request, Samples, sharpness
from .classifier import Head
from .crops import Crop
from .encoding import Encoder, MapSource, box_features
from .errors import LearningError
from .features import Batch
from .first_views import TrainingView, first_views, turned_views
from .learning import LearningRequest
from .locator import Locator
from .recorded_steps import Learner
from .refinement import BoxRefiner
from .ridge import Moments, RidgeMemory, Weighted
from .types import BoundingBox

Floats = NDArray[np.float64]
ShouldStop = Callable[[], bool]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is made of a first look.

    Attributes:
        views: how many ways of seeing it, the first ones.
        hard_draws: of points a view, once the first solution says which negatives are hard.
        step_share: of the classifier's steps.
    """

    views: int
    hard_draws: int
    step_share: float


WHOLE = Effort(views=8, hard_draws=4, step_share=1.0)
BEGINNING = Effort(views=4, hard_draws=1, step_share=0.2)
TURNED_DRAWS = 2  # of points of each turned view, once the first solution says which negatives are hard
COMPACT = 1.5  # longer side over the shorter up to which a target that turns still fills its upright box
FIRST_DRAWS = 1000  # later frames' points come after all that a first frame draws


class _StoppedError(Exception):
    """Learning was told to stop."""


def _unless(should_stop: ShouldStop, items: Iterable[Item]) -> Iterator[Item]:
    """The same items, until it is told to stop; each is then worth the work of an instant at most."""
    for item in items:
        if should_stop():
            raise _StoppedError
        yield item


class ClassifierTeacher:
    """Teaches the attentive classifier (Eq. 5) on what the map shows at boxes.

    Args:
        head: that a first fit starts from, by the number of channels of the map.
        grid: bins a side of a box.
        learner: takes the steps of all fits and updates.
        first_fit, update, memory: how much is learned, when, and from how many frames.
        seed: of every draw.
    """

    def __init__(
        self,
        head: Callable[[int], Head],
        grid: int,
        learner: Learner,
        first_fit: config.FirstFit,
        update: config.Update,
        memory: config.Memory,
        seed: int,
    ) -> None:
        self._head, self._grid, self._learner = head, grid, learner
        self._first_fit, self._update, self._memory, self._seed = first_fit, update, memory, seed

    def first(
        self, views: list[TrainingView], encoder: Encoder, step_share: float, should_stop: ShouldStop
    ) -> tuple[Head, Samples] | None:
        """A head and the samples of the first frame, or None when told to stop.

        Args:
            views: of the first frame.
            encoder: that made them.
            step_share: of the steps of a first fit that are taken.
            should_stop: read before each step.
        """
        plan, chance = self._first_fit, np.random.default_rng(self._seed)
        upright = [view for view in views if view.is_upright]
        counts = -(-plan.positives // len(upright)), -(-plan.negatives // len(upright))
        pairs = [self._drawn(view, encoder, counts, sampling.first_negatives, chance) for view in upright]
        samples = Samples(*((Batch.cat(kind),) for kind in zip(*pairs, strict=True)))
        request = LearningRequest(
            self._head(encoder.channels).to(samples.positives[0].features.device),
            samples.positives,
            samples.negatives,
            max(1, round(step_share * plan.iterations)),
            plan.learning_rate,
            self._seed,
        )
        head = self._learner(request, None, should_stop)
        return None if head is None else (head, samples)

    def later(
        self, appearance: Appearance, view: TrainingView, frame: int, should_stop: ShouldStop
    ) -> tuple[Head | None, Samples] | None:
        """The head and the samples after one more frame that taught the locator.

        Most frames change neither: only from each ``interval`` frames one is remembered, and learned.
        None when told to stop.
        """
        assert appearance.samples is not None
        plan, memory = self._update, self._memory
        if frame - appearance.head_frame < plan.interval:
            return appearance.head, appearance.samples
        chance = np.random.default_rng((self._seed, frame))
        counts = plan.positives, plan.negatives
        drawn = self._drawn(view, appearance.encoder, counts, sampling.negatives, chance)
        samples = appearance.samples.with_frame(*drawn, memory.long_frames, memory.short_frames)
        request = LearningRequest(
            None,
            samples.positives,
            samples.negatives,
            plan.iterations,
            plan.learning_rate,
            int(chance.integers(2**31)),
        )
        head = self._learner(request, appearance.head, should_stop)
        return None if head is None else (head, samples)

    def _drawn(
        self,
        view: TrainingView,
        encoder: Encoder,
        counts: tuple[int, int],
        negatives: Callable[..., NDArray[np.float32]],
        chance: np.random.Generator,
    ) -> tuple[Batch, Batch]:
        """Samples of the target and of the background."""
        side = view.features.shape[-1] * encoder.stage.stride
        box = BoundingBox(*(view.center_px - view.size_px / 2), *view.size_px)
        drawn = (
            sampling.positives(box, side, side, counts[0], chance).astype(np.float64),
            negatives(box, side, side, counts[1], chance).astype(np.float64),
        )
        stage, grid = encoder.stage, self._grid
        positive, negative = (
            Batch(box_features(view.features, boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:], stage, grid))
            for boxes in drawn
        )
        return positive, negative


class Teacher:
    """Makes and improves appearances.

    Args:
        source: of maps.
        locator, refiner: who know what a map teaches.
        classifier: likewise, or None for no classifier.
        settings: of the map, the filter, the regression and their memories, and the seed.
    """

    def __init__(
        self,
        source: MapSource,
        locator: Locator,
        refiner: BoxRefiner,
        classifier: ClassifierTeacher | None,
        settings: config.TrackerConfig,
    ) -> None:
        self._source, self._locator, self._refiner, self._classifier = source, locator, refiner, classifier
        self._map, self._ridge = settings.map, settings.ridge
        self._filter, self._regression = settings.locator, settings.refiner
        self._seed = settings.seed

    def __call__(
        self, request: Request, latest: Appearance | None, should_stop: ShouldStop
    ) -> Appearance | None:
        """What is known after a request, or None when told to stop.

        Raises:
            LearningError: for a lesson before a first look, or when weights do not stay finite.
        """
        if isinstance(request, FirstLook):
            try:
                taught = self._first(request, latest, should_stop)
            except _StoppedError:
                taught = None
        elif latest is None:
            raise LearningError("there is no appearance to start from: an update came before the first fit")
        elif isinstance(request, Completed):
            taught = self._completed(request.whole, latest)
        else:
            taught = self._later(request, latest, should_stop)
        if taught is not None and not all(
            bool(weights.isfinite().all()) for weights in (taught.finder, taught.regression)
        ):
            raise LearningError(
                "learning diverged: the weights are no longer finite; the last good ones stay"
            )
        return taught

    def _first(
        self, look: FirstLook, latest: Appearance | None, should_stop: ShouldStop
    ) -> Appearance | None:
        effort = BEGINNING if look.part is Part.BEGINNING else WHOLE
        center, size = np.array(look.box.center), np.array([look.box.w, look.box.h])
        crop = Crop.around(center, size, self._map.target_px, self._map.region_px)
        if look.part is Part.REST and latest is not None:
            encoder = latest.encoder
        else:
            encoder = self._source.fitted(crop.cut(look.image), size * crop.scale)
        views = list(
            _unless(should_stop, first_views(look.image, encoder, crop, size, self._seed, effort.views))
        )
        locator_memory = self._first_located(views, effort.hard_draws, should_stop)
        finder = self._solved_filter(locator_memory)
        refiner_memory = self._first_fitted(views, should_stop)
        head, samples = None, None
        if self._classifier is not None:
            taught = self._classifier.first(views, encoder, effort.step_share, should_stop)
            if taught is None:
                return None
            head, samples = taught
        (response,) = self._locator.responses(views[0].features, views[0].size_px, finder)
        peak = response.peak(0.0, views[0].center_px)
        witness = [finder]
        if look.part is not Part.BEGINNING and size.max() <= COMPACT * size.min():
            turned = turned_views(look.image, encoder, crop, size, self._filter.turns)
            witness += [self._turned_filter(view, peak.value) for view in _unless(should_stop, turned)]
        return Appearance(
            encoder=encoder,
            finder=finder,
            witness=torch.cat(witness, dim=1),
            first_peak=peak.value,
            first_sharpness=sharpness(peak.value, response.beyond(peak.place_px, views[0].size_px)),
            regression=self._solved_regression(refiner_memory),
            head=head,
            first_head=head,
            locator_memory=locator_memory,
            refiner_memory=refiner_memory,
            samples=samples,
        )

    def _first_located(
        self, views: list[TrainingView], hard_draws: int, should_stop: ShouldStop
    ) -> RidgeMemory:
        """Points of each view; and again other ones, among which those that are hard weigh more."""
        count = len(views)
        seen = (self._located(views[draw], draw) for draw in _unless(should_stop, range(count)))
        easy = self._solved_filter(RidgeMemory(Moments.mean(seen)))
        draws = _unless(should_stop, range(count, (hard_draws + 1) * count))
        return RidgeMemory(Moments.mean(self._located(views[draw % count], draw, easy) for draw in draws))

    def _turned_filter(self, view: TrainingView, peak: float) -> Tensor:
        """The filter of the target turned, with the same peak as the upright one's."""
        easy = self._solved_filter(RidgeMemory(Moments.mean([self._located(view, 0)])))
        draws = range(1, 1 + TURNED_DRAWS)
        hard = Moments.mean(self._located(view, draw, easy, peak) for draw in draws)
        finder = self._solved_filter(RidgeMemory(hard))
        (response,) = self._locator.responses(view.features, view.size_px, finder)
        return finder * (peak / response.peak(0.0, view.center_px).value)

    def _first_fitted(self, views: list[TrainingView], should_stop: ShouldStop) -> RidgeMemory:
        """Jittered boxes of the views in which the target's is a box."""
        upright = enumerate(view for view in views if view.is_upright)
        count = self._regression.first_samples
        return RidgeMemory(
            Moments.mean(self._fitted_box(view, count, draw) for draw, view in _unless(should_stop, upright))
        )

    def _completed(self, whole: Appearance, latest: Appearance) -> Appearance:
        """What the first frame taught is now whole; what later ones did stays."""
        locator_memory = replace(latest.locator_memory, first=whole.locator_memory.first)
        refiner_memory = replace(latest.refiner_memory, first=whole.refiner_memory.first)
        completed = replace(
            whole,
            finder=self._solved_filter(locator_memory),
            regression=self._solved_regression(refiner_memory),
            locator_memory=locator_memory,
            refiner_memory=refiner_memory,
            lessons=latest.lessons,
        )
        if whole.samples is None or latest.samples is None or latest.head is latest.first_head:
            return completed
        samples = latest.samples.begun_with(whole.samples)
        return replace(completed, head=latest.head, head_frame=latest.head_frame, samples=samples)

    def _later(self, lesson: Lesson, known: Appearance, should_stop: ShouldStop) -> Appearance | None:
        view = TrainingView(lesson.features, lesson.center_px, lesson.size_px, is_upright=True)
        draw = known.lessons + FIRST_DRAWS
        settings = self._ridge
        locator_memory = known.locator_memory.with_frame(
            self._located(view, draw, known.finder, known.first_peak), self._rate(lesson)
        )
        if should_stop():
            return None
        refiner_memory = known.refiner_memory.with_frame(
            self._fitted_box(view, self._regression.samples, draw), self._rate(lesson)
        )
        taught = replace(
            known,
            locator_memory=locator_memory,
            refiner_memory=refiner_memory,
            lessons=known.lessons + 1,
        )
        if should_stop():
            return None
        is_new = lesson.frame <= settings.eager_frames
        if is_new or known.lessons % settings.solve_interval == 0:
            taught = replace(taught, finder=self._solved_filter(locator_memory))
        if is_new or known.lessons % settings.solve_interval == 1 % settings.solve_interval:
            taught = replace(taught, regression=self._solved_regression(refiner_memory))
        if self._classifier is None or known.samples is None:
            return taught
        later = self._classifier.later(known, view, lesson.frame, should_stop)
        if later is None:
            return None
        head, samples = later
        head_frame = known.head_frame if head is known.head else lesson.frame
        return replace(taught, head=head, head_frame=head_frame, samples=samples)

    def _rate(self, lesson: Lesson) -> float:
        """A plain mean over the first frames, forgetting by a fixed rate later; less where trust is less."""
        settings = self._ridge
        forgetting = settings.forgetting * settings.interval
        mean = 1 / (lesson.frame / settings.interval + 1) if lesson.frame < 3 / settings.forgetting else 0.0
        return lesson.trust * min(0.5, max(forgetting, mean))

    def _located(
        self, view: TrainingView, draw: int, finder: Tensor | None = None, first_peak: float = 1.0
    ) -> Weighted:
        return self._locator.samples(view.features, view.center_px, view.size_px, draw, finder, first_peak)

    def _fitted_box(self, view: TrainingView, count: int, draw: int) -> Weighted:
        return self._refiner.samples(view.features, view.center_px, view.size_px, count, draw)

    def _solved_filter(self, memory: RidgeMemory) -> Tensor:
        return memory.solved(self._filter.ridge, self._ridge.first_share, self._ridge.ramp)

    def _solved_regression(self, memory: RidgeMemory) -> Tensor:
        return memory.solved(self._regression.ridge, self._ridge.first_share, self._ridge.ramp)
