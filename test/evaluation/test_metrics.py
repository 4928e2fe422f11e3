"""Accuracy, worked by hand, and equal to what the got10k toolkit says of the same files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recip_tracker_core.errors import ConfigError, SourceError
from recip_tracker_core.evaluation.metrics import (
    ERROR_THRESHOLDS,
    PROTOCOLS,
    Accuracy,
    accuracy,
    known_mean,
    overlaps,
    protocol_of,
)
from recip_tracker_core.evaluation.records import Record

DATA = Path(__file__).parent / "data"
TOOLKIT = json.loads((DATA / "got10k.json").read_text(encoding="utf-8"))
CASES = [
    pytest.param(protocol, tracker, name, id=f"{protocol}-{tracker}-{name}")
    for protocol in ("otb", "uav123", "got10k")
    for tracker in ("steady", "wandering")
    for name in ("plain", "hidden", "leaving")
]
ABSENT = [math.nan] * 4
WHOLE = [0, 0, 10, 10]  # the truth wherever the target is present


def record(boxes: Any) -> Record:
    count = len(boxes)
    unknown = np.full(count, np.nan)
    return Record(np.array(boxes, np.float64), unknown, np.ones(count, bool), unknown, np.nan)


def left_part(share: float) -> list[float]:
    """A box with that overlap with WHOLE, its centre 5 (1 - share) pixels off."""
    return [0, 0, 10 * share, 10]


def ten_frames() -> tuple[Record, np.ndarray]:
    """First answer far off, then overlaps of 1, .8, .6, .5, .3, .1, 0, and two frames without the target."""
    boxes = [[90, 90, 5, 5], *map(left_part, (1, 0.8, 0.6, 0.5, 0.3, 0.1, 0, 1, 1))]
    return record(boxes), np.array([WHOLE] * 8 + [ABSENT] * 2, np.float64)


def toolkit_case(protocol: str, tracker: str, name: str) -> tuple[Accuracy, dict[str, Any]]:
    truth = np.loadtxt(DATA / "truth" / f"{name}.txt", delimiter=",")
    said = record(np.loadtxt(DATA / tracker / f"{name}.txt", delimiter=","))
    found = accuracy(said, truth, PROTOCOLS[protocol], tuple(TOOLKIT["image_size_px"]))
    return found, TOOLKIT[protocol][tracker]["seq_wise"][name]


@pytest.mark.parametrize(("protocol", "tracker", "name"), CASES)
def test_the_figures_are_those_of_the_got10k_toolkit(protocol: str, tracker: str, name: str) -> None:
    found, expected = toolkit_case(protocol, tracker, name)
    if protocol == "got10k":  # it reports no curves of single sequences
        assert (found.average_overlap, found.os50) == pytest.approx(
            (expected["ao"], expected["sr"]), abs=1e-9
        )
        return
    np.testing.assert_allclose(found.success, expected["success_curve"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.precision, expected["precision_curve"], rtol=0, atol=1e-9)
    assert found.auc == pytest.approx(expected["success_score"], abs=1e-9)
    assert found.dp20 == pytest.approx(expected["precision_score"], abs=1e-9)
    assert found.os50 == pytest.approx(expected["success_rate"], abs=1e-9)


def test_ten_frames_by_hand_where_only_present_ones_count() -> None:
    found = accuracy(*ten_frames(), PROTOCOLS["uav123"])
    assert (found.frames, found.present) == (8, 8)
    assert found.os50 == 4 / 8  # 1 (given), 1, .8, .6; exactly one half is not above it
    assert found.auc == pytest.approx((20 + 20 + 16 + 12 + 10 + 6 + 2 + 0) / 21 / 8)
    assert found.average_overlap == pytest.approx(4.3 / 8)
    assert found.center_error_px == pytest.approx((0 + 0 + 1 + 2 + 2.5 + 3.5 + 4.5 + 5) / 8)
    assert found.precision[ERROR_THRESHOLDS == 2] == 4 / 8
    assert found.dp20 == 1
    assert found.norm_precision == 4 / 8  # 0, 0, .1 and exactly .2 of the width


def test_ten_frames_by_hand_where_absent_ones_are_misses() -> None:
    found = accuracy(*ten_frames(), PROTOCOLS["otb"])
    assert (found.frames, found.present) == (10, 8)
    assert found.os50 == pytest.approx(4 / 10)
    assert found.auc == pytest.approx(86 / 21 / 10)
    assert found.auc_present == pytest.approx(86 / 21 / 8)
    assert found.average_overlap == pytest.approx(4.3 / 10)
    assert found.center_error_px == pytest.approx(18.5 / 8)
    assert (found.dp20, found.norm_precision) == (8 / 10, 4 / 10)


def test_got10k_leaves_the_first_frame_out() -> None:
    found = accuracy(*ten_frames(), PROTOCOLS["got10k"])
    assert found.frames == 7
    assert found.average_overlap == pytest.approx(3.3 / 7)


def test_the_error_is_normalised_by_width_and_height_on_their_own() -> None:
    truth = np.array([[0, 0, 10, 40]] * 3, np.float64)
    found = accuracy(record([[0, 0, 10, 40], [0, 8, 10, 40], [8, 0, 10, 40]]), truth, PROTOCOLS["lasot"])
    assert found.norm_precision == pytest.approx(2 / 3)  # 8 of 40 is a fifth, 8 of 10 is not


@pytest.mark.parametrize(
    "box",
    [
        pytest.param([0, 0, 0, 0], id="no-size"),
        pytest.param([0, 0, -10, -10], id="negative-size"),
        pytest.param(ABSENT, id="nan"),
        pytest.param([0, 0, math.inf, 10], id="infinite"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_an_answer_that_is_no_box_overlaps_with_nothing(box: list[float]) -> None:
    truth = np.array([WHOLE] * 2, np.float64)
    said = record([WHOLE, box])
    assert overlaps(said, truth).tolist() == [1, 0]
    assert accuracy(said, truth, PROTOCOLS["vot"]).os50 == 0.5


def test_an_answer_without_a_finite_centre_is_a_miss_but_no_distance() -> None:
    found = accuracy(record([WHOLE, ABSENT]), np.array([WHOLE] * 2, np.float64), PROTOCOLS["vot"])
    assert found.precision[-1] == 0.5
    assert found.center_error_px == 0


def test_the_overlap_is_unknown_where_the_target_is_absent() -> None:
    truth = np.array([WHOLE, ABSENT], np.float64)
    np.testing.assert_array_equal(overlaps(record([WHOLE, WHOLE]), truth), [1, np.nan])


@pytest.mark.filterwarnings("error")
def test_a_record_without_a_frame_to_judge_has_no_figures() -> None:
    found = accuracy(record([WHOLE]), np.array([WHOLE], np.float64), PROTOCOLS["got10k"])
    assert found.frames == 0
    assert all(map(math.isnan, (found.auc, found.auc_present, found.average_overlap, found.center_error_px)))


def test_a_record_of_another_length_is_refused() -> None:
    with pytest.raises(SourceError, match="has 1 boxes, expected one a frame, which are 2"):
        overlaps(record([WHOLE]), np.array([WHOLE] * 2, np.float64))


def test_an_unknown_format_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigError, match="unknown format 'coco', expected one of got10k, lasot"):
        protocol_of("coco")


def test_a_mean_is_of_what_is_known() -> None:
    assert known_mean([1, None, math.nan, 2]) == 1.5
    assert known_mean([None, math.nan]) is None
