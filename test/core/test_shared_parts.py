"""What both kinds of tracker are made of, from its names."""

import pytest
import torch

from recip_tracker_core import TrackerConfig
from recip_tracker_core.attention import READINGS
from recip_tracker_core.backbones import Backbone
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.levels import AtFeatures
from recip_tracker_core.parameters import replaced
from recip_tracker_core.shared_parts import build_recipe, build_updater, check_region, resolve_device
from recip_tracker_core.updater import BackgroundUpdater, InlineUpdater


def test_auto_takes_cuda_where_there_is_one() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert resolve_device("auto").type == expected
    assert resolve_device("cpu").type == "cpu"


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        resolve_device(name)
    assert f"'{name}'" in str(refusal.value)


@pytest.mark.parametrize(
    ("region_px", "target_px", "named"),
    [
        pytest.param(321, 80.0, r"'map\.region_px' expects a multiple of 16, got 321", id="off-the-grid"),
        pytest.param(144, 80.0, r"twice 'map\.target_px' \(80\), got 144", id="no-context"),
    ],
)
def test_a_region_that_the_backbone_cannot_see_is_refused_by_name(
    backbone: Backbone, region_px: int, target_px: float, named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        check_region(region_px, target_px, backbone, "map")


def test_the_default_region_fits_the_default_backbone(backbone: Backbone) -> None:
    config = TrackerConfig()
    check_region(config.map.region_px, config.map.target_px, backbone, "map")


@pytest.mark.parametrize("name", READINGS)
def test_the_recipe_has_the_reading_that_was_named(name: str) -> None:
    config = replaced(TrackerConfig(), {"attention.reading": name})
    assert build_recipe(config, AtFeatures()).reading is READINGS[name]


@pytest.mark.parametrize(("reduction", "is_mean"), [("mean", True), ("sum", False)])
def test_the_recipe_has_every_number_that_was_given(reduction: str, is_mean: bool) -> None:
    values = {
        "attention.weight": 5.0,
        "optimizer.momentum": 0.8,
        "optimizer.weight_decay": 0.25,
        "optimizer.clip_norm": 7.0,
        "optimizer.last_layer_gain": 9.0,
        "optimizer.positives": 11,
        "optimizer.negatives": 12,
        "optimizer.mined_from": 13,
    }
    level = AtFeatures(0.125)
    recipe = build_recipe(replaced(TrackerConfig(), {**values, "optimizer.reduction": reduction}), level)
    assert recipe.level is level
    assert recipe.is_mean is is_mean
    assert recipe.attention_weight == 5.0
    for name, value in values.items():
        section, _, field = name.partition(".")
        if section == "optimizer":
            assert getattr(recipe, field) == value


@pytest.mark.parametrize(("name", "kind"), [("inline", InlineUpdater), ("background", BackgroundUpdater)])
def test_the_updater_is_the_one_that_was_named(name: str, kind: type) -> None:
    config = replaced(TrackerConfig(), {"update.updater": name})
    updater = build_updater(
        config, lambda request, latest, should_stop: f"model of {request}", torch.device("cpu")
    )
    assert isinstance(updater, kind)
    assert updater.fit("it").model == "model of it"
    updater.close()
