"""What the tracker asks of a frozen network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

INPUT = "input"  # the level before the first layer


@dataclass(frozen=True, slots=True)
class Stage:
    """One place in a network where features can be read.

    Attributes:
        channels: number of channels.
        stride: pixels between the centres of neighbouring cells.
        first_center_px: centre of cell 0 in the network's input, pixels, half-open convention.
        least_px: smallest side of an input that has a cell, pixels.
        scale: typical standard deviation of its values; features are divided by it, so that stages
            and backbones come to the head on one scale.
    """

    channels: int
    stride: int
    first_center_px: float
    least_px: int
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
        """Features of normalised (N, 3, H, W) images: (N, C, n, m) for each stage, a cell each ``stride``."""
        ...

    def part(self, after: str, until: str) -> nn.Sequential:
        """The layers between two levels: what makes the stage ``until`` of ``input`` or an earlier stage."""
        ...


class Computed:
    """A network that something else computes: described as the network in torch is, which keeps its layers.

    Subclasses are called; see :class:`Backbone`.

    Args:
        network: the network in torch.
    """

    def __init__(self, network: Backbone) -> None:
        self._network = network

    @property
    def stages(self) -> Mapping[str, Stage]:
        """See :class:`Backbone`."""
        return self._network.stages

    @property
    def granularity_px(self) -> int:
        """See :class:`Backbone`."""
        return self._network.granularity_px

    def normalized(self, pixels: Tensor) -> Tensor:
        """See :class:`Backbone`."""
        return self._network.normalized(pixels)

    def part(self, after: str, until: str) -> nn.Sequential:
        """See :class:`Backbone`; gradients flow through these layers alone."""
        return self._network.part(after, until)


class Chain(nn.Module):
    """A frozen network that is a chain of layers, some of whose outputs are stages.

    Its weights never learn, and it never leaves evaluation mode. Subclasses add ``stages``,
    ``granularity_px`` and ``normalized``.

    Args:
        layers: the chain.
        ends: the number of layers up to each stage, by name, finest first.
    """

    def __init__(self, layers: nn.Sequential, ends: Mapping[str, int]) -> None:
        super().__init__()
        self.layers, self._ends = layers, dict(ends)

    def freeze(self) -> None:
        """Call once the weights are loaded."""
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload, unused-ignore]  # newer stubs know it
        self.eval()
        self.requires_grad_(False)

    def forward(self, images: Tensor, stages: tuple[str, ...]) -> dict[str, Tensor]:
        """See :class:`Backbone`."""
        x = images.contiguous(memory_format=torch.channels_last)
        names = {end: name for name, end in self._ends.items() if name in stages}
        found: dict[str, Tensor] = {}
        for count, layer in enumerate(list(self.layers)[: max(names)], start=1):
            x = layer(x)
            if count in names:
                found[names[count]] = x
        return found

    def part(self, after: str, until: str) -> nn.Sequential:
        """See :class:`Backbone`."""
        start = 0 if after == INPUT else self._ends[after]
        return nn.Sequential(*list(self.layers)[start : self._ends[until]])
