"""A target that one tracker has learned, in the file, and followed by another: what both kinds promise.

Beyond that, test_locating_tracker.py and test_gaussian_tracker.py have where each begins to look.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from recip_tracker_core import BoundingBox, Frame, Tracker, TrackerConfig, TrackResult, TrackStatus
from recip_tracker_core.backbones import Backbone
from recip_tracker_core.build import build_tracker
from recip_tracker_core.errors import NotInitialisedError, TargetFileError
from recip_tracker_core.geometry import iou
from recip_tracker_core.parameters import describe
from recip_tracker_core.target_contents import weights_digest

pytestmark = pytest.mark.slow

Make = Callable[..., Tracker]
Clip = list[tuple[np.ndarray, tuple[int, int, int, int]]]
KINDS = ("locator", "gaussian")
SAVED_AFTER, NEXT = 12, 13  # frames; in the next one the target is near the place where it was saved
CROPS = {
    "features.mode": "crops",
    "features.stages": ("s16",),
    "features.crop_px": 96,
    "attention.level": "input",
    "first_fit.positives": 16,
    "first_fit.negatives": 32,
    "first_fit.iterations": 1,
    "update.iterations": 1,
    "update.positives": 4,
    "update.negatives": 8,
    "update.interval": 2,
    "regression.samples": 0,
    "search.candidates": 8,
}


@pytest.fixture(scope="module")
def clip(rendered_clip: Callable[..., Clip]) -> Clip:
    return rendered_clip(frames=40, seed=1)


@pytest.fixture(scope="module")
def saved(
    small: Callable[..., TrackerConfig], clip: Clip, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The files of trackers of both kinds that have followed the beginning of the clip."""
    folder, files = tmp_path_factory.mktemp("saved"), {}
    for kind in KINDS:
        with contextlib.closing(build_tracker(small(proposals=kind))) as tracker:
            follow(tracker, clip[:SAVED_AFTER])
            files[kind] = folder / f"{kind}.npz"
            tracker.save(files[kind])
    return files


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def made(make_tracker: Make, kind: str) -> Make:
    """``made(**values)``: a small real tracker of either kind."""
    return functools.partial(make_tracker, proposals=kind)


def follow(tracker: Tracker, clip: Clip) -> list[TrackResult]:
    first = tracker.init(Frame(clip[0][0]), BoundingBox(*clip[0][1]))
    return [first, *(tracker.update(Frame(image)) for image, _ in clip[1:])]


def goes_on(tracker: Tracker, clip: Clip) -> list[TrackResult]:
    return [tracker.update(Frame(image)) for image, _ in clip]


def overlaps(results: list[TrackResult], clip: Clip) -> np.ndarray:
    return iou(np.stack([result.box.as_array() for result in results]), np.array([box for _, box in clip]))


def said(results: list[TrackResult]) -> list[tuple]:
    return [(r.box, r.status, r.confidence, r.score, r.model_version, r.reason) for r in results]


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def equal(one: Path, other: Path, but: tuple[str, ...] = ()) -> None:
    """Both files have the same arrays, bit by bit."""
    arrays, others = arrays_of(one), arrays_of(other)
    assert list(arrays) == list(others)
    for name in set(arrays) - set(but):
        assert arrays[name].dtype == others[name].dtype
        assert np.array_equal(arrays[name], others[name]), name


def test_before_a_target_is_chosen_there_is_nothing_to_save(made: Make, tmp_path: Path) -> None:
    with pytest.raises(NotInitialisedError):
        made().save(tmp_path / "target.npz")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        pytest.param("locator", {}, id="locator"),
        pytest.param("locator", {"classifier.enabled": False}, id="locator-without-classifier"),
        pytest.param(
            "locator", {"classifier.weighs_features": True, "attention.weight": 0.0}, id="locator-that-weighs"
        ),
        pytest.param(
            "locator", {"map.color_likelihood": 0.0, "update.interval": 2}, id="locator-without-colour"
        ),
        pytest.param("gaussian", {"update.interval": 2}, id="gaussian"),
        pytest.param("gaussian", {"regression.samples": 0}, id="gaussian-without-regression"),
        pytest.param("gaussian", CROPS, id="gaussian-of-crops"),
    ],
)
def test_what_is_loaded_is_what_was_saved_bit_by_bit(
    made: Make, clip: Clip, tmp_path: Path, values: dict[str, object]
) -> None:
    one, other = made(**values), made(**values)
    follow(one, clip[:5])
    one.save(tmp_path / "one")
    other.load(tmp_path / "one", Frame(clip[5][0]))
    other.save(tmp_path / "other")
    places = ("place", "size", "first_size")
    equal(tmp_path / "one", tmp_path / "other", but=places)
    first, second = arrays_of(tmp_path / "one"), arrays_of(tmp_path / "other")
    for name in set(places) & set(first):
        np.testing.assert_allclose(first[name], second[name], rtol=1e-6)


def test_put_in_the_same_place_it_follows_and_learns_the_same_bit_by_bit(
    made: Make, clip: Clip, tmp_path: Path
) -> None:
    values = {"update.interval": 3}
    one, other = made(**values), made(**values)
    before = follow(one, clip[:SAVED_AFTER])
    one.save(tmp_path / "file")
    other.load(tmp_path / "file", Frame(clip[NEXT][0]))
    assert other._parts.updater.latest.version == 1
    other._target = one._target if hasattr(one._target, "scene") else as_of(one, other)
    ours, theirs = (goes_on(tracker, clip[SAVED_AFTER:20]) for tracker in (one, other))
    assert [result.box for result in ours] == [result.box for result in theirs]
    assert [result.score for result in ours] == [result.score for result in theirs]
    learned = before[-1].model_version - 1
    assert [result.model_version - learned for result in ours[1:]] == [r.model_version for r in theirs[1:]]
    assert theirs[-1].model_version > 1
    one.save(tmp_path / "one")
    other.save(tmp_path / "other")
    equal(tmp_path / "one", tmp_path / "other")


def as_of(one: Tracker, other: Tracker) -> object:
    """The paper's target with its own refiner and witness, where the first tracker's is; and its chance."""
    other._generator = copy.deepcopy(one._generator)
    target = one._target
    own = {name: getattr(other._target, name) for name in ("refiner", "witness")}
    return type(target)(target.box, target.image_size, **own, since_update=target.since_update)


def test_a_target_is_found_followed_and_learned_by_a_tracker_that_has_only_the_file(
    made: Make, saved: dict[str, Path], kind: str, clip: Clip
) -> None:
    tracker = made(**{"update.interval": 3})
    start = 30 if kind == "locator" else NEXT  # it is half an image from where it was, or near
    loaded = tracker.load(saved[kind], Frame(clip[start][0], stamp_ns=77))
    assert (loaded.status, loaded.reason) == (TrackStatus.LOST, "loaded; not seen yet")
    assert (loaded.model_version, loaded.stamp_ns) == (1, 77)
    assert loaded.confidence < 0.001
    results = goes_on(tracker, clip[start + 1 : start + 10])
    assert (
        overlaps(results[2:], clip[start + 3 : start + 10]).min() > 0.6
    )  # seen from afar, then finely twice
    assert results[-1].status is TrackStatus.TRACKED
    assert results[-1].model_version > 1
    assert results[-1].reason == ""
    assert tracker.statistics.failed == 0


SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from recip_tracker_core import Frame, TrackerConfig, build_tracker
from recip_tracker_core.parameters import replaced

values, target, images = sys.argv[1:]
tracker = build_tracker(replaced(TrackerConfig(), json.loads(values)))
first, *others = (Frame(image) for image in np.load(images))
results = [tracker.load(Path(target), first), *map(tracker.update, others)]
print(json.dumps([[r.status.value, r.model_version, r.box.x, r.box.y, r.box.w, r.box.h] for r in results]))
"""


def test_another_process_does_the_same_with_the_file(
    made: Make,
    small: Callable[..., TrackerConfig],
    saved: dict[str, Path],
    kind: str,
    clip: Clip,
    tmp_path: Path,
) -> None:
    images = [image for image, _ in clip[NEXT : NEXT + 7]]
    np.save(tmp_path / "images.npy", np.stack(images))
    values = {item.name: item.value for item in describe(small(proposals=kind, threads=1))}
    command = (sys.executable, "-c", SCRIPT, json.dumps(values), saved[kind], tmp_path / "images.npy")
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    tracker = made()
    own = [tracker.load(saved[kind], Frame(images[0])), *map(tracker.update, map(Frame, images[1:]))]
    for (status, version, *row), result in zip(json.loads(done.stdout), own, strict=True):
        assert (status, version) == (result.status.value, result.model_version)
        np.testing.assert_allclose(row, result.box.as_array(), rtol=1e-4)
    assert own[-1].status is TrackStatus.TRACKED


@pytest.mark.parametrize("scale", [2.0, 0.5])
def test_in_an_image_of_another_size_it_is_looked_for_at_another_size(
    made: Make, saved: dict[str, Path], kind: str, clip: Clip, scale: float
) -> None:
    tracker, arrays = made(), arrays_of(saved[kind])
    scaled = [
        (cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), box)
        for image, box in clip[NEXT : NEXT + 8]
    ]
    box = tracker.load(saved[kind], Frame(scaled[0][0])).box
    image_px = scale * np.array([160, 120])
    np.testing.assert_allclose(box.center, arrays["place"] * image_px, rtol=1e-5)
    np.testing.assert_allclose([box.w, box.h], arrays["size"] * image_px, rtol=1e-5)
    last = goes_on(tracker, scaled[1:])[-1]
    assert iou(last.box.as_array()[None] / scale, np.array(scaled[-1][1]))[0] > 0.6
    assert last.status is TrackStatus.TRACKED


def test_a_file_that_is_refused_leaves_the_present_track(
    made: Make, saved: dict[str, Path], kind: str, clip: Clip, tmp_path: Path
) -> None:
    (other,) = set(KINDS) - {kind}
    whole = saved[kind].read_bytes()
    bad = [saved[other], tmp_path / "absent", tmp_path / "cut", tmp_path / "changed"]
    bad[2].write_bytes(whole[: len(whole) // 2])
    bad[3].write_bytes(whole[:200_000] + bytes([whole[200_000] ^ 1]) + whole[200_001:])
    disturbed, untouched = made(), made()
    results = [disturbed.init(Frame(clip[0][0]), BoundingBox(*clip[0][1]))]
    for index, (image, _) in enumerate(clip[1:9]):
        with pytest.raises(TargetFileError, match=str(bad[index % 4])):
            disturbed.load(bad[index % 4], Frame(image))
        results.append(disturbed.update(Frame(image)))
    assert said(results) == said(follow(untouched, clip[:9]))


def test_a_loaded_target_takes_the_place_of_the_one_before_and_the_versions_go_on(
    made: Make, saved: dict[str, Path], kind: str, clip: Clip
) -> None:
    tracker, fresh = made(**{"update.interval": 2}), made(**{"update.interval": 2})
    follow(tracker, [(cv2.flip(image, 0), (0, 0, 30, 30)) for image, _ in clip[:6]])
    known = tracker._parts.updater.latest.version
    assert known > 1
    results, others = (
        [one.load(saved[kind], Frame(clip[NEXT][0])), *goes_on(one, clip[NEXT + 1 : NEXT + 8])]
        for one in (tracker, fresh)
    )
    assert results[0].model_version == known + 1
    assert [r.model_version - known for r in results] == [r.model_version for r in others]
    assert [(r.box, r.status, r.confidence, r.score) for r in results] == [
        (r.box, r.status, r.confidence, r.score) for r in others
    ]
    assert others[-1].model_version > 1


def test_a_snapshot_stays_what_it_was_while_the_tracker_goes_on(
    made: Make, clip: Clip, tmp_path: Path
) -> None:
    tracker = made(**{"update.interval": 2})
    follow(tracker, clip[:6])
    tracker.save(tmp_path / "now")
    snapshot = tracker.snapshot()
    goes_on(tracker, clip[6:12])
    snapshot.write(tmp_path / "later")
    equal(tmp_path / "now", tmp_path / "later")


def test_another_of_the_same_parts_loads_beside_it(
    made: Make, saved: dict[str, Path], kind: str, clip: Clip
) -> None:
    tracker, untouched = made(), made()
    results = follow(tracker, clip[:3])
    with contextlib.closing(tracker.another()) as beside:
        assert beside.load(saved[kind], Frame(clip[NEXT][0])).model_version == 1
        for image, _ in clip[3:9]:
            beside.update(Frame(image))
            results.append(tracker.update(Frame(image)))
    assert said(results) == said(follow(untouched, clip[:9]))


@pytest.fixture
def background(make_tracker: Make, kind: str) -> Iterator[Tracker]:
    yield make_tracker(**{"proposals": kind, "update.updater": "background"})


def test_a_tracker_that_learns_in_the_background_saves_and_loads_too(
    background: Tracker, saved: dict[str, Path], kind: str, clip: Clip, tmp_path: Path
) -> None:
    background.load(saved[kind], Frame(clip[NEXT][0]))
    background.save(tmp_path / "again")
    equal(saved[kind], tmp_path / "again", but=("place", "size", "first_size"))
    results = goes_on(background, clip[NEXT + 1 : NEXT + 7])
    assert results[-1].status is TrackStatus.TRACKED


def test_a_closed_tracker_loads_nothing(made: Make, saved: dict[str, Path], kind: str, clip: Clip) -> None:
    tracker = made()
    tracker.close()
    with pytest.raises(NotInitialisedError, match="closed"):
        tracker.load(saved[kind], Frame(clip[NEXT][0]))
    with pytest.raises(NotInitialisedError):
        tracker.update(Frame(clip[NEXT][0]))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("locator", {"locator.grid": 4}, "has 3 for 'settings.locator.grid', expected 4"),
        ("locator", {"refiner.grid": 4}, "has 3 for 'settings.refiner.grid', expected 4"),
        ("locator", {"map.region_px": 176}, "has 160 for 'settings.map.region_px', expected 176"),
        ("locator", {"map.target_px": 40.0}, "has 48.0 for 'settings.map.target_px', expected 40.0"),
        (
            "locator",
            {"map.color_likelihood": 2.0},
            "has 4.0 for 'settings.map.color_likelihood', expected 2.0",
        ),
        ("locator", {"refiner.extent": 1.5}, "has 1.25 for 'settings.refiner.extent', expected 1.5"),
        (
            "locator",
            {"classifier.weighs_features": True, "attention.weight": 0.0},
            "has False for 'settings.classifier.weighs_features', expected True",
        ),
        ("locator", {"classifier.enabled": False}, "has True for 'settings.classifier.enabled'"),
        ("locator", {"classifier.hidden": 40}, "has 48 for 'settings.classifier.hidden', expected 40"),
        ("gaussian", {"classifier.hidden": 40}, "has 48 for 'settings.classifier.hidden', expected 40"),
        ("gaussian", {"features.stages": ("s8",)}, "has ['s8', 's16'] for 'settings.features.stages'"),
        ("gaussian", {"features.grid": 4}, "has 3 for 'settings.features.grid', expected 4"),
        ("gaussian", {"features.region_px": 176}, "has 160 for 'settings.features.region_px', expected 176"),
        ("gaussian", {"features.target_px": 40.0}, "has 48.0 for 'settings.features.target_px', expected 40"),
        ("gaussian", CROPS, "has 'map' for 'settings.features.mode', expected 'crops'"),
    ],
)
def test_a_tracker_of_other_settings_refuses_it_by_the_first_that_differs(
    make_tracker: Make, saved: dict[str, Path], clip: Clip, kind: str, values: dict, expected: str
) -> None:
    tracker = make_tracker(proposals=kind, **values)
    with pytest.raises(TargetFileError) as caught:
        tracker.load(saved[kind], Frame(clip[NEXT][0]))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "values", [{"seed": 5}, {"update.interval": 7}, {"ridge.interval": 1}, {"memory.long_frames": 2}]
)
def test_settings_that_change_only_how_it_goes_on_may_differ(
    made: Make, saved: dict[str, Path], kind: str, clip: Clip, values: dict
) -> None:
    tracker = made(**values)
    tracker.load(saved[kind], Frame(clip[NEXT][0]))
    results = goes_on(tracker, clip[NEXT + 1 : NEXT + 7])
    assert overlaps(results[1:], clip[NEXT + 2 : NEXT + 7]).min() > 0.6
    assert tracker.statistics.failed == 0


def test_crops_that_are_not_learned_from_are_not_loaded(
    make_tracker: Make, clip: Clip, tmp_path: Path
) -> None:
    one = make_tracker(proposals="gaussian", **CROPS)
    one.init(Frame(clip[0][0]), BoundingBox(*clip[0][1]))
    one.save(tmp_path / "file")
    assert arrays_of(tmp_path / "file")["positives.crops"].shape[1:] == (3, 96, 96)
    other = make_tracker(proposals="gaussian", **CROPS, **{"attention.weight": 0.0})
    with pytest.raises(TargetFileError, match=r"has 96 for 'settings\.remembered_crop_px', expected 0"):
        other.load(tmp_path / "file", Frame(clip[1][0]))


def test_half_a_regression_is_refused(
    make_tracker: Make, saved: dict[str, Path], clip: Clip, tmp_path: Path
) -> None:
    arrays = arrays_of(saved["gaussian"])
    with (tmp_path / "half").open("wb") as file:
        np.savez(file, **{**arrays, "weights": arrays["weights"][:0]})
    with pytest.raises(TargetFileError, match=r"has 1 and \[0, 1\] of .*, expected all or none"):
        make_tracker(proposals="gaussian").load(tmp_path / "half", Frame(clip[NEXT][0]))


def test_one_weight_of_the_network_makes_another_digest(backbone: Backbone) -> None:
    other = copy.deepcopy(backbone)
    assert weights_digest(other) == weights_digest(backbone)
    assert isinstance(other, torch.nn.Module)
    list(other.parameters())[3].view(-1)[5] += 1e-3
    assert weights_digest(other) != weights_digest(backbone)


@pytest.mark.parametrize("saves_on_cpu", [True, False])
def test_a_target_changes_devices_by_its_file(
    small: Callable[..., TrackerConfig],
    kind: str,
    device: torch.device,
    clip: Clip,
    tmp_path: Path,
    saves_on_cpu: bool,
) -> None:
    places = ("cpu", str(device)) if saves_on_cpu else (str(device), "cpu")
    with contextlib.ExitStack() as stack:
        one, other = (
            stack.enter_context(contextlib.closing(build_tracker(small(proposals=kind, device=place))))
            for place in places
        )
        follow(one, clip[:SAVED_AFTER])
        one.save(tmp_path / "file")
        other.load(tmp_path / "file", Frame(clip[NEXT][0]))
        results = goes_on(other, clip[NEXT + 1 : NEXT + 7])
        assert overlaps(results[1:], clip[NEXT + 2 : NEXT + 7]).min() > 0.6
        other.save(tmp_path / "again")
        assert other.statistics.failed == 0
