"""From names to objects: what cannot work together is refused before anything is built."""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import pytest
import torch

from recip_tracker_core import BoundingBox, Frame, TrackerConfig, build, build_tracker, shared_parts
from recip_tracker_core.errors import ConfigError, NotInitialisedError
from recip_tracker_core.gaussian_tracker import GaussianTracker
from recip_tracker_core.locating_tracker import LocatingTracker
from recip_tracker_core.parameters import replaced


@pytest.fixture
def thread_counts() -> Iterator[None]:
    """Numbers of threads as they were, afterwards."""
    before = torch.get_num_threads(), cv2.getNumThreads()
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


@pytest.mark.parametrize(
    ("values", "named"),
    [
        pytest.param({"map.region_px": 200}, r"map\.region_px", id="a-region-off-the-grid"),
        pytest.param({"map.target_px": 300.0}, r"map\.target_px", id="no-context"),
        pytest.param({"attention.level": "s8"}, r"attention\.level", id="a-level-without-gradients"),
        pytest.param(
            {"proposals": "gaussian", "features.region_px": 200}, r"features\.region_px", id="of-the-other"
        ),
        pytest.param(
            {"backbone.name": "vgg_m", "backbone.weights": "random"},
            r"'s4', 's8', 's16'.*VggM has not.*'relu3'.*choose 'gaussian'",
            id="a-backbone-without-its-stages",
        ),
    ],
)
def test_a_tracker_that_cannot_work_is_refused_by_name(values: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        build_tracker(replaced(TrackerConfig(), {"device": "cpu", **values}))


@pytest.mark.parametrize(("proposals", "kind"), [("locator", LocatingTracker), ("gaussian", GaussianTracker)])
def test_the_tracker_is_the_one_that_was_named(proposals: str, kind: type) -> None:
    tracker = build_tracker(replaced(TrackerConfig(), {"proposals": proposals, "device": "cpu"}))
    assert isinstance(tracker, kind)
    tracker.close()


def test_an_unknown_backbone_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="'resnet'"):
        build_tracker(replaced(TrackerConfig(), {"backbone.name": "resnet"}))


@pytest.mark.parametrize(("threads", "expected"), [(2, 2), (0, 1)], ids=["two", "left-alone"])
@pytest.mark.usefixtures("thread_counts")
def test_the_number_of_threads_is_set_when_it_is_asked_for(threads: int, expected: int) -> None:
    torch.set_num_threads(1)
    build_tracker(replaced(TrackerConfig(), {"threads": threads, "device": "cpu"})).close()
    assert torch.get_num_threads() == expected


@pytest.mark.parametrize(
    ("updater", "threads", "count", "expected"),
    [
        pytest.param("inline", 0, 8, 1, id="all in one thread"),
        pytest.param("background", 0, 8, 2, id="learning leaves a second one"),
        pytest.param("background", 0, 1, 1, id="there is one processor"),
        pytest.param("background", 3, 1, 3, id="asked for"),
    ],
)
def test_the_network_has_a_second_thread_where_learning_is_elsewhere(
    monkeypatch: pytest.MonkeyPatch, updater: str, threads: int, count: int, expected: int
) -> None:
    monkeypatch.setattr(build, "processors", lambda: count)
    config = replaced(TrackerConfig(), {"update.updater": updater, "backbone.threads": threads})
    assert build.engine_wish(config, torch.device("cpu")).threads == expected


@pytest.mark.parametrize("proposals", ["locator", "gaussian"])
def test_warming_up_gives_no_target_and_takes_none(make_tracker, rendered_clip, proposals: str) -> None:
    tracker = make_tracker(proposals=proposals)
    build.warm_up(tracker)
    image, box = rendered_clip(frames=1)[0]
    with pytest.raises(NotInitialisedError):
        tracker.update(Frame(image))
    first = tracker.init(Frame(image), BoundingBox(*box))
    build.warm_up(tracker)
    assert tracker.statistics.completed == first.model_version == 1


@pytest.mark.parametrize("proposals", ["locator", "gaussian"])
def test_warming_up_records_the_step_that_first_fits_and_updates_replay(
    make_tracker, rendered_clip, monkeypatch: pytest.MonkeyPatch, proposals: str
) -> None:
    made, replays = [], []

    def record(step: Callable[[], None], device: torch.device) -> tuple[Callable[[], None], Any]:
        made.append(device)
        return lambda: (replays.append(1), step()), None

    monkeypatch.setattr(shared_parts, "recorder", lambda device: record)
    values = {"first_fit.iterations": 7, "update.iterations": 3, "update.interval": 2}
    tracker = make_tracker(proposals=proposals, **values)
    build.warm_up(tracker)
    assert len(made) == 1
    del replays[:]
    (image, box), *later = rendered_clip(frames=6)
    tracker.init(Frame(image), BoundingBox(*box))
    assert len(replays) == 7
    for index, (seen, _) in enumerate(later, 1):
        tracker.update(Frame(seen, index=index))
    assert len(replays) >= 7 + 2 * 3
    assert len(made) == 1


def test_an_engine_that_records_nothing_leaves_learning_to_plain_launches(
    make_tracker, rendered_clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(step: Callable[[], None], device: torch.device) -> None:
        raise AssertionError("nothing may be recorded")

    monkeypatch.setattr(shared_parts, "recorder", lambda device: refuse)
    tracker = make_tracker(**{"backbone.engine": "torch"})
    image, box = rendered_clip(frames=1)[0]
    assert tracker.init(Frame(image), BoundingBox(*box)).model_version == 1
    with pytest.raises(AssertionError, match="nothing may be recorded"):
        make_tracker().init(Frame(image), BoundingBox(*box))
