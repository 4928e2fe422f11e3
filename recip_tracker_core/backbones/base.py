"""What the tracker asks of a frozen network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Stage:
    """One place in a network where features can be read.

    Attributes:
        channels: number of channels.
        stride: pixels between the centres of neighbouring cells.
        first_center_px: centre of cell 0 in the network's input, pixels, half-open convention.
        scale: typical standard deviation of its values; features are divided by it, so that stages
            and backbones come to the head on one scale.
    """

    channels: int
    stride: int
    first_center_px: float
    scale: float


class Backbone(Protocol):
    """A frozen network. Differentiable with respect to its input, never with respect to its weights.

    Attributes:
        stages: what can be read, by name, finest first.
        granularity_px: the input's sides must be multiples of this.
    """

    @property
    def stages(self) -> Mapping[str, Stage]: ...  # noqa: D102

    @property
    def granularity_px(self) -> int: ...  # noqa: D102

    def normalized(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 255] to what the network was trained on."""
        ...

    def __call__(self, images: Tensor, stages: tuple[str, ...]) -> dict[str, Tensor]:
        """Features of normalised (N, 3, H, W) images: (N, C, H / stride, W / stride) for each stage."""
        ...


class FrozenModule(nn.Module):
    """A module whose weights never learn and which never leaves evaluation mode."""

    def freeze(self) -> None:
        """Call once the weights are loaded."""
        self.eval()
        self.requires_grad_(False)
