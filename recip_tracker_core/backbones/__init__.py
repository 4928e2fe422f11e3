"""Frozen networks by name. A new one: a file beside this one, and a row here."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import ConfigError
from .base import INPUT, Backbone, Stage
from .efficientnet_lite0 import EfficientNetLite0
from .vgg_m import VggM

REGISTRY: dict[str, Callable[[str], Backbone]] = {
    "efficientnet_lite0": EfficientNetLite0,
    "vgg_m": VggM,
}

__all__ = ["INPUT", "REGISTRY", "Backbone", "Stage", "load_backbone"]


def load_backbone(name: str, weights: str = "") -> Backbone:
    """The network of that name, frozen, on the CPU.

    Args:
        name: a row of the registry.
        weights: path of its weights; empty takes what the backbone's package ships.

    Raises:
        ConfigError: unknown name.
        WeightsError: no usable weights.
    """
    if name not in REGISTRY:
        raise ConfigError(f"'backbone.name' expects one of {sorted(REGISTRY)}, got '{name}'")
    return REGISTRY[name](weights)
