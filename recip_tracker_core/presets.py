"""Configurations by name: values of the same dataclasses, from which the files under ``config/`` are made."""

from __future__ import annotations

from collections.abc import Mapping

from .config import TrackerConfig
from .errors import ConfigError
from .parameters import replaced

PAPER: Mapping[str, object] = {
    "proposals": "gaussian",
    # Section 4: conv1 to conv3 of VGG-M; crops and context are the released code's.
    "backbone.name": "vgg_m",
    "features.mode": "crops",
    "features.stages": ("relu3",),
    "features.crop_px": 107,
    "features.context_px": 16,
    "features.grid": 3,
    # Eq. 1 to 5, Table 1
    "attention.level": "input",
    "attention.reading": "paper",
    "attention.weight": 5.0,
    # Section 4, and where it is silent the released code: momentum, decay, clipping, mining, last layer
    "classifier.hidden": 512,
    "classifier.dropout": 0.5,
    "classifier.witness_share": 0.0,
    "optimizer.reduction": "sum",
    "optimizer.momentum": 0.9,
    "optimizer.weight_decay": 5e-4,
    "optimizer.clip_norm": 10.0,
    "optimizer.last_layer_gain": 10.0,
    "optimizer.positives": 32,
    "optimizer.negatives": 32,
    "optimizer.mined_from": 1024,
    "first_fit.positives": 500,
    "first_fit.negatives": 5000,
    "first_fit.positive_overlap": 0.5,
    "first_fit.iterations": 50,
    "first_fit.learning_rate": 2e-4,
    "update.interval": 10,
    "update.positives": 50,
    "update.negatives": 200,
    "update.iterations": 15,
    "update.learning_rate": 3e-4,
    "memory.long_frames": 100,
    "memory.short_frames": 20,
    # Section 4: 256 candidates; the rest is the released code's
    "search.candidates": 256,
    "search.best": 5,
    "search.translation": 0.6,
    "search.translation_lost": 1.5,
    "search.scale_step": 1.05,
    "search.size_gain": 1.0,
    "search.tracked": 0.5,
    "regression.samples": 1000,
    "regression.ridge": 1000.0,
    "regression.penalty": "absolute",
    "regression.translation": 0.3,
    "regression.scale_step": 1.5,
    "regression.smallest_area": 1.0,
    "regression.size_share": 1.0,
}

PRESETS: Mapping[str, TrackerConfig] = {
    "default": TrackerConfig(),
    "paper": replaced(TrackerConfig(), PAPER),
}


def preset(name: str) -> TrackerConfig:
    """The configuration of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in PRESETS:
        raise ConfigError(f"'preset' expects one of {sorted(PRESETS)}, got '{name}'")
    return PRESETS[name]
