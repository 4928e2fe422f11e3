"""The tracker that finds the target by a filter: what it promises beyond test_tracking.py."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from recip_tracker_core import BoundingBox, Frame, Tracker, TrackerConfig, TrackResult, TrackStatus
from recip_tracker_core.appearance import Appearance, FirstLook, Lesson
from recip_tracker_core.build import build_tracker, retune
from recip_tracker_core.errors import BoxError
from recip_tracker_core.geometry import iou
from recip_tracker_core.locating_tracker import LocatingTracker
from recip_tracker_core.parameters import replaced
from recip_tracker_core.updater import Published, Rest, Updater, UpdateStatistics

pytestmark = pytest.mark.slow

Make = Callable[..., Tracker]
Clip = list[tuple[np.ndarray, tuple[int, int, int, int]]]
Render = Callable[..., Clip]
TRACKED, UNCERTAIN, LOST = TrackStatus.TRACKED, TrackStatus.UNCERTAIN, TrackStatus.LOST

HIDDEN = range(5, 32)  # a good part of a round: it appears beyond the view of the place where it was lost


def frames_of(clip: Clip) -> list[Frame]:
    return [Frame(image, stamp_ns=index, index=index) for index, (image, _) in enumerate(clip)]


def follow(tracker: Tracker, clip: Clip) -> list[TrackResult]:
    first, *others = frames_of(clip)
    return [tracker.init(first, BoundingBox(*clip[0][1])), *map(tracker.update, others)]


def overlaps(results: list[TrackResult], clip: Clip) -> np.ndarray:
    return iou(np.stack([result.box.as_array() for result in results]), np.array([box for _, box in clip]))


def said(results: list[TrackResult]) -> list[tuple]:
    return [(r.box, r.status, r.confidence, r.score, r.model_version, r.reason) for r in results]


def in_turn(values: list) -> list:
    """Without repetitions of the one before."""
    return [value for index, value in enumerate(values) if index == 0 or value != values[index - 1]]


@pytest.fixture(scope="module")
def hidden_clip(rendered_clip: Render) -> Clip:
    return rendered_clip(frames=42, seed=1, hidden=HIDDEN)


@pytest.fixture(scope="module")
def through(small: Callable[..., TrackerConfig], hidden_clip: Clip) -> list[TrackResult]:
    """The results of the clip in which the target is hidden."""
    with contextlib.closing(build_tracker(small())) as tracker:
        return follow(tracker, hidden_clip)


def test_a_hidden_target_is_lost_and_found_again_where_it_reappears(
    through: list[TrackResult], hidden_clip: Clip
) -> None:
    assert in_turn([result.status for result in through]) == [TRACKED, UNCERTAIN, LOST, UNCERTAIN, TRACKED]
    assert all(result.status is TRACKED for result in through[: HIDDEN.start])
    assert through[HIDDEN.stop - 1].status is LOST
    overlap = overlaps(through, hidden_clip)
    assert overlap[HIDDEN.stop - 1] == 0  # it comes back elsewhere
    assert overlap[-3:].min() > 0.7


def test_a_lost_target_keeps_the_last_box_that_was_safe(through: list[TrackResult]) -> None:
    lost = [result.box for result in through if result.status is LOST]
    safe = [result.box for result in through[: HIDDEN.start]]
    assert len(set(lost)) == 1
    assert lost[0] in safe


@pytest.mark.parametrize(
    ("usual", "expected"),
    [
        pytest.param(0.5, [TRACKED] * 3, id="as-high-a-peak-as-usual"),
        pytest.param(1.5, [UNCERTAIN, UNCERTAIN, TRACKED], id="a-lower-one"),
    ],
)
def test_a_target_that_leaps_is_followed_at_once_and_doubted_until_it_is_recognised_there(
    make_tracker: Make, rendered_clip: Render, usual: float, expected: list[TrackStatus]
) -> None:
    clip = rendered_clip(frames=40, seed=1)
    clip = [*clip[:4], *clip[16:]]  # twelve frames are missing
    results = follow(make_tracker(**{"gate.full_strength": usual}), clip)
    assert overlaps(results, clip).min() > 0.5
    assert [result.status for result in results[4:7]] == expected
    versions = [result.model_version for result in results[4:7]]
    assert (len(set(versions)) == 1) == (UNCERTAIN in expected)  # nothing is learned meanwhile


@pytest.fixture(scope="module")
def turning_clip(rendered_clip: Render) -> Clip:
    """A disc of colours that its surroundings have, too, that turns by 6 degrees a frame, once around."""
    around, within = (
        rendered_clip(frames=1, size=(320, 240), seed=seed, hidden=range(1))[0][0] for seed in (1, 2)
    )
    height, width = around.shape[:2]
    middle, side = (width / 2 - 0.5, height / 2 - 0.5), height // 3
    rows, columns = np.ogrid[:height, :width]
    is_disc = np.hypot(columns - middle[0], rows - middle[1])[..., None] <= side / 2
    box = round(width / 2 - side / 2), round(height / 2 - side / 2), side, side
    turns = [cv2.getRotationMatrix2D(middle, degrees, 1.0) for degrees in range(0, 366, 6)]
    turned = [cv2.warpAffine(within, turn, (width, height), borderMode=cv2.BORDER_REFLECT) for turn in turns]
    return [(np.where(is_disc, disc, around), box) for disc in turned]


def test_a_target_that_turns_in_the_image_plane_is_recognised_all_around(
    make_tracker: Make, turning_clip: Clip
) -> None:
    whole = {"map.region_px": 256, "map.target_px": 80.0, "locator.grid": 4, "locator.turns": 12}
    tracker, turns = make_tracker(**whole), []
    first, *others = frames_of(turning_clip)
    results = [tracker.init(first, BoundingBox(*turning_clip[0][1]))]
    for frame in others:
        results.append(tracker.update(frame))
        turns.append(tracker._target.turn)
    assert overlaps(results, turning_clip).min() > 0.7
    assert all(result.status is TRACKED for result in results)
    # By 30 degrees each; the last ones before it is upright again may be skipped.
    assert in_turn(turns)[:10] == [0, *range(11, 2, -1)]
    assert turns[-1] == 0


class _Finder:
    """A searcher that finds the target in the next frame, where it was."""

    def __init__(self, searcher) -> None:
        self._searcher = searcher

    def step(self, frame, sought, search, known):
        best = self._searcher.fine(frame, sought.place_px, sought, known)
        return best, replace(search, frames=search.frames + 1, hits=2, candidate_px=sought.place_px)


@pytest.mark.parametrize(("frames", "turn"), [(15, 3), (16, 0)], ids=["as-it-was", "upright"])
def test_a_target_is_back_at_the_turn_at_which_it_was_found(
    make_tracker: Make, rendered_clip: Render, frames: int, turn: int
) -> None:
    clip = rendered_clip(frames=5, seed=1)
    tracker = make_tracker()
    follow(tracker, clip[:4])
    target, searcher = tracker._target, tracker._parts.searcher
    lost = replace(target, turn=3, standing=replace(target.standing, status=LOST))
    tracker._target = replace(lost, search=replace(searcher.begun(lost.sought), frames=frames))
    tracker._parts = replace(tracker._parts, searcher=_Finder(searcher))
    assert tracker.update(frames_of(clip)[4]).status is UNCERTAIN
    assert tracker._target.turn == turn


def test_a_box_beside_the_target_goes_to_where_the_witness_sees_it(
    make_tracker: Make, rendered_clip: Render
) -> None:
    clip = rendered_clip(frames=30, seed=1)
    tracker = make_tracker()
    follow(tracker, clip[:4])
    target = tracker._target
    astray = target.center_px - 0.9 * target.size_px  # on the background, which the box is made to follow
    unsure = replace(target.standing, status=UNCERTAIN, recognition=0.1, good=0)
    tracker._target = replace(target, center_px=astray, standing=unsure)
    tracker._parts = replace(tracker._parts, observer=_Stubborn(tracker.observer))
    results = [tracker.update(frame) for frame in frames_of(clip)[4:12]]
    overlap = overlaps(results, clip[4:12])
    assert overlap[0] < 0.1  # one look is not enough
    assert overlap[1:].min() > 0.6
    assert LOST not in [result.status for result in results]


AT_HOME, OF_ITS_LIKE = (40, 60), (230, 150)  # places, pixels
BEHIND = range(5, 20)  # frames in which the target is hidden


@pytest.fixture(scope="module")
def its_like_clip(rendered_clip: Render) -> Clip:
    """A target that stands still, and for some frames is hidden; far off stands its like."""
    (image, (left, top, width, height)), (background, _) = (
        rendered_clip(frames=1, size=(320, 240), seed=1, hidden=hidden)[0] for hidden in ((), range(1))
    )
    cut = image[top : top + height, left : left + width]
    clip = []
    for index in range(40):
        shown = background.copy()
        for x, y in [OF_ITS_LIKE] if index in BEHIND else [AT_HOME, OF_ITS_LIKE]:
            shown[y : y + height, x : x + width] = cut
        clip.append((shown, (*AT_HOME, width, height)))
    return clip


@pytest.mark.parametrize(
    ("home", "is_back"), [(120, True), (0, False)], ids=["it is looked for", "it is not"]
)
def test_a_target_that_comes_back_where_it_was_is_not_left_for_its_like(
    make_tracker: Make, its_like_clip: Clip, home: int, is_back: bool
) -> None:
    results = follow(make_tracker(**{"recovery.home": home}), its_like_clip)
    overlap = overlaps(results, its_like_clip)
    behind = results[BEHIND.start : BEHIND.stop]
    assert in_turn([result.status for result in behind]) == [UNCERTAIN, LOST, UNCERTAIN, TRACKED]
    assert overlap[BEHIND.stop - 1] == 0  # nothing yet tells its like from itself
    assert (overlap[-10:].min() > 0.7) == is_back
    assert (overlap[-10:].max() == 0) != is_back
    assert results[-1].status is TRACKED


class _Stubborn:
    """An observer that takes a place for the target as long as the box is there."""

    def __init__(self, observer) -> None:
        self._observer = observer
        self.look, self.read, self.sought = observer.look, observer.read, observer.sought
        self.crop, self.answered = observer.crop, observer.answered

    def followed(self, view, known, history, scene):
        sight = yield from self._observer.followed(view, known, history, scene)
        if sight.resting.likeness > 0.5:
            return sight
        middle = np.full(2, view.crop.side_px / 2)
        elsewhere = (
            sight.elsewhere_px if sight.resting.likeness > sight.signals.likeness else sight.in_image_px
        )
        return replace(
            sight,
            place_px=middle,
            signals=replace(sight.resting, strength=1.0),
            elsewhere_px=elsewhere,
        )


def test_a_box_that_has_drifted_goes_back_there_when_it_is_lost(
    make_tracker: Make, rendered_clip: Render
) -> None:
    clip = rendered_clip(frames=20, seed=1, hidden=range(5, 20))
    # without a gate the box follows whatever peak there is
    results = follow(make_tracker(**{"gate.enabled": False, "confidence.hopeless": 0.25}), clip)
    statuses = [result.status for result in results]
    drifted, lost = results[statuses.index(LOST) - 1].box, results[statuses.index(LOST)].box
    assert iou(drifted.as_array()[None], lost.as_array())[0] < 0.9
    assert lost in [result.box for result in results[: HIDDEN.start]]


def test_nothing_is_learned_from_its_loss_until_its_return_is_confirmed(through: list[TrackResult]) -> None:
    statuses = [result.status for result in through]
    lost = statuses.index(LOST)
    confirmed = statuses.index(TRACKED, lost)
    versions = [result.model_version for result in through]
    assert len(set(versions[lost + 1 : confirmed + 1])) == 1  # a frame is answered before it is learned
    assert versions[-1] > versions[confirmed]


def test_a_reason_is_given_whenever_it_is_not_tracked_and_never_else(through: list[TrackResult]) -> None:
    assert all(bool(result.reason) == (result.status is not TRACKED) for result in through)


def test_confidence_is_high_while_it_is_seen_and_low_while_it_is_lost(through: list[TrackResult]) -> None:
    assert min(result.confidence for result in through[: HIDDEN.start]) > 0.9
    hidden = [r.confidence for r in through[HIDDEN.start : HIDDEN.stop] if r.status is LOST]
    assert max(hidden) < 0.25
    assert through[-1].confidence > 0.9


def test_two_runs_are_identical_through_loss_and_return(
    through: list[TrackResult], make_tracker: Make, hidden_clip: Clip
) -> None:
    assert said(follow(make_tracker(), hidden_clip)) == said(through)


def test_looking_at_its_attention_changes_nothing(make_tracker: Make, rendered_clip: Render) -> None:
    clip = rendered_clip(frames=6, seed=1)
    watched, alone = make_tracker(), make_tracker()
    results = [watched.init(Frame(clip[0][0]), BoundingBox(*clip[0][1]))]
    for frame in frames_of(clip)[1:]:
        results.append(watched.update(frame))
        watched.attention(frame, results[-1].box)
    assert said(results) == said(follow(alone, clip))


def test_where_recovery_is_off_a_target_is_never_lost(make_tracker: Make, rendered_clip: Render) -> None:
    clip = rendered_clip(frames=25, seed=1, hidden=range(5, 25))
    results = follow(make_tracker(**{"recovery.enabled": False}), clip)
    assert in_turn([result.status for result in results]) == [TRACKED, UNCERTAIN]


def test_where_the_gate_is_off_every_frame_moves_the_box_and_is_learned(
    make_tracker: Make, rendered_clip: Render
) -> None:
    clip = rendered_clip(frames=12, seed=1, hidden=range(5, 12))
    tracker = make_tracker(**{"gate.enabled": False, "recovery.enabled": False, "ridge.interval": 1})
    results = follow(tracker, clip)
    assert [result.model_version for result in results] == [1, *range(1, 12)]
    assert len({result.box for result in results[5:]}) == 7


def test_first_all_frames_teach_and_later_one_of_an_interval(
    make_tracker: Make, rendered_clip: Render
) -> None:
    tracker = make_tracker(**{"ridge.eager_frames": 2, "ridge.interval": 4})
    results = follow(tracker, rendered_clip(frames=14, seed=1))
    # after frames 1, 2, 4, 8 and 12
    assert [r.model_version for r in results] == [1, 1, 2, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6]
    assert tracker.statistics.completed == 6


class Watched:
    """A real updater, with a count of how often its latest model was read, and what was asked of it."""

    def __init__(self, updater: Updater[FirstLook | Lesson, Appearance]) -> None:
        self._updater = updater
        self.reads = 0
        self.lessons: list[Lesson] = []

    @property
    def latest(self) -> Published[Appearance]:
        self.reads += 1
        return self._updater.latest

    @property
    def statistics(self) -> UpdateStatistics:
        return self._updater.statistics

    def fit(self, request: FirstLook, rest: Rest | None = None) -> Published[Appearance]:
        return self._updater.fit(request, rest)

    def adopt(self, model: Appearance) -> Published[Appearance]:
        return self._updater.adopt(model)

    def submit(self, request: Lesson) -> None:
        self.lessons.append(request)
        self._updater.submit(request)

    def close(self) -> None:
        self._updater.close()


def test_a_frame_sees_one_version_and_teaches_where_the_box_is(
    make_tracker: Make, rendered_clip: Render
) -> None:
    clip = rendered_clip(frames=6, seed=1)
    parts = make_tracker()._parts
    watched = Watched(parts.updater)
    results = follow(LocatingTracker(replace(parts, updater=watched)), clip)
    assert watched.reads == 5  # once a frame
    assert [lesson.frame for lesson in watched.lessons] == [1, 2, 3, 4, 5]
    assert all(0 < lesson.trust <= 1 for lesson in watched.lessons)
    for lesson, result in zip(watched.lessons, results[1:], strict=True):
        assert lesson.size_px[0] / lesson.size_px[1] == pytest.approx(result.box.w / result.box.h)
        assert np.abs(lesson.center_px - 80).max() < 20


def test_a_failing_lesson_is_counted_and_the_target_followed_on(
    make_tracker: Make, rendered_clip: Render
) -> None:
    diverging = {
        "update.learning_rate": 1.0,
        "update.iterations": 200,
        "update.interval": 1,
        "optimizer.clip_norm": 1e6,
        "optimizer.weight_decay": 1.0,
        "optimizer.last_layer_gain": 1000.0,  # its weights overshoot by a thousand times a step
    }
    clip = rendered_clip(frames=5, seed=1)
    tracker = make_tracker(**diverging)
    results = follow(tracker, clip)
    assert tracker.statistics.failed > 0
    assert "diverged" in str(tracker.statistics.failure)
    assert overlaps(results, clip).min() > 0.7


@pytest.mark.parametrize("enabled", [True, False], ids=["classifier", "no-classifier"])
def test_with_or_without_a_classifier_it_follows_scores_and_shows_where_it_looks(
    make_tracker: Make, rendered_clip: Render, enabled: bool
) -> None:
    clip = rendered_clip(frames=8, seed=2)
    tracker = make_tracker(**{"classifier.enabled": enabled})
    results = follow(tracker, clip)
    assert overlaps(results, clip).min() > 0.7
    assert np.isfinite([result.score for result in results[1:]]).all()
    attention = tracker.attention(Frame(clip[-1][0]), results[-1].box).attention
    inner = np.zeros(attention.shape, bool)
    quarter = len(attention) // 4
    inner[quarter:-quarter, quarter:-quarter] = True
    assert attention.max() == pytest.approx(1)
    assert attention[inner].mean() > 1.4 * attention[~inner].mean()


def test_a_stream_that_changes_its_resolution_while_the_target_is_lost(
    make_tracker: Make, hidden_clip: Clip
) -> None:
    clip = hidden_clip
    tracker = make_tracker()
    results = follow(tracker, clip[: HIDDEN.stop - 1])
    assert results[-1].status is LOST
    doubled = [(cv2.resize(image, None, fx=2, fy=2), tuple(2 * v for v in box)) for image, box in clip]
    before = results[-1].box
    after = tracker.update(Frame(doubled[HIDDEN.stop - 1][0]))
    assert after.status is LOST
    np.testing.assert_allclose(after.box.as_array(), 2 * before.as_array())
    later = [tracker.update(Frame(image)) for image, _ in doubled[HIDDEN.stop :]]
    assert later[-1].status is TRACKED
    assert overlaps(later, doubled[HIDDEN.stop :])[-1] > 0.7


def test_a_stream_that_changes_its_resolution_before_the_target_is_lost(
    make_tracker: Make, hidden_clip: Clip
) -> None:
    tracker = make_tracker()
    results = follow(tracker, hidden_clip[: HIDDEN.start + 2])
    assert results[-1].status is UNCERTAIN
    safe = [2 * result.box.as_array() for result in results[: HIDDEN.start]]
    for image, _ in hidden_clip[HIDDEN.start + 2 : HIDDEN.stop]:
        result = tracker.update(Frame(cv2.resize(image, None, fx=2, fy=2)))
    assert result.status is LOST
    assert any(np.allclose(result.box.as_array(), box) for box in safe)


def test_a_stream_that_becomes_eight_times_as_large_is_followed_on(
    make_tracker: Make, rendered_clip: Render
) -> None:
    clip = rendered_clip(frames=4, seed=1)
    tracker = make_tracker()
    follow(tracker, clip[:3])
    image, box = clip[3]
    result = tracker.update(Frame(cv2.resize(image, None, fx=8, fy=8)))
    assert iou(result.box.as_array()[None], 8 * np.array(box, np.float32))[0] > 0.7


def test_a_box_that_is_refused_leaves_the_present_track(make_tracker: Make, rendered_clip: Render) -> None:
    clip = rendered_clip(frames=6, seed=1)
    disturbed, untouched = make_tracker(), make_tracker()
    results = [disturbed.init(Frame(clip[0][0]), BoundingBox(*clip[0][1]))]
    for frame in frames_of(clip)[1:]:
        with pytest.raises(BoxError):
            disturbed.init(frame, BoundingBox(160, 0, 9, 9))
        results.append(disturbed.update(frame))
    assert said(results) == said(follow(untouched, clip))


def test_a_target_that_leaves_the_image_keeps_a_box_whose_centre_is_in_it(
    make_tracker: Make, rendered_clip: Render
) -> None:
    image, (x, y, w, h) = rendered_clip(frames=1, seed=1)[0]
    tracker = make_tracker()
    tracker.init(Frame(image), BoundingBox(x, y, w, h))
    for step in range(1, 14):
        moved = np.roll(image, 5 * step, axis=1)
        moved[:, : 5 * step] = image[:, :1]
        center = tracker.update(Frame(moved)).box.center
        assert 0 <= center[0] <= 160
        assert 0 <= center[1] <= 120


@pytest.fixture(scope="module")
def saved(
    small: Callable[..., TrackerConfig], rendered_clip: Render, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, LocatingTracker]:
    """The file of a target that was lost when it was saved, and the tracker that did so."""
    path, tracker = tmp_path_factory.mktemp("saved") / "target", build_tracker(small())
    assert follow(tracker, rendered_clip(frames=26, seed=1, hidden=range(14, 26)))[-1].status is LOST
    tracker.save(path)
    tracker.close()
    assert isinstance(tracker, LocatingTracker)
    return path, tracker


def test_a_loaded_target_is_lost_where_it_was_last_safe_until_it_is_found(
    make_tracker: Make, saved: tuple[Path, LocatingTracker], hidden_clip: Clip
) -> None:
    path, before = saved
    tracker = make_tracker()
    clip = hidden_clip[HIDDEN.start + 1 :]  # for a long time it is not to be seen
    results = [
        tracker.load(path, Frame(clip[0][0])),
        *(tracker.update(frame) for frame in frames_of(clip)[1:]),
    ]
    assert in_turn([result.status for result in results]) == [LOST, UNCERTAIN, TRACKED]
    lost = [result for result in results if result.status is LOST]
    assert len(lost) >= HIDDEN.stop - HIDDEN.start - 1
    for result in lost:
        np.testing.assert_allclose(result.box.as_array(), before._target.box.as_array(), rtol=1e-5)
    assert {result.reason for result in lost} == {"loaded; not seen yet"}
    confirmed = [result.status for result in results].index(TRACKED)
    assert {result.model_version for result in results[: confirmed + 1]} == {1}  # nothing is learned before
    assert results[-1].model_version > 1
    assert overlaps(results, clip)[-3:].min() > 0.7


def test_a_loaded_target_brings_what_is_usual_of_it(
    make_tracker: Make, saved: tuple[Path, LocatingTracker], rendered_clip: Render
) -> None:
    path, before = saved
    tracker = make_tracker()
    tracker.load(path, Frame(rendered_clip(frames=1, seed=1)[0][0]))
    assert tracker._target.standing.usual == before._target.standing.usual
    assert len(tracker._target.standing.usual) >= 10
    assert tracker._target.history == before._target.history
    assert tracker._target.frames == before._target.frames == 25
    np.testing.assert_allclose(tracker._target.first_size_px, before._target.first_size_px)
    np.testing.assert_allclose(tracker._target.safe[:2], before._target.safe[:2])


def test_where_recovery_is_off_a_loaded_target_is_uncertain_where_it_was_and_must_prove_itself(
    make_tracker: Make, saved: tuple[Path, LocatingTracker], rendered_clip: Render
) -> None:
    path, _ = saved
    tracker = make_tracker(**{"recovery.enabled": False})
    clip = rendered_clip(frames=24, seed=1)[14:]
    results = [
        tracker.load(path, Frame(clip[0][0])),
        *(tracker.update(frame) for frame in frames_of(clip)[1:]),
    ]
    assert (results[0].status, results[0].reason) == (UNCERTAIN, "loaded; not seen yet")
    assert in_turn([result.status for result in results]) == [UNCERTAIN, TRACKED]
    confirmed = [result.status for result in results].index(TRACKED)
    assert confirmed >= 3
    assert {result.model_version for result in results[: confirmed + 1]} == {1}
    assert results[-1].model_version > 1
    assert overlaps(results[1:], clip[1:]).min() > 0.6


def test_a_target_that_is_far_too_small_in_a_small_image_is_looked_for_at_the_least_size(
    make_tracker: Make, saved: tuple[Path, LocatingTracker]
) -> None:
    tiny = Frame(np.zeros((12, 16, 3), np.uint8))
    tracker = make_tracker()
    box = tracker.load(saved[0], tiny).box
    assert (box.w, box.h) == (4, 4)
    assert tracker.update(tiny).status is LOST


@pytest.mark.parametrize("proposals", ["locator", "gaussian"])
def test_what_is_called_tracked_may_change_while_it_tracks(
    make_tracker: Make, rendered_clip: Render, proposals: str
) -> None:
    clip = rendered_clip(frames=4, seed=1)
    tracker = make_tracker(proposals=proposals)
    assert follow(tracker, clip)[-1].status is TRACKED
    name = "confidence.tracked" if proposals == "locator" else "search.tracked"
    retune(tracker, replaced(TrackerConfig(), {name: 1.0}))
    assert tracker.update(Frame(clip[-1][0])).status is UNCERTAIN


def test_a_result_says_how_long_each_stage_took(through: list[TrackResult]) -> None:
    followed = next(result for result in through[1:] if result.status is TRACKED)
    lost = [result for result in through if result.status is LOST][-1]
    assert {"features", "classify", "refine", "learn"} <= set(followed.timings_s)
    assert "search" in lost.timings_s
    assert all(seconds >= 0 for result in through for seconds in result.timings_s.values())
