"""The figures of an evaluation: how seeds and sequences are brought together, by hand."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence as Many
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("sklearn")

from recip_tracker_core.errors import ConfigError, SourceError
from recip_tracker_core.evaluation.records import Evaluation, Record, Run
from recip_tracker_core.evaluation.sequences import Sequence
from recip_tracker_core.evaluation.summary import accuracies, summarise

GONE = math.nan  # in place of an overlap: the target is absent
DATA = Path(__file__).parent / "data"


def clip(overlaps: Many[float], name: str, attributes: tuple[str, ...] = (), file: str = "none") -> Sequence:
    absent = np.isnan(np.array([1.0, *overlaps]))
    truth = np.where(absent[:, None], np.nan, [0.0, 0.0, 10.0, 10.0])
    return Sequence(name, (Path(file),) * len(truth), truth, attributes)


def run(
    overlaps: Many[float],
    name: str = "a",
    seed: int = 0,
    seconds: float | Many[float] = math.nan,
    core_share: float = 1.0,
    confidences: float | Many[float] = math.nan,
    attributes: tuple[str, ...] = (),
    file: str = "none",
) -> Run:
    """A run over a first frame, which is given, and then one frame for each overlap."""
    count = len(overlaps) + 1
    boxes = np.tile([0.0, 0.0, 10.0, 10.0], (count, 1))
    boxes[1:, 2] *= np.nan_to_num(overlaps, nan=1)
    sure, taken = np.ones(count), np.ones(count)
    sure[1:], taken[1:] = confidences, seconds
    record = Record(boxes, sure, np.ones(count, bool), taken, core_share)
    return Run(clip(overlaps, name, attributes, file), seed, record)


def tracker(*runs: Run, benchmark: str = "otb", **more: Any) -> dict[str, Any]:
    summary = summarise(Evaluation("made", benchmark, {"mine": runs}, **more))
    return dict(summary["trackers"]["mine"])


def two_by_two() -> tuple[Run, ...]:
    """Two sequences, two seeds: a succeeds in 1 and .5 of its frames, b in .25 and .25."""
    return (
        run([1.0], "a", 0, attributes=("FAST",)),
        run([0.0], "a", 1, attributes=("FAST",)),
        run([0.0, 0.0, 0.0], "b", 0, attributes=("FAST", "BLUR")),
        run([0.0, 0.0, 0.0], "b", 1, attributes=("FAST", "BLUR")),
    )


def test_a_figure_is_the_mean_over_seeds_and_then_over_sequences() -> None:
    found = tracker(*two_by_two())
    assert found["os50"] == pytest.approx((0.75 + 0.25) / 2)
    assert found["auc"] == pytest.approx((0.75 + 0.25) / 2 * 20 / 21)
    assert found["success"] == pytest.approx([0.5] * 20 + [0])
    assert len(found["precision"]) == 51
    assert found["precision"][20] == found["dp20"] == 1
    assert found["seeds"] == 2


def test_a_sequence_that_lacks_a_seed_weighs_as_much_as_the_others() -> None:
    runs = two_by_two()[:3]
    assert tracker(*runs)["os50"] == pytest.approx((0.75 + 0.25) / 2)


def test_the_spread_is_that_of_the_mean_auc_over_the_seeds() -> None:
    found = tracker(*two_by_two())
    means = np.array([(1 + 0.25) / 2, (0.5 + 0.25) / 2]) * 20 / 21
    assert found["auc_std"] == pytest.approx(means.std(ddof=1))
    assert found["sequences"]["a"]["auc_std"] == pytest.approx(0.5 * 20 / 21 / math.sqrt(2))
    assert found["sequences"]["b"]["auc_std"] == 0


def test_one_seed_has_no_spread() -> None:
    assert tracker(run([1.0]))["auc_std"] is None


def test_each_attribute_has_the_mean_of_its_sequences() -> None:
    found = tracker(*two_by_two())
    assert list(found["attributes"]) == ["BLUR", "FAST"]
    assert found["attributes"]["BLUR"] == pytest.approx(0.25 * 20 / 21)
    assert found["attributes"]["FAST"] == pytest.approx(found["auc"])


def test_each_sequence_has_its_own_figures() -> None:
    found = tracker(run([1.0, GONE, GONE], seconds=[0.5, 0.5, 1.0]))["sequences"]
    assert found == {
        "a": {
            "auc": pytest.approx(20 / 21 / 2),
            "auc_present": pytest.approx(20 / 21),
            "auc_std": None,
            "dp20": 0.5,
            "fps": 1.5,
            "frames": 4,
        }
    }


def test_speed_is_of_frames_after_the_first_and_of_times_that_are_known() -> None:
    slow = run([1.0, 1.0, 1.0], "a", seconds=[1.0, math.nan, 3.0])
    fast = run([1.0, 1.0], "b", seconds=0.25)
    found = tracker(slow, fast)
    assert found["fps"] == pytest.approx(4 / 4.5)
    assert [found["sequences"][name]["fps"] for name in "ab"] == [0.5, 4]


@pytest.mark.parametrize(
    ("core_share", "seconds", "fps"),
    [
        pytest.param(0.9, 0.5, 2.0, id="a-core-to-itself"),
        pytest.param(0.8, 0.5, None, id="a-shared-core"),
        pytest.param(math.nan, 0.5, None, id="nobody-knows"),
        pytest.param(1.0, math.nan, None, id="no-times"),
    ],
)
def test_speed_is_known_only_where_the_tracker_had_a_core_to_itself(
    core_share: float, seconds: float, fps: float | None
) -> None:
    found = tracker(run([1.0], seconds=seconds, core_share=core_share))
    assert found["fps"] == found["sequences"]["a"]["fps"] == fps


def test_honesty_stands_beside_accuracy() -> None:
    found = tracker(run([1.0, 0.6, 0.1, GONE], confidences=[0.9, 0.85, 0.4, 0.95]))
    assert found["auroc"] == 2 / 4
    assert found["ece"] == pytest.approx((abs(0.9 + 0.95 - 1) + 0.15 + 0.4) / 4)
    assert found["reliability"]["count"] == [0, 0, 0, 0, 1, 0, 0, 0, 1, 2]
    assert found["reliability"]["good"][4:] == [0, None, None, None, 1, 0.5]
    assert (found["absent_called_tracked"], found["absent_frames"]) == (1, 1)
    assert (found["told_apart"], found["switched"], found["look_alikes"]) == (None, None, 0)


def test_real_time_counts_the_frames_that_were_looked_at() -> None:
    runs = {"mine": (run([1.0, 1.0, 0.0, 0.0], seconds=[0.1, math.nan, math.nan, 0.1]),)}
    found = tracker(run([1.0] * 4), realtime=runs, rate_hz=30.0)
    assert found["realtime"] == {
        "rate_hz": 30,
        "auc": pytest.approx(3 / 5 * 20 / 21),
        "dp20": 1,
        "os50": 3 / 5,
        "looked_at": 0.5,
    }
    assert found["os50"] == 1


def test_without_a_real_time_pass_there_are_no_figures_of_it() -> None:
    assert tracker(run([1.0]))["realtime"] is None


def test_the_summary_is_json_and_the_same_whatever_the_order_of_the_runs() -> None:
    rng = np.random.default_rng(0)
    runs = [
        run(rng.random(20).tolist(), name, seed, 0.1, 1.0, rng.random(20).tolist())
        for name in "abc"
        for seed in range(3)
    ]
    runs.append(run([GONE, 0.3], "d", 0))
    texts = {
        json.dumps(
            summarise(Evaluation("made", "vot", names, conditions=conditions)), allow_nan=False, indent=1
        )
        for names, conditions in (
            ({"x": tuple(runs), "y": tuple(runs[:4])}, {"limit": "20", "edits": "0"}),
            ({"y": tuple(runs[3::-1]), "x": tuple(runs[::-1])}, {"edits": "0", "limit": "20"}),
        )
    }
    assert len(texts) == 1


def test_scores_that_are_known_are_not_computed_again() -> None:
    evaluation = Evaluation("made", "otb", {"mine": (run([1.0]),)})
    known = accuracies(evaluation)
    marked = {"mine": (dataclasses.replace(known["mine"][0], center_error_px=42.0),)}
    assert summarise(evaluation)["trackers"]["mine"]["center_error_px"] == 0
    assert summarise(evaluation, marked)["trackers"]["mine"]["center_error_px"] == 42


def test_only_a_format_that_clips_reads_an_image(tmp_path: Path) -> None:
    image = tmp_path / "0.png"
    cv2.imwrite(str(image), np.zeros((8, 5, 3), np.uint8))
    passes = (run([0.5, 0.6], file=str(image)),)
    clipped = accuracies(Evaluation("made", "got10k", {"mine": passes}))["mine"][0]
    assert clipped.average_overlap == 1  # in an image 5 pixels wide
    absent = (run([0.5, 0.6]),)
    unclipped = accuracies(Evaluation("made", "uav123", {"mine": absent}))["mine"][0]
    assert unclipped.average_overlap == pytest.approx((1 + 0.5 + 0.6) / 3)
    with pytest.raises(SourceError, match="none"):
        accuracies(Evaluation("made", "got10k", {"mine": absent}))


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ConfigError, match="unknown format 'coco'"):
        summarise(Evaluation("made", "coco", {}))


@pytest.mark.parametrize("name", ["steady", "wandering"])
@pytest.mark.parametrize("benchmark", ["otb", "uav123"])
def test_overall_figures_are_those_of_the_got10k_toolkit(name: str, benchmark: str) -> None:
    runs = []
    for file in sorted((DATA / "truth").glob("*.txt")):
        truth, boxes = (np.loadtxt(DATA / folder / file.name, delimiter=",") for folder in ("truth", name))
        unknown = np.full(len(truth), np.nan)
        record = Record(boxes, unknown, np.ones(len(truth), bool), unknown, math.nan)
        runs.append(Run(Sequence(file.stem, (file,) * len(truth), truth), 0, record))
    found = tracker(*runs, benchmark=benchmark)
    toolkit = json.loads((DATA / "got10k.json").read_text(encoding="utf-8"))[benchmark][name]["overall"]
    np.testing.assert_allclose(found["success"], toolkit["success_curve"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found["precision"], toolkit["precision_curve"], rtol=0, atol=1e-9)
    assert [found["auc"], found["dp20"], found["os50"]] == pytest.approx(
        [toolkit["success_score"], toolkit["precision_score"], toolkit["success_rate"]], abs=1e-9
    )
