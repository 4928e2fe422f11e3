"""The third stage of a frame: a better box by ridge regression from features.

Girshick et al., Rich feature hierarchies (CVPR 2014), appendix C: the correction of a box is
``dx / w, dy / h, log w' / w, log h' / h``, and each is linear in the features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .features import View
from .geometry import centers, from_centers
from .types import BoundingBox, Boxes

MAX_LOG_SCALE = 0.3  # a correction beyond what it was trained on is an error of its own


class Refiner(Protocol):
    """The third stage of a frame."""

    def refine(self, view: View, boxes: Boxes) -> Boxes:
        """(N, 4) boxes to (N, 4) better ones."""
        ...


class Unrefined:
    """Leaves boxes as they are."""

    def refine(self, view: View, boxes: Boxes) -> Boxes:
        """See :class:`Refiner`."""
        return boxes


@dataclass(frozen=True)
class BoxRegressor:
    """A fitted regression; made by :func:`fit_boxes`.

    Attributes:
        mean: (D,) of the training features.
        weights: (D, 4).
        offset: (4,) of the training targets.
        size_share: share of the size's correction that is applied.
    """

    mean: Tensor
    weights: Tensor
    offset: Tensor
    size_share: float

    def refine(self, view: View, boxes: Boxes) -> Boxes:
        """See :class:`Refiner`."""
        features = view.sample(boxes).flatten(1)
        correction = ((features - self.mean) @ self.weights + self.offset).cpu().numpy()
        center = centers(boxes) + correction[:, :2] * boxes[:, 2:]
        log_scale = np.clip(correction[:, 2:], -MAX_LOG_SCALE, MAX_LOG_SCALE)
        return from_centers(center, boxes[:, 2:] * np.exp(self.size_share * log_scale))


def fit_boxes(
    features: Tensor,
    boxes: Boxes,
    target: BoundingBox,
    ridge: float,
    size_share: float,
    *,
    is_relative: bool = True,
) -> BoxRegressor:
    """Ridge regression on (N, C, grid, grid) features of (N, 4) boxes that should become ``target``.

    Args:
        ridge: penalty.
        is_relative: whether it is measured against features of unit variance.
        size_share: share of the size's correction that will be applied, 0 to 1.
    """
    truth = target.as_array()
    shift = (centers(truth[None]) - centers(boxes)) / boxes[:, 2:]
    wanted = np.concatenate([shift, np.log(truth[2:] / boxes[:, 2:])], axis=1)
    y = torch.from_numpy(wanted).to(features)
    x = features.flatten(1)
    mean, offset = x.mean(dim=0), y.mean(dim=0)
    x, y = x - mean, y - offset
    # The dual form: there are fewer boxes than features.
    gram = (x @ x.T).double()
    unit = x.var().double() if is_relative else gram.new_ones(())
    gram.diagonal().add_((ridge * unit).clamp(min=1e-12))  # features may all be equal
    weights = x.T @ torch.linalg.solve(gram, y.double()).to(x)
    return BoxRegressor(mean, weights, offset, size_share)
