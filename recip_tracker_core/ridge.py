"""Ridge regression from running second moments: what the locator and the box refiner both stand on.

The solution needs no sample, only the moments X'X and X'Y of those seen so far. The first frame's are
kept apart, so that it never has less than its share however long the target is followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .errors import LearningError

BIAS_RIDGE = 1e-4  # the bias is not penalised; this keeps the factorisation from failing
BLOCKS = 6  # of columns in which X'X is computed: saves two fifths of the products


@dataclass(frozen=True, eq=False, slots=True)
class Moments:
    """Weighted second moments of samples whose last feature is the constant 1.

    Attributes:
        gram: (D + 1, D + 1), X'X; the part above the diagonal is not filled, as nothing reads it.
        cross: (D + 1, K), X'Y.
    """

    gram: Tensor
    cross: Tensor

    @staticmethod
    def of(x: Tensor, y: Tensor, weight: Tensor) -> Moments:
        """Of (N, D + 1) features and (N, K) targets, each sample with its (N,) weight."""
        weighted = x * weight[:, None]
        gram = x.new_zeros(x.shape[1], x.shape[1])
        step = -(-x.shape[1] // BLOCKS)
        for start in range(0, x.shape[1], step):
            gram[start:, start : start + step] = weighted[:, start:].T @ x[:, start : start + step]
        return Moments(gram, weighted.T @ y)

    def mixed(self, other: Moments, share: float) -> Moments:
        """These and ``share`` of the others; the shares add up to 1."""
        return Moments(torch.lerp(self.gram, other.gram, share), torch.lerp(self.cross, other.cross, share))


def mean_moments(moments: Iterable[Moments]) -> Moments:
    """Their mean, each with equal weight; each may be forgotten when the next one comes."""
    each, count = iter(moments), 1
    first = next(each)
    gram, cross = first.gram.clone(), first.cross.clone()
    for one in each:
        gram += one.gram
        cross += one.cross
        count += 1
    return Moments(gram / count, cross / count)


@dataclass(frozen=True, eq=False, slots=True)
class RidgeMemory:
    """Moments of the first frame and of recent ones; a value, replaced whole.

    Attributes:
        first: of the first frame.
        recent: running mean of later frames, None before the first of them.
        count: frames that went into it.
    """

    first: Moments
    recent: Moments | None = None
    count: int = 0

    def with_frame(self, moments: Moments, rate: float) -> RidgeMemory:
        """The same with one more frame, which gets ``rate`` of the recent part, 0 to 1."""
        recent = moments if self.recent is None else self.recent.mixed(moments, rate)
        return replace(self, recent=recent, count=self.count + 1)

    def solved(self, ridge: float, first_share: float, ramp: int) -> Tensor:
        """The weights that these moments ask for.

        Args:
            ridge: penalty, in units of the mean diagonal of X'X.
            first_share: weight of the first frame once ``ramp`` frames have been added, 0 to 1; it falls
                to that from 1 in equal steps.

        Returns:
            (D + 1, K); the last row is the bias.

        Raises:
            LearningError: if they have none, as they are not finite.
        """
        recent_share = (1 - first_share) * min(1.0, self.count / max(ramp, 1))
        if self.recent is None:
            blend = Moments(self.first.gram.clone(), self.first.cross)
        else:
            blend = self.first.mixed(self.recent, recent_share)
        gram = blend.gram
        diagonal = gram.diagonal()
        diagonal[:-1].add_(ridge * diagonal[:-1].mean())
        diagonal[-1].add_(BIAS_RIDGE)
        try:
            factor = torch.linalg.cholesky(gram)
        except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
            raise LearningError(f"a ridge regression has no solution: {error}") from error
        return torch.cholesky_solve(blend.cross, factor)
