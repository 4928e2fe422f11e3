"""Configurations by name, and the paper's number by number."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest

from recip_tracker_core import BoundingBox, Frame, TrackerConfig, TrackStatus, build_tracker
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.parameters import describe, replaced
from recip_tracker_core.presets import PAPER, PRESETS, preset

# What the paper says itself, and where it is silent what its authors' released code does.
FROM_THE_PAPER = {
    "proposals": "gaussian",  # 256 candidates around the last box
    "backbone.name": "vgg_m",  # conv1 to conv3 of VGG-M, fixed
    "features.mode": "crops",
    "features.stages": ("relu3",),
    "attention.level": "input",  # Eq. 1: the derivative by the image
    "attention.reading": "paper",  # Eq. 2 to 4
    "attention.weight": 5.0,  # Table 1
    "classifier.witness_share": 0.0,  # there is none
    "optimizer.positives": 32,  # batches of 32 + 32
    "optimizer.negatives": 32,
    "first_fit.positive_overlap": 0.5,
    "first_fit.iterations": 50,  # H1
    "first_fit.learning_rate": 2e-4,
    "update.interval": 10,  # T
    "update.iterations": 15,  # H2
    "update.learning_rate": 3e-4,
    "search.candidates": 256,  # N2
    "search.size_gain": 1.0,  # the box is what regression says
    "regression.size_share": 1.0,
}
FROM_THE_CODE = {
    "features.crop_px": 107,
    "features.context_px": 16,
    "features.grid": 3,  # conv3 gives 512 x 3 x 3
    "classifier.hidden": 512,
    "classifier.dropout": 0.5,
    "optimizer.reduction": "sum",
    "optimizer.momentum": 0.9,
    "optimizer.weight_decay": 5e-4,
    "optimizer.clip_norm": 10.0,
    "optimizer.last_layer_gain": 10.0,
    "optimizer.mined_from": 1024,
    "first_fit.positives": 500,  # of N1 = 5500
    "first_fit.negatives": 5000,
    "update.positives": 50,
    "update.negatives": 200,
    "memory.long_frames": 100,
    "memory.short_frames": 20,
    "search.best": 5,
    "search.translation": 0.6,
    "search.translation_lost": 1.5,
    "search.scale_step": 1.05,
    "search.tracked": 0.5,  # the logistic function of a score of 0
    "regression.samples": 1000,
    "regression.ridge": 1000.0,
    "regression.penalty": "absolute",
    "regression.translation": 0.3,
    "regression.scale_step": 1.5,
    "regression.smallest_area": 1.0,
}


def flat(config: TrackerConfig) -> dict[str, object]:
    return {parameter.name: parameter.value for parameter in describe(config)}


@pytest.mark.parametrize(("name", "value"), [*FROM_THE_PAPER.items(), *FROM_THE_CODE.items()])
def test_a_number_of_the_paper_is_what_its_source_says(name: str, value: object) -> None:
    assert flat(preset("paper"))[name] == value


def test_the_paper_changes_nothing_that_has_no_source_and_hangs_on_no_default() -> None:
    assert not set(FROM_THE_PAPER) & set(FROM_THE_CODE)
    assert set(PAPER) == {*FROM_THE_PAPER, *FROM_THE_CODE}
    defaults = flat(TrackerConfig())
    assert {name for name, value in flat(preset("paper")).items() if value != defaults[name]} <= set(PAPER)


def test_the_paper_learns_from_5500_samples_first() -> None:
    first_fit = preset("paper").first_fit
    assert first_fit.positives + first_fit.negatives == 5500


def test_the_default_is_what_one_gets_without_asking() -> None:
    assert preset("default") == TrackerConfig()


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match=r"\['default', 'paper'\], got 'papper'"):
        preset("papper")
    assert sorted(PRESETS) == ["default", "paper"]


REDUCED = {
    "device": "cpu",
    "backbone.weights": "random",
    "update.updater": "inline",
    "optimizer.positives": 6,
    "optimizer.negatives": 6,
    "optimizer.mined_from": 12,
    "first_fit.positives": 20,
    "first_fit.negatives": 60,
    "first_fit.iterations": 2,
    "update.positives": 4,
    "update.negatives": 8,
    "update.iterations": 1,
    "update.interval": 2,
    "search.tracked": 0.0,  # whatever random weights say
    "search.candidates": 16,
    "regression.samples": 20,
}


@pytest.mark.parametrize("level", ["input", "conv1"])
def test_the_papers_tracker_follows_a_target_in_small(level: str, rendered_clip: Callable[..., list]) -> None:
    clip = rendered_clip(frames=3, seed=2)
    tracker = build_tracker(replaced(preset("paper"), {**REDUCED, "attention.level": level}))
    with closing(tracker):
        (image, row), *later = clip
        assert tracker.init(Frame(image), BoundingBox(*row)).model_version == 1
        for count, (image, _) in enumerate(later, start=1):
            result = tracker.update(Frame(image))
            assert result.status is TrackStatus.TRACKED
            assert np.isfinite(result.score)
            x, y = result.box.center
            assert 0 <= x <= image.shape[1]
            assert 0 <= y <= image.shape[0]
            assert tracker.statistics.completed == count // 2 + 1
        picture = tracker.attention(Frame(image), result.box)
    assert picture.pixels.shape == (107, 107, 3)
    assert picture.attention.max() == 1
