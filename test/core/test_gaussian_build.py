"""From names to the paper's tracker: what cannot work together is refused before anything is built."""

import numpy as np
import pytest
import torch

from recip_tracker_core import TrackerConfig
from recip_tracker_core.backbones import Backbone
from recip_tracker_core.box_crops import CropFeatures
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.features import MapFeatures
from recip_tracker_core.gaussian_build import build_features, build_schedule, check_features
from recip_tracker_core.levels import AtFeatures, BeforeFeatures, Level
from recip_tracker_core.painting import CropPainter, RegionPainter
from recip_tracker_core.parameters import replaced
from recip_tracker_core.types import BoundingBox, Frame

CROPS = {"features.mode": "crops", "features.stages": ["s8"], "features.crop_px": 64}
VGG_M = {
    "features.mode": "crops",
    "features.stages": ["relu3"],
    "features.crop_px": 107,
    "features.context_px": 16,
}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        pytest.param({"features.stages": ["s8", "s32"]}, "features.stages", id="unknown-stage"),
        pytest.param({"features.stages": []}, "features.stages", id="no-stage"),
        pytest.param({"features.stages": ["s8", "s8"]}, "features.stages", id="a-stage-twice"),
        pytest.param({"features.stages": ["s16", "s8"]}, "finest first", id="coarsest-first"),
        pytest.param({"features.region_px": 321}, "multiple of 16", id="a-region-off-the-grid"),
        pytest.param(
            {"features.region_px": 128, "features.target_px": 65.0}, "features.target_px", id="no-context"
        ),
        pytest.param({"attention.level": "s8"}, "attention.level", id="a-level-without-gradients"),
        pytest.param(
            {**CROPS, "features.stages": ["s8", "s16"]},
            r"'features\.stages' expects one stage.*\['s8', 's16'\]",
            id="two-stages-of-a-crop",
        ),
        pytest.param(
            {**CROPS, "attention.level": "s16"}, r"'s16' lies behind 's8'", id="a-level-behind-the-features"
        ),
        pytest.param(
            {**CROPS, "features.crop_px": 107},
            r"'features\.crop_px' expects a multiple of 16, at least 8, got 107",
            id="a-crop-off-the-grid",
        ),
        pytest.param(
            {**CROPS, "features.context_px": 17},
            r"'features\.context_px' expects at most a quarter of 'features\.crop_px' \(64\), got 17",
            id="more-context-than-box",
        ),
    ],
)
def test_features_that_the_backbone_cannot_give_are_refused_by_name(
    backbone: Backbone, values: dict[str, object], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        check_features(replaced(TrackerConfig(), values), backbone)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({}, id="defaults"),
        pytest.param(CROPS, id="crops"),
        pytest.param({**CROPS, "features.context_px": 16}, id="a-quarter-of-context"),
        pytest.param({**CROPS, "attention.level": "input"}, id="pixels-of-crops"),
        pytest.param({**CROPS, "attention.level": "s8"}, id="the-stage-that-is-read"),
        pytest.param({**CROPS, "attention.level": "features"}, id="features-of-crops"),
    ],
)
def test_features_that_it_can_give_are_accepted(backbone: Backbone, values: dict[str, object]) -> None:
    check_features(replaced(TrackerConfig(), values), backbone)


def test_a_crop_must_have_a_cell_of_the_stage_that_is_read(vgg_m: Backbone) -> None:
    check_features(replaced(TrackerConfig(), {**VGG_M, "features.crop_px": 75}), vgg_m)
    with pytest.raises(
        ConfigError, match=r"'features\.crop_px' expects a multiple of 1, at least 75, got 74"
    ):
        check_features(replaced(TrackerConfig(), {**VGG_M, "features.crop_px": 74}), vgg_m)


def built(backbone: Backbone, **values: object) -> tuple[object, Level, object]:
    device = next(backbone.parameters()).device  # type: ignore[attr-defined]
    return build_features(replaced(TrackerConfig(), values), backbone, device)


def test_a_shared_map_is_read_painted_and_attended_to_over_its_cells(backbone: Backbone) -> None:
    source, level, painter = built(backbone)
    assert isinstance(source, MapFeatures)
    assert isinstance(painter, RegionPainter)
    assert isinstance(level, AtFeatures)
    assert level.border == 0


@pytest.mark.parametrize(
    ("name", "kind"), [("features", AtFeatures), ("s8", BeforeFeatures), ("input", BeforeFeatures)]
)
def test_attention_over_crops_is_taken_where_it_was_said_and_knows_the_border(
    backbone: Backbone, name: str, kind: type
) -> None:
    source, level, painter = built(
        backbone, **{**CROPS, "features.context_px": 8, "features.grid": 5, "attention.level": name}
    )
    assert isinstance(source, CropFeatures)
    assert isinstance(painter, CropPainter)
    assert isinstance(level, kind)
    assert level.border == pytest.approx(1 / 8)
    assert (source.channels, source.grid) == (40, 5)


@pytest.mark.parametrize(
    ("level", "weight", "has_crops"),
    [
        pytest.param("input", 5.0, True, id="pixels"),
        pytest.param("s8", 5.0, True, id="a-stage"),
        pytest.param("features", 5.0, False, id="features"),
        pytest.param("input", 0.0, False, id="no-attention"),
    ],
)
def test_crops_are_kept_where_learning_goes_back_to_them(
    backbone: Backbone, level: str, weight: float, has_crops: bool
) -> None:
    source, _, _ = built(backbone, **{**CROPS, "attention.level": level, "attention.weight": weight})
    assert isinstance(source, CropFeatures)
    box = BoundingBox(20, 20, 30, 30)
    batch = source.look(Frame(np.zeros((90, 120, 3), np.uint8)), box).batch(box.as_array()[None])
    assert (batch.crops is not None) == has_crops
    if batch.crops is not None:
        assert batch.crops.shape == (1, 3, 64, 64)
        assert batch.crops.dtype == torch.uint8


def test_the_schedule_has_what_was_said_of_the_regression() -> None:
    values = {
        "first_fit.positive_overlap": 0.6,
        "regression.penalty": "absolute",
        "regression.translation": 0.3,
        "regression.scale_step": 1.5,
        "regression.smallest_area": 1.0,
    }
    schedule = build_schedule(replaced(TrackerConfig(), values))
    assert schedule.first_positive_overlap == 0.6
    assert not schedule.is_ridge_relative
    spread = schedule.regression_spread
    assert (spread.translation, spread.scale_step, spread.smallest_area) == (0.3, 1.5, 1.0)
    assert build_schedule(TrackerConfig()).is_ridge_relative
