"""From configuration to what both kinds of tracker are made of: see :mod:`.build`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import torch

from .attention import READINGS
from .backbones import Backbone
from .classifier import Head
from .config import TrackerConfig
from .cuda_graphs import recorded
from .errors import ConfigError
from .lanes import Lane
from .learning import Recipe
from .levels import Level
from .recorded_steps import Learner, Record
from .updater import BackgroundUpdater, InlineUpdater, Learn, Updater

Request = TypeVar("Request")
Model = TypeVar("Model")


def resolve_device(name: str) -> torch.device:
    """``auto | cpu | cuda | cuda:N`` as a device that is there.

    Raises:
        ConfigError: for any other name, or a CUDA device that is absent.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", name):
        raise ConfigError(f"'device' expects auto, cpu, cuda or cuda:N, got '{name}'")
    device = torch.device(name)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise ConfigError(f"'device' is '{name}', but torch sees {count} CUDA devices")
    return device


def check_region(region_px: int, target_px: float, backbone: Backbone, section: str) -> None:
    """Whether the backbone can see a region of that side, and the region shows enough around the target.

    Raises:
        ConfigError: when it doesn't.
    """
    if region_px % backbone.granularity_px:
        raise ConfigError(
            f"'{section}.region_px' expects a multiple of {backbone.granularity_px}, got {region_px}"
        )
    if region_px < 2 * target_px:
        raise ConfigError(
            f"'{section}.region_px' expects at least twice '{section}.target_px' ({target_px:g}), "
            f"got {region_px}"
        )


def build_head(config: TrackerConfig, channels: int, grid: int) -> Head:
    """The head that a first fit starts from.

    Args:
        channels, grid: the features of one box are (channels, grid, grid).

    Raises:
        ConfigError: two ways of attending at once.
    """
    classifier = config.classifier
    if classifier.weighs_features and config.attention.weight > 0:
        raise ConfigError(
            "'classifier.weighs_features' is learned with plain cross entropy: expected "
            f"'attention.weight' = 0 beside it, got {config.attention.weight:g}"
        )
    return Head(
        channels,
        grid,
        classifier.hidden,
        classifier.dropout,
        config.seed,
        weighs_features=classifier.weighs_features,
    )


def build_recipe(config: TrackerConfig, level: Level) -> Recipe:
    """How the classifier learns."""
    attention, optimizer = config.attention, config.optimizer
    return Recipe(
        attention_weight=attention.weight,
        reading=READINGS[attention.reading],
        level=level,
        is_mean=optimizer.reduction == "mean",
        momentum=optimizer.momentum,
        weight_decay=optimizer.weight_decay,
        clip_norm=optimizer.clip_norm,
        last_layer_gain=optimizer.last_layer_gain,
        positives=optimizer.positives,
        negatives=optimizer.negatives,
        mined_from=optimizer.mined_from,
    )


def build_learner(config: TrackerConfig, level: Level, device: torch.device) -> Learner:
    """What learns the classifier; first fits and updates share it, and so the steps that it records.

    None are recorded where the network is not to be, either: who asks for torch wants plain launches.
    """
    is_recorded = config.backbone.engine in {"auto", "cuda_graphs"}
    return Learner(build_recipe(config, level), recorder(device) if is_recorded else None)


def recorder(device: torch.device) -> Record | None:
    """What records steps on a device, or None where nothing can be recorded."""
    return recorded if device.type == "cuda" else None


def build_updater(
    config: TrackerConfig, learn: Learn[Request, Model], device: torch.device
) -> Updater[Request, Model]:
    """The updater that ``update.updater`` names; where the device has lanes, learning has the patient one."""
    kind = BackgroundUpdater if config.update.updater == "background" else InlineUpdater
    lane = Lane(device, is_urgent=False)

    def learned(request: Request, latest: Model | None, should_stop: Callable[[], bool]) -> Model | None:
        with lane.entered():
            return learn(request, latest, should_stop)

    return kind(learned)
