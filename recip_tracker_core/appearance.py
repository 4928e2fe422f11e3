"""All that is learned of a target: one frozen value that frames read and learning replaces.

Frames read the filters, the regression and the heads; the memories are the learning thread's alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .classifier import Head, Jury
from .encoding import Encoder
from .features import Batch
from .ridge import RidgeMemory
from .types import BoundingBox

Floats = NDArray[np.float64]


class Part(Enum):
    """How much of a first fit is learned: all, what is enough to begin with, or all after that."""

    WHOLE = "whole"
    BEGINNING = "beginning"
    REST = "rest"


@dataclass(frozen=True, eq=False, slots=True)
class FirstLook:
    """What a first fit learns from.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        box: of the target in it.
        part: of the fit; the rest is learned with the encoder of the beginning.
    """

    image: NDArray[np.uint8]
    box: BoundingBox
    part: Part = Part.WHOLE


@dataclass(frozen=True, eq=False, slots=True)
class Lesson:
    """What one later frame has to teach.

    Attributes:
        features: (C, n, n) map, seen with the encoder of the present target.
        center_px, size_px: (2,) of the target in it, crop pixels.
        trust: in (0, 1], how far the frame is believed.
        frame: frames since the first.
    """

    features: Tensor
    center_px: Floats
    size_px: Floats
    trust: float
    frame: int


@dataclass(frozen=True, eq=False, slots=True)
class Completed:
    """A first fit that has become whole while lessons were learned from its beginning."""

    whole: Appearance


@dataclass(frozen=True, eq=False, slots=True)
class Samples:
    """What the classifier learns from, one batch a frame, the first frame's first."""

    positives: tuple[Batch, ...]
    negatives: tuple[Batch, ...]

    def begun_with(self, first: Samples) -> Samples:
        """The same with the first frame's from elsewhere."""
        return Samples((first.positives[0], *self.positives[1:]), (first.negatives[0], *self.negatives[1:]))

    def with_frame(self, positives: Batch, negatives: Batch, longest: int, shortest: int) -> Samples:
        """The same with one more; of later frames so many positives and negatives are kept."""
        return Samples(
            (self.positives[0], *(*self.positives[1:], positives)[-longest:]),
            (self.negatives[0], *(*self.negatives[1:], negatives)[-shortest:]),
        )


@dataclass(frozen=True, eq=False, slots=True)
class Appearance:
    """What is known of a target.

    Attributes:
        encoder: makes the maps that all else reads.
        finder: (D + 1, 1) the filter that finds; it goes on learning.
        witness: (D + 1, K) the filter as the first frame left it, upright and turned in K equal steps, all
            with one peak; K is 1 for a target that is known upright alone.
        first_peak, first_sharpness: response in the first frame, the unit of all later ones, and that over
            its sidelobes.
        regression: (D + 1, 4) of the box.
        head: the attentive classifier, or None where there is none.
        first_head: the same as the first frame left it.
        head_frame: frame that the head last learned from.
        locator_memory, refiner_memory, samples: what learning goes on from.
        lessons: learned so far.
        jury: both heads, the newest first, or None.
    """

    encoder: Encoder
    finder: Tensor
    witness: Tensor
    first_peak: float
    first_sharpness: float
    regression: Tensor
    head: Head | None
    first_head: Head | None
    locator_memory: RidgeMemory
    refiner_memory: RidgeMemory
    samples: Samples | None
    head_frame: int = 0
    lessons: int = 0
    jury: Jury | None = field(init=False)

    def __post_init__(self) -> None:
        heads = (self.head, self.first_head) if self.head and self.first_head else None
        object.__setattr__(self, "jury", Jury(*heads) if heads else None)

    @property
    def turns(self) -> int:
        """Steps of a whole turn in which the witness knows the target."""
        return self.witness.shape[1]

    def filters(self, *turns: int) -> Tensor:
        """(D + 1, 1 + N): the finder, and the witness at each of those turns."""
        columns = (self.witness.narrow(1, turn % self.turns, 1) for turn in turns)
        return torch.cat([self.finder, *columns], dim=1)


def sharpness(peak: float, beyond: NDArray[np.float32]) -> float:
    """Peak-to-sidelobe ratio (Bolme et al., MOSSE, CVPR 2010); the sidelobes are all beyond a box."""
    return (peak - float(beyond.mean())) / (float(beyond.std()) + 1e-6)


Request = FirstLook | Lesson | Completed
"""What learning is asked for."""
