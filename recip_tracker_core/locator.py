"""Where the target is on a shared map: a ridge filter over the box, learned on the target alone.

Two filters of one kind are in use. The *finder* goes on learning and says where to look. The *witness*
is the filter as the first frame left it, and as it would have with the target turned in the image plane; no
drift has reached it, and it alone judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import config, quasirandom
from .backbones import Stage
from .encoding import stacked, taps
from .ridge import Weighted

Floats = NDArray[np.float64]

DENSE_SIDE, DENSE_REACH = 9, 0.4  # grid of samples on the target, and how far it reaches, in boxes
NEAR_SAMPLES, NEAR_REACH = 96, 1.2  # around it
FAR_SAMPLES, FAR_SHARE = 160, 0.96  # all over the crop but its rim
NOT_TARGET_FROM = 0.3  # distance in boxes from which those two are samples of the background
POSITIVE_FROM = 0.1  # label from which a sample counts as one of the target


@dataclass(frozen=True, eq=False, slots=True)
class Response:
    """A filter's answer at every half cell of a map.

    Attributes:
        values: (m, m), about 1 on the target and 0 on the background.
        at_px: (m,) crop pixels of its rows and of its columns.
    """

    values: NDArray[np.float32]
    at_px: Floats

    def mean(self, other: Response) -> Response:
        """Of this and another filter's answer on the same map."""
        return Response((self.values + other.values) * np.float32(0.5), self.at_px)

    def peak(self, window: float, from_px: Floats) -> Peak:
        """The best place.

        Args:
            window: what a displacement by half a crop costs, as a share of the response.
            from_px: (2,) from where it is counted, crop pixels.
        """
        values = self._windowed(window, from_px)
        row, column = np.unravel_index(values.argmax(), values.shape)
        return self._summit(values, int(row), int(column))

    def peaks(self, window: float, from_px: Floats, size_px: Floats, least: float) -> list[Peak]:
        """Every place that is the best within half a box around it, the best of them first.

        Args:
            window, from_px: as of :meth:`peak`.
            size_px: (2,) of the box, crop pixels.
            least: value below which no place but the best of all is one.
        """
        values, step = self._windowed(window, from_px), self.at_px[1] - self.at_px[0]
        width, height = (2 * max(1, int(side / 4 / step)) + 1 for side in size_px)
        highest = cv2.dilate(values, np.ones((height, width), np.uint8))
        is_peak = (values >= highest) & (self.values > least)
        is_peak.flat[values.argmax()] = True
        rows, columns = np.nonzero(is_peak)
        order = np.argsort(-values[rows, columns], kind="stable")
        return [self._summit(values, int(rows[index]), int(columns[index])) for index in order]

    def _windowed(self, window: float, from_px: Floats) -> NDArray[np.float32]:
        half = self.at_px.mean()
        x, y = ((self.at_px / half - at / half) ** 2 for at in from_px)  # in half crops
        distance = np.minimum(x[None] + y[:, None], 1.5).astype(np.float32)
        return np.asarray(self.values - window * distance * np.maximum(self.values, 0), np.float32)

    def _summit(self, values: NDArray[np.float32], row: int, column: int) -> Peak:
        """The top of a parabola through a place and its neighbours."""
        step = self.at_px[1] - self.at_px[0]
        across, down = _vertex(values[row], column), _vertex(values[:, column], row)
        place = np.array([self.at_px[column] + step * across, self.at_px[row] + step * down])
        return Peak(place, float(self.values[row, column]), float(values[row, column]))

    def near(self, place_px: Floats, reach_px: float) -> float:
        """The highest value within that many pixels a side of a place."""
        x, y = (np.abs(self.at_px - at) <= reach_px for at in place_px)
        return float(self.values[y[:, None] & x].max())

    def highest(self, where: NDArray[np.bool_]) -> Floats:
        """(2,) crop pixels of the highest value among some; (m, m) says which."""
        row, column = np.unravel_index(np.where(where, self.values, -np.inf).argmax(), self.values.shape)
        return np.array([self.at_px[column], self.at_px[row]])

    def outside(self, place_px: Floats, size_px: Floats) -> NDArray[np.bool_]:
        """(m, m) what lies outside a box of (2,) size around a place."""
        x, y = (np.abs(self.at_px - at) > side / 2 for at, side in zip(place_px, size_px, strict=True))
        return np.asarray(y[:, None] | x)

    def beyond(self, place_px: Floats, size_px: Floats) -> NDArray[np.float32]:
        """(N,) the values outside a box of (2,) size around a place."""
        return np.asarray(self.values[self.outside(place_px, size_px)])


@dataclass(frozen=True, eq=False, slots=True)
class Peak:
    """A place where a response is highest.

    Attributes:
        place_px: (2,) crop pixels.
        value: of the response there.
        windowed: that, less what the distance from where it is expected costs.
    """

    place_px: Floats
    value: float
    windowed: float


def _vertex(values: NDArray[np.float32], index: int) -> float:
    """Where between its neighbours the top of a parabola through three values lies, in steps."""
    if not 0 < index < len(values) - 1:
        return 0.0
    left, middle, right = (float(value) for value in values[index - 1 : index + 2])
    curvature = left - 2 * middle + right
    return 0.0 if abs(curvature) < 1e-9 else min(max(0.5 * (left - right) / curvature, -0.5), 0.5)


class Locator:
    """Learns and applies filters.

    Args:
        settings: of the filter.
        stage: whose grid the maps have.
        side_px: of the crops.
        seed: shifts the sample points.
    """

    def __init__(self, settings: config.Locator, stage: Stage, side_px: int, seed: int) -> None:
        self._settings, self._stage, self._side_px, self._seed = settings, stage, side_px, seed
        step = stage.stride / 2
        self._at_px = np.arange(step / 2, side_px, step)

    def responses(self, features: Tensor, size_px: Floats, filters: Tensor) -> list[Response]:
        """What each filter says at every half cell of a map.

        Args:
            features: (C, n, n) map.
            size_px: (2,) of the target, crop pixels.
            filters: (D + 1, F), one filter a column.
        """
        return self.responses_together(features[None], [size_px], [filters])[0]

    def responses_together(
        self, features: Tensor, sizes_px: Sequence[Floats], filters: Sequence[Tensor]
    ) -> list[list[Response]]:
        """The same of T targets, each by the filters and on the map of its own, (T, C, n, n)."""
        grid, (count, _, _, cells) = self._settings.grid, features.shape
        columns, rows = self._readings(np.stack(sizes_px), cells).to(features)  # (T, m, grid * n) each
        linear = stacked(filters)
        weights = linear[:, :-1].mT.reshape(count, -1, grid, grid, features.shape[1]).transpose(2, 3)
        planes = weights.flatten(1, 3) @ features.flatten(2)  # by filter, x, and y
        # Each plane is moved to its point of the box, and all are added: rows first, then columns.
        moved = rows[:, None] @ planes.view(count, -1, grid * cells, cells)  # (T, F * grid, m, n)
        moved = moved.view(count, -1, grid, *moved.shape[2:]).transpose(2, 3).flatten(3)
        total = moved @ columns.mT[:, None] + linear[:, -1, :, None, None]
        return [[Response(values, self._at_px) for values in one] for one in total.cpu().numpy()]

    def _readings(self, sizes_px: Floats, cells: int) -> Tensor:
        """(2, T, m, grid * n) of x and y: linear interpolation at a box's points around each half cell."""
        grid = self._settings.grid
        offset = sizes_px.T[..., None, None] * ((np.arange(grid) + 0.5) / grid - 0.5)
        at = (self._at_px[:, None] + offset - self._stage.first_center_px) / self._stage.stride
        shape, at = at.shape[:3], np.minimum(np.maximum(at.ravel(), 0), cells - 1)  # beyond, the rim goes on
        low = np.minimum(at.astype(np.int64), cells - 2)
        weight, row = np.zeros((len(at), cells), np.float32), np.arange(len(at))
        weight[row, low], weight[row, low + 1] = 1 - (at - low), at - low
        return torch.from_numpy(weight.reshape(*shape, grid * cells))

    def samples(
        self,
        features: Tensor,
        center_px: Floats,
        size_px: Floats,
        draw: int,
        finder: Tensor | None = None,
        first_peak: float = 1.0,
    ) -> Weighted:
        """What one map teaches of a target at a place.

        The label is a Gaussian of the distance from the target, and the positive samples together have a
        fixed share of the weight. Negatives that the finder takes for the target weigh more.

        Args:
            features: (C, n, n) map.
            center_px, size_px: (2,) of the target, crop pixels.
            draw: which part of the sequence of points is used; a new one gives new points.
            finder: (D + 1, 1) the present one; None: all negatives weigh the same.
            first_peak: of a filter's response in the first frame, its unit.
        """
        settings = self._settings
        places = self.sample_places(center_px, size_px, draw)
        x = taps(features, places, size_px, self._stage, settings.grid)
        distance = (((places - center_px) / size_px) ** 2).sum(axis=1)
        label = torch.from_numpy(np.exp(-0.5 * distance / settings.label_deviation**2)).to(x)
        positive = (label > POSITIVE_FROM).to(x)
        negative = 1 - positive
        if finder is not None:
            mistaken = ((x @ finder)[:, 0] / max(first_peak, 0.2)).clamp(0, 1)
            negative = negative * (1 + settings.hard_weight * mistaken)
        share = settings.positive_share
        weight = positive * (share / positive.sum()) + negative * ((1 - share) / negative.sum())
        return Weighted(x, label[:, None], weight)

    def sample_places(self, center_px: Floats, size_px: Floats, draw: int) -> Floats:
        """(N, 2) centres to learn from, crop pixels: dense on the target, sparse around it and far away."""
        axis = np.linspace(-DENSE_REACH, DENSE_REACH, DENSE_SIDE)
        dense = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2) * size_px + center_px
        count = NEAR_SAMPLES + FAR_SAMPLES
        unit = quasirandom.points(count, 2, draw * count, self._seed)
        near = center_px + size_px * (2 * unit[:NEAR_SAMPLES] - 1) * NEAR_REACH
        far = self._side_px * (unit[NEAR_SAMPLES:] * FAR_SHARE + (1 - FAR_SHARE) / 2)
        around = np.concatenate([near, far])
        is_background = (((around - center_px) / size_px) ** 2).sum(axis=1) > NOT_TARGET_FROM**2
        return np.concatenate([dense, around[is_background]])
