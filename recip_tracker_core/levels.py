"""The attention level: whether maps lie over the features, a stage of the network, or the pixels.

A candidate sampled from a shared map has no gradient to stages or pixels of its own, so ``map`` goes
with ``features`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .backbones import INPUT
from .box_crops import CropNetwork
from .errors import ConfigError
from .features import Batch
from .jacobian import linearized, pulled

FEATURES = "features"
AT_ONCE = {"cpu": 16, "cuda": 512}  # samples in one pass; what fits the caches is twice as fast


class Level(Protocol):
    """Where attention is taken.

    Attributes:
        border: share of a map's side, at each end, that lies outside of the sample's box.
    """

    @property
    def border(self) -> float: ...  # noqa: D102

    def gradients(self, at_features: Tensor, batch: Batch) -> Tensor:
        """Gradients of the class scores by the features, (2, N, C, grid, grid), as those by the level.

        Differentiable by the former.
        """
        ...


@dataclass(frozen=True, slots=True)
class AtFeatures:
    """Attention over the cells that the head reads."""

    border: float = 0.0

    def gradients(self, at_features: Tensor, batch: Batch) -> Tensor:
        """See :class:`Level`."""
        return at_features


class BeforeFeatures:
    """Attention over a stage of the network, or over the pixels of a sample's own crop.

    Args:
        network: whose layers lie between.
        level: ``input``, or the name of a stage.
        border: see :class:`Level`.
    """

    def __init__(self, network: CropNetwork, level: str, border: float) -> None:
        self._network, self._level, self._layers = network, level, network.after(level)
        self.border = border

    def gradients(self, at_features: Tensor, batch: Batch) -> Tensor:
        """See :class:`Level`."""
        assert batch.crops is not None, "such a level needs samples that keep their crops"
        at_once = AT_ONCE[at_features.device.type]
        parts = zip(torch.split(batch.crops, at_once), torch.split(at_features, at_once, dim=1), strict=True)
        return torch.cat([self._pulled(*part) for part in parts], dim=1)

    def _pulled(self, crops: Tensor, at_features: Tensor) -> Tensor:
        with torch.no_grad():
            activation = self._network.activation(crops, self._level)
        _, linear = linearized(self._layers, activation)
        return pulled(at_features, linear)


def check_level(level: str, mode: str, stages: tuple[str, ...], read: tuple[str, ...]) -> None:
    """Whether attention can be taken at a level with that kind of features.

    Args:
        level: ``input``, the name of a stage, or ``features``.
        mode: ``map`` or ``crops``.
        stages: the network's, finest first.
        read: those that the features are made of.

    Raises:
        ConfigError: for an unknown level, or a pair that cannot work.
    """
    levels = (INPUT, *stages, FEATURES)
    if level not in levels:
        raise ConfigError(f"'attention.level' expects one of {list(levels)}, got '{level}'")
    if mode == "map" and level != FEATURES:
        raise ConfigError(
            f"'attention.level' = '{level}' needs features of each candidate's own crop "
            "('features.mode' = 'crops'); with 'map' it must be 'features'"
        )
    if mode == "crops" and level in stages and stages.index(level) > stages.index(read[0]):
        raise ConfigError(
            f"'attention.level' = '{level}' lies behind '{read[0]}', which 'features.stages' reads; "
            f"expected one of {[INPUT, *stages[: stages.index(read[0]) + 1], FEATURES]}"
        )
