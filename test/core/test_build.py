"""From names to objects: what cannot work together is refused before anything is built."""

from collections.abc import Iterator

import cv2
import pytest
import torch

from recip_tracker_core import TrackerConfig, build_tracker
from recip_tracker_core.backbones import Backbone
from recip_tracker_core.build import build_updater, check_features, check_region, resolve_device
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.gaussian_tracker import GaussianTracker
from recip_tracker_core.locating_tracker import LocatingTracker
from recip_tracker_core.parameters import replaced
from recip_tracker_core.updater import BackgroundUpdater, InlineUpdater


@pytest.fixture
def thread_counts() -> Iterator[None]:
    """Numbers of threads as they were, afterwards."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


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
    ],
)
def test_features_that_the_backbone_cannot_give_are_refused_by_name(
    backbone: Backbone, values: dict[str, object], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        check_features(replaced(TrackerConfig(), values), backbone)


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


@pytest.mark.parametrize(
    ("values", "named"),
    [
        pytest.param({"map.region_px": 200}, r"map\.region_px", id="a-region-off-the-grid"),
        pytest.param({"map.target_px": 300.0}, r"map\.target_px", id="no-context"),
        pytest.param({"attention.level": "s8"}, r"attention\.level", id="a-level-without-gradients"),
        pytest.param(
            {"proposals": "gaussian", "features.region_px": 200}, r"features\.region_px", id="of-the-other"
        ),
    ],
)
def test_a_tracker_that_cannot_work_is_refused_by_name(values: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build_tracker(replaced(TrackerConfig(), {"device": "cpu", **values}))


def test_the_defaults_fit_the_default_backbone(backbone: Backbone) -> None:
    config = TrackerConfig()
    check_features(config, backbone)
    check_region(config.map.region_px, config.map.target_px, backbone, "map")


@pytest.mark.parametrize(("proposals", "kind"), [("locator", LocatingTracker), ("gaussian", GaussianTracker)])
def test_the_tracker_is_the_one_that_was_named(proposals: str, kind: type) -> None:
    tracker = build_tracker(replaced(TrackerConfig(), {"proposals": proposals, "device": "cpu"}))
    assert isinstance(tracker, kind)
    tracker.close()


def test_an_unknown_backbone_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'resnet'"):
        build_tracker(replaced(TrackerConfig(), {"backbone.name": "resnet"}))


@pytest.mark.parametrize(("name", "kind"), [("inline", InlineUpdater), ("background", BackgroundUpdater)])
def test_the_updater_is_the_one_that_was_named(name: str, kind: type) -> None:
    config = replaced(TrackerConfig(), {"update.updater": name})
    updater = build_updater(config, lambda request, latest, should_stop: f"model of {request}")
    assert isinstance(updater, kind)
    assert updater.fit("it").model == "model of it"
    updater.close()


@pytest.mark.parametrize(("threads", "expected"), [(2, 2), (0, 1)], ids=["two", "left-alone"])
@pytest.mark.usefixtures("thread_counts")
def test_the_number_of_threads_is_set_when_it_is_asked_for(threads: int, expected: int) -> None:
    torch.set_num_threads(1)
    build_tracker(replaced(TrackerConfig(), {"threads": threads, "device": "cpu"})).close()
    assert torch.get_num_threads() == expected
