"""One look at a frame, and what its best place says of itself: propose, and classify."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import config
from .appearance import Appearance, sharpness
from .confidence import History, Signals
from .crops import Crop
from .encoding import MapSource, Seen, box_features_of_several, read_together, stacked
from .lanes import Lane
from .locator import Locator, Peak, Response
from .rivals import RivalWatch, Scene
from .stories import Steps, Story, asked
from .types import Frame, TrackResult

Floats = NDArray[np.float64]

NEAR_PX = 10.0  # how far the witness may be from the finder's peak, crop pixels
LEAST_LIKENESS = 0.02  # of the witness, that a rival is compared with
MOST_RIVALRY = 3.0


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """What a crop of a frame shows, whoever the target is."""

    seen: Seen
    crop: Crop

    @staticmethod
    def at(crop: Crop, frame: Frame, source: MapSource) -> Look:
        """The pass of the network."""
        return Look(source.look(frame.image, crop), crop)


@dataclass(frozen=True, eq=False, slots=True)
class Wanted:
    """A look that is yet to be taken.

    Attributes:
        crop: what it is to show.
        source: whose pass it takes.
        lane: in which all of the frame is computed.
        story: what comes of one that shows this, by another crop if need be.
    """

    crop: Crop
    source: MapSource
    lane: Lane
    story: Callable[[Look], Story[TrackResult]]


@dataclass(frozen=True, eq=False, slots=True)
class Reading:
    """A look that is yet to be read.

    Attributes:
        look: at a frame.
        center_px, size_px: (2,) of the target when it was last seen, image pixels.
        known: of it.
        turn: of the target, in steps of the witness.
    """

    look: Look
    center_px: Floats
    size_px: Floats
    known: Appearance
    turn: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """One look at a frame, as the target's encoder and filters read it.

    Attributes:
        features: (C, n, n) map.
        crop: what it shows.
        at_px: (2,) where the target was when it was last seen, crop pixels.
        size_px: (2,) of the target, crop pixels.
        finder, witness: what the two filters say. Of a target that is turned, the finder's is the mean of
            both: it lags behind, and alone would follow the part that changes least.
    """

    features: Tensor
    crop: Crop
    at_px: Floats
    size_px: Floats
    finder: Response
    witness: Response

    def turned(self, turn: int, finder: Response, witness: Response) -> View:
        """The same where the target has that turn, of which the two filters say this."""
        return replace(self, finder=finder.mean(witness) if turn else finder, witness=witness)


@dataclass(frozen=True, eq=False, slots=True)
class Hearing:
    """Places of a view that the classifier is yet to be asked about, (2,) each, crop pixels."""

    view: View
    places_px: list[Floats]
    known: Appearance


@dataclass(frozen=True, eq=False, slots=True)
class Asking:
    """A view that the witness is yet to be asked about at other turns of the target, as many for each."""

    view: View
    turns: tuple[int, ...]
    known: Appearance


@dataclass(frozen=True, eq=False, slots=True)
class Sight:
    """The best place of a view.

    Attributes:
        view: that it is in.
        place_px: (2,) crop pixels.
        signals: there.
        at_rest: makes the same, but with the witness asked where the box is.
        others_px: (2,) image places of the other peaks of the finder, the highest first; none in a search.
        elsewhere_px: (2,) image place that the witness likes best of those that are neither the target's nor
            a known rival's; None in a search.
    """

    view: View
    place_px: Floats
    signals: Signals
    at_rest: Callable[[], Signals]
    others_px: tuple[Floats, ...] = ()
    elsewhere_px: Floats | None = None

    @property
    def resting(self) -> Signals:
        """Of a box that does not go there."""
        return self.at_rest()

    @property
    def in_image_px(self) -> Floats:
        """(2,) the same place, image pixels."""
        return self.view.crop.to_image(self.place_px)


class Observer:
    """Looks at frames.

    Args:
        locator: that applies the filters.
        scale: how large a target is seen, and how much around it.
        window: what a displacement costs a peak.
        grid: bins a side that the classifier reads of a box.
        classifier: whose word counts for how much.
        watch: that tells peaks of the target's rivals.
    """

    def __init__(
        self,
        locator: Locator,
        scale: config.Map,
        window: float,
        grid: int,
        classifier: config.Classifier,
        watch: RivalWatch,
    ) -> None:
        self._locator, self._scale, self._window, self._watch = locator, scale, window, watch
        self._grid = grid
        self._witness_share, self._rescored = classifier.witness_share, classifier.rescored

    def crop(self, center_px: Floats, size_px: Floats, zoom: float = 1.0) -> Crop:
        """What a look around a place shows of the image; (2,) each, image pixels."""
        target_px, region_px = self._scale.target_px, self._scale.region_px
        return Crop.around(center_px, size_px, target_px, region_px, zoom).snapped()

    def look(
        self,
        frame: Frame,
        center_px: Floats,
        size_px: Floats,
        known: Appearance,
        zoom: float = 1.0,
        turn: int = 0,
    ) -> View:
        """A look at a frame around a place, at the scale of a target of that size and turn."""
        look = Look.at(self.crop(center_px, size_px, zoom), frame, known.encoder.source)
        return self.read([Reading(look, center_px, size_px, known, turn)])[0]

    def read(self, readings: Sequence[Reading]) -> list[View]:
        """The view that each look gives of a target."""
        known = [one.known for one in readings]
        maps = read_together([one.encoder for one in known], [one.look.seen for one in readings])
        sizes = [one.size_px * one.look.crop.scale for one in readings]
        responses = self._locator.responses_together(
            maps, sizes, [one.known.filters(one.turn) for one in readings]
        )
        return [
            View(features, one.look.crop, one.look.crop.to_crop(one.center_px), size, *both).turned(
                one.turn, *both
            )
            for features, one, size, both in zip(maps, readings, sizes, responses, strict=True)
        ]

    def followed(self, view: View, known: Appearance, history: History, scene: Scene) -> Steps[Sight]:
        """Where the finder sees the target most, near where it was rather than far from there.

        A peak where a known rival was going is that rival; where there is no other one, the best has no
        strength.
        """
        peaks, witness = self._distinct_peaks(view, history), view.witness
        margins = yield from asked(self.heard, Hearing(view, [peak.place_px for peak in peaks], known))
        crop, size_px = view.crop, view.size_px / view.crop.scale
        at_px, was_px = [crop.to_image(peak.place_px) for peak in peaks], crop.to_image(view.at_px)
        own = [
            index for index, at in enumerate(at_px) if not self._watch.is_rivals(at, scene, was_px, size_px)
        ]
        chosen = self._chosen(peaks, margins, own)
        explained = [crop.to_crop(place_px) for place_px in self._watch.known_places(scene)]
        signals = self._signals(view, peaks[chosen], margins[chosen], known, history, explained)
        if not own:
            signals = replace(signals, strength=0.0)
        others = tuple(at for index, at in enumerate(at_px) if index != chosen)
        place = peaks[chosen].place_px
        elsewhere = witness.highest(_unexplained(witness, place, view, explained))

        def at_rest() -> Signals:
            return replace(signals, **_likeness(view.at_px, view, known, explained))

        return Sight(view, place, signals, at_rest, others, crop.to_image(elsewhere))

    def _distinct_peaks(self, view: View, history: History) -> list[Peak]:
        """The best place, and the others where rivals may be."""
        settings, finder = self._watch.settings, view.finder
        if not settings.enabled:
            return [finder.peak(self._window, view.at_px)]
        return finder.peaks(self._window, view.at_px, view.size_px, settings.peak * history.peak)

    def _chosen(self, peaks: list[Peak], margins: NDArray[np.float32], own: list[int]) -> int:
        """Index of the peak that the classifier likes most, of those that are nearly as high as the best."""
        best = own[0] if own else 0
        if np.isnan(margins[best]):
            return best
        least = (1 - self._rescored) * peaks[best].windowed
        high = [index for index in own if peaks[index].windowed >= least]
        return max(high, key=lambda index: float(margins[index]), default=best)

    def sought(self, view: View, known: Appearance, history: History, *, is_coarse: bool) -> Sight:
        """Where finder and witness together see the target most; in a coarse view wherever that is."""
        finder, both = view.finder, view.finder.mean(view.witness)
        place = both.peak(0.0 if is_coarse else self._window, view.at_px).place_px
        value = finder.near(place, NEAR_PX)
        peak = Peak(place, value, value)
        ((margin_there,),) = self.heard([Hearing(view, [place], known)])
        signals = self._signals(view, peak, margin_there, known, history)
        return Sight(view, place, signals, lambda: signals)

    def _signals(
        self,
        view: View,
        peak: Peak,
        margin_there: np.float32,
        known: Appearance,
        history: History,
        explained: Sequence[Floats] = (),
    ) -> Signals:
        place = peak.place_px
        sharp = sharpness(peak.value, view.finder.beyond(place, view.size_px))
        return Signals(
            peak=peak.value,
            sharpness=sharp,
            strength=history.strength(peak.value, sharp),
            **_likeness(place, view, known, explained),
            margin=float(margin_there),
        )

    def answered(self, askings: Sequence[Asking]) -> list[list[Response]]:
        """What the finder, and the witness at each turn, say of each view."""
        views = [one.view for one in askings]
        maps, sizes = stacked([one.features for one in views]), [one.size_px for one in views]
        filters = [one.known.filters(*one.turns) for one in askings]
        return self._locator.responses_together(maps, sizes, filters)

    def heard(self, hearings: Sequence[Hearing]) -> list[NDArray[np.float32]]:
        """(N,) the scores of each one's places, by the newest head and the first one; NaN without one."""
        counts = [len(one.places_px) for one in hearings]
        juries = [one.known.jury for one in hearings]
        if any(jury is None for jury in juries):
            return [np.full(count, np.nan, np.float32) for count in counts]
        with torch.no_grad():
            features = box_features_of_several(
                [one.view.features for one in hearings],
                [np.stack(one.places_px) for one in hearings],
                [one.view.size_px for one in hearings],
                hearings[0].known.encoder.stage,
                self._grid,
            )
            pairs = zip(juries, torch.split(features, counts), strict=True)
            both = torch.cat([jury.margins(part) for jury, part in pairs if jury is not None], dim=1)
            scores = torch.lerp(both[0], both[1], self._witness_share).cpu()
        return [part.numpy() for part in torch.split(scores, counts)]


def _likeness(
    place_px: Floats, view: View, known: Appearance, explained: Sequence[Floats]
) -> dict[str, float]:
    """The witness's answer at a place, and its best ones elsewhere, with and without known rivals."""
    witness = view.witness
    here = witness.near(place_px, NEAR_PX)
    elsewhere = witness.outside(place_px, view.size_px)
    unexplained = _unexplained(witness, place_px, view, explained)
    best, stranger = (float(witness.values[where].max(initial=0)) for where in (elsewhere, unexplained))
    unit = max(here, LEAST_LIKENESS)
    return {
        "likeness": here / known.first_peak,
        "rivalry": min(best / unit, MOST_RIVALRY),
        "strangeness": min(stranger / unit, MOST_RIVALRY),
        "elsewhere": stranger / known.first_peak,
    }


def _unexplained(
    response: Response, place_px: Floats, view: View, explained: Sequence[Floats]
) -> NDArray[np.bool_]:
    """(m, m) what lies outside a box around a place, and outside one around each known rival."""
    free = response.outside(place_px, view.size_px)
    for rival_px in explained:
        free &= response.outside(rival_px, view.size_px)
    return free
