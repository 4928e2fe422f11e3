"""Two trackers of one target, alike but for the attention term, and what both saw on their way."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..attention import READINGS
from ..backbones import Backbone
from ..build import prepared_backbone
from ..config import TrackerConfig
from ..errors import ConfigError
from ..features import Region
from ..gaussian_build import build_features, build_gaussian, check_features
from ..gaussian_tracker import GaussianTracker
from ..geometry import from_centers
from ..painting import AttentionPicture
from ..parameters import replaced
from ..types import BoundingBox, Frame, TrackResult
from .fits import FitRecord

SIDES = ("with", "without")
"""Of the comparison: with the attention term, and without."""

AROUND = 3.0  # side of the square in which confidence is mapped, in target sizes
PLACES = 15  # a side, at which it is
CROP_PX = 224  # side of that square as it is shown


@dataclass(frozen=True, eq=False, slots=True)
class ConfidenceMap:
    """How probably the target is where, around its last box.

    Attributes:
        pixels: (S, S, 3) uint8 RGB, what is there.
        probability: (n, n) float32 in [0, 1], of a box of the target's size whose centre is in such a cell.
        box: the last one, (4,) in those pixels.
    """

    pixels: NDArray[np.uint8]
    probability: NDArray[np.float32]
    box: NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class Sight:
    """What a tracker made of a frame."""

    result: TrackResult
    attention: AttentionPicture
    confidence: ConfidenceMap


@dataclass(frozen=True, eq=False, slots=True)
class Moment:
    """A frame, and what each side made of it."""

    frame: Frame
    sights: Mapping[str, Sight]


@dataclass(frozen=True, eq=False, slots=True)
class Story:
    """One side.

    Attributes:
        courses: of the first fit, see :class:`.fits.FitRecord`.
        attention: on the target's own crop in the first frame, by the steps of the first fit behind it.
        results: of each frame.
    """

    courses: Mapping[str, list[float]]
    attention: dict[int, AttentionPicture]
    results: list[TrackResult]


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """Both sides, and the frames on which they are shown."""

    stories: Mapping[str, Story]
    moments: tuple[Moment, ...]


def check_explained(config: TrackerConfig) -> None:
    """Whether a configuration has an attention term that can be shown.

    Raises:
        ConfigError: otherwise.
    """
    if config.proposals != "gaussian":
        raise ConfigError(
            "explain shows the classifier alone: it expects 'proposals' = 'gaussian', "
            f"got '{config.proposals}'"
        )
    if config.attention.weight == 0:
        raise ConfigError(
            "explain compares learning with the attention term and without: it expects an "
            "'attention.weight' above 0, got 0"
        )


def quarters(iterations: int) -> tuple[int, ...]:
    """The numbers of steps after which attention is shown: four, the last of them all steps."""
    return tuple(round(iterations * share / 4) for share in (1, 2, 3, 4))


def explained(
    config: TrackerConfig,
    frames: Iterable[Frame],
    box: BoundingBox,
    shown: tuple[int, ...],
    on_step: Callable[[str], None],
) -> Explanation:
    """Follow a target twice, with the attention term and without.

    Args:
        config: with the term, see :func:`check_explained`.
        frames: at least two.
        box: of the target in the first.
        shown: which of the others are wanted as moments, by their place.
        on_step: called after each step of a first fit, by the name of its side, and each frame (``frames``).

    Raises:
        ConfigError, WeightsError: see :func:`~..build.build_tracker`.
        BoxError, LearningError: see :class:`~..tracker.Tracker`.
    """
    backbone, device = prepared_backbone(config)
    check_features(config, backbone)
    configs = {"with": config, "without": replaced(config, {"attention.weight": 0.0})}
    moments = []
    with contextlib.ExitStack() as stack:
        followers = {
            side: stack.enter_context(
                contextlib.closing(
                    Follower(configs[side], backbone, device, functools.partial(on_step, side))
                )
            )
            for side in SIDES
        }
        for place, frame in enumerate(frames):
            for follower in followers.values():
                follower.follow(frame, box)
            if place in shown:
                moments.append(Moment(frame, {side: one.sight(frame) for side, one in followers.items()}))
            on_step("frames")
    return Explanation({side: one.story for side, one in followers.items()}, tuple(moments))


class Follower:
    """A tracker whose first fit is watched, and what is told of it.

    Args:
        config: its own.
        backbone, device: see :func:`~..build.prepared_backbone`.
        on_step: called after each step of the first fit.

    Attributes:
        story: so far.
    """

    def __init__(
        self, config: TrackerConfig, backbone: Backbone, device: torch.device, on_step: Callable[[], None]
    ) -> None:
        _, level, self._painter = build_features(config, backbone, device)
        self._stops = quarters(config.first_fit.iterations)
        self._record = FitRecord(level, READINGS[config.attention.reading], self._stops, on_step)
        self._tracker = build_gaussian(config, backbone, device, self._record.watch)
        self.story = Story(self._record.courses, {}, [])

    def follow(self, frame: Frame, box: BoundingBox) -> None:
        """The next frame; the box is the target's in the first one."""
        if self.story.results:
            self.story.results.append(self._tracker.update(frame))
            return
        result = self._tracker.init(frame, box)
        for done, head in self._record.heads.items():
            self.story.attention[done] = self._painter.paint(frame, result.box, head)
        self.story.attention[self._stops[-1]] = self._tracker.attention(frame, result.box)
        self.story.results.append(result)

    def sight(self, frame: Frame) -> Sight:
        """What the tracker makes of the frame that it has followed last."""
        result = self.story.results[-1]
        attention = self._tracker.attention(frame, result.box)
        return Sight(result, attention, confidence_map(self._tracker, frame, result.box))

    def close(self) -> None:
        """The tracker is of no further use."""
        self._tracker.close()


def confidence_map(tracker: GaussianTracker, frame: Frame, last: BoundingBox) -> ConfidenceMap:
    """The classifier's probability of boxes of one size, at places on a grid around the last one."""
    region = Region.around(last, AROUND)
    step = region.side / PLACES
    x, y = (start + step * (np.arange(PLACES) + 0.5) for start in (region.left, region.top))
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)  # row by row
    boxes = from_centers(places, (last.w, last.h))
    return ConfidenceMap(
        pixels=region.cut(frame.image, CROP_PX),
        probability=tracker.probabilities(frame, boxes).reshape(PLACES, PLACES),
        box=region.to_crop(last.as_array()[None], CROP_PX)[0],
    )
