"""The story of a frame in the paper's way, told by parts that follow a script."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from recip_tracker_core import BoundingBox, Boxes, Frame, TrackerConfig, TrackStatus
from recip_tracker_core.backbones import Backbone
from recip_tracker_core.classifier import Head, Scored
from recip_tracker_core.errors import BoxError, LearningError
from recip_tracker_core.features import Batch
from recip_tracker_core.gaussian_build import build_schedule
from recip_tracker_core.gaussian_tracker import GaussianTracker, Parts
from recip_tracker_core.geometry import iou
from recip_tracker_core.learning import LearningRequest
from recip_tracker_core.margin_judge import MarginJudge
from recip_tracker_core.memory import SampleMemory
from recip_tracker_core.painting import RegionPainter
from recip_tracker_core.parameters import replaced
from recip_tracker_core.regression import Unrefined
from recip_tracker_core.target_contents import DrawnFormat
from recip_tracker_core.updater import Published, UpdateStatistics

BOX = BoundingBox(60, 40, 20, 20)
FRAME = Frame(np.zeros((120, 160, 3), np.uint8), stamp_ns=77)
SURE, UNSURE = 4.0, -4.0


class BoxesAsFeatures:
    """Looks whose features of a box are the box itself, and which cover everything."""

    channels, grid = 4, 1

    def __init__(self) -> None:
        self.sampled: list[Boxes] = []

    def look(self, frame: Frame, target: BoundingBox) -> BoxesAsFeatures:
        return self

    def covers(self, boxes: Boxes) -> np.ndarray:
        return np.ones(len(boxes), bool)

    def sample(self, boxes: Boxes) -> Tensor:
        self.sampled.append(boxes)
        return torch.from_numpy(boxes).reshape(-1, 4, 1, 1)

    def batch(self, boxes: Boxes) -> Batch:
        return Batch(self.sample(boxes))


class OneStepRight:
    """Proposes the last box, one pixel further right and grown, and notes whether it was to search."""

    def __init__(self, growth: float) -> None:
        self._growth = growth
        self.was_searching: list[bool] = []

    def propose(self, frame, view, last: BoundingBox, *, searching: bool, generator) -> Boxes:
        self.was_searching.append(searching)
        return np.array([[last.x + 1, last.y, last.w * self._growth, last.h * self._growth]], np.float32)


class ScriptedClassifier:
    """Scores each frame as the script says, and notes which heads it was given."""

    def __init__(self, scores: tuple[float, ...]) -> None:
        self._scores = iter(scores)
        self.heads: list[Head] = []
        self.witnesses: list[Head] = []

    def classify(self, view, candidates: Boxes, head: Head, witness: Head) -> Scored:
        self.heads.append(head)
        self.witnesses.append(witness)
        return Scored(candidates, np.array([next(self._scores)], np.float32))


class RecordingUpdater:
    """Publishes a copy of the head it was given, or of its latest, at once; keeps requests, counts reads."""

    def __init__(self) -> None:
        self.submitted: list[LearningRequest] = []
        self.reads = 0
        self.fails_next = False
        self.statistics = UpdateStatistics()
        self._published: Published[Head] | None = None

    @property
    def latest(self) -> Published[Head]:
        self.reads += 1
        assert self._published is not None
        return self._published

    def fit(self, request: LearningRequest) -> Published[Head]:
        if self.fails_next:
            raise LearningError("a fit that failed")
        assert request.head is not None
        return self._publish(request.head)

    def adopt(self, head: Head) -> Published[Head]:
        return self._publish(head)

    def submit(self, request: LearningRequest) -> None:
        self.submitted.append(request)
        assert self._published is not None
        self._publish(self._published.model)

    def _publish(self, head: Head) -> Published[Head]:
        version = 1 if self._published is None else self._published.version + 1
        self._published = Published(version, copy.deepcopy(head))
        return self._published

    def close(self) -> None:
        pass


SCHEDULE = {
    "first_fit.positives": 20,
    "first_fit.negatives": 40,
    "regression.samples": 0,
    "search.size_gain": 0.5,
    "update.positives": 3,
    "update.negatives": 4,
    "update.iterations": 2,
    "update.interval": 4,
}


class Scripted:
    """A tracker of scripted parts that was told where the target is, and has seen some frames."""

    def __init__(
        self,
        backbone: Backbone,
        scores: tuple[float, ...],
        later: tuple[float, ...],
        growth: float,
        **values: object,
    ) -> None:
        self.features = BoxesAsFeatures()
        self.proposer, self.classifier = OneStepRight(growth), ScriptedClassifier(scores + later)
        self.updater, self.memory = RecordingUpdater(), SampleMemory(20, 2)
        config, head = replaced(TrackerConfig(), {**SCHEDULE, **values}), Head(4, 1, 8, 0.0, 0)
        parts = Parts(
            features=self.features,
            proposer=self.proposer,
            classifier=self.classifier,
            judge=MarginJudge(tracked_from=0.5, lost_after=3),
            memory=self.memory,
            updater=self.updater,
            painter=RegionPainter(backbone, ("s8",), 48.0, 3, torch.device("cpu")),
            schedule=build_schedule(config),
            file_format=DrawnFormat(backbone, 4, 1, 0, head, config),
        )
        self.tracker = GaussianTracker(parts, head=head, seed=0)
        self.tracker.init(FRAME, BOX)
        self.results = [self.tracker.update(FRAME) for _ in scores]


Play = Callable[..., Scripted]


@pytest.fixture
def play(backbone: Backbone) -> Play:
    """``play(*scores, later=(), growth=1, **values)``: a scripted tracker after so many frames; others may
    follow."""
    return lambda *scores, later=(), growth=1.0, **values: Scripted(backbone, scores, later, growth, **values)


def test_a_tracked_frame_moves_the_box_and_one_that_is_not_repeats_it(play: Play) -> None:
    results = play(SURE, SURE, UNSURE, UNSURE, SURE).results
    assert [result.box.x for result in results] == pytest.approx([61, 62, 62, 62, 63])


def test_misses_in_a_row_make_it_lost_and_a_hit_makes_it_tracked_again(play: Play) -> None:
    tracked, uncertain, lost = TrackStatus.TRACKED, TrackStatus.UNCERTAIN, TrackStatus.LOST
    results = play(SURE, UNSURE, UNSURE, UNSURE, UNSURE, SURE, UNSURE).results
    assert [result.status for result in results] == [
        tracked,
        uncertain,
        uncertain,
        lost,
        lost,
        tracked,
        uncertain,
    ]


def test_the_search_widens_after_a_miss_and_narrows_after_a_hit(play: Play) -> None:
    assert play(SURE, UNSURE, UNSURE, SURE, SURE).proposer.was_searching == [False, False, True, True, False]


def test_only_tracked_frames_are_remembered(play: Play) -> None:
    positives, negatives = play(SURE, UNSURE, SURE, UNSURE).memory.long_term()
    assert [len(frame) for frame in positives] == [20, 3, 3]
    assert [len(frame) for frame in negatives][1:] == [4, 4]


def test_what_is_remembered_of_a_frame_overlaps_as_it_should(play: Play) -> None:
    positives, negatives = play(SURE).memory.long_term()
    box = np.array([61, 40, 20, 20], np.float32)
    assert iou(positives[1].features.reshape(-1, 4).numpy(), box).min() >= 0.7
    assert iou(negatives[1].features.reshape(-1, 4).numpy(), box).max() <= 0.3


@pytest.mark.parametrize(("overlap", "below"), [(0.5, 0.7), (0.8, 0.9)])  # hardly any is drawn below 0.65
def test_the_first_positives_overlap_by_as_much_as_is_asked_for(
    play: Play, overlap: float, below: float
) -> None:
    values = {"first_fit.positive_overlap": overlap, "first_fit.positives": 300}
    positives, _ = play(**values).memory.long_term()
    least = iou(positives[0].features.reshape(-1, 4).numpy(), BOX.as_array()).min()
    assert overlap <= least < below


@pytest.mark.parametrize(
    ("smallest_area", "below"), [(0.5, 1.0), (1.0, 1.1)], ids=["smaller-too", "larger-alone"]
)
def test_the_regression_is_fitted_to_boxes_spread_as_is_asked_for(
    play: Play, smallest_area: float, below: float
) -> None:
    values = {"regression.samples": 300, "regression.smallest_area": smallest_area}
    boxes = play(**values).features.sampled[-1]
    assert len(boxes) == 300
    assert smallest_area <= (boxes[:, 2:].prod(axis=1) / BOX.area).min() < below


def test_the_penalty_of_the_regression_is_measured_as_is_asked_for(play: Play) -> None:
    # Of boxes as features the variance is some pixels, so that a penalty against it weighs more.
    values = {"regression.samples": 300, "regression.ridge": 300.0, "regression.size_share": 1.0}
    relative, absolute = (
        play(SURE, **values, **{"regression.penalty": penalty}).results[0].box.x
        for penalty in ("relative", "absolute")
    )
    # The candidate lies a pixel to the right of the target, and the regression knows the way back.
    assert 60 < absolute < relative - 0.05 < 61


def test_a_long_term_update_is_due_every_interval(play: Play) -> None:
    submitted = play(*[SURE] * 9).updater.submitted
    # after frames 4 and 8, from the first frame and those since
    assert [len(request.positives) for request in submitted] == [5, 9]
    assert [len(request.negatives) for request in submitted] == [3, 3]
    assert {request.iterations for request in submitted} == {2}
    assert len({request.seed for request in submitted}) == 2


def test_the_first_miss_asks_for_a_short_term_update_and_the_others_for_none(play: Play) -> None:
    submitted = play(SURE, SURE, SURE, UNSURE, UNSURE, UNSURE).updater.submitted
    assert [len(request.positives) for request in submitted] == [3]  # the first frame and the last two


def test_an_update_that_fell_due_while_it_was_lost_comes_with_the_next_hit(play: Play) -> None:
    submitted = play(SURE, UNSURE, UNSURE, UNSURE, UNSURE, SURE).updater.submitted
    assert [len(request.positives) for request in submitted] == [2, 3]


def test_a_frame_sees_one_version_of_the_weights(play: Play) -> None:
    scripted = play(*[SURE] * 9)
    assert scripted.updater.reads == 9  # once a frame
    assert [result.model_version for result in scripted.results] == [1, 1, 1, 1, 2, 2, 2, 2, 3]


def test_an_update_starts_from_whatever_head_is_the_newest_when_it_begins(play: Play) -> None:
    assert [request.head for request in play(*[SURE] * 9).updater.submitted] == [None, None]


def test_the_witness_stays_what_the_first_frame_left(play: Play) -> None:
    classifier = play(*[SURE] * 9).classifier
    assert len({id(head) for head in classifier.heads}) == 3
    assert all(witness is classifier.heads[0] for witness in classifier.witnesses)


def test_a_new_target_brings_a_witness_of_its_own(play: Play) -> None:
    scripted = play(SURE, later=(SURE,))
    scripted.tracker.init(FRAME, BOX)
    scripted.tracker.update(FRAME)
    assert scripted.classifier.witnesses[1] is scripted.classifier.heads[1]
    assert scripted.classifier.witnesses[1] is not scripted.classifier.witnesses[0]


def test_half_of_a_change_of_size_is_followed_in_a_frame(play: Play) -> None:
    # 1.21 is the square of 1.1; the centre is where it was measured
    (result,) = play(SURE, growth=1.21).results
    assert (result.box.w, result.box.h) == (pytest.approx(22), pytest.approx(22))
    assert result.box.center == (pytest.approx(61 + 12.1), pytest.approx(40 + 12.1))


def test_a_result_says_what_was_scored_when_and_how_long_each_stage_took(play: Play) -> None:
    (result,) = play(SURE).results
    assert result.score == SURE
    assert result.confidence == pytest.approx(1 / (1 + np.exp(-4)))
    assert (result.stamp_ns, result.model_version) == (77, 1)
    assert {"features", "propose", "classify", "refine", "learn"} <= set(result.timings_s)
    assert all(seconds >= 0 for seconds in result.timings_s.values())


@pytest.mark.parametrize(
    ("box", "error"),
    [
        pytest.param(BoundingBox(160, 0, 9, 9), BoxError, id="a-box-outside"),
        pytest.param(BoundingBox(10, 10, 30, 30), LearningError, id="a-fit-that-diverges"),
    ],
)
def test_a_failed_init_keeps_the_present_track(play: Play, box: BoundingBox, error: type[Exception]) -> None:
    disturbed, untouched = (play(SURE, UNSURE, later=(SURE,)) for _ in range(2))
    disturbed.updater.fails_next = error is LearningError
    with pytest.raises(error):
        disturbed.tracker.init(FRAME, box)
    results = [scripted.tracker.update(FRAME) for scripted in (disturbed, untouched)]
    assert results[0].box == results[1].box
    assert results[0].box.x == pytest.approx(62)
    assert disturbed.proposer.was_searching[-1]
    for one, other in zip(disturbed.memory.long_term(), untouched.memory.long_term(), strict=True):
        assert all(torch.equal(a.features, b.features) for a, b in zip(one, other, strict=True))


def test_a_second_init_forgets_the_target_before(play: Play) -> None:
    scripted = play(SURE, UNSURE, UNSURE, later=(SURE,))
    assert scripted.tracker.init(FRAME, BoundingBox(10, 10, 30, 30)).model_version == 3
    assert len(scripted.memory.long_term()[0]) == 1
    result = scripted.tracker.update(FRAME)
    assert (result.box.x, result.model_version) == (pytest.approx(11), 3)
    assert not scripted.proposer.was_searching[-1]


def test_a_loaded_target_is_lost_where_it_was_and_looked_for_widely_around(
    play: Play, tmp_path: Path
) -> None:
    play(SURE, SURE).tracker.save(tmp_path / "target")
    scripted = play(SURE, later=(UNSURE, SURE, SURE))
    twice = Frame(np.zeros((240, 320, 3), np.uint8), stamp_ns=78)
    loaded = scripted.tracker.load(tmp_path / "target", twice)
    assert loaded.box.as_array() == pytest.approx([2 * 62, 2 * 40, 2 * 20, 2 * 20])
    assert (loaded.status, loaded.confidence, loaded.reason) == (
        TrackStatus.LOST,
        0.0,
        "loaded; not seen yet",
    )
    assert (loaded.stamp_ns, loaded.model_version) == (78, 2)
    results = [scripted.tracker.update(twice)]
    assert not scripted.updater.submitted  # a target that is not there yet asks for no update at a miss
    results += [scripted.tracker.update(twice) for _ in range(2)]
    assert [result.status.value for result in results] == ["lost", "tracked", "tracked"]
    assert [result.box.x for result in results] == pytest.approx([124, 125, 126])
    assert scripted.proposer.was_searching[1:] == [True, True, False]
    assert len(scripted.updater.submitted) == 1  # what was half due when it was saved


def test_a_loaded_target_brings_its_witness_its_samples_and_what_was_due(play: Play, tmp_path: Path) -> None:
    saved = play(SURE, SURE, SURE)
    saved.tracker.save(tmp_path / "target")
    scripted = play(SURE, UNSURE, later=(SURE, SURE))
    scripted.tracker.load(tmp_path / "target", FRAME)
    for tracker in (saved, scripted):
        assert [len(frame) for frame in tracker.memory.long_term()[0]] == [20, 3, 3, 3]
    scripted.tracker.update(FRAME)
    assert [len(request.positives) for request in scripted.updater.submitted] == [2, 5]  # at the miss; now
    scripted.tracker.update(FRAME)
    one, other = scripted.classifier.witnesses[-1], saved.classifier.witnesses[-1]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert one is scripted.classifier.witnesses[-2] is not scripted.classifier.witnesses[0]
    assert isinstance(scripted.tracker._target.refiner, Unrefined)  # as the one that was saved


def test_a_regression_is_loaded_with_the_target_that_it_was_fitted_to(play: Play, tmp_path: Path) -> None:
    values = {"regression.samples": 300, "regression.size_share": 1.0}
    saved = play(SURE, later=(SURE,), **values)
    saved.tracker.save(tmp_path / "target")
    scripted = play(SURE, later=(SURE,), **values)
    scripted.tracker.init(FRAME, BoundingBox(10, 10, 30, 30))
    scripted.tracker.load(tmp_path / "target", FRAME)
    assert scripted.tracker.update(FRAME).box == saved.tracker.update(FRAME).box


def test_a_box_over_the_border_is_cut_before_it_is_learned(play: Play) -> None:
    assert play().tracker.init(FRAME, BoundingBox(-10, -10, 30, 40)).box == BoundingBox(0, 0, 20, 30)


def test_a_new_judge_and_interval_hold_from_the_next_frame(play: Play) -> None:
    scripted = play(SURE, UNSURE, later=(UNSURE,))
    scripted.tracker.retune(judge=MarginJudge(tracked_from=0.01, lost_after=3), interval=3)
    assert scripted.tracker.update(FRAME).status is TrackStatus.TRACKED
    assert len(scripted.updater.submitted) == 2  # at the miss, and now that three frames are enough
