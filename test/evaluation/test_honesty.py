"""Honesty, worked by hand on a few frames."""

from __future__ import annotations

import math
from collections.abc import Sequence as Many
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from recip_tracker_core.evaluation.doubles import Double
from recip_tracker_core.evaluation.honesty import Encounter, encounters, honesty, return_delays
from recip_tracker_core.evaluation.records import Record, Run
from recip_tracker_core.evaluation.sequences import Sequence

GONE = math.nan  # in place of an overlap: the target is absent


def run(
    overlaps: Many[float],
    tracked: Many[bool] | bool = True,
    confidences: Many[float] | float = math.nan,
    name: str = "clip",
    seed: int = 0,
    jumps: tuple[int, ...] = (),
) -> Run:
    """A run over a first frame, which is given, and then one frame for each overlap."""
    overlap = np.array([1.0, *overlaps])
    count = len(overlap)
    truth = np.where(np.isnan(overlap)[:, None], np.nan, [0.0, 0.0, 10.0, 10.0])
    boxes = np.tile([0.0, 0.0, 10.0, 10.0], (count, 1))
    boxes[:, 2] *= np.nan_to_num(overlap, nan=1)  # the left part of the target
    said = np.ones(count, bool)
    said[1:] = tracked
    sure = np.ones(count)
    sure[1:] = confidences
    clip = Sequence(name, (Path("none.jpg"),) * count, truth, jumps=jumps)
    return Run(clip, seed, Record(boxes, sure, said, np.full(count, np.nan), np.nan))


def ten_frames(**options: object) -> Run:
    """Five good frames, one in between, four bad ones; two of these without the target."""
    overlaps = [1.0, 0.8, 0.6, 0.3, 0.1, GONE, GONE, 0.6, 0.9, 0.0]
    confidences = [0.95, 0.9, 0.85, 0.55, 0.7, 0.4, 0.2, 0.8, 0.3, 0.1]
    tracked = [True, True, True, True, True, True, False, False, True, False]
    return run(overlaps, tracked, confidences, **options)  # type: ignore[arg-type]


def test_confidence_tells_good_from_bad_by_hand() -> None:
    found = honesty([ten_frames()])
    assert found.auroc == pytest.approx(18 / 20)  # of 5 x 4 pairs, .3 is below .4 and .7
    assert found.average_precision == pytest.approx((1 + 1 + 3 / 4 + 4 / 5) / 4)  # b b g b b


def test_one_half_is_good_one_fifth_is_not_yet_bad_and_what_is_neither_is_left_out() -> None:
    found = honesty([run([0.5, 0.1, 0.2, 0.4999], confidences=[0.6, 0.5, 0.9, 0.1])])
    assert found.auroc == found.average_precision == 1  # of the first two frames alone


def test_the_calibration_error_by_hand() -> None:
    found = honesty([ten_frames()])
    gaps = [2 * 0.075, 2 * 0.175, 0.7, 0.55, 0.4, 0.7, 0.2, 0.1]  # .9-1, .8-.9, .7, .5, .4, .3, .2, .1
    assert found.calibration_error == pytest.approx(sum(gaps) / 10)
    assert found.reliability is not None
    assert found.reliability.count.tolist() == [0, 1, 1, 1, 1, 1, 0, 1, 2, 2]
    assert found.reliability.confidence[8] == pytest.approx(0.825)
    assert found.reliability.good[[3, 8, 9]].tolist() == [1, 1, 1]
    assert found.reliability.good[[1, 2, 4, 5, 7]].tolist() == [0] * 5
    assert np.isnan(found.reliability.good[[0, 6]]).all()


def test_the_bins_hold_their_lower_edge_and_the_last_one_holds_one() -> None:
    found = honesty([run([1.0] * 4, confidences=[0.0, 0.3, 0.7, 1.0])])
    assert found.reliability is not None
    assert np.flatnonzero(found.reliability.count).tolist() == [0, 3, 7, 9]


def test_absence_and_return_by_hand() -> None:
    found = honesty([ten_frames()])
    assert (found.absent_called_tracked, found.absent_frames) == (0.5, 2)
    assert (found.refound, found.returns, found.refound_frames) == (1, 1, 1)


def test_the_f_score_by_hand() -> None:
    # With S of overlap in the n frames above a threshold and 8 with the target, F is 2 S / (n + 8):
    # 6.0 / 12 at .8, 6.8 / 14 at .55, and best at .3 with 8.6 / 16
    assert honesty([ten_frames()]).f_score == pytest.approx(8.6 / 16)


def test_precision_and_recall_are_averaged_over_sequences_before_f_is_taken() -> None:
    first = run([1.0, 0.0], confidences=[0.9, 0.5], name="first")
    second = run([0.1, 0.1], confidences=[0.5, 0.5], name="second")
    # at .5 both P and R are (.5 + .1) / 2, so F is .3
    # at .9 the second reports nothing, which is no mistake: P = (1 + 1) / 2, R = (.5 + 0) / 2
    assert honesty([first, second]).f_score == pytest.approx(2 * 1 * 0.25 / 1.25)


def test_without_confidences_the_f_score_is_of_what_is_tracked() -> None:
    found = honesty([run([1.0, 1.0, GONE, GONE], tracked=[True, True, False, False])])
    assert found.f_score == 1
    assert found.auroc is found.average_precision is found.calibration_error is found.reliability is None
    assert found.absent_called_tracked == 0


def test_many_confidences_are_thinned_to_a_hundred_thresholds() -> None:
    rng = np.random.default_rng(0)
    overlaps, confidences = rng.random(1000), rng.random(1000)
    exact = max(2 * overlaps[confidences >= t].sum() / ((confidences >= t).sum() + 1000) for t in confidences)
    found = honesty([run(overlaps.tolist(), confidences=confidences.tolist())])
    assert found.f_score == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize(
    ("overlaps", "tracked", "delay"),
    [
        pytest.param([GONE, 0.6], True, 0, id="at-once"),
        pytest.param([GONE, 0.5, 0.6], True, 1, id="one-half-is-not-enough"),
        pytest.param([GONE, 1.0, 1.0], [True, False, True], 1, id="not-claimed-at-first"),
        pytest.param([GONE, *[0.0] * 29, 1.0], True, 29, id="in-the-last-frame-of-the-window"),
        pytest.param([GONE, *[0.0] * 30, 1.0], True, None, id="a-frame-too-late"),
        pytest.param([GONE, 0.0, 0.0], True, None, id="the-sequence-ends"),
    ],
)
def test_a_return_is_found_within_thirty_frames(
    overlaps: list[float], tracked: list[bool] | bool, delay: int | None
) -> None:
    assert return_delays(run(overlaps, tracked)) == (delay,)


def test_a_return_is_not_found_after_the_target_left_again() -> None:
    assert return_delays(run([GONE, 0.0, GONE, 1.0])) == (None, 0)


def test_a_jump_is_a_return_too() -> None:
    assert return_delays(run([1.0, 0.0, 0.0, 0.7], jumps=(2,))) == (2,)


def test_returns_that_are_not_found_count_but_have_no_delay() -> None:
    found = honesty([run([GONE, 0.0, GONE, 0.0, 0.0, 1.0, GONE, 1.0, GONE, 0.0])])
    assert (found.refound, found.returns) == (2 / 4, 4)
    assert found.refound_frames == 1  # median of 2 and 0


LENGTH, PARTED = 30, 25  # frames of a double, and the last in which it is whole


def crossed(
    x: float, is_tracked: bool = True, starts: Many[int] = (1,), frames: int = 200, seed: int = 0
) -> Run:
    """Doubles that pass a target that stays, and a box at ``x`` in each frame in which they have parted."""
    target = (50.0, 0.0, 10.0, 10.0)
    doubles = [
        Double(
            start, (target,) * LENGTH, (Path("none.jpg"),) * LENGTH, (target,) * LENGTH, (2, 0), (0, 0), True
        )
        for start in starts
    ]
    boxes = np.tile(target, (frames, 1))
    boxes[[start + PARTED for start in starts if start + PARTED < frames], 0] = x
    clip = Sequence("clip", (Path("none.jpg"),) * frames, np.tile(target, (frames, 1)), edits=tuple(doubles))
    unknown = np.full(frames, np.nan)
    return Run(clip, seed, Record(boxes, unknown, np.full(frames, is_tracked), unknown, np.nan))


# The double goes from 20 px to the right to 20 px to the left in 29 steps. After 25 of them it is at 50 + 20
# - 25 x 40 / 29 = 35.5, clear of the target: a box at 43 shares 3 px with the target and 2.5 with the double.
@pytest.mark.parametrize(
    ("x", "is_tracked", "told_apart", "switched"),
    [
        pytest.param(50, True, True, False, id="on-the-target"),
        pytest.param(50, False, False, False, id="on-the-target-but-said-to-be-lost"),
        pytest.param(35, True, False, True, id="on-the-double"),
        pytest.param(35, False, False, False, id="on-the-double-but-said-to-be-lost"),
        pytest.param(42.5, True, False, True, id="more-on-the-double"),
        pytest.param(43, True, False, False, id="more-on-the-target-but-not-by-half"),
        pytest.param(90, True, False, False, id="on-neither"),
    ],
)
def test_an_encounter_is_judged_when_the_two_have_parted(
    x: float, is_tracked: bool, told_apart: bool, switched: bool
) -> None:
    assert encounters(crossed(x, is_tracked)) == (Encounter(told_apart, switched),)


def test_a_double_that_is_there_when_the_sequence_ends_is_not_judged() -> None:
    assert len(encounters(crossed(35, starts=(1, 100), frames=100 + PARTED))) == 1
    assert len(encounters(crossed(35, starts=(1, 100), frames=101 + PARTED))) == 2


def test_encounters_are_shares_of_the_look_alikes_and_means_over_seeds() -> None:
    found = honesty([crossed(35, starts=(1, 100)), crossed(50, seed=1)])
    assert (found.told_apart, found.switched, found.look_alikes) == (0.5, 0.5, 3)


def test_without_look_alikes_nobody_knows_who_would_switch() -> None:
    found = honesty([ten_frames()])
    assert (found.told_apart, found.switched, found.look_alikes) == (None, None, 0)


def test_claiming_a_bad_box_anew_is_a_false_recovery() -> None:
    overlaps = [0.0, 0.0, GONE, GONE, 0.9, 0.9, 0.3, 0.3]
    tracked = [True, False, True, True, False, True, False, True]
    # The step to the third frame alone: to the sixth the box is good, to the eighth it is neither
    assert honesty([run(overlaps, tracked)]).false_recoveries == 1


def test_a_class_that_is_missing_leaves_its_figures_unknown() -> None:
    found = honesty([run([1.0, 0.9], confidences=[0.9, 0.8])])
    assert found.auroc is found.average_precision is None
    assert found.calibration_error == pytest.approx(0.15)
    assert (found.absent_called_tracked, found.absent_frames) == (None, 0)
    assert (found.refound, found.returns, found.refound_frames) == (None, 0, None)


def test_confidence_in_another_unit_ranks_but_is_not_calibrated() -> None:
    found = honesty([run([1.0, 0.0], confidences=[7.0, -3.0])])
    assert found.auroc == 1
    assert found.calibration_error is found.reliability is None


def test_figures_are_means_over_seeds_and_counts_are_sums() -> None:
    right = run([1.0, 0.0, GONE, 1.0], [True, False, False, True], [0.9, 0.1, 0.2, 0.8], seed=0)
    wrong = run([1.0, 0.0, GONE, 0.0], [True, False, True, True], [0.1, 0.9, 0.8, 0.9], seed=1)
    found = honesty([wrong, right])
    assert found.auroc == 0.5
    assert (found.absent_called_tracked, found.absent_frames) == (0.5, 2)
    assert (found.refound, found.returns, found.refound_frames) == (0.5, 2, 0)
    assert found.false_recoveries == 1
    assert found.reliability is not None
    assert found.reliability.count.sum() == 8


def test_frames_of_all_sequences_are_ranked_together() -> None:
    first = run([1.0, 0.0], confidences=[0.4, 0.3], name="first")
    second = run([1.0, 0.0], confidences=[0.9, 0.8], name="second")
    assert honesty([first, second]).auroc == 3 / 4  # each alone would have 1


def test_a_sequence_of_one_frame_says_nothing() -> None:
    assert honesty([ten_frames(), run([], name="still")]).auroc == honesty([ten_frames()]).auroc
    alone = honesty([run([])])
    assert alone.auroc is alone.f_score is alone.absent_called_tracked is None
