"""What of a target goes into its file, for each kind of tracker, and how it comes back."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import torch
from numpy.typing import NDArray

from .appearance import Appearance, Samples
from .backbones import INPUT, Backbone
from .classifier import Head
from .colors import BINS
from .confidence import USUAL_FRAMES, History
from .config import TrackerConfig
from .encoding import Encoder, MapSource, Reduction
from .errors import TargetFileError
from .regression import BoxRegressor, Refiner, Unrefined
from .target_files import Arrays, Maker, Wanted
from .target_parts import MOST_COUNT, ClassifierPart, MemoryPart, Taught, as_array, own_tensor

Floats = NDArray[np.float64]

POSITIVE = float(np.nextafter(0, 1))
PLACE, SIZE = Wanted((2,), np.float64, 0.0, 1.0), Wanted((2,), np.float64, POSITIVE, 10.0)
MOST_TURNS = 36
FILTERS = ("finder", "witness", "regression")
HEAD_SETTINGS = ("classifier.hidden", "classifier.weighs_features")
LOCATOR_SETTINGS = (
    *("map.region_px", "map.target_px", "map.color_likelihood"),
    *("locator.grid", "refiner.grid", "refiner.extent", "classifier.enabled", *HEAD_SETTINGS),
)
FEATURE_SETTINGS = {
    "map": ("features.mode", "features.stages", "features.grid", "features.region_px", "features.target_px"),
    "crops": ("features.mode", "features.stages", "features.grid", "features.crop_px", "features.context_px"),
}


@dataclass(frozen=True, eq=False, slots=True)
class Located:
    """What a locating tracker keeps of a target.

    Attributes:
        known: its appearance.
        place, size: (2,) centre and size where it was last safe, in images.
        first_size: (2,) as it was given, in images.
        history: of the finder's peak.
        usual: likeness of the last tracked frames.
        frames: since the first.
    """

    known: Appearance
    place: Floats
    size: Floats
    first_size: Floats
    history: History
    usual: tuple[float, ...]
    frames: int


class LocatedFormat:
    """Of the targets of a locating tracker; see :class:`~.target_files.TargetFormat`.

    Args:
        source: of the maps that a loaded appearance reads.
        backbone: the network behind it.
        head: that a first fit starts from, by the number of channels of the map; None: no classifier.
        settings: of the tracker.
        device: where a loaded appearance computes.
    """

    def __init__(
        self,
        source: MapSource,
        backbone: Backbone,
        head: Callable[[int], Head] | None,
        settings: TrackerConfig,
        device: torch.device,
    ) -> None:
        self._source, self._device, self._gain = source, device, settings.map.color_likelihood
        agreed = {"stages": source.names, "channels": source.shapes, **_chosen(settings, LOCATOR_SETTINGS)}
        self.maker = Maker("locator", settings.backbone.name, weights_digest(backbone), agreed)
        kept, total = map(sum, zip(*source.shapes, strict=True))
        grid = settings.locator.grid
        width = kept + (self._gain > 0)  # channels of the map
        finder, box = grid**2 * width + 1, settings.refiner.grid**2 * width + 1
        self._locator = MemoryPart("locator", finder, 1, device)
        self._refiner = MemoryPart("refiner", box, 4, device)
        self._classifier = None if head is None else ClassifierPart(head(width).to(device), width, grid)
        self.wanted: Mapping[str, Wanted] = {
            "place": PLACE,
            "size": SIZE,
            "first_size": SIZE,
            "history": Wanted((2,), np.float64, POSITIVE),
            "usual": Wanted((range(USUAL_FRAMES + 1),), np.float64),
            "counts": Wanted((4,), np.int64, 0, MOST_COUNT),
            "first": Wanted((2,), np.float64, POSITIVE),
            "mean": Wanted((total, 1)),
            "inverse_deviation": Wanted((total, 1), low=0.0),
            "projection": Wanted((kept, total)),
            "likelihood": Wanted((int(np.prod(BINS)),), low=-1.0, high=1.0),
            "finder": Wanted((finder, 1)),
            "witness": Wanted((finder, range(1, MOST_TURNS + 1))),
            "regression": Wanted((box, 4)),
            **self._locator.wanted,
            **self._refiner.wanted,
            **({} if self._classifier is None else self._classifier.wanted),
        }

    def pack(self, target: Located) -> Arrays:
        """See :class:`~.target_files.TargetFormat`."""
        known, history = target.known, target.history
        counts = (target.frames, history.count, known.lessons, known.head_frame)
        return {
            "place": target.place,
            "size": target.size,
            "first_size": target.first_size,
            "history": np.array([history.peak, history.sharpness]),
            "usual": np.array(target.usual, np.float64),
            "counts": np.array(counts, np.int64),
            "first": np.array([known.first_peak, known.first_sharpness]),
            "likelihood": known.encoder.likelihood,
            **_packed_reductions(known.encoder.reductions),
            **{name: as_array(getattr(known, name)) for name in FILTERS},
            **self._locator.pack(known.locator_memory),
            **self._refiner.pack(known.refiner_memory),
            **self._packed_classifier(known),
        }

    def unpack(self, arrays: Arrays) -> Located:
        """See :class:`~.target_files.TargetFormat`."""
        frames, seen, lessons, head_frame = map(int, arrays["counts"])
        peak, sharpness, first_peak, first_sharpness = map(float, (*arrays["history"], *arrays["first"]))
        finder, witness, regression = (torch.from_numpy(arrays[name]).to(self._device) for name in FILTERS)
        taught = None if self._classifier is None else self._classifier.unpack(arrays)
        known = Appearance(
            encoder=Encoder(self._source, self._reductions(arrays), arrays["likelihood"], self._gain),
            finder=finder,
            witness=witness,
            first_peak=first_peak,
            first_sharpness=first_sharpness,
            regression=regression,
            head=None if taught is None else taught.head,
            first_head=None if taught is None else taught.first_head,
            locator_memory=self._locator.unpack(arrays),
            refiner_memory=self._refiner.unpack(arrays),
            samples=None if taught is None else Samples(taught.positives, taught.negatives),
            head_frame=head_frame,
            lessons=lessons,
        )
        return Located(
            known,
            arrays["place"],
            arrays["size"],
            arrays["first_size"],
            History(peak, sharpness, seen),
            tuple(map(float, arrays["usual"])),
            frames,
        )

    def _reductions(self, arrays: Arrays) -> tuple[Reduction, ...]:
        """Of each group: its rows of what was packed, and of the projection its columns, too."""
        rows, columns = (np.cumsum((0, *sizes)) for sizes in zip(*self._source.shapes, strict=True))
        reductions = []
        for kept, raw in zip(map(slice, rows, rows[1:]), map(slice, columns, columns[1:]), strict=False):
            parts = arrays["mean"][raw], arrays["inverse_deviation"][raw], arrays["projection"][kept, raw]
            reductions.append(Reduction(*(own_tensor(part, self._device) for part in parts)))
        return tuple(reductions)

    def _packed_classifier(self, known: Appearance) -> Arrays:
        head, first_head, samples = known.head, known.first_head, known.samples
        if self._classifier is None or head is None or first_head is None or samples is None:
            return {}
        return self._classifier.pack(Taught(head, first_head, samples.positives, samples.negatives))


@dataclass(frozen=True, eq=False, slots=True)
class Drawn:
    """What the paper's tracker, which draws its candidates, keeps of a target.

    Attributes:
        place, size: (2,) centre and size of its last box, in images.
        taught: its classifier.
        refiner: fitted on the first frame.
        since_update: frames since the last long-term update.
    """

    place: Floats
    size: Floats
    taught: Taught
    refiner: Refiner
    since_update: int


class DrawnFormat:
    """Of the targets of the paper's tracker; see :class:`~.target_files.TargetFormat`.

    Args:
        backbone: the network behind the features.
        channels, grid: the features of a box are (channels, grid, grid).
        crop_px: side of the crops that are remembered beside them; 0: there are none.
        head: that a first fit starts from, on the device where it computes.
        settings: of the tracker.
    """

    def __init__(
        self, backbone: Backbone, channels: int, grid: int, crop_px: int, head: Head, settings: TrackerConfig
    ) -> None:
        names = (*FEATURE_SETTINGS[settings.features.mode], *HEAD_SETTINGS)
        agreed = {**_chosen(settings, names), "remembered_crop_px": crop_px}
        self.maker = Maker("gaussian", settings.backbone.name, weights_digest(backbone), agreed)
        self._size_share, self._device = settings.regression.size_share, next(head.parameters()).device
        self._classifier = ClassifierPart(head, channels, grid, crop_px)
        width, none_or_one = channels * grid**2, range(2)
        self._regressor = {"mean": (width,), "weights": (width, 4), "offset": (4,)}
        self.wanted: Mapping[str, Wanted] = {
            "place": PLACE,
            "size": SIZE,
            "since_update": Wanted((1,), np.int64, 0, MOST_COUNT),
            **{name: Wanted((none_or_one, *shape)) for name, shape in self._regressor.items()},
            **self._classifier.wanted,
        }

    def pack(self, target: Drawn) -> Arrays:
        """See :class:`~.target_files.TargetFormat`."""
        return {
            "place": target.place,
            "size": target.size,
            "since_update": np.array([target.since_update], np.int64),
            **self._packed_refiner(target.refiner),
            **self._classifier.pack(target.taught),
        }

    def unpack(self, arrays: Arrays) -> Drawn:
        """See :class:`~.target_files.TargetFormat`."""
        return Drawn(
            arrays["place"],
            arrays["size"],
            self._classifier.unpack(arrays),
            self._unpacked_refiner(arrays),
            int(arrays["since_update"][0]),
        )

    def _packed_refiner(self, refiner: Refiner) -> Arrays:
        if isinstance(refiner, BoxRegressor):
            return {name: as_array(getattr(refiner, name))[None] for name in self._regressor}
        return {name: np.zeros((0, *shape), np.float32) for name, shape in self._regressor.items()}

    def _unpacked_refiner(self, arrays: Arrays) -> Refiner:
        count, *others = (len(arrays[name]) for name in self._regressor)
        if any(other != count for other in others):
            raise TargetFileError(
                f"has {count} and {others} of {list(self._regressor)}, expected all or none"
            )
        if count == 0:
            return Unrefined()
        mean, weights, offset = (
            torch.from_numpy(arrays[name][0]).to(self._device) for name in self._regressor
        )
        return BoxRegressor(mean, weights, offset, self._size_share)


def weights_digest(backbone: Backbone) -> str:
    """SHA-256 of a network's weights up to its last stage."""
    digest = hashlib.sha256()
    for name, weights in backbone.part(INPUT, [*backbone.stages][-1]).state_dict().items():
        digest.update(f"{name} {tuple(weights.shape)}".encode())
        digest.update(as_array(weights).tobytes())
    return digest.hexdigest()


def _packed_reductions(reductions: Sequence[Reduction]) -> Arrays:
    """As one of all groups, block-diagonal."""
    projection = torch.block_diag(*(one.directions for one in reductions))  # type: ignore[no-untyped-call]
    return {
        "mean": as_array(torch.cat([one.mean for one in reductions])),
        "inverse_deviation": as_array(torch.cat([one.inverse_deviation for one in reductions])),
        "projection": as_array(projection),
    }


def _chosen(settings: TrackerConfig, names: tuple[str, ...]) -> dict[str, object]:
    return {name: attrgetter(name)(settings) for name in names}
