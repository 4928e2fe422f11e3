"""Attention maps, and the loss that learns to attend: equations 1 to 5 of the paper.

Pu, Song, Ma, Zhang, Yang: Deep Attentive Tracking via Reciprocative Learning, NeurIPS 2018.

The attention map of a class (Eq. 1-2) is the positive part of the gradient of its score. Each sample
has two: one from the target's score, one from the background's. The reciprocative regulariser wants
the map of the sample's own class large and even, and the other one small and uneven (Eq. 3-4); it is
added to cross entropy with weight lambda (Eq. 5).

How that is read is a choice, see :data:`READINGS`: as printed, as the authors' released code does it,
or in one of three ways that keep its intent and bound its pull.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .classifier import BACKGROUND, TARGET

EPSILON = 1e-8  # keeps the ratios finite for an all-zero map; far below any real mean
RELEASED_SCORE_WEIGHT = 10.0  # of the scores whose gradients are taken; no ratio sees it


def attention_map(score: Tensor, activation: Tensor, *, is_learned: bool = True) -> Tensor:
    """Positive sensitivity of a class score to an activation (Eq. 2), summed over channels.

    Stays differentiable with respect to the head's weights, so a loss built on it trains them;
    ``create_graph=True`` is what makes that true. This is the plain form, by automatic differentiation:
    pictures use it, and it is what learning's own, which needs no second derivatives, must equal.

    Args:
        score: (N,) one class score a sample.
        activation: (N, C, H, W), part of the graph that produced ``score``.
        is_learned: whether a loss will be built on the map; a picture needs no second derivatives.

    Returns:
        (N, H, W), non-negative.
    """
    (gradient,) = torch.autograd.grad(score.sum(), activation, create_graph=is_learned)
    return positive_map(gradient)


def positive_map(gradients: Tensor) -> Tensor:
    """(..., C, H, W) gradients of a score to (..., H, W): positive parts, summed over channels (Eq. 2)."""
    return gradients.relu().sum(dim=-3)


def reciprocative_regularizer(target_map: Tensor, background_map: Tensor, is_target: Tensor) -> Tensor:
    """How far a sample's two attention maps are from what its label asks for (Eq. 3 and 4).

    Args:
        target_map: (N, H, W) attention of the target's score, A_p.
        background_map: (N, H, W) attention of the background's score, A_n.
        is_target: (N,) bool labels.

    Returns:
        (N,): sigma / mu of the map of the own class plus mu / sigma of the other's.
    """
    own, other = _by_label(relative_spread(target_map), relative_spread(background_map), is_target)
    return own + 1 / (other + EPSILON)


def relative_spread(maps: Tensor) -> Tensor:
    """(N, H, W) to (N,): sigma / mu of each map."""
    deviation, mean = _moments(maps)
    return deviation / (mean + EPSILON)


def _moments(maps: Tensor) -> tuple[Tensor, Tensor]:
    """(N, H, W) to sigma and mu of each, (N,)."""
    flat = maps.flatten(1)
    # sqrt has no finite slope at 0: the epsilon stands inside it
    return (flat.var(dim=1, correction=0) + EPSILON**2).sqrt(), flat.mean(dim=1)


def _by_label(target: Tensor, background: Tensor, is_target: Tensor) -> tuple[Tensor, Tensor]:
    """What belongs to each sample's own class, and to the other one, of (N,) values of both."""
    return torch.where(is_target, target, background), torch.where(is_target, background, target)


@dataclass(frozen=True, eq=False, slots=True)
class Sensitivity:
    """How the scores of a batch depend on what is at the attention level.

    Attributes:
        gradients: (2, N, C, H, W) of the class scores.
        is_target: (N,) bool labels.
        border: share of the map's side, at each end, that lies outside of the sample's box.
    """

    gradients: Tensor
    is_target: Tensor
    border: float = 0.0


Reading = Callable[[Sensitivity], Tensor]
"""The regulariser of a batch, a scalar: the sum over its samples, or what stands for that."""


def as_printed(seen: Sensitivity) -> Tensor:
    """Eq. 3 and 4 for each sample, as Eq. 5 adds them."""
    maps = positive_map(seen.gradients)
    return reciprocative_regularizer(maps[TARGET], maps[BACKGROUND], seen.is_target).sum()


def as_released(seen: Sensitivity) -> Tensor:
    """The authors' code: squared gradients, and sigma and mu summed over the batch before their ratio.

    There is one ratio for all positives and one for all negatives, against a cross entropy that is a
    sum over samples: a lambda of 5 with 64 samples weighs as 5 / 64 does in Eq. 5.
    """
    maps = (RELEASED_SCORE_WEIGHT * seen.gradients).square().sum(dim=2)
    total = seen.gradients.new_zeros(())
    for own, other, rows in ((TARGET, BACKGROUND, seen.is_target), (BACKGROUND, TARGET, ~seen.is_target)):
        if rows.any():
            sigma, mu = (value.sum() for value in _moments(maps[own][rows]))
            sigma_other, mu_other = (value.sum() for value in _moments(maps[other][rows]))
            total = total + sigma / (mu + EPSILON) + mu_other / (sigma_other + EPSILON)
    return total


def bounded(seen: Sensitivity) -> Tensor:
    """Both ratios as shares of sigma + mu, between 0 and 1: neither can outgrow the classifier's loss."""
    maps = positive_map(seen.gradients)
    shares = []
    for one in maps:
        deviation, mean = _moments(one)
        shares.append(deviation / (deviation + mean + EPSILON))
    own, other = _by_label(shares[TARGET], shares[BACKGROUND], seen.is_target)
    return (own + 1 - other).sum()


def boxed(seen: Sensitivity) -> Tensor:
    """How unlike the box the own class's map is, and how like it the other's, by cosine.

    A map that covers the box evenly and nothing outside of it is the one that costs nothing.
    """
    maps = positive_map(seen.gradients)
    inside = _box_on(maps.device, maps.dtype, maps.shape[-2:], seen.border)
    cosines = F.cosine_similarity(maps.flatten(2), inside.expand(1, 1, -1), dim=2, eps=EPSILON)
    own, other = _by_label(cosines[TARGET], cosines[BACKGROUND], seen.is_target)
    return (1 - own + other).sum()


def evened(seen: Sensitivity) -> Tensor:
    """Eq. 3 and 4 with each sample's pull on its maps brought to one strength, however steep the ratios."""
    even = Sensitivity(_Evened.apply(seen.gradients), seen.is_target)  # type: ignore[no-untyped-call]
    return as_printed(even)


class _Evened(torch.autograd.Function):
    """Identity; backwards, each sample's slope by its maps has unit length against the maps' own."""

    @staticmethod
    def forward(ctx: Any, gradients: Tensor) -> Tensor:
        ctx.save_for_backward(gradients)
        return gradients.view_as(gradients)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        (gradients,) = ctx.saved_tensors
        lengths = [
            torch.linalg.vector_norm(value, dim=(2, 3, 4), keepdim=True) for value in (slopes[0], gradients)
        ]
        even: Tensor = slopes[0] / (lengths[0] * lengths[1] + EPSILON)
        return even


def box_mask(size: tuple[int, ...] | torch.Size, border: float) -> Tensor:
    """(H, W): the share of each cell that lies in the box, whose border that is."""
    shares = []
    for cells in size:
        edge = torch.arange(cells + 1, dtype=torch.float64) / cells
        within = edge.clamp(border, 1 - border)
        shares.append((within[1:] - within[:-1]) * cells)
    return shares[0][:, None] * shares[1]


@functools.cache  # for good: a recording goes on reading it
def _box_on(device: torch.device, dtype: torch.dtype, size: torch.Size, border: float) -> Tensor:
    """(H * W,) the same where learning needs it: sent there once, and not at each step."""
    return box_mask(size, border).to(device, dtype).flatten()


READINGS: Mapping[str, Reading] = {
    "paper": as_printed,
    "released": as_released,
    "bounded": bounded,
    "box": boxed,
    "evened": evened,
}
ASKING_THE_HOST = frozenset({as_released})  # how many samples a label has; the others leave all to the device


def attentive_loss(scores: Tensor, seen: Sensitivity, reading: Reading, weight: float) -> Tensor:
    """Cross entropy plus ``weight`` times the regulariser, a sum over samples (Eq. 5).

    Args:
        scores: (N, 2) class scores.
        seen: how they depend on the attention level.
        reading: of the regulariser.
        weight: lambda.
    """
    return classification_loss(scores, seen.is_target) + weight * reading(at_one_scale(seen))


def at_one_scale(seen: Sensitivity) -> Sensitivity:
    """The same with gradients of mean size 1: no reading sees it, but for what keeps its ratios finite.

    Gradients by pixels may be so small that their squares are less than that.
    """
    scale = seen.gradients.detach().abs().mean()
    return replace(seen, gradients=seen.gradients / scale.clamp(min=torch.finfo(scale.dtype).tiny))


def classification_loss(scores: Tensor, is_target: Tensor) -> Tensor:
    """Cross entropy of (N, 2) class scores, summed over samples."""
    return F.cross_entropy(scores, is_target.long(), reduction="sum")  # TARGET is 1, BACKGROUND 0
