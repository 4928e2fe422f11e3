"""The second stage of a frame: which candidates look like the target."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .features import View
from .types import Boxes

BACKGROUND, TARGET = 0, 1  # the two classes, in the order of the logits

Kept = tuple[Tensor, Tensor]
"""Which units of both hidden layers dropout leaves to each sample: (N, hidden) each, 1 or 0."""


class Head(nn.Module):
    """Three fully connected layers from the features of a box to two class scores (fc4 to fc6 of the paper).

    Args:
        channels, grid: the features of one box are (channels, grid, grid).
        hidden: units of the two hidden layers.
        dropout: share of hidden units dropped in training mode.
        seed: of the random initial weights (He initialisation, on the CPU: equal on every device).
        weighs_features: whether a module of its own first weighs the cells of a box by what they show:
            the alternative to an attentive loss in the paper's Table 2. It starts with equal weights.
    """

    def __init__(
        self,
        channels: int,
        grid: int,
        hidden: int,
        dropout: float,
        seed: int,
        *,
        weighs_features: bool = False,
    ) -> None:
        super().__init__()
        self.weighing = nn.Linear(channels, 1) if weighs_features else None
        if self.weighing is not None:
            nn.init.zeros_(self.weighing.weight)
            nn.init.zeros_(self.weighing.bias)
        self.fc4 = nn.Linear(channels * grid * grid, hidden)
        self.fc5 = nn.Linear(hidden, hidden)
        self.fc6 = nn.Linear(hidden, 2)
        self.dropout = dropout
        generator = torch.Generator().manual_seed(seed)
        for layer in (self.fc4, self.fc5, self.fc6):
            layer.weight.data.normal_(0, math.sqrt(2 / layer.in_features), generator=generator)
            nn.init.zeros_(layer.bias)

    def kept(self, count: int, generator: torch.Generator) -> Kept | None:
        """Dropout of that many samples, drawn on the head's device; None where nothing is dropped."""
        if not self.training or self.dropout == 0:
            return None
        widths = self.fc4.out_features, self.fc5.out_features
        first, second = (torch.empty((count, width), device=self.fc4.weight.device) for width in widths)
        share = 1 - self.dropout
        return first.bernoulli_(share, generator=generator), second.bernoulli_(share, generator=generator)

    def forward(self, features: Tensor, kept: Kept | None = None) -> Tensor:
        """(N, channels, grid, grid) to (N, 2) class scores f_c, with dropout as it was drawn."""
        scores: Tensor
        if self.training:
            scores, _ = self._passed(features, kept)
        else:
            scores = self.fc6(F.relu(self.fc5(F.relu(self.fc4(self._weighed(features))))))
        return scores

    def with_gradients(self, features: Tensor, kept: Kept | None = None) -> tuple[Tensor, Tensor]:
        """The scores, and each one's gradient by the features, both differentiable by the weights.

        The gradient is written out, so that a loss built on it needs no second derivatives: at given
        active units it is a product of the weights. A head that weighs features is not asked for it.

        Returns:
            (N, 2), and (2, N, channels, grid, grid) by class.
        """
        assert self.weighing is None, "features that are weighed are learned with plain cross entropy"
        scores, (slope4, slope5) = self._passed(features, kept)
        back = (self.fc6.weight[:, None] * slope5) @ self.fc5.weight * slope4  # (2, N, hidden)
        gradients = back @ self.fc4.weight
        count, channels, *grid = features.shape
        return scores, gradients.view(2, count, *grid, channels).permute(0, 1, 4, 2, 3)

    def _passed(self, features: Tensor, kept: Kept | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(N, 2) scores, and the (N, hidden) slopes of the hidden units: 0 where inactive or dropped."""
        kept4, kept5 = kept or (None, None)
        x, slope4 = self._activated(self.fc4(self._weighed(features)), kept4)
        x, slope5 = self._activated(self.fc5(x), kept5)
        return self.fc6(x), (slope4, slope5)

    def _weighed(self, features: Tensor) -> Tensor:
        """(N, cells * channels): what the first layer reads."""
        x = features.permute(0, 2, 3, 1).flatten(1, 2)  # pooled features have their channels last in memory
        if self.weighing is not None:
            x = x * self.weighing(x).softmax(dim=1) * x.shape[1]  # (N, cells, channels), weights of mean 1
        return x.flatten(1)

    def _activated(self, x: Tensor, kept: Tensor | None) -> tuple[Tensor, Tensor]:
        slope = (x.detach() > 0).to(x.dtype)
        if kept is not None:
            slope = slope * kept / (1 - self.dropout)
        return x * slope, slope


class Jury:
    """Several heads of one shape, asked at once.

    Args:
        heads: frozen; those that weigh features are asked one after the other.
    """

    def __init__(self, *heads: Head) -> None:
        self._heads, self._is_plain = heads, all(head.weighing is None for head in heads)
        with torch.no_grad():
            self._weight4 = torch.cat([head.fc4.weight for head in heads])
            self._bias4 = torch.cat([head.fc4.bias for head in heads])
            self._weight5 = torch.stack([head.fc5.weight.T for head in heads])
            self._bias5 = torch.stack([head.fc5.bias[None] for head in heads])
            self._weight6 = torch.stack([margin(head.fc6.weight.T)[:, None] for head in heads])
            self._bias6 = torch.stack([margin(head.fc6.bias[None]) for head in heads])

    def margins(self, features: Tensor) -> Tensor:
        """(N, channels, grid, grid) to (heads, N)."""
        if not self._is_plain:
            return torch.stack([margin(head(features)) for head in self._heads])
        x = features.permute(0, 2, 3, 1).flatten(1)
        x = F.linear(x, self._weight4, self._bias4).relu_().view(len(x), len(self._heads), -1).transpose(0, 1)
        x = torch.baddbmm(self._bias5, x, self._weight5).relu_()
        return (x @ self._weight6)[..., 0] + self._bias6


def margin(scores: Tensor) -> Tensor:
    """(N, 2) class scores to (N,): by how much the target's exceeds the background's."""
    return scores[:, TARGET] - scores[:, BACKGROUND]


@dataclass(frozen=True, slots=True)
class Scored:
    """The best candidates of a frame.

    Attributes:
        boxes: (K, 4), best first.
        scores: (K,) margins between target and background.
    """

    boxes: Boxes
    scores: NDArray[np.float32]


class Classifier(Protocol):
    """The second stage of a frame."""

    def classify(self, view: View, candidates: Boxes, head: Head, witness: Head) -> Scored:
        """The best of (N, 4) candidates.

        Args:
            view: a look at the frame.
            candidates: (N, 4).
            head: the newest one.
            witness: the head as the first frame left it, which no drift has reached.
        """
        ...


class FcClassifier:
    """The paper's: score every candidate, keep the best.

    Args:
        best: how many are kept.
        witness_share: share of the witness in the score; 0 is the paper's.
    """

    def __init__(self, best: int, witness_share: float) -> None:
        self._best, self._witness_share = best, witness_share

    def classify(self, view: View, candidates: Boxes, head: Head, witness: Head) -> Scored:
        """See :class:`Classifier`."""
        with torch.no_grad():
            features = view.sample(candidates)
            both = torch.lerp(margin(head(features)), margin(witness(features)), self._witness_share)
            scores, rows = both.topk(min(self._best, len(candidates)))
        return Scored(candidates[rows.cpu().numpy()], scores.cpu().numpy())
