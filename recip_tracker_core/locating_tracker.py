"""The story of a frame: look, propose, classify, refine, know; and how to look for what is lost.

The tracking thread owns everything here. Learning happens behind :class:`~.updater.Updater`, which
shares one thing with it: the latest :class:`~.appearance.Appearance`, a frozen value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import config, turns
from .appearance import Appearance, Completed, FirstLook, Lesson, Part, Request
from .confidence import UNSEEN, History, Judge, Signals, Standing
from .crops import gridded
from .errors import NotInitialisedError
from .homes import LOOK_INTERVAL, Home
from .lanes import Lane
from .located_target import Target
from .observing import Look, Observer, Reading, Sight, View, Wanted
from .painting import AttentionPicture, MapPainter
from .redetection import Searcher
from .refinement import BoxRefiner, Fit, Shape
from .rivals import RivalWatch, Scene, moved
from .stories import Clock, Steps, Story, asked, told
from .target_contents import Located, LocatedFormat
from .target_files import Maker, TargetSnapshot, read_target
from .tracker import LOADED, MIN_SIDE_PX, visible_target
from .types import BoundingBox, Frame, TrackResult, TrackStatus
from .updater import Rest, Updater, UpdateStatistics

Floats = NDArray[np.float64]

BELONGING_CELLS = 48  # a side of a box, for whoever asks which parts of it are the target
SMALLEST_SIZE, LARGEST_SIZE = 0.2, 5.0  # a target's size, in those it was given with


@dataclass(frozen=True)
class Parts:
    """What a tracker is made of; each part can be replaced without the others knowing."""

    observer: Observer
    refiner: BoxRefiner
    judge: Judge
    watch: RivalWatch
    searcher: Searcher
    updater: Updater[Request, Appearance]
    lane: Lane
    painter: MapPainter
    settings: config.TrackerConfig
    file_format: LocatedFormat


class LocatingTracker:
    """Follows one target by a filter on a shared map; see :class:`~.tracker.Tracker`.

    Args:
        parts: see :class:`Parts`.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._target: Target | None = None
        self.learns = True

    def init(self, frame: Frame, box: BoundingBox) -> TrackResult:
        """See :class:`~.tracker.Tracker`."""
        box = visible_target(box, frame)
        clock = Clock()
        look = FirstLook(frame.image, box, Part.BEGINNING)
        published = self._parts.updater.fit(look, Rest(replace(look, part=Part.REST), Completed))
        clock.lap("learn")
        # Nothing above has touched the old target; nothing below can fail.
        known = published.model
        center, size = np.array(box.center), np.array([box.w, box.h])
        self._target = Target(
            center_px=center,
            size_px=size,
            first_size_px=size,
            image_px=np.array([frame.width, frame.height], np.float64),
            history=History(known.first_peak, known.first_sharpness),
            safe=(center, size, 0),
        )
        return TrackResult(
            box, TrackStatus.TRACKED, 1.0, float("inf"), frame.stamp_ns, published.version, clock.laps_s
        )

    def wanted(self, frame: Frame) -> Wanted | None:
        """See :class:`~.tracker.Tracker`: a target that is lost is looked for in several places."""
        target = self._seen_in(frame)
        if target.standing.status is TrackStatus.LOST:
            return None
        crop, parts = self._parts.observer.crop(target.center_px, target.size_px), self._parts
        source = parts.updater.latest.model.encoder.source
        return Wanted(crop, source, parts.lane, lambda look: self._story(frame, look))

    @property
    def waited(self) -> int | None:
        """See :class:`~.tracker.Tracker`."""
        target = self._target
        return target.waited if target is not None and target.standing.status is TrackStatus.LOST else None

    def passed_over(self, frame: Frame) -> TrackResult:
        """See :class:`~.tracker.Tracker`."""
        target = self._seen_in(frame)
        self._target = replace(target, frames=target.frames + 1, waited=target.waited + 1)
        return self._unseen(frame, {"search": 0.0})

    def update(self, frame: Frame) -> TrackResult:
        """See :class:`~.tracker.Tracker`."""
        with self._parts.lane.entered():
            return told(self._story(frame))

    def _story(self, frame: Frame, look: Look | None = None) -> Story[TrackResult]:
        """Of the next frame, of which that look is given, or none."""
        clock = Clock()
        return Story(self._steps(frame, look, clock), clock)

    def _steps(self, frame: Frame, look: Look | None, clock: Clock) -> Steps[TrackResult]:
        target = self._seen_in(frame)
        target = replace(target, frames=target.frames + 1)
        published = self._parts.updater.latest
        if target.standing.status is TrackStatus.LOST:
            self._target, signals = self._sought(frame, target, published.model, clock)
        else:
            self._target, signals = yield from self._followed(frame, target, published.model, clock, look)
        standing = self._target.standing
        score = signals.margin if np.isfinite(signals.margin) else signals.peak
        return TrackResult(
            self._target.box,
            standing.status,
            standing.confidence,
            score,
            frame.stamp_ns,
            published.version,
            clock.laps_s,
            standing.reason,
        )

    def snapshot(self) -> TargetSnapshot[Located]:
        """See :class:`~.tracker.Tracker`."""
        known = self._parts.updater.latest.model
        assert self._target is not None  # what publishes an appearance ends with a target
        return TargetSnapshot(self._parts.file_format, self._target.kept(known))

    def save(self, path: Path) -> None:
        """See :class:`~.tracker.Tracker`."""
        self.snapshot().write(path)

    def load(self, path: Path, frame: Frame) -> TrackResult:
        """See :class:`~.tracker.Tracker`.

        The target is lost, and looked for in the whole image, nearest to where it was last safe first. Where
        recovery is off nothing is ever lost: there it is uncertain, followed from that place, and not learned
        before the identity test has confirmed it.
        """
        clock, parts = Clock(), self._parts
        kept = read_target(path, parts.file_format)
        parts.updater.adopt(kept.known)
        clock.lap("load")
        # Nothing above has touched the old target; nothing below can fail.
        standing = Standing(TrackStatus.LOST, 0.0, UNSEEN, good=0, usual=kept.usual)
        if not parts.settings.recovery.enabled:
            standing = parts.judge.returned(standing)
        self._target = Target.placed(kept, replace(standing, reason=LOADED), frame)
        return self._unseen(frame, clock.laps_s)

    def attention(self, frame: Frame, box: BoundingBox) -> AttentionPicture:
        """See :class:`~.tracker.Tracker`."""
        return self._parts.painter.paint(frame, box, self._parts.updater.latest.model)

    def belonging(self, frame: Frame, box: BoundingBox) -> NDArray[np.float32] | None:
        """See :class:`~.tracker.Tracker`: by colour."""
        encoder = self._parts.updater.latest.model.encoder
        return encoder.belonging(gridded(frame.image, box, BELONGING_CELLS))

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

    def retune(self, judge: Judge, searcher: Searcher, settings: config.TrackerConfig) -> None:
        """Change what may change while tracking."""
        self._parts = replace(self._parts, judge=judge, searcher=searcher, settings=settings)

    @property
    def observer(self) -> Observer:
        """That looks at frames."""
        return self._parts.observer

    def another(self) -> LocatingTracker:
        """See :class:`~.tracker.Tracker`."""
        return LocatingTracker(replace(self._parts, updater=self._parts.updater.another()))

    def close(self) -> None:
        """See :class:`~.tracker.Tracker`."""
        self._parts.updater.close()

    def _unseen(self, frame: Frame, laps_s: dict[str, float]) -> TrackResult:
        """The answer where the frame was not looked at."""
        assert self._target is not None
        standing, version = self._target.standing, self._parts.updater.latest.version
        status, confidence, reason = standing.status, standing.confidence, standing.reason
        box, nothing = self._target.box, float("-inf")
        return TrackResult(box, status, confidence, nothing, frame.stamp_ns, version, laps_s, reason)

    def _seen_in(self, frame: Frame) -> Target:
        if self._target is None:
            raise NotInitialisedError("the tracker has no target: call init with a frame and a box first")
        return self._target.seen_in(frame)

    def _followed(
        self, frame: Frame, target: Target, known: Appearance, clock: Clock, look: Look | None
    ) -> Steps[tuple[Target, Signals]]:
        parts, gate = self._parts, self._parts.settings.gate
        place = target.center_px, target.size_px
        look = look or Look.at(parts.observer.crop(*place), frame, known.encoder.source)
        view = yield from asked(parts.observer.read, Reading(look, *place, known, target.turn))
        clock.lap("features")
        sight = yield from parts.observer.followed(view, known, target.history, target.scene)
        target, sight = yield from self._turned(target, sight, known)
        scene, is_merged = self._watched(target, sight)
        has_moved = parts.judge.moves(sight.signals)
        seen = sight.signals if has_moved else sight.resting
        standing = target.standing
        if has_moved:
            standing = parts.judge.leapt(standing, seen, target.leap(sight.in_image_px))
        standing, seen = parts.judge.doubting(standing, seen, is_merged=is_merged)
        clock.lap("classify")
        belief = parts.judge.belief(standing, seen)
        after = (yield from self._moved(target, sight, known, belief)) if has_moved else target
        after = replace(after, scene=moved(scene, after.center_px - target.center_px) if has_moved else scene)
        clock.lap("refine")
        standing = parts.judge.followed(standing, seen, has_moved=has_moved)
        after = after.homed(standing, parts.settings.recovery.home).concluded(standing)
        clock.lap("know")
        if not has_moved:
            after = replace(after, history=after.history.faded(gate.fading))
        elif trust := parts.judge.trust(standing, seen):
            after = replace(after, history=after.history.with_frame(seen, gate.history_rate))
            self._teach(after, sight.view, trust)
        clock.lap("learn")
        if (home := self._home_to_look_at(after)) is not None:
            after = self._looked_home(frame, after, home, known)
            clock.lap("search")
        elif sight.elsewhere_px is not None and parts.judge.is_elsewhere(standing, seen):
            after = self._verified(frame, after, sight.elsewhere_px, known)
            clock.lap("search")
        elif after.hits:
            after = replace(after, hits=0)
        return after, seen

    def _turned(self, target: Target, sight: Sight, known: Appearance) -> Steps[tuple[Target, Sight]]:
        """The target at the turn at which the witness sees it most, and what is seen then."""
        turned = yield from turns.reconsidered(self._parts.observer, sight, known, target.turn)
        if turned is None:
            return target, sight
        other = yield from self._parts.observer.followed(turned.view, known, target.history, target.scene)
        if not turned.holds(sight.signals, other.signals):
            return target, sight
        return replace(target, turn=turned.turn), other

    def _home_to_look_at(self, target: Target) -> Home | None:
        """Of a target that is followed elsewhere, in every other frame."""
        recovery, is_lost = self._parts.settings.recovery, target.standing.status is TrackStatus.LOST
        is_due = recovery.enabled and not is_lost and target.frames % LOOK_INTERVAL == 0
        return target.away_from(recovery.home) if is_due else None

    def _looked_home(self, frame: Frame, target: Target, home: Home, known: Appearance) -> Target:
        """The target, gone home if that passes for it often enough."""
        home = self._parts.searcher.looked_home(frame, home, target.sought, known)
        if home.hits < self._parts.settings.recovery.hits:
            return replace(target, home=home)
        back = Home.here(home.look_px, home.size_px, home.turn, home.frame)
        standing = self._parts.judge.returned(target.standing)
        at_home = replace(target, center_px=back.center_px, size_px=back.size_px, turn=back.turn, home=back)
        return replace(at_home, standing=standing, scene=Scene(), hits=0)

    def _verified(self, frame: Frame, target: Target, at_px: Floats, known: Appearance) -> Target:
        """The target, gone to another place if that passes for it often enough."""
        searcher, needed = self._parts.searcher, self._parts.settings.recovery.hits
        sight = searcher.fine(frame, np.clip(at_px, 0, target.image_px), target.sought, known)
        if not searcher.passes(sight, target.standing):
            return replace(target, hits=0)
        if target.hits + 1 < needed:
            return replace(target, hits=target.hits + 1)
        center = np.clip(sight.in_image_px, 0, target.image_px)
        standing = self._parts.judge.returned(target.standing)
        return replace(target, center_px=center, standing=standing, scene=Scene(), hits=0)

    def _watched(self, target: Target, sight: Sight) -> tuple[Scene, bool]:
        """The target's rivals after one more frame, and whether one of them is in its place."""
        watch = self._parts.watch
        if not watch.settings.enabled:
            return target.scene, False
        at_px, is_well = sight.in_image_px, sight.signals.strength > watch.settings.well
        scene = watch.followed(target.scene, sight.others_px, at_px, target.size_px, is_well=is_well)
        return scene, watch.is_merged(scene, at_px, target.size_px)

    def _moved(self, target: Target, sight: Sight, known: Appearance, belief: float) -> Steps[Target]:
        """The target at a place, its size refined there as far as the frame is believed."""
        refiner, view = self._parts.refiner, sight.view
        fit = Fit(view.features, sight.place_px, view.size_px, known.regression, draw=target.frames)
        correction = yield from asked(refiner.corrections, fit)
        shape = Shape(target.size_px, target.first_size_px, target.safe[1])
        shift, size = refiner.refined(correction, shape, view.crop.scale, target.frames, belief)
        low = np.maximum(SMALLEST_SIZE * target.first_size_px, MIN_SIDE_PX)
        high = np.maximum(np.minimum(LARGEST_SIZE * target.first_size_px, target.image_px), low)
        center = np.minimum(np.maximum(sight.in_image_px + shift, 0), target.image_px)
        return replace(target, center_px=center, size_px=np.minimum(np.maximum(size, low), high))

    def _teach(self, target: Target, view: View, trust: float) -> None:
        ridge = self._parts.settings.ridge
        is_due = target.frames % ridge.interval == 0 or target.frames <= ridge.eager_frames
        if not (self.learns and is_due):
            return
        place, size = view.crop.to_crop(target.center_px), target.size_px * view.crop.scale
        self._parts.updater.submit(Lesson(view.features, place, size, trust, target.frames))

    def _sought(
        self, frame: Frame, target: Target, known: Appearance, clock: Clock
    ) -> tuple[Target, Signals]:
        parts, settings = self._parts, self._parts.settings
        target = replace(target, history=target.history.faded(settings.gate.fading), waited=0)
        home = target.home_within(settings.recovery.home)
        sought = replace(target.sought, home_px=None if home is None else home.center_px)
        search = target.search or parts.searcher.begun(sought)
        turn = search.turn(sought)  # of this frame's views: the next one's may be another
        best, search = parts.searcher.step(frame, sought, search, known)
        standing = parts.judge.sought(target.standing, best.signals, is_candidate=search.hits > 0)
        target = replace(target, standing=standing, search=search)
        if search.candidate_px is not None and search.hits >= settings.recovery.hits:
            standing = parts.judge.returned(standing)
            target = replace(target, center_px=search.candidate_px, turn=turn, standing=standing, search=None)
        clock.lap("search")
        return target, best.signals
