"""The story of a frame in the paper's way: look, draw candidates, classify, judge, refine, remember.

The tracking thread owns everything here. Learning happens behind :class:`~.updater.Updater`, which
shares one thing with it: the latest frozen head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from . import sampling
from .classifier import Classifier, Head, margin
from .errors import NotInitialisedError
from .features import FeatureSource, View, covered, sample_widely
from .geometry import centers, from_centers, keep_in_view, to_box
from .learning import LearningRequest
from .margin_judge import MarginJudge
from .memory import SampleMemory
from .painting import AttentionPicture, Painter
from .proposals import Proposer
from .regression import Refiner, Unrefined, fit_boxes
from .stories import Clock
from .target_contents import Drawn, DrawnFormat
from .target_files import Maker, TargetSnapshot, read_target
from .target_parts import Taught
from .tracker import LOADED, visible_target
from .types import BoundingBox, Boxes, Frame, TrackResult, TrackStatus
from .updater import Updater, UpdateStatistics

FIRST_NEGATIVES_KEPT = 4  # of the first frame, in units of those of a later one; 4 of 20 in memory


@dataclass(frozen=True, slots=True)
class Schedule:
    """How much is learned, and when. The names are those of :mod:`.config`."""

    first_positives: int
    first_negatives: int
    first_iterations: int
    first_learning_rate: float
    first_positive_overlap: float
    regression_samples: int
    regression_spread: sampling.RegressionSpread
    ridge: float
    is_ridge_relative: bool
    size_share: float
    size_gain: float
    positives: int
    negatives: int
    iterations: int
    learning_rate: float
    interval: int


@dataclass(frozen=True)
class Parts:
    """What a tracker is made of; each part can be replaced without the others knowing."""

    features: FeatureSource
    proposer: Proposer
    classifier: Classifier
    judge: MarginJudge
    memory: SampleMemory
    updater: Updater[LearningRequest, Head]
    painter: Painter
    schedule: Schedule
    file_format: DrawnFormat


@dataclass(frozen=True, slots=True)
class Target:
    """Where the target is and how it has been going; replaced whole after every frame.

    Attributes:
        box: the last one.
        image_size: width and height of the image that it is in, pixels.
        refiner: fitted on the first frame.
        witness: the head as the first frame left it.
        misses: frames in a row that were not tracked.
        since_update: frames since the last long-term update.
    """

    box: BoundingBox
    image_size: tuple[int, int]
    refiner: Refiner
    witness: Head
    misses: int = 0
    since_update: int = 0

    def seen_in(self, frame: Frame) -> Target:
        """The same, or, where a stream has changed its resolution, with the box in the new one's pixels."""
        size = (frame.width, frame.height)
        if size == self.image_size:
            return self
        across, down = size[0] / self.image_size[0], size[1] / self.image_size[1]
        box = self.box
        scaled = BoundingBox(box.x * across, box.y * down, box.w * across, box.h * down)
        return replace(self, box=scaled, image_size=size)


class GaussianTracker:
    """Follows one target as the paper does; see :class:`~.tracker.Tracker`.

    Args:
        parts: see :class:`Parts`.
        head: that every first fit starts from; it is copied.
        seed: of every random draw; two trackers with inline learning and one seed give equal boxes.
    """

    def __init__(self, parts: Parts, *, head: Head, seed: int) -> None:
        self._parts = parts
        self._head, self._seed = head, seed
        self._generator = np.random.default_rng(seed)
        self._target: Target | None = None
        self.learns = True

    def init(self, frame: Frame, box: BoundingBox) -> TrackResult:
        """See :class:`~.tracker.Tracker`."""
        box = visible_target(box, frame)
        clock = Clock()
        generator = np.random.default_rng(self._seed)
        parts, plan = self._parts, self._parts.schedule
        view = parts.features.look(frame, box)
        positives = view.batch(
            sampling.positives(
                box, frame.width, frame.height, plan.first_positives, generator, plan.first_positive_overlap
            )
        )
        around = sampling.first_negatives(box, frame.width, frame.height, plan.first_negatives, generator)
        negatives = sample_widely(parts.features, frame, box, around)
        clock.lap("features")
        refiner = self._fitted_refiner(frame, view, box, generator)
        clock.lap("refine")
        request = LearningRequest(
            self._head,
            (positives,),
            (negatives,),
            plan.first_iterations,
            plan.first_learning_rate,
            self._seed,
        )
        published = parts.updater.fit(request)
        clock.lap("learn")
        # Nothing above has touched the old target; nothing below can fail.
        self._generator = generator
        step = max(1, round(len(negatives) / (FIRST_NEGATIVES_KEPT * plan.negatives)))  # near and far alike
        parts.memory.restart(positives, negatives[torch.arange(0, len(negatives), step)])
        self._target = Target(box, (frame.width, frame.height), refiner, published.model)
        return TrackResult(
            box, TrackStatus.TRACKED, 1.0, float("inf"), frame.stamp_ns, published.version, clock.laps_s
        )

    def wanted(self, frame: Frame) -> None:
        """See :class:`~.tracker.Tracker`: its candidates are read from a map of its own."""

    @property
    def waited(self) -> None:
        """See :class:`~.tracker.Tracker`: a search costs no more than any frame, and none is left out."""

    def passed_over(self, frame: Frame) -> TrackResult:
        """See :class:`~.tracker.Tracker`: it never is."""
        return self.update(frame)

    def update(self, frame: Frame) -> TrackResult:
        """See :class:`~.tracker.Tracker`."""
        if self._target is None:
            raise NotInitialisedError("the tracker has no target: call init with a frame and a box first")
        clock, parts, target = Clock(), self._parts, self._target.seen_in(frame)
        published = parts.updater.latest
        view = parts.features.look(frame, target.box)
        clock.lap("features")
        candidates = parts.proposer.propose(
            frame, view, target.box, searching=target.misses > 0, generator=self._generator
        )
        candidates = covered(view, candidates)
        clock.lap("propose")
        best = parts.classifier.classify(view, candidates, published.model, target.witness)
        score = float(best.scores.mean())
        clock.lap("classify")
        verdict = parts.judge.judge(score, target.misses)
        if verdict.status is TrackStatus.TRACKED:
            box = self._refined(frame, view, target, best.boxes)
        else:
            box = target.box  # it repeats, and the search widens
        clock.lap("refine")
        is_tracked = verdict.status is TrackStatus.TRACKED
        self._target = replace(
            target,
            box=box,
            misses=0 if is_tracked else target.misses + 1,
            since_update=target.since_update + 1,
        )
        if is_tracked and self.learns:
            self._remember(frame, view, box)
        clock.lap("remember")
        if self.learns:
            self._learn_when_due()
        clock.lap("learn")
        return TrackResult(
            box, verdict.status, verdict.confidence, score, frame.stamp_ns, published.version, clock.laps_s
        )

    def snapshot(self) -> TargetSnapshot[Drawn]:
        """See :class:`~.tracker.Tracker`."""
        head = self._parts.updater.latest.model
        assert self._target is not None  # what publishes a head ends with a target
        target = self._target
        image, box = np.array(target.image_size, np.float64), target.box
        kept = Drawn(
            place=np.clip(np.array(box.center) / image, 0, 1),
            size=np.array([box.w, box.h]) / image,
            taught=Taught(head, target.witness, *self._parts.memory.long_term()),
            refiner=target.refiner,
            since_update=target.since_update,
        )
        return TargetSnapshot(self._parts.file_format, kept)

    def save(self, path: Path) -> None:
        """See :class:`~.tracker.Tracker`."""
        self.snapshot().write(path)

    def load(self, path: Path, frame: Frame) -> TrackResult:
        """See :class:`~.tracker.Tracker`.

        The paper's tracker has no search: the target is lost where it was, and candidates are drawn around
        that place, as widely as after any miss. It is found only if it is there.
        """
        clock, parts = Clock(), self._parts
        kept = read_target(path, parts.file_format)
        published = parts.updater.adopt(kept.taught.head)
        clock.lap("load")
        # Nothing above has touched the old target; nothing below can fail.
        self._generator = np.random.default_rng(self._seed)
        parts.memory.restore(kept.taught.positives, kept.taught.negatives)
        image = np.array([frame.width, frame.height])
        (row,) = keep_in_view(
            from_centers([kept.place * image], kept.size * image), frame.width, frame.height
        )
        self._target = Target(
            to_box(row),
            (frame.width, frame.height),
            kept.refiner,
            kept.taught.first_head,
            misses=parts.judge.lost_after,
            since_update=kept.since_update,
        )
        return TrackResult(
            self._target.box,
            TrackStatus.LOST,
            0.0,
            float("-inf"),
            frame.stamp_ns,
            published.version,
            clock.laps_s,
            LOADED,
        )

    def attention(self, frame: Frame, box: BoundingBox) -> AttentionPicture:
        """See :class:`~.tracker.Tracker`."""
        return self._parts.painter.paint(frame, box, self._parts.updater.latest.model)

    def belonging(self, frame: Frame, box: BoundingBox) -> NDArray[np.float32] | None:
        """See :class:`~.tracker.Tracker`; what is learned here says nothing of single pixels."""
        return None

    def probabilities(self, frame: Frame, boxes: Boxes) -> NDArray[np.float32]:
        """How probably each of (N, 4) boxes near the last one is the target, (N,) in [0, 1], for people.

        By the newest head alone, whatever share of a candidate's score the witness has.

        Raises:
            NotInitialisedError: before a successful :meth:`init`.
        """
        head = self._parts.updater.latest.model
        assert self._target is not None  # an init that publishes a head ends with a target
        view = self._parts.features.look(frame, self._target.seen_in(frame).box)
        with torch.no_grad():
            found: NDArray[np.float32] = margin(head(view.sample(boxes))).sigmoid().cpu().numpy()
        return found

    @property
    def is_learning(self) -> bool:
        """See :class:`~.tracker.Tracker`."""
        return self._parts.updater.is_busy

    @property
    def maker(self) -> Maker:
        """See :class:`~.tracker.Tracker`."""
        return self._parts.file_format.maker

    @property
    def statistics(self) -> UpdateStatistics:
        """See :class:`~.tracker.Tracker`."""
        return self._parts.updater.statistics

    def retune(self, *, judge: MarginJudge, interval: int) -> None:
        """Change what may change while tracking."""
        self._parts = replace(
            self._parts, judge=judge, schedule=replace(self._parts.schedule, interval=interval)
        )

    def another(self) -> GaussianTracker:
        """See :class:`~.tracker.Tracker`."""
        parts = self._parts
        own = replace(parts, memory=parts.memory.another(), updater=parts.updater.another())
        return GaussianTracker(own, head=self._head, seed=self._seed)

    def close(self) -> None:
        """See :class:`~.tracker.Tracker`."""
        self._parts.updater.close()

    def _refined(self, frame: Frame, view: View, target: Target, best: Boxes) -> BoundingBox:
        """The mean of the refined boxes, with its size held back towards the last one."""
        box = target.refiner.refine(view, best).mean(axis=0, keepdims=True)
        last_size = target.box.as_array()[2:]
        size = last_size * (box[:, 2:] / last_size) ** self._parts.schedule.size_gain
        return to_box(keep_in_view(from_centers(centers(box), size), frame.width, frame.height)[0])

    def _fitted_refiner(
        self, frame: Frame, view: View, box: BoundingBox, generator: np.random.Generator
    ) -> Refiner:
        plan = self._parts.schedule
        if plan.regression_samples == 0:
            return Unrefined()
        boxes = sampling.regression_boxes(
            box, frame.width, frame.height, plan.regression_samples, generator, plan.regression_spread
        )
        boxes = boxes[view.covers(boxes)]
        if len(boxes) < 2:
            return Unrefined()
        features = view.sample(boxes)
        return fit_boxes(
            features, boxes, box, plan.ridge, plan.size_share, is_relative=plan.is_ridge_relative
        )

    def _remember(self, frame: Frame, view: View, box: BoundingBox) -> None:
        plan, size = self._parts.schedule, (frame.width, frame.height)
        positives = sampling.positives(box, *size, plan.positives, self._generator)
        negatives = sampling.negatives(box, *size, plan.negatives, self._generator)
        # Two tensors: a slice of one would keep all of it for as long as its shorter-lived half.
        self._parts.memory.add(view.batch(positives), view.batch(covered(view, negatives)))

    def _learn_when_due(self) -> None:
        assert self._target is not None
        plan, target, memory = self._parts.schedule, self._target, self._parts.memory
        if target.misses == 1:
            positives, negatives = memory.short_term()
        elif target.misses == 0 and target.since_update >= plan.interval:
            positives, negatives = memory.long_term()
            self._target = replace(target, since_update=0)
        else:
            return
        seed = int(self._generator.integers(2**31))
        self._parts.updater.submit(
            LearningRequest(None, positives, negatives, plan.iterations, plan.learning_rate, seed)
        )
