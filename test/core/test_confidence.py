"""From scores and signals to a confidence, and to tracked, uncertain or lost."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from recip_tracker_core import TrackerConfig
from recip_tracker_core.build import build_judge
from recip_tracker_core.confidence import History, Judge, Signals, Standing
from recip_tracker_core.parameters import replaced
from recip_tracker_core.types import TrackStatus

TRACKED, UNCERTAIN, LOST = TrackStatus.TRACKED, TrackStatus.UNCERTAIN, TrackStatus.LOST


def judge(**values: object) -> Judge:
    return build_judge(replaced(TrackerConfig(), values))


def signals(likeness: float, *, strength: float = 1.0, rivalry: float = 0.0) -> Signals:
    """Of a place; what rivals it is not a rival that is known."""
    return Signals(
        peak=0.8,
        sharpness=10.0,
        strength=strength,
        likeness=likeness,
        rivalry=rivalry,
        strangeness=rivalry,
        elsewhere=rivalry * likeness,
    )


def seen(recognition: float = 0.99, *, strength: float = 1.0, rivalry: float = 0.0) -> Signals:
    """A frame's signals of that recognition, with the likeness that it takes."""
    rival = 3 * math.log(max(rivalry, 1.0))
    likeness = (math.log(recognition / (1 - recognition)) + 4.5 + rival) / 18
    return signals(likeness, strength=strength, rivalry=rivalry)


def followed(
    frames: list[Signals], standing: Standing | None = None, *, moves: bool = True, **values: object
) -> list[Standing]:
    """What is concluded frame by frame, the box moving in all of them or in none."""
    standings = [standing or Standing()]
    for frame in frames:
        standings.append(judge(**values).followed(standings[-1], frame, has_moved=moves))
    return standings[1:]


def statuses(standings: list[Standing]) -> list[TrackStatus]:
    return [standing.status for standing in standings]


@pytest.mark.parametrize(
    ("likeness", "rivalry", "expected"),
    [
        pytest.param(0.25, 0.0, 0.5, id="a-quarter"),  # 18 * 0.25 - 4.5 = 0
        pytest.param(0.25, 1.0, 0.5, id="a-rival-no-stronger-costs-nothing"),
        pytest.param(0.40, 2.0, 0.6504, id="a-rival-twice-as-strong"),  # 7.2 - 3 * 0.69315 - 4.5 = 0.62056
        pytest.param(1.00, 0.0, 1.0, id="as-in-the-first-frame"),
        pytest.param(-0.2, 0.0, 0.0, id="unlike-it"),
    ],
)
def test_recognition_comes_from_the_witness_and_what_is_more_like_the_first_frame_elsewhere(
    likeness: float, rivalry: float, expected: float
) -> None:
    assert signals(likeness, rivalry=rivalry).recognition == pytest.approx(expected, abs=1e-3)


def test_a_rival_that_is_known_costs_no_recognition() -> None:
    known = replace(signals(0.4, rivalry=2.0), strangeness=0.0)
    assert known.recognition == signals(0.4).recognition > signals(0.4, rivalry=2.0).recognition


def test_confidence_counts_what_decides_nothing_rivals_that_are_known_and_that_it_was_lost() -> None:
    alone, among = (replace(signals(0.6, rivalry=rivalry), strangeness=0.0) for rivalry in (0.2, 0.95))
    sure, less = (followed([frame] * 20)[-1] for frame in (alone, among))
    assert sure.status is less.status is TRACKED
    assert sure.recognition == pytest.approx(less.recognition)
    assert 0.5 < less.confidence < sure.confidence < 1
    lost = replace(sure, status=LOST)
    assert lost.confidence < sure.confidence
    again = followed([alone] * 20, judge().returned(lost))[-1]
    assert again.status is TRACKED
    assert 0.5 < again.confidence < sure.confidence
    elsewhere = followed([alone] * 20, judge().returned(sure))[-1]  # it was not lost
    assert elsewhere.confidence == pytest.approx(sure.confidence)


def test_confidence_is_a_running_mean_of_the_frames_evidence() -> None:
    first, frame = Standing(), signals(0.1, rivalry=1.5, strength=0.5)
    assert frame.evidence == pytest.approx(8 * 0.1 + 3 * 0.5 - 2 * 1.5 - 1.6)
    after = judge().followed(first, frame, has_moved=True)
    assert after.evidence == pytest.approx((first.evidence + frame.evidence) / 2)
    odds = after.confidence / (1 - after.confidence)
    assert math.log(odds) == pytest.approx(after.evidence)


def test_a_peak_that_is_sought_says_nothing_for_the_box() -> None:
    after = judge().sought(Standing(status=LOST), signals(0.1, strength=0.9), is_candidate=False)
    unsound = judge().sought(Standing(status=LOST), signals(0.1, strength=0.0), is_candidate=False)
    assert after.evidence == unsound.evidence


def test_strength_is_the_root_of_how_high_and_how_sharp_against_what_is_usual() -> None:
    history = History(peak=0.8, sharpness=10.0)
    assert history.strength(0.8, 10.0) == pytest.approx(1)
    assert history.strength(0.4, 5.0) == pytest.approx(0.5)
    assert history.strength(0.2, 10.0) == pytest.approx(0.5)
    assert history.strength(-0.1, 10.0) == history.strength(0.5, -3.0) == 0


def test_what_is_usual_follows_the_frames_that_are_learned() -> None:
    history = History(peak=0.8, sharpness=10.0)
    for _ in range(200):
        history = history.with_frame(replace(seen(), peak=0.4, sharpness=5.0), rate=0.05)
    assert (history.peak, history.sharpness) == (pytest.approx(0.4, rel=1e-3), pytest.approx(5, rel=1e-3))


def test_the_first_frames_count_for_more_than_the_rate_says() -> None:
    history = History(peak=0.8, sharpness=10.0).with_frame(replace(seen(), peak=0.4), rate=0.02)
    assert 0.55 < history.peak < 0.75


def test_while_the_box_stays_less_and_less_is_asked_of_a_peak() -> None:
    history = History(peak=0.8, sharpness=10.0)
    weak = history.strength(0.2, 4.0)
    for _ in range(100):
        history = history.faded(0.998)
    assert history.strength(0.2, 4.0) == pytest.approx(weak / 0.998**100)


@pytest.mark.parametrize(("strength", "moves"), [(0.3, False), (0.35, False), (0.36, True), (2.0, True)])
def test_the_box_follows_a_peak_that_is_strong_for_this_target(strength: float, moves: bool) -> None:
    # whatever the witness says: blur and deformation pass, absence does not
    for recognition in (0.01, 0.99):
        assert judge().moves(seen(recognition, strength=strength)) is moves


def test_without_a_gate_every_frame_moves_the_box_and_teaches() -> None:
    free = judge(**{"gate.enabled": False})
    assert free.moves(seen(0.01, strength=0.0))
    assert free.trust(Standing(recognition=0.01), seen(0.01, strength=0.0)) == 1


@pytest.mark.parametrize(
    ("now", "running", "strength", "expected"),
    [
        pytest.param(0.9, 0.9, 1.0, 1.0, id="sure"),
        pytest.param(0.25, 0.9, 1.0, 0.0, id="not-recognised-now"),
        pytest.param(0.9, 0.2, 1.0, 0.0, id="not-recognised-for-a-while"),
        pytest.param(0.375, 0.9, 1.0, 0.5, id="half-recognised"),
        pytest.param(0.9, 0.9, 0.55, 0.5, id="half-as-strong"),
        pytest.param(0.9, 0.9, 0.36, 0.1, id="blurred"),
        pytest.param(0.375, 0.9, 0.55, 0.25, id="half-of-both"),
    ],
)
def test_a_frame_is_believed_as_far_as_the_witness_recognises_it_and_as_its_peak_is_strong(
    now: float, running: float, strength: float, expected: float
) -> None:
    standing = Standing(recognition=running)
    assert judge().trust(standing, seen(now, strength=strength)) == pytest.approx(expected)


@pytest.mark.parametrize(
    "standing",
    [
        pytest.param(Standing(status=UNCERTAIN, probation=1), id="on-probation"),
        pytest.param(Standing(status=LOST), id="lost"),
    ],
)
def test_nothing_is_learned_on_probation_or_while_lost(standing: Standing) -> None:
    assert judge().trust(standing, seen(0.99)) == 0


def test_a_target_that_looks_like_itself_stays_tracked_without_a_reason() -> None:
    standings = followed([seen(0.99)] * 5)
    assert statuses(standings) == [TRACKED] * 5
    assert {standing.reason for standing in standings} == {""}
    assert all(standing.is_settled for standing in standings)


def test_what_is_said_is_a_running_mean() -> None:
    assert [standing.recognition for standing in followed([seen(0.5)] * 3)] == pytest.approx(
        [0.75, 0.625, 0.5625]
    )


def test_one_frame_unlike_the_first_ends_being_tracked_and_says_why() -> None:
    standing = followed([seen(0.5)])[0]
    assert standing.status is UNCERTAIN  # though the running mean is still 0.75
    assert standing.reason


def test_a_peak_too_weak_for_the_targets_own_history_is_not_tracked_however_alike_it_looks() -> None:
    standing = followed([seen(0.99, strength=0.5)])[0]
    assert (standing.status, standing.reason) == (UNCERTAIN, "a weak peak")


def test_after_a_break_three_good_frames_in_a_row_are_tracked() -> None:
    frames = [seen(c) for c in (0.3, 0.99, 0.99, 0.3, 0.99, 0.99, 0.99, 0.99)]
    assert statuses(followed(frames)) == [UNCERTAIN] * 6 + [TRACKED] * 2


def test_a_weak_witness_whose_box_moves_is_uncertain_however_long() -> None:
    # weak everywhere is deformation
    assert statuses(followed([seen(0.15, rivalry=1.0)] * 50)) == [UNCERTAIN] * 50


def test_a_weak_witness_and_no_peak_to_follow_is_lost_after_five_frames() -> None:
    # the running mean is 0.575, 0.3625, 0.25625 and then below a quarter
    standings = followed([seen(0.15, strength=0.2)] * 8, moves=False)
    assert statuses(standings) == [UNCERTAIN] * 7 + [LOST]
    assert standings[-1].reason


def test_a_witness_that_sees_the_target_elsewhere_asks_for_a_look_there_and_not_for_its_loss() -> None:
    drifted = seen(0.15, rivalry=1.5)
    assert drifted.likeness * 1.5 > 0.25
    standings = followed([drifted] * 20)
    assert statuses(standings) == [UNCERTAIN] * 20
    asked = [judge().is_elsewhere(standing, drifted) for standing in standings]
    assert asked == [standing.recognition < 0.25 for standing in standings]
    assert asked[-1]


@pytest.mark.parametrize(
    ("frame", "values"),
    [
        pytest.param(seen(0.15, rivalry=1.2), {}, id="hardly-more-like-it"),
        pytest.param(replace(seen(0.15, rivalry=1.5), elsewhere=0.2), {}, id="a-known-rival"),
        pytest.param(replace(seen(0.15), likeness=0.1, elsewhere=0.2), {}, id="nothing-like-it-anywhere"),
        pytest.param(seen(0.15, rivalry=1.5), {"recovery.enabled": False}, id="no-recovery"),
    ],
)
def test_else_the_target_is_not_looked_for_elsewhere(frame: Signals, values: dict[str, object]) -> None:
    unsure = Standing(status=UNCERTAIN, recognition=0.15)
    assert judge().is_elsewhere(unsure, seen(0.15, rivalry=1.5))
    assert not judge(**values).is_elsewhere(unsure, frame)
    assert not judge().is_elsewhere(replace(unsure, status=LOST), seen(0.15, rivalry=1.5))


LEAP = {"seen": seen(strength=0.5), "boxes": 0.7}


def test_where_the_box_shows_nothing_of_the_target_a_good_place_elsewhere_counts_in_full() -> None:
    unsure = Standing(status=UNCERTAIN, recognition=0.05)
    # as many times more like it as a rivalry can say, that is no more than a ratio of 3
    bare = replace(signals(0.01, rivalry=3.0), elsewhere=0.9)
    assert judge().is_elsewhere(unsure, bare)


def test_a_target_that_leapt_is_tracked_only_when_it_has_been_recognised_there_three_times() -> None:
    leapt = judge().leapt(Standing(), **LEAP)
    assert judge().trust(leapt, seen()) == 0  # nothing is learned meanwhile
    standings = followed([seen()] * 4, leapt)
    assert statuses(standings) == [UNCERTAIN, UNCERTAIN, TRACKED, TRACKED]
    assert all(standing.reason for standing in standings[:2])


def test_a_target_that_leapt_beside_its_like_is_lost_when_its_probation_is_over() -> None:
    beside = seen(rivalry=0.9)
    leapt = judge().leapt(Standing(), **LEAP)
    assert statuses(followed([beside] * 10, leapt)) == [UNCERTAIN] * 9 + [LOST]


def test_what_the_classifier_alone_does_not_confirm_is_neither_given_up_nor_believed() -> None:
    unconfirmed = replace(seen(), margin=-5.0)
    leapt = judge().leapt(Standing(), **LEAP)
    standings = followed([unconfirmed] * 20, leapt)
    assert statuses(standings) == [UNCERTAIN] * 20
    assert judge().trust(standings[-1], unconfirmed) == 0
    assert statuses(followed([seen(0.1)], standings[-1])) == [LOST]
    assert statuses(followed([seen()] * 3, standings[-1])) == [UNCERTAIN, UNCERTAIN, TRACKED]


@pytest.mark.parametrize(
    ("frame", "boxes", "values"),
    [
        pytest.param(seen(strength=0.5), 0.5, {}, id="no-leap"),
        pytest.param(seen(strength=0.8), 2.0, {}, id="as-high-a-peak-as-usual"),
        pytest.param(seen(strength=0.5), 2.0, {"recovery.enabled": False}, id="no-recovery"),
        pytest.param(seen(strength=0.5), 2.0, {"recovery.leap": 100.0}, id="set-so"),
    ],
)
def test_else_a_step_raises_no_doubt(frame: Signals, boxes: float, values: dict[str, object]) -> None:
    tracked = Standing()
    assert judge(**values).leapt(tracked, frame, boxes) is tracked
    assert judge().leapt(tracked, **LEAP).probation == 1


def test_a_leap_does_not_prolong_a_probation() -> None:
    on_probation = Standing(status=UNCERTAIN, good=1, probation=7)
    assert judge().leapt(on_probation, **LEAP) is on_probation


def test_the_first_frames_do_not_say_what_is_usual() -> None:
    begun, followed_on = Standing(usual=(1.0,) * 9), Standing(usual=(0.7,) * 10)
    assert judge().resembles(begun, signals(0.31))
    assert not judge().resembles(followed_on, signals(0.31))


def test_a_likeness_that_is_enough_passes_however_much_is_usual() -> None:
    spoilt = Standing(usual=(0.95,) * 20)  # 0.6 of it are 0.57
    assert judge().resembles(spoilt, signals(0.46))
    assert not judge().resembles(spoilt, signals(0.44))
    assert not judge().resembles(Standing(usual=(0.3,) * 20), signals(0.29))
    assert not judge(**{"recovery.plain_likeness": 1.0}).resembles(spoilt, signals(0.56))


def test_while_it_is_lost_no_candidate_makes_it_likely() -> None:
    standing = Standing(status=LOST, recognition=0.05)
    for _ in range(20):
        standing = judge().sought(standing, seen(0.99), is_candidate=True)
    assert standing.recognition <= 0.25


def test_on_probation_the_witness_alone_decides_and_a_peak_may_be_weak() -> None:
    weak = seen(strength=0.4)
    found = judge().returned(Standing(status=LOST, recognition=0.1))
    assert statuses(followed([weak] * 3, found)) == [UNCERTAIN, UNCERTAIN, TRACKED]
    assert statuses(followed([weak] * 3, Standing())) == [UNCERTAIN] * 3


def test_a_witness_that_sees_nothing_anywhere_is_lost_though_the_box_moves() -> None:
    # 0.505 0.2575 0.13375 0.071875 0.0409375: the fifth frame is the first below 0.05
    assert statuses(followed([seen(0.01)] * 9)) == [UNCERTAIN] * 8 + [LOST]


def test_one_better_frame_starts_the_count_anew() -> None:
    bad, better = seen(0.05, strength=0.2), seen(0.6, strength=0.2)
    standings = followed([bad] * 6 + [better] + [bad] * 4, moves=False)
    assert LOST not in statuses(standings)
    assert statuses(followed([bad] * 7, moves=False))[-1] is LOST


def test_a_target_that_cannot_be_lost_never_is() -> None:
    standings = followed([seen(0.01)] * 50, moves=False, **{"recovery.enabled": False})
    assert statuses(standings) == [UNCERTAIN] * 50


@pytest.mark.parametrize(
    ("usual", "likeness", "rivalry", "expected"),
    [
        pytest.param(0.9, 0.6, 0.5, True, id="like-it-and-alone"),
        pytest.param(0.9, 0.6, 0.8, False, id="something-else-nearly-as-much"),
        pytest.param(0.7, 0.41, 0.5, False, id="less-than-its-usual-share"),  # 0.6 * 0.7 = 0.42
        pytest.param(0.4, 0.29, 0.5, False, id="too-little-for-any-target"),
        pytest.param(0.4, 0.31, 0.5, True, id="as-much-as-a-changed-target-has"),
    ],
)
def test_the_identity_test(usual: float, likeness: float, rivalry: float, expected: bool) -> None:
    frame = signals(likeness, rivalry=rivalry)
    assert judge().resembles(Standing(usual=(usual,) * 10), frame) is expected


def test_what_is_usual_is_learned_from_tracked_frames_alone() -> None:
    changed, unsure = seen(0.9), seen(0.5)
    tracked = followed([changed] * 80)[-1]
    assert set(tracked.usual) == {changed.likeness}
    uncertain = followed([unsure] * 10, tracked)[-1]
    assert set(uncertain.usual) == {changed.likeness}


def test_a_search_leaves_it_lost_and_believes_a_candidate_alone() -> None:
    lost = Standing(status=LOST, recognition=0.1, good=0, reason="gone")
    nothing, candidate = (judge().sought(lost, seen(0.99), is_candidate=is_it) for is_it in (False, True))
    assert nothing.status is candidate.status is LOST
    assert nothing.recognition < candidate.recognition <= 0.25
    assert nothing.reason


def test_what_is_said_while_nothing_is_found_falls_to_next_to_nothing() -> None:
    standing = Standing(status=LOST, recognition=0.5, good=0, reason="gone")
    for _ in range(8):
        standing = judge().sought(standing, seen(0.99), is_candidate=False)
    assert standing.recognition == pytest.approx(0.05, abs=0.01)


RETURNED = judge().returned(Standing(status=LOST, recognition=0.1, good=0))
ITSELF = replace(seen(), likeness=0.9)


def test_a_target_found_again_is_uncertain_until_three_frames_confirm_it() -> None:
    assert (RETURNED.status, RETURNED.probation) == (UNCERTAIN, 1)
    assert RETURNED.reason
    standings = followed([ITSELF] * 4, RETURNED)
    assert statuses(standings) == [UNCERTAIN, UNCERTAIN, TRACKED, TRACKED]
    assert standings[-1].probation == 0


def test_on_probation_a_frame_with_a_rival_confirms_nothing() -> None:
    rivalled = replace(ITSELF, rivalry=0.9)
    frames = [rivalled, ITSELF, ITSELF, rivalled, ITSELF, ITSELF, ITSELF]
    assert statuses(followed(frames, RETURNED)) == [UNCERTAIN] * 6 + [TRACKED]


def test_a_return_that_is_not_confirmed_within_ten_frames_is_lost_again() -> None:
    standings = followed([seen(0.5)] * 10, RETURNED)
    assert statuses(standings) == [UNCERTAIN] * 9 + [LOST]
    assert standings[-1].probation == 0
    assert standings[-1].reason


def merged(*standings_of: bool, frame: Signals = ITSELF) -> list[tuple[Standing, Signals]]:
    """What is concluded frame by frame of a target that looks like itself, a rival in its place or not."""
    said, standing = [], Standing(usual=(ITSELF.likeness,) * 10)
    for is_merged in standings_of:
        standing, doubted = judge().doubting(standing, frame, is_merged=is_merged)
        standing = judge().followed(standing, doubted, has_moved=True)
        said.append((standing, doubted))
    return said


def test_while_a_rival_is_in_its_place_nobody_is_sure_however_alike_they_look() -> None:
    ((standing, doubted),) = merged(True)
    assert ITSELF.recognition > 0.99
    assert doubted.recognition < judge().settings.tracked
    assert standing.status is UNCERTAIN
    assert standing.reason


def test_a_target_that_was_doubted_says_so_until_it_is_confirmed() -> None:
    doubted = replace(Standing(), is_doubted=True, good=0)
    standings = followed([replace(seen(), likeness=0.9)] * 3, doubted)
    assert statuses(standings) == [UNCERTAIN, UNCERTAIN, TRACKED]
    assert standings[0].reason == "a look-alike was in its place"
    assert not standings[-1].is_doubted


def test_after_a_rival_has_passed_the_identity_test_ends_the_doubt() -> None:
    said = merged(True, True, False, False, False, False)
    assert statuses([standing for standing, _ in said]) == [UNCERTAIN] * 4 + [TRACKED] * 2
    assert [standing.is_doubted for standing, _ in said] == [True] * 4 + [False] * 2


def test_after_a_rival_has_passed_what_is_less_like_it_than_usual_stays_in_doubt() -> None:
    said = merged(True, *[False] * 10, frame=replace(ITSELF, likeness=0.4))
    assert statuses([standing for standing, _ in said]) == [UNCERTAIN] * 11
    assert max(doubted.recognition for _, doubted in said) < judge().settings.tracked


def test_without_a_rival_nothing_is_doubted() -> None:
    standing, doubted = judge().doubting(Standing(), ITSELF, is_merged=False)
    assert not standing.is_doubted
    assert doubted == ITSELF


def test_a_candidate_that_the_classifier_does_not_recognise_fails_the_identity_test() -> None:
    assert judge().resembles(Standing(), replace(ITSELF, margin=1.0))
    assert not judge().resembles(Standing(), replace(ITSELF, margin=-1.0))
    assert judge().resembles(Standing(), ITSELF)  # where there is no classifier


def test_a_target_may_be_lost_for_hours_and_its_history_still_measures() -> None:
    history = History(1.0, 10.0)
    for _ in range(2000):
        history = history.faded(0.5)  # the least that may be configured; 0.5 ** 1075 is 0
    assert math.isfinite(history.strength(1.0, 10.0))
    assert History(1.0, 10.0).faded(0.9) == History(0.9, 9.0)
