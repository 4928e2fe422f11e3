"""Attention maps, and the loss that learns to attend: equations 1 to 5 of the paper.

Pu, Song, Ma, Zhang, Yang: Deep Attentive Tracking via Reciprocative Learning, NeurIPS 2018.

The attention map of a class (Eq. 1-2) is the positive part of the gradient of its score. Each sample
has two: one from the target's score, one from the background's. The reciprocative regulariser wants
the map of the sample's own class large and even, and the other one small and uneven (Eq. 3-4); it is
added to cross entropy with weight lambda (Eq. 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .backbones import Backbone
from .classifier import BACKGROUND, TARGET, Head
from .errors import ConfigError
from .features import Region, fused_map, pooled, to_pixels
from .types import BoundingBox, Frame

EPSILON = 1e-8  # keeps the ratios finite for an all-zero map; far below any real mean


def attention_map(score: Tensor, activation: Tensor, *, is_learned: bool = True) -> Tensor:
    """Positive sensitivity of a class score to an activation (Eq. 2), summed over channels.

    Stays differentiable with respect to the head's weights, so a loss built on it trains them;
    ``create_graph=True`` is what makes that true.

    Args:
        score: (N,) one class score a sample.
        activation: (N, C, H, W), part of the graph that produced ``score``.
        is_learned: whether a loss will be built on the map; a picture needs no second derivatives.

    Returns:
        (N, H, W), non-negative.
    """
    (gradient,) = torch.autograd.grad(score.sum(), activation, create_graph=is_learned)
    return gradient.relu().sum(dim=1)


def reciprocative_regularizer(target_map: Tensor, background_map: Tensor, is_target: Tensor) -> Tensor:
    """How far a sample's two attention maps are from what its label asks for (Eq. 3 and 4).

    Args:
        target_map: (N, H, W) attention of the target's score, A_p.
        background_map: (N, H, W) attention of the background's score, A_n.
        is_target: (N,) bool labels.

    Returns:
        (N,): sigma / mu of the map of the own class plus mu / sigma of the other's.
    """
    spread_p, spread_n = _relative_spread(target_map), _relative_spread(background_map)
    own = torch.where(is_target, spread_p, spread_n)
    other = torch.where(is_target, spread_n, spread_p)
    return own + 1 / (other + EPSILON)


def _relative_spread(maps: Tensor) -> Tensor:
    """(N, H, W) to (N,): sigma / mu of each map."""
    flat = maps.flatten(1)
    mean = flat.mean(dim=1)
    # sqrt has no finite slope at 0: the epsilon stands inside it
    deviation = (flat.var(dim=1, correction=0) + EPSILON**2).sqrt()
    return deviation / (mean + EPSILON)


def attentive_loss(scores: Tensor, activation: Tensor, is_target: Tensor, weight: float) -> Tensor:
    """Cross entropy plus ``weight`` times the reciprocative regulariser, mean over samples (Eq. 5).

    Args:
        scores: (N, 2) class scores.
        activation: (N, C, H, W) with ``requires_grad``, from which the scores were computed.
        is_target: (N,) bool labels.
        weight: lambda; at 0 no map is computed.
    """
    loss = F.cross_entropy(scores, torch.where(is_target, TARGET, BACKGROUND))
    if weight > 0:
        target_map = attention_map(scores[:, TARGET], activation)
        background_map = attention_map(scores[:, BACKGROUND], activation)
        loss = loss + weight * reciprocative_regularizer(target_map, background_map, is_target).mean()
    return loss


def check_level(level: str, mode: str, stages: tuple[str, ...]) -> None:
    """Whether attention can be taken at a level with that kind of features.

    A candidate sampled from a shared map has no gradient to pixels or stages of its own, so ``map``
    goes with ``features`` alone.

    Raises:
        ConfigError: for an unknown level, or a pair that cannot work.
    """
    levels = ("input", *stages, "features")
    if level not in levels:
        raise ConfigError(f"'attention.level' expects one of {list(levels)}, got '{level}'")
    if mode == "map" and level != "features":
        raise ConfigError(
            f"'attention.level' = '{level}' needs features of each candidate's own crop "
            "('features.mode' = 'crops'); with 'map' it must be 'features'"
        )


@dataclass(frozen=True, slots=True)
class AttentionPicture:
    """Where the classifier looks, for people.

    Attributes:
        pixels: (S, S, 3) uint8 RGB, the target's own crop.
        attention: (S, S) float32 in [0, 1], Eq. 2 at those pixels, relative to its own maximum.
    """

    pixels: NDArray[np.uint8]
    attention: NDArray[np.float32]

    @staticmethod
    def of(cut: NDArray[np.uint8], score: Tensor, pixels: Tensor) -> AttentionPicture:
        """Of a (1,) score computed from (1, 3, S, S) pixels, which are those of the cut."""
        attention = attention_map(score, pixels, is_learned=False)[0].cpu().numpy()
        # Pixel gradients of a strided network are grainy: shown at the grain of its first cells.
        attention = cv2.GaussianBlur(attention, (0, 0), len(cut) / 48)
        relative = attention / max(float(attention.max()), EPSILON)
        return AttentionPicture(cut, np.asarray(relative, np.float32))


class AttentionPainter:
    """Attention of the target's score back to the pixels of the target's own crop (Eq. 1-2).

    It shares nothing that is written, so any thread may paint.

    Args:
        backbone, stages, target_px, grid, device: those of the features that the head reads.
    """

    def __init__(
        self, backbone: Backbone, stages: tuple[str, ...], target_px: float, grid: int, device: torch.device
    ) -> None:
        self._backbone, self._stages, self._device, self._grid = backbone, stages, device, grid
        step = backbone.granularity_px
        self._size_px = max(
            step * round(2 * target_px / step), 2 * step
        )  # half a target of context around it
        self._sides = self._size_px / target_px

    def paint(self, frame: Frame, box: BoundingBox, head: Head) -> AttentionPicture:
        """The picture of one box by one version of the head."""
        region = Region.around(box, self._sides)
        cut = region.cut(frame.image, self._size_px)
        in_crop = region.to_crop(box.as_array()[None], self._size_px)
        with torch.enable_grad():
            pixels = to_pixels(cut, self._device).requires_grad_(True)
            fused = fused_map(self._backbone, self._backbone.normalized(pixels), self._stages)[0]
            scores = head(pooled(fused, in_crop, self._backbone.stages[self._stages[0]], self._grid))
            return AttentionPicture.of(cut, scores[:, TARGET], pixels)
