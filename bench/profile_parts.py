"""Which functions of the tracker are which stage: all that ``profile_frame.py`` knows of its inside."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from profile_tracing import REST, Traced
from torch import Tensor

from recip_tracker_core.crops import Crop

FRAME, LESSON, FIRST_FIT = "a frame", "a lesson", "the first fit"

# In the order in which stages are printed.
STAGES = (
    "crop",
    "colour",
    "network",
    "align",
    "standardise, project",
    "responses",
    "peaks, signals",
    "classifier",
    "refinement",
    "fit of the map",
    "sampling",
    "moments",
    "solve",
    "classifier: samples",
    "classifier: batches",
    "classifier: steps",
    REST,
)


def shown(crop: Crop, image: NDArray[np.uint8], **_: Any) -> NDArray[np.uint8]:
    """The part of an image that a crop shows, unturned."""
    reach = crop.side_px / crop.scale / 2
    left, top = np.maximum(crop.center_px - reach, 0).astype(int)
    right, bottom = np.ceil(np.maximum(crop.center_px + reach, 1)).astype(int)
    return image[top:bottom, left:right]


def map_alone(_: Any, view: Any, *__: Any, **___: Any) -> Tensor:
    """The map of a view, not the encoder that came with it."""
    features: Tensor = view.features
    return features


def maps_heard(_: Any, hearings: list[Any]) -> list[Tensor]:
    """The maps of the views that a classifier is asked about."""
    return [hearing.view.features for hearing in hearings]


def maps_alone(_: Any, maps: dict[str, Tensor], *__: Any) -> dict[str, Tensor]:
    """The maps, not the weights of the network that knows their places."""
    return maps


TRACED = (
    Traced(REST, "locating_tracker:LocatingTracker.update", begins=FRAME),
    Traced(REST, "teaching:Teacher._later", begins=LESSON),
    Traced(REST, "teaching:Teacher._first", begins=FIRST_FIT),
    Traced("crop", "crops:Crop.cut", reads=shown),
    Traced("colour", "colors:halved"),
    Traced("colour", "colors:to_lab"),
    Traced("colour", "colors:color_planes"),
    Traced("colour", "colors:color_bins"),
    Traced("colour", "colors:cell_means"),
    Traced("network", "features:to_pixels"),
    Traced("network", "encoding:MapSource.deep"),
    Traced("network", "backbones.base:Chain.forward"),  # where torch computes it: for its weights
    Traced("align", "features:aligned_maps", reads=maps_alone),
    Traced("standardise, project", "encoding:MapSource.seen"),
    Traced("standardise, project", "encoding:MapSource.joined"),
    Traced("standardise, project", "encoding:read_together"),
    Traced("align", "features:spread"),
    Traced("responses", "locator:Locator.responses_together"),
    Traced("peaks, signals", "observing:Observer._distinct_peaks"),
    Traced("peaks, signals", "observing:Observer._chosen"),
    Traced("peaks, signals", "observing:Observer._signals"),
    Traced("peaks, signals", "observing:_likeness"),
    Traced("peaks, signals", "observing:_unexplained"),
    Traced("classifier", "observing:Observer.heard", reads=maps_heard),
    Traced("classifier", "classifier:Head.forward"),
    Traced("refinement", "refinement:BoxRefiner.corrections"),
    Traced("refinement", "refinement:BoxRefiner.refined"),
    Traced("fit of the map", "encoding:MapSource.fitted"),
    Traced("sampling", "locator:Locator.samples"),
    Traced("sampling", "refinement:BoxRefiner.samples"),
    Traced("moments", "ridge:Moments.mean"),
    Traced("moments", "ridge:RidgeMemory.with_frame"),
    Traced("solve", "ridge:RidgeMemory.solved"),
    Traced("classifier: samples", "teaching:ClassifierTeacher._drawn", reads=map_alone),
    Traced("classifier: batches", "learning:Pool.drawn"),
    Traced("classifier: batches", "learning:Pool.batch"),
    Traced("classifier: batches", "learning:Pool.all_features"),
    Traced("classifier: steps", "learning:learn"),
    Traced("classifier: steps", "recorded_steps:Learner.__call__"),
)
