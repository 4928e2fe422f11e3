"""Film strips: which stretches are the worst, and what their tiles show."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

pytest.importorskip("sklearn")

from recip_tracker_core.drawing import COLORS
from recip_tracker_core.evaluation.records import Record, Run
from recip_tracker_core.evaluation.sequences import Sequence
from recip_tracker_core.evaluation.strips import TILE_PX, film_strip, worst_stretches
from recip_tracker_core.types import TrackStatus


def follow(
    sequence: Sequence, missed: range = range(0), lost: range = range(0), shift: float = 2.0, seed: int = 0
) -> Run:
    """The truth, or where there is none the first box; in the missed frames, moved by so many widths."""
    boxes = np.where(np.isfinite(sequence.truth), sequence.truth, sequence.truth[0])
    boxes[list(missed), 0] += shift * boxes[list(missed), 2]
    tracked = np.ones(len(boxes), bool)
    tracked[list(lost)] = False
    confidences, seconds = np.full(len(boxes), 0.5), np.full(len(boxes), np.nan)
    return Run(sequence, seed, Record(boxes, confidences, tracked, seconds, np.nan))


def spans(runs: list[Run], count: int = 5) -> list[tuple[str, int, int, int]]:
    found = worst_stretches(runs, count)
    return [(one.run.sequence.name, one.run.seed, one.start, one.stop) for one in found]


def test_the_worst_stretch_is_that_with_the_lowest_mean_overlap(
    rendered_sequence: Callable[..., Sequence],
) -> None:
    run = follow(rendered_sequence(frames=80), missed=range(30, 60), shift=0.5)
    (worst, *_) = worst_stretches([run])
    assert (worst.start, worst.stop) == (30, 60)
    assert worst.overlap == pytest.approx(1 / 3)  # half a width off: one half shared, of one and a half


def test_stretches_of_a_run_share_no_frame_and_leave_out_the_given_one(
    rendered_sequence: Callable[..., Sequence],
) -> None:
    found = spans([follow(rendered_sequence(frames=80), missed=range(10, 80))])
    frames = [frame for _, _, start, stop in found for frame in range(start, stop)]
    assert len(frames) == len(set(frames)) == 60
    assert 0 not in frames


def test_every_sequence_is_shown_once_before_one_is_shown_twice(
    rendered_sequence: Callable[..., Sequence],
) -> None:
    hard, easy = rendered_sequence("hard", frames=31), rendered_sequence("easy", frames=31, seed=1)
    runs = [follow(hard, missed=range(1, 31), seed=seed) for seed in range(2)] + [follow(easy, seed=7)]
    assert spans(runs, count=2) == [("hard", 0, 1, 31), ("easy", 7, 1, 31)]
    assert spans(runs, count=3) == [("hard", 0, 1, 31), ("hard", 1, 1, 31), ("easy", 7, 1, 31)]


@pytest.mark.parametrize(
    ("lost", "overlap"),
    [
        pytest.param(range(0), 20 / 30, id="called-tracked"),
        pytest.param(range(5, 15), 1.0, id="called-lost"),
        pytest.param(range(5, 8), 23 / 30, id="called-lost-for-three-frames"),
    ],
)
def test_an_absence_counts_against_the_tracker_while_it_claims_the_target(
    rendered_sequence: Callable[..., Sequence], lost: range, overlap: float
) -> None:
    sequence = rendered_sequence(frames=31, hidden=range(5, 15))
    (stretch,) = worst_stretches([follow(sequence, lost=lost)])
    assert stretch.overlap == pytest.approx(overlap)


def test_the_order_of_the_runs_does_not_matter(rendered_sequence: Callable[..., Sequence]) -> None:
    sequences = [rendered_sequence(name, frames=40, seed=at) for at, name in enumerate("abc")]
    runs = [follow(one, missed=range(20, 40), seed=seed) for one in sequences for seed in range(2)]
    assert spans(runs) == spans(runs[::-1])


def test_a_run_of_the_given_frame_alone_has_no_stretch(rendered_sequence: Callable[..., Sequence]) -> None:
    assert worst_stretches([follow(rendered_sequence(frames=1))]) == ()


def test_a_strip_has_eight_frames_from_the_first_of_the_stretch_to_its_last(
    rendered_sequence: Callable[..., Sequence],
) -> None:
    run = follow(rendered_sequence(frames=40, hidden=range(20, 30)), missed=range(10, 20), lost=range(25, 30))
    (stretch, *_) = worst_stretches([run])
    tiles = film_strip(stretch)
    assert len(tiles) == 8
    assert (tiles[0].index, tiles[-1].index) == (stretch.start, stretch.stop - 1)
    for tile in tiles:
        assert (tile.overlap is None) == (tile.index in range(20, 30))
        assert tile.is_tracked == (tile.index not in range(25, 30))
        assert tile.confidence == 0.5


def test_a_short_stretch_shows_each_frame_once(rendered_sequence: Callable[..., Sequence]) -> None:
    (stretch,) = worst_stretches([follow(rendered_sequence(frames=4))])
    assert [tile.index for tile in film_strip(stretch)] == [1, 2, 3]


@pytest.mark.parametrize("state", [TrackStatus.TRACKED, TrackStatus.LOST], ids=lambda state: state.value)
def test_a_tile_shows_the_answer_in_its_states_colour_and_the_truth_in_white(
    rendered_sequence: Callable[..., Sequence], state: TrackStatus
) -> None:
    lost = range(2) if state is TrackStatus.LOST else range(0)
    (stretch,) = worst_stretches(
        [follow(rendered_sequence(frames=2), missed=range(1, 2), lost=lost, shift=-1.5)]
    )
    (tile,) = film_strip(stretch)
    picture = decoded(tile.picture)
    assert picture.shape == (TILE_PX, TILE_PX, 3)
    assert near(picture, COLORS[state]).sum() > 100
    assert near(picture, (255, 255, 255)).sum() > 100


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((-5000.0, -5000.0, 10.0, 10.0), id="far-outside"),
        pytest.param((1e7, 10.0, 1e8, 10.0), id="huge"),
        pytest.param((10.0, 10.0, 0.0, 0.0), id="no-area"),
        pytest.param((np.nan,) * 4, id="not-a-number"),
    ],
)
@pytest.mark.parametrize("hidden", [range(0), range(1, 2)], ids=["present", "absent"])
def test_any_answer_can_be_shown(
    rendered_sequence: Callable[..., Sequence], box: tuple[float, ...], hidden: range
) -> None:
    run = follow(rendered_sequence(frames=2, hidden=hidden))
    run.record.boxes[1] = box
    (stretch,) = worst_stretches([run])
    (tile,) = film_strip(stretch)
    assert decoded(tile.picture).shape == (TILE_PX, TILE_PX, 3)


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def near(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.abs(picture.astype(int) - color).max(axis=2) < 45
