"""The third stage of a frame: how the box should change, by ridge regression on jittered boxes.

A regression is right only over the range that it was trained on, so the jitter is narrow, and the same
in training and in use. How much of a known jitter it undoes says how far it can be believed: each of
its answers is shrunk by that.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import config, quasirandom
from .backbones import Stage
from .encoding import box_features_of_several, stacked, taps
from .ridge import Weighted

Floats = NDArray[np.float64]

CENTER_BOUND = 0.15  # boxes that the centre moves in one frame at most
JITTER_DEVIATION = 0.5  # of the span at which it is cut off
DRAWS = 64  # of jitter, which then come again
# From the logarithms of both sides: half of their sum, and of their difference.
SIZE_AND_ASPECT = np.array([[0.5, 0.5], [0.5, -0.5]])


@dataclass(frozen=True, eq=False, slots=True)
class Correction:
    """How a box should change, before any gain.

    Attributes:
        shift_px: (2,) of the centre, crop pixels.
        log_size: of both sides.
        log_aspect: half of what the ratio of width to height grows by.
    """

    shift_px: Floats
    log_size: float
    log_aspect: float


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """A box that may have to change.

    Attributes:
        features: (C, n, n) map.
        center_px, size_px: (2,) of the box, crop pixels.
        weights: (D + 1, 4), from :meth:`BoxRefiner.samples`.
        draw: which part of the sequence of jitters is used.
    """

    features: Tensor
    center_px: Floats
    size_px: Floats
    weights: Tensor
    draw: int


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """A target's sizes, (2,) each, image pixels: the last, the first, and the last one that was safe."""

    size_px: Floats
    first_px: Floats
    safe_px: Floats


class BoxRefiner:
    """Learns and applies the regression.

    Args:
        settings: of the regression.
        stage: whose grid the maps have.
        seed: shifts the jitter.
    """

    def __init__(self, settings: config.Refiner, stage: Stage, seed: int) -> None:
        self._settings, self._stage, self._seed = settings, stage, seed

    def samples(
        self, features: Tensor, center_px: Floats, size_px: Floats, count: int, draw: int
    ) -> Weighted:
        """What one map teaches of a box: ``count`` jittered ones, and what each lacks to the true one.

        Args:
            features: (C, n, n) map.
            center_px, size_px: (2,) of the box, crop pixels.
            count: of jittered boxes.
            draw: which part of the sequence of jitters is used.
        """
        centers, sizes = self._jittered(center_px, size_px, count, draw)
        x = taps(features, centers, sizes * self._settings.extent, self._stage, self._settings.grid)
        log_sides = np.log(size_px / sizes)
        wanted = np.column_stack(
            [
                (center_px - centers) / sizes,
                log_sides.mean(axis=1),
                (log_sides[:, 0] - log_sides[:, 1]) / 2,
            ]
        )
        return Weighted(x, torch.from_numpy(wanted).to(x), torch.full_like(x[:, 0], 1 / count))

    def corrections(self, fits: Sequence[Fit]) -> list[Correction]:
        """The mean answer for boxes jittered around each given one, shrunk by its reliability."""
        settings = self._settings
        jittered = [self._jittered(fit.center_px, fit.size_px, settings.candidates, fit.draw) for fit in fits]
        x = box_features_of_several(
            [fit.features for fit in fits],
            [centers for centers, _ in jittered],
            [sizes * settings.extent for _, sizes in jittered],
            self._stage,
            settings.grid,
        )
        x = x.permute(0, 2, 3, 1).reshape(len(fits), settings.candidates, -1)
        weights = stacked([fit.weights for fit in fits])
        answers = torch.baddbmm(weights[:, -1:], x, weights[:, :-1]).cpu().numpy().astype(np.float64)
        return [_correction(*each) for each in zip(fits, jittered, answers, strict=True)]

    def refined(
        self, correction: Correction, shape: Shape, scale: float, frames: int, belief: float
    ) -> tuple[Floats, Floats]:
        """The part of a correction that is followed in one frame.

        A size is followed as far as the frame is believed, and goes back towards the last safe one
        otherwise: an occluder makes boxes grow.

        Args:
            correction: what the map asks for.
            shape: the target's sizes so far.
            scale: crop pixels an image pixel.
            frames: since the first; the centre is trusted to the locator at first.
            belief: how far the frame is believed, 0 to 1.

        Returns:
            The (2,) shift of the centre and the (2,) new size, image pixels.
        """
        settings = self._settings
        bound = math.log(settings.size_step)
        log_size = min(max(settings.size_gain * correction.log_size, -bound), bound)
        log_aspect = min(max(settings.aspect_gain * correction.log_aspect, -bound / 2), bound / 2)
        since_first = np.log(shape.size_px / shape.first_px)
        log_aspect -= settings.aspect_pull * (since_first[0] - since_first[1]) / 2
        step = belief * np.array([log_size + log_aspect, log_size - log_aspect])
        step += (1 - belief) * settings.doubt_pull * np.log(shape.safe_px / shape.size_px)
        limit = CENTER_BOUND * shape.size_px
        gain = settings.center_gain * min(1.0, frames / settings.center_ramp)
        shift = np.minimum(np.maximum(correction.shift_px / scale, -limit), limit)
        return gain * shift, shape.size_px * np.exp(step)

    def _jittered(self, center_px: Floats, size_px: Floats, count: int, draw: int) -> tuple[Floats, Floats]:
        """(count, 2) centres and sizes, in antithetic pairs, so that their mean is the box itself."""
        settings = self._settings
        normal = _normal(count, draw % DRAWS, self._seed)
        size, aspect = normal[:, 2] * settings.jitter_size, normal[:, 3] * settings.jitter_aspect
        sizes = size_px * np.exp(np.column_stack([size + aspect, size - aspect]))
        return center_px + normal[:, :2] * settings.jitter_center * size_px, sizes


def _correction(fit: Fit, jittered: tuple[Floats, Floats], answer: Floats) -> Correction:
    """What (N, 4) answers for (N, 2) jittered centres and sizes ask for together."""
    centers, sizes = jittered
    logs = np.log(sizes / fit.size_px) @ SIZE_AND_ASPECT
    jitter = np.concatenate([(centers - fit.center_px) / fit.size_px, logs], axis=1)
    at_center, at_size, at_aspect = _reliabilities(jitter, answer)
    shift = (centers + answer[:, :2] * sizes).mean(axis=0) - fit.center_px
    size, aspect = (logs + answer[:, 2:]).mean(axis=0).tolist()
    return Correction(shift * at_center, at_size * size, at_aspect * aspect)


def _reliabilities(jitter: Floats, answer: Floats) -> tuple[float, float, float]:
    """How much of a known jitter the answers undo, 0 to 1: the slope of a line through the origin.

    Args:
        jitter, answer: (N, 4) of both coordinates of the centre, the size and the aspect.

    Returns:
        Of the centre, the size and the aspect.
    """
    jitter, answer = jitter - jitter.mean(axis=0), answer - answer.mean(axis=0)
    undone, done = -(jitter * answer).sum(axis=0), (jitter**2).sum(axis=0)
    x, y, size, aspect = zip(undone.tolist(), done.tolist(), strict=True)
    pairs = (x[0] + y[0], x[1] + y[1]), size, aspect
    at_center, at_size, at_aspect = (min(max(some / (most + 1e-9), 0.0), 1.0) for some, most in pairs)
    return at_center, at_size, at_aspect


@functools.lru_cache(maxsize=4 * DRAWS)
def _normal(count: int, draw: int, seed: int) -> Floats:
    """(count, 4) in [-1, 1], cut off there, in antithetic pairs; nobody writes into it."""
    half = -(-count // 2)
    unit = torch.from_numpy(quasirandom.points(half, 4, draw * half, seed))
    quantile = JITTER_DEVIATION * torch.special.ndtri(unit).clamp(-1 / JITTER_DEVIATION, 1 / JITTER_DEVIATION)
    return np.asarray(torch.cat([quantile, -quantile])[:count].clamp(-1, 1).numpy())
