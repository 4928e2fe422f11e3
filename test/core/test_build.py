"""From names to objects: what cannot work together is refused before anything is built."""

from collections.abc import Iterator

import cv2
import pytest
import torch

from recip_tracker_core import TrackerConfig, build_tracker
from recip_tracker_core.backbones import Backbone
from recip_tracker_core.build import build_updater, check_features, resolve_device
from recip_tracker_core.errors import ConfigError
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


def test_the_defaults_fit_the_default_backbone(backbone: Backbone) -> None:
    check_features(TrackerConfig(), backbone)


def test_an_unknown_backbone_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'resnet'"):
        build_tracker(replaced(TrackerConfig(), {"backbone.name": "resnet"}))


@pytest.mark.parametrize(("name", "kind"), [("inline", InlineUpdater), ("background", BackgroundUpdater)])
def test_the_updater_is_the_one_that_was_named(name: str, kind: type) -> None:
    updater = build_updater(replaced(TrackerConfig(), {"update.updater": name}))
    assert isinstance(updater, kind)
    updater.close()


@pytest.mark.parametrize(("threads", "expected"), [(2, 2), (0, 1)], ids=["two", "left-alone"])
@pytest.mark.usefixtures("thread_counts")
def test_the_number_of_threads_is_set_when_it_is_asked_for(threads: int, expected: int) -> None:
    torch.set_num_threads(1)
    build_tracker(replaced(TrackerConfig(), {"threads": threads, "device": "cpu"})).close()
    assert torch.get_num_threads() == expected
