"""What is varied, what its turns give, and what is said of it."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

for library in ("typer", "matplotlib"):
    pytest.importorskip(library)

import typer

sys.path.append(str(Path(__file__).parents[2] / "bench"))

import scaling
import scaling_dimensions
from scaling import PROMISES, Promise, Row
from scaling_dimensions import FULL, QUICK, Dimension, Following, Plan, Remembering, Setting, Turn
from scaling_picture import drawn
from scaling_scenes import PERIOD, Scene

from recip_tracker_core import TrackerConfig
from recip_tracker_core.parameters import replaced

pytestmark = pytest.mark.slow

CONFIG = replaced(TrackerConfig(), {"device": "cpu", "update.updater": "inline", **scaling_dimensions.SMALL})
TINY = Plan(turns=2, frames=3, ages=(6, 12))


class Counted:
    """Answers with the number of its turn, in the order in which turns are asked for."""

    def __init__(self, asked: list[int], value: int) -> None:
        self.asked, self.value, self.is_closed = asked, value, False

    def turn(self, frames: int) -> Turn:
        self.asked.append(self.value)
        return Turn({"": [float(self.value)] * frames}, tracked=1, answered=2)

    def close(self) -> None:
        self.is_closed = True


def cost(value: int | str, median_ms: float, at: float = 1.0) -> Row:
    return Row(value, at, median_ms, p99_ms=2 * median_ms, tracked=1.0)


def gaps(boxes) -> list[float]:
    """The larger of the gaps across and down, of each pair of boxes; negative where they overlap."""
    return [
        max(
            abs(a.center[0] - b.center[0]) - (a.w + b.w) / 2, abs(a.center[1] - b.center[1]) - (a.h + b.h) / 2
        )
        for a, b in itertools.combinations(boxes, 2)
    ]


@pytest.mark.parametrize("kind", [Scene.near, Scene.far], ids=["near", "far"])
@pytest.mark.parametrize("count", scaling_dimensions.TARGETS)
def test_targets_stay_in_the_image_and_apart(kind, count: int) -> None:
    scene = kind((1280, 720), 60, count)
    for index in range(0, PERIOD, 5):
        boxes = scene.boxes(index)
        assert len(boxes) == count
        assert all(min(box.x, box.y, 1280 - box.x - box.w, 720 - box.y - box.h) >= 0 for box in boxes)
        assert all(gap > 0 for gap in gaps(boxes))


def test_near_targets_are_neighbours_and_far_ones_are_not() -> None:
    near, far = Scene.near((1280, 720), 60, 8), Scene.far((1280, 720), 60, 8)
    assert max(gaps(near.boxes(0))) < 2 * 60
    assert min(gaps(far.boxes(0))) > 3 * 60


def test_an_image_shows_the_targets_where_they_are_said_to_be() -> None:
    scene = Scene.near((320, 240), 40, 2)
    images = scene.images()
    before, after = (box for index in (0, 30) for box in scene.boxes(index)[1:])
    cuts = [
        images[index][int(box.y) : int(box.y + box.h), int(box.x) : int(box.x + box.w)]
        for index, box in ((0, before), (30, after))
    ]
    assert (before.x, before.y) != (after.x, after.y)
    np.testing.assert_array_equal(*cuts)


@pytest.mark.parametrize("size", scaling_dimensions.IMAGE_SIZES, ids=str)
def test_the_target_moves_in_images_of_every_size(size: tuple[int, int]) -> None:
    scene = Scene.near(size, scaling_dimensions.SIDE_PX)
    steps = [
        abs(b.x - a.x) + abs(b.y - a.y) for (a,), (b,) in itertools.pairwise(map(scene.boxes, range(PERIOD)))
    ]
    assert 1 < np.mean(steps) < scaling_dimensions.SIDE_PX / 4


def test_settings_take_turns_forth_and_back_and_are_closed() -> None:
    asked: list[int] = []
    runs = {value: Counted(asked, value) for value in (1, 2)}
    settings = tuple(Setting(value, value, lambda value=value: runs[value]) for value in runs)
    rows = scaling.measured(Dimension("things", "number", settings), TINY)
    assert asked == [1, 2, 2, 1]
    assert rows == {"things": [Row(1, 1, 1000.0, 1000.0, 0.5), Row(2, 2, 2000.0, 2000.0, 0.5)]}
    assert all(run.is_closed for run in runs.values())


def test_a_turn_has_as_many_frames_as_were_asked_for_and_the_answers_of_all_targets() -> None:
    config = replaced(CONFIG, scaling_dimensions.RUNS["off"])
    following = Following(config, Scene.near((320, 240), 40, 2), is_group=True)
    turn = following.turn(4)
    following.close()
    assert len(turn.seconds[""]) == 4
    assert turn.answered == turn.tracked == 8


def test_a_remembered_target_is_found_again_and_learned_at_its_age() -> None:
    dimension = scaling_dimensions.memory(CONFIG, TINY)
    with dimension.prepared():
        run = dimension.settings[1].started()
        assert isinstance(run, Remembering)
        turns = [run.turn(0) for _ in range(2)]
        run.close()
    interval = CONFIG.update.interval
    for turn in turns:
        assert turn.tracked == turn.answered == len(turn.seconds["a frame"]) == interval
        assert len(turn.seconds["an update"]) + 1 == interval / CONFIG.ridge.interval
        assert len(turn.seconds["a classifier update"]) == 1


@pytest.mark.parametrize(("last_ms", "is_kept"), [(300.0, True), (301.0, False)])
def test_a_promise_is_about_a_ratio_of_medians(last_ms: float, is_kept: bool) -> None:
    rows = {"targets: near": [cost(1, 100.0), cost(2, 1.0), cost(8, last_ms)]}
    judged = Promise("{} over {}", "targets: near", 3.0, 8, 1).judged(rows)
    assert judged == {"text": "8 over 1", "ratio": last_ms / 100, "most": 3.0, "kept": is_kept}


def test_a_promise_about_what_was_not_measured_is_not_judged() -> None:
    assert PROMISES[0].judged({"image size": [cost(1, 1.0)]}) is None


@pytest.mark.parametrize("plan", [FULL, QUICK], ids=["full", "quick"])
def test_every_promise_is_about_a_series_that_is_measured(plan: Plan) -> None:
    varied = scaling_dimensions.dimensions("cpu", plan)
    named = {f"{one.name}: {setting.series}" for one in varied for setting in one.settings if setting.series}
    of_memory = {"memory: a frame", "memory: an update", "memory: a classifier update"}
    assert {promise.series for promise in PROMISES} <= named | of_memory


def test_an_unknown_dimension_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="'candidate'"):
        scaling.chosen(scaling_dimensions.dimensions("cpu", QUICK), ["candidate"])


def test_the_json_file_has_all_figures_and_what_came_of_the_promises() -> None:
    near = PROMISES[0].series
    rows = {"candidates": [cost(64, 1.0), cost(128, 2.0)], near: [cost(1, 1.0), cost(8, 4.0)]}
    told = json.loads(scaling.as_json({"device": "cpu"}, rows, scaling.judged(rows)))
    assert set(told) == {"machine", "dimensions", "promises"}
    assert [row["median_ms"] for row in told["dimensions"]["candidates"]] == [1, 2]
    assert [(promise["ratio"], promise["kept"]) for promise in told["promises"]] == [(4, False)]


def test_a_picture_has_a_panel_a_dimension_and_nothing_where_there_is_none() -> None:
    axes = dict.fromkeys(("one", "two", "three", "four", "five"), "number")
    found = {name: {name: [cost(1, 1.0, 1), cost(2, 2.0, 2)]} for name in axes}
    image = cv2.imdecode(np.frombuffer(drawn(axes, found), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    panels = [half for row in np.array_split(image, 2) for half in np.array_split(row, 3, axis=1)]
    assert [bool((panel < 200).any()) for panel in panels] == [True] * 5 + [False]


def test_a_row_says_median_and_99th_percentile_in_milliseconds() -> None:
    row = scaling.row(Setting("a", 3.0, lambda: Counted([], 0)), [0.001, 0.002, 0.009], tracked=0.5)
    assert dataclasses.astuple(row) == ("a", 3.0, 2.0, pytest.approx(8.86), 0.5)
