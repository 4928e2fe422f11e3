"""What a device can do at most: operations and bytes a second; and how many operations stages ask for."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from learning import OperationCounter

MATRIX_SIDES = {"cpu": (768, 1536), "cuda": (4096, 8192)}
COPIED_BYTES = 256_000_000
TRIES = 7
aten = torch.ops.aten

# Of matrix products and convolutions torch's own table knows; these it does not. Of an eigenvalue problem it
# is the reduction to tridiagonal form alone, so that a floor stays one.
OTHERS: dict[Any, Callable[..., float]] = {
    aten.linalg_cholesky_ex: lambda matrix, **_: matrix.shape[-1] ** 3 / 3,
    aten.cholesky_solve: lambda right, factor, *_: 2 * factor.shape[-1] ** 2 * right.shape[-1],
    aten._linalg_eigh: lambda matrix, *_, **__: 4 / 3 * matrix.shape[-1] ** 3,
    aten._embedding_bag: lambda table, rows, *_: 2 * rows.numel() * table.shape[1],
    aten._embedding_bag_forward_only: lambda table, rows, *_: 2 * rows.numel() * table.shape[1],
}


class Operations(OperationCounter):  # type: ignore[no-untyped-call]
    """Counts floating point operations; those that go element by element are left out."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """One operation."""
        count = OTHERS.get(func.overloadpacket)
        self.total += math.ceil(count(*args, **(kwargs or {}))) if count else 0
        return super().__torch_dispatch__(func, types, args, kwargs)


@dataclass(frozen=True)
class Peaks:
    """Measured, with as many threads as the tracker has.

    Attributes:
        flops: floating point operations a second, of the fastest product of large matrices.
        bytes_per_s: read and written, of the fastest large copy, by kind of device.
    """

    flops: float
    bytes_per_s: dict[str, float]

    @staticmethod
    def of(device: torch.device) -> Peaks:
        """What a device, and beside a GPU the host's memory, can do."""
        kinds = {"cpu": torch.device("cpu"), device.type: device}
        copies = {kind: _copied(where) for kind, where in kinds.items()}
        return Peaks(max(_multiplied(device, side) for side in MATRIX_SIDES[device.type]), copies)

    def floor_s(self, flops: float, moved: dict[str, float]) -> float:
        """Seconds without which so much can't be done: of its operations, or of its bytes."""
        times = (size / self.bytes_per_s[kind] for kind, size in moved.items())
        return max(flops / self.flops, *times, 0.0)


class Stopwatch:
    """Seconds, once a device has done all that it was asked for."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self) -> float:
        """Of a steady clock."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def _multiplied(device: torch.device, side: int) -> float:
    """Operations a second."""
    matrix = torch.ones(side, side, device=device)
    product = torch.empty_like(matrix)
    return 2 * side**3 / _fastest(device, lambda: torch.mm(matrix, matrix, out=product))


def _copied(device: torch.device) -> float:
    """Bytes a second, each read and written."""
    source = torch.ones(COPIED_BYTES, dtype=torch.uint8, device=device)
    target = torch.zeros_like(source)
    return 2 * COPIED_BYTES / _fastest(device, lambda: target.copy_(source))


def _fastest(device: torch.device, work: Callable[[], object]) -> float:
    """Seconds of the fastest of some tries, after one that isn't counted."""
    clock, times = Stopwatch(device), []
    for _ in range(TRIES + 1):
        began = clock()
        work()
        times.append(clock() - began)
    return min(times[1:])
