"""What targets' files are put together from, as arrays and back: a regression's memory, and a classifier.

Arrays keep their order in memory, so that what is loaded computes to the last bit as what was saved. What is
loaded has storage of its own, part by part, so that each part is freed when it is forgotten.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .classifier import Head
from .errors import TargetFileError
from .features import Batch
from .ridge import Moments, RidgeMemory
from .target_files import Arrays, Wanted

MOST_FRAMES = 10_001  # that are remembered: as many as may be configured, and the first
MOST_COUNT = 10**9  # of anything: frames of a year at 30 Hz
MANY = range(1, 1 << 31)  # of samples: the file's size is the bound


@dataclass(frozen=True)
class MemoryPart:
    """A ridge regression's moments: the first frame's and, where there are some, those of later ones.

    Attributes:
        name: with which its arrays' names begin.
        features, targets: D + 1 and K of :class:`~.ridge.Moments`.
        device: where loaded ones are.
    """

    name: str
    features: int
    targets: int
    device: torch.device

    @property
    def wanted(self) -> dict[str, Wanted]:
        """What its arrays must be."""
        return {
            f"{self.name}.count": Wanted((1,), np.int64, 0, MOST_COUNT),
            f"{self.name}.gram": Wanted((range(1, 3), self.features, self.features)),
            f"{self.name}.cross": Wanted((range(1, 3), self.features, self.targets)),
        }

    def pack(self, memory: RidgeMemory) -> Arrays:
        """A memory as those arrays."""
        kept = [moments for moments in (memory.first, memory.recent) if moments is not None]
        return {
            f"{self.name}.count": np.array([memory.count], np.int64),
            f"{self.name}.gram": np.stack([as_array(moments.gram) for moments in kept]),
            f"{self.name}.cross": np.stack([as_array(moments.cross) for moments in kept]),
        }

    def unpack(self, arrays: Arrays) -> RidgeMemory:
        """The memory that they stand for.

        Raises:
            TargetFileError: later frames without their moments, or moments without frames.
        """
        count = int(arrays[f"{self.name}.count"][0])
        grams, crosses = arrays[f"{self.name}.gram"], arrays[f"{self.name}.cross"]
        if not len(grams) == len(crosses) == 1 + (count > 0):
            raise TargetFileError(
                f"has {len(grams)} and {len(crosses)} for '{self.name}.gram' and '{self.name}.cross', "
                f"expected {1 + (count > 0)} of each after {count} frames"
            )
        first, *recent = (
            Moments(own_tensor(gram, self.device), own_tensor(cross, self.device))
            for gram, cross in zip(grams, crosses, strict=True)
        )
        return RidgeMemory(first, recent[0] if recent else None, count)


@dataclass(frozen=True, eq=False, slots=True)
class Taught:
    """A classifier and what it learns from.

    Attributes:
        head: the newest.
        first_head: the head as the first frame left it.
        positives, negatives: samples, one batch a frame, the first frame's first.
    """

    head: Head
    first_head: Head
    positives: tuple[Batch, ...]
    negatives: tuple[Batch, ...]


@dataclass(frozen=True)
class ClassifierPart:
    """A classifier and what it learns from.

    Attributes:
        like: a head of the same size, where a loaded one computes.
        channels, grid: the features of a box are (channels, grid, grid).
        crop_px: side of the crops that are remembered beside them; 0: there are none.
    """

    like: Head
    channels: int
    grid: int
    crop_px: int = 0

    @property
    def wanted(self) -> dict[str, Wanted]:
        """What its arrays must be."""
        wanted = {}
        for head in ("head", "first_head"):
            for part, weights in self.like.state_dict().items():
                wanted[f"{head}.{part}"] = Wanted(tuple(weights.shape))
        for samples in ("positives", "negatives"):
            wanted[f"{samples}.counts"] = Wanted((range(1, MOST_FRAMES + 1),), np.int64, 0, MOST_COUNT)
            wanted[f"{samples}.features"] = Wanted((MANY, self.grid, self.grid, self.channels))
            if self.crop_px:
                wanted[f"{samples}.crops"] = Wanted((MANY, 3, self.crop_px, self.crop_px), np.uint8)
        return wanted

    def pack(self, taught: Taught) -> Arrays:
        """A classifier as those arrays."""
        arrays: dict[str, NDArray[Any]] = {}
        for head in ("head", "first_head"):
            for part, weights in getattr(taught, head).state_dict().items():
                arrays[f"{head}.{part}"] = as_array(weights)
        for samples in ("positives", "negatives"):
            arrays |= _packed_samples(samples, getattr(taught, samples))
        return arrays

    def unpack(self, arrays: Arrays) -> Taught:
        """The classifier that they stand for.

        Raises:
            TargetFileError: there are more samples than their frames have, or fewer.
        """
        return Taught(
            self._head("head", arrays),
            self._head("first_head", arrays),
            self._samples("positives", arrays),
            self._samples("negatives", arrays),
        )

    def _head(self, name: str, arrays: Arrays) -> Head:
        head = copy.deepcopy(self.like)
        parts = head.state_dict()
        head.load_state_dict({part: torch.from_numpy(arrays[f"{name}.{part}"]) for part in parts})
        return head.eval().requires_grad_(False)

    def _samples(self, name: str, arrays: Arrays) -> tuple[Batch, ...]:
        features = [part.permute(0, 3, 1, 2) for part in self._by_frame(name, "features", arrays)]
        if not self.crop_px:
            return tuple(map(Batch, features))
        return tuple(map(Batch, features, self._by_frame(name, "crops", arrays)))

    def _by_frame(self, name: str, part: str, arrays: Arrays) -> list[Tensor]:
        values, counts = arrays[f"{name}.{part}"], arrays[f"{name}.counts"]
        if len(values) != sum(counts.tolist()):
            raise TargetFileError(
                f"has {len(values)} for '{name}.{part}', "
                f"expected {sum(counts.tolist())}, which its frames have by '{name}.counts'"
            )
        device = next(self.like.parameters()).device
        return [own_tensor(rows, device) for rows in np.split(values, np.cumsum(counts)[:-1])]


def _packed_samples(name: str, batches: tuple[Batch, ...]) -> dict[str, NDArray[Any]]:
    features = [as_array(batch.features.permute(0, 2, 3, 1)) for batch in batches]  # as they are in memory
    crops = [batch.crops.cpu().numpy() for batch in batches if batch.crops is not None]
    packed = {
        f"{name}.counts": np.array([len(batch) for batch in batches], np.int64),
        f"{name}.features": np.concatenate(features),
    }
    return packed | ({f"{name}.crops": np.concatenate(crops)} if crops else {})


def as_array(values: Tensor) -> NDArray[Any]:
    """The values on the CPU."""
    return np.asarray(values.detach().cpu().numpy())


def own_tensor(values: NDArray[Any], device: torch.device) -> Tensor:
    """A copy of part of an array."""
    return torch.from_numpy(values).to(device, copy=True)
