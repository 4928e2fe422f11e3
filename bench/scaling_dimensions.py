"""What ``scaling.py`` varies, and how a frame is timed while it does."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from frame_time import RUNS
from scaling_scenes import Scene

from recip_tracker_core import (
    Frame,
    MultiTracker,
    Tracker,
    TrackerConfig,
    TrackResult,
    TrackStatus,
    build_tracker,
)
from recip_tracker_core.parameters import replaced

HD = (1280, 720)
CANDIDATES = (64, 128, 256, 512, 1024)
TARGET_SIDES_PX = (20, 50, 100, 200, 400)
IMAGE_SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080), (3840, 2160))
TARGETS = (1, 2, 4, 8)
SIDE_PX = 80  # of the target where its size is not what varies
GROUP_SIDE_PX = 60  # of several, so that eight have room
SMALL = {"map.region_px": 128, "map.target_px": 40.0}  # frames of a few ms, for thousands of them
SETTLING = 10  # frames after a target was loaded: it is sought, and confirmed
PAUSE_S, REST_SHARE = 0.02, 0.2  # of a processor, below which a process rests

Seconds = dict[str, list[float]]
"""By series."""


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        turns: of each setting.
        frames: of a turn, beside its first one.
        ages: frames for which a target was followed, ascending.
    """

    turns: int
    frames: int
    ages: tuple[int, ...]


FULL, QUICK = Plan(10, 16, (50, 200, 1000, 3000)), Plan(3, 8, (50, 200, 400))


@dataclass(frozen=True)
class Turn:
    """What one turn gave.

    Attributes:
        seconds: of each frame, or of each update, by series.
        tracked: of the frames, how many were answered so; the others cost what a search costs.
        answered: frames, all targets' added.
    """

    seconds: Seconds
    tracked: int
    answered: int


class Run(Protocol):
    """One setting, ready for its turns."""

    def turn(self, frames: int) -> Turn: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Setting:
    """One value of a dimension.

    Attributes:
        value: as it is printed.
        at: the same as a number.
        started: makes its run.
        series: of which it is one.
    """

    value: int | str
    at: float
    started: Callable[[], Run]
    series: str = ""


@dataclass(frozen=True)
class Dimension:
    """What is varied alone.

    Attributes:
        name: of it.
        axis: what the numbers are.
        settings: take turns.
        prepared: what they need beforehand; entered around all of them.
    """

    name: str
    axis: str
    settings: tuple[Setting, ...]
    prepared: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext


class Following:
    """Follows the targets of a scene.

    Args:
        config: of the tracker.
        scene: that is seen.
        is_group: whether by a :class:`MultiTracker`.
    """

    def __init__(self, config: TrackerConfig, scene: Scene, *, is_group: bool) -> None:
        self._images, self._index = scene.images(), 0
        tracker, frame, boxes = build_tracker(config), Frame(self._images[0]), scene.boxes(0)
        if is_group:
            group = MultiTracker(tracker, most=len(boxes))
            for index, box in enumerate(boxes):
                group.add(f"target {index}", frame, box)
            self._update: Callable[[Frame], Iterable[TrackResult]] = lambda seen: group.update(seen).values()
            self.close = group.close
        else:
            tracker.init(frame, boxes[0])
            self._update = lambda seen: (tracker.update(seen),)
            self.close = tracker.close

    def turn(self, frames: int) -> Turn:
        """See :class:`Run`. The first frame, whose arrays are in no cache, isn't counted."""
        laps = [self._lap() for _ in range(frames + 1)][1:]
        at_rest()
        answers = [result.status for _, results in laps for result in results]
        return Turn({"": [took for took, _ in laps]}, answers.count(TrackStatus.TRACKED), len(answers))

    def _lap(self) -> tuple[float, list[TrackResult]]:
        self._index += 1
        frame = Frame(self._images[self._index])
        began = time.perf_counter()
        results = list(self._update(frame))
        return time.perf_counter() - began, results


class Remembering:
    """Goes on following, and learning inline, a target that was followed for so many frames.

    Each turn begins with the target's file, so that it never grows older than that and a turn.
    """

    def __init__(self, config: TrackerConfig, scene: Scene, file: Path, age: int) -> None:
        self._tracker, self._images = build_tracker(config), scene.images()
        self._file, self._age, self._interval = file, age, config.update.interval

    def turn(self, frames: int) -> Turn:
        """See :class:`Run`: as many frames as lie between two updates of the classifier."""
        first = self._age + SETTLING
        self._tracker.load(self._file, Frame(self._images[self._age]))
        for index in range(self._age + 1, first):
            self._tracker.update(Frame(self._images[index]))
        seeing, updates, tracked = [], [], 0
        for index in range(first, first + self._interval):
            completed = self._tracker.statistics.completed
            result = self._tracker.update(Frame(self._images[index]))
            took = result.timings_s.get("learn", 0.0)
            seeing.append(sum(result.timings_s.values()) - took)
            tracked += result.status is TrackStatus.TRACKED
            if self._tracker.statistics.completed > completed:
                updates.append(took)
        updates.sort()
        seconds = {"a frame": seeing, "an update": updates[:-1], "a classifier update": updates[-1:]}
        return Turn(seconds, tracked, len(seeing))

    def close(self) -> None:
        """See :class:`Run`."""
        self._tracker.close()


def at_rest() -> None:
    """Wait for what learns in the background, so that it isn't paid for in another setting's turn."""
    share = 1.0
    while share > REST_SHARE:
        cpu_s, began = time.process_time(), time.perf_counter()
        time.sleep(PAUSE_S)
        share = (time.process_time() - cpu_s) / (time.perf_counter() - began)


def dimensions(device: str, plan: Plan) -> list[Dimension]:
    """All that is varied."""
    base = replaced(TrackerConfig(), {"device": device})
    return [candidates(base), target_sizes(base), image_sizes(base), memory(base, plan), targets(base)]


def candidates(base: TrackerConfig) -> Dimension:
    """Of the paper's way to propose, on a shared map."""

    def setting(count: int) -> Setting:
        values = {"proposals": "gaussian", "search.candidates": count}
        return _followed(count, count, replaced(base, values), Scene.near(HD, SIDE_PX))

    return Dimension("candidates", "candidates a frame", tuple(map(setting, CANDIDATES)))


def target_sizes(base: TrackerConfig) -> Dimension:
    """Of the target in the image."""
    settings = (_followed(side, side, base, Scene.near(HD, side)) for side in TARGET_SIDES_PX)
    return Dimension("target size", "side of the target, pixels", tuple(settings))


def image_sizes(base: TrackerConfig) -> Dimension:
    """With the same target."""
    settings = (
        _followed(f"{width}x{height}", width * height / 1e6, base, Scene.near((width, height), SIDE_PX))
        for width, height in IMAGE_SIZES
    )
    return Dimension("image size", "image, pixels (logarithm of their number)", tuple(settings))


def memory(base: TrackerConfig, plan: Plan) -> Dimension:
    """How long the target has been followed, and learned."""
    config = replaced(base, {"update.updater": "inline", **SMALL})
    scene, folder = Scene.near(HD, SIDE_PX), Path(tempfile.gettempdir())

    @contextlib.contextmanager
    def grown() -> Iterator[None]:
        nonlocal folder
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with contextlib.closing(build_tracker(config)) as tracker:
                _grow(tracker, scene, {age: _file(folder, age) for age in plan.ages})
            yield

    settings = (
        Setting(age, age, lambda age=age: Remembering(config, scene, _file(folder, age), age))  # type: ignore[misc]
        for age in plan.ages
    )
    return Dimension("memory", "frames followed", tuple(settings), grown)


def targets(base: TrackerConfig) -> Dimension:
    """Several at once, next to each other and far from each other, learned and not."""
    ways = {"learning off": RUNS["off"], "learning on": RUNS["background"]}
    settings = [
        _followed(count, count, replaced(base, values), scene, f"{place}, {way}")
        for way, values in ways.items()
        for place, scene, count in (
            *(("near", Scene.near(HD, GROUP_SIDE_PX, count), count) for count in TARGETS),
            ("far", Scene.far(HD, GROUP_SIDE_PX, TARGETS[-1]), TARGETS[-1]),
        )
    ]
    return Dimension("targets", "targets", tuple(settings))


def _followed(value: int | str, at: float, config: TrackerConfig, scene: Scene, series: str = "") -> Setting:
    """A scene's targets, not learned after the first frame unless the series says so."""
    if not series:
        config = replaced(config, RUNS["off"])
    return Setting(value, at, lambda: Following(config, scene, is_group=bool(series)), series)


def _file(folder: Path, age: int) -> Path:
    return folder / f"{age}.target"


def _grow(tracker: Tracker, scene: Scene, files: dict[int, Path]) -> None:
    """Follow the target from its first frame on, and write down what is known of it at each age."""
    images = scene.images()
    tracker.init(Frame(images[0]), scene.boxes(0)[0])
    for index in range(1, max(files) + 1):
        tracker.update(Frame(images[index]))
        if index in files:
            tracker.save(files[index])
