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
class Weighted:
    """Samples that are learned from, each with its weight.

    Attributes:
        x: (N, D + 1) features, the last of which is the constant 1.
        y: (N, K) targets.
        weight: (N,).
    """

    x: Tensor
    y: Tensor
    weight: Tensor


@dataclass(frozen=True, eq=False, slots=True)
class Moments:
    """Second moments of weighted samples.

    Attributes:
        gram: (D + 1, D + 1), X'X; the part above the diagonal is not filled, as nothing reads it.
        cross: (D + 1, K), X'Y.
    """

    gram: Tensor
    cross: Tensor

    @staticmethod
    def mean(batches: Iterable[Weighted]) -> Moments:
        """Their mean over batches of equal weight; each may be forgotten when the next one comes."""
        each, count = iter(batches), 1
        first = next(each)
        width = first.x.shape[1]
        total = Moments(first.x.new_zeros(width, width), first.y.new_zeros(width, first.y.shape[1]))
        total._add(first, 1.0)
        for one in each:
            total._add(one, 1.0)
            count += 1
        total.gram.div_(count)
        total.cross.div_(count)
        return total

    def with_share(self, samples: Weighted, share: float) -> Moments:
        """These and ``share`` of those of samples; the shares add up to 1."""
        mixed = Moments(self.gram * (1 - share), self.cross * (1 - share))
        mixed._add(samples, share)
        return mixed

    def mixed(self, other: Moments, share: float) -> Moments:
        """These and ``share`` of others; the shares add up to 1."""
        return Moments(torch.lerp(self.gram, other.gram, share), torch.lerp(self.cross, other.cross, share))

    def _add(self, samples: Weighted, share: float) -> None:
        """In place: nothing of their size is made beside them."""
        x, weighted = samples.x, samples.x * (share * samples.weight)[:, None]
        step = -(-x.shape[1] // BLOCKS)
        for start in range(0, x.shape[1], step):
            self.gram[start:, start : start + step].addmm_(weighted[:, start:].T, x[:, start : start + step])
        self.cross.addmm_(weighted.T, samples.y)


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

    def with_frame(self, samples: Weighted, rate: float) -> RidgeMemory:
        """The same with one more frame's samples, which get ``rate`` of the recent part, 0 to 1."""
        recent = Moments.mean([samples]) if self.recent is None else self.recent.with_share(samples, rate)
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
        # In its own memory: what is above the diagonal by rows is what is below it by columns.
        factor, failed = gram.mT, gram.new_empty((), dtype=torch.int32)
        torch.linalg.cholesky_ex(factor, upper=True, out=(factor, failed))
        if failed:
            raise LearningError(
                f"a ridge regression has no solution: not positive definite at row {int(failed)}"
            )
        return torch.cholesky_solve(blend.cross, factor, upper=True)
