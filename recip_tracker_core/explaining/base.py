"""The configuration that is explained where none is asked for: the paper's way at a lower price."""

from __future__ import annotations

from ..config import TrackerConfig
from ..parameters import replaced

BASE = replaced(
    TrackerConfig(),
    {
        "proposals": "gaussian",
        "features.mode": "crops",
        "features.stages": ("s16",),
        "features.crop_px": 112,
        "features.context_px": 8,
        # Between the pixels and what the head reads: 28 x 28 cells, and fewer layers to go through.
        "attention.level": "s4",
        "attention.reading": "paper",
        "attention.weight": 1.0,
        "classifier.witness_share": 0.0,
        "optimizer.positives": 16,
        "optimizer.negatives": 16,
        "optimizer.mined_from": 128,
        "first_fit.positives": 200,
        "first_fit.negatives": 800,
        "update.updater": "inline",
        "update.interval": 10,
        "update.positives": 20,
        "update.negatives": 60,
        "search.candidates": 128,
        "search.tracked": 0.5,  # the paper's, as is the lack of a witness
        "regression.samples": 200,
    },
)
