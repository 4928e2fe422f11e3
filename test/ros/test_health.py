"""What the node measures of simulated cameras: rates, ages and the fate of every image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("rclpy")  # of which nothing is used: it is the package that needs it

from recip_tracker_ros.health import CAPACITY, Arrival, FrameLog, resident_bytes

Image = tuple[float, float]  # when it comes, and its stamp: both in seconds
EPOCH_S = 1000.0


def images(rate_hz: float, seconds: float, begin_s: float = 0.0) -> list[Image]:
    times_s = [begin_s + index / rate_hz for index in range(round(rate_hz * seconds))]
    return [(at_s, EPOCH_S + at_s) for at_s in times_s]


def jittered(
    rate_hz: float, seconds: float, chance: np.random.Generator, *, of: str = "each exposure"
) -> list[Image]:
    if of == "each exposure":  # around a beat that is exact
        places = [index + chance.uniform(-0.2, 0.2) for index in range(round(rate_hz * seconds))]
    else:  # each period is of another length, and the error adds up
        places = [0.0]
        while places[-1] < rate_hz * seconds:
            places.append(places[-1] + chance.uniform(0.8, 1.2))
    return [(place / rate_hz, EPOCH_S + place / rate_hz) for place in places]


def watch(
    came: Iterable[Image], busy_s: float | Callable[[float], float] = 0.005, log: FrameLog | None = None
) -> FrameLog:
    """A node that takes the newest image when it has time, and answers each that it takes."""
    log = log or FrameLog(0.0)
    waiting: Image | None = None
    free_s = 0.0
    for image in [*came, (float("inf"), 0.0)]:
        if waiting is not None and max(free_s, waiting[0]) <= image[0]:
            begun_s = max(free_s, waiting[0])
            took_s = busy_s(begun_s) if callable(busy_s) else busy_s
            age_s = begun_s - waiting[0]
            log.add(Arrival(begun_s, took_s, round(waiting[1] * 1e9), age_s, age_s + took_s))
            free_s = begun_s + took_s
        waiting = image
    return log


def some(came: list[Image], share: float, chance: np.random.Generator) -> list[Image]:
    return [image for image in came if chance.random() < share]


# The fate of images


def test_images_that_never_come_are_told_from_those_that_a_newer_one_replaced():
    # Two of three are lost, and the node waits for 95 of every 100 ms.
    lost = watch(images(30, 10)[::3]).measure(10.0, rate_hz=30)
    assert lost.delivered_share == pytest.approx(1 / 3)
    assert lost.missing_hz == pytest.approx(20, rel=0.05)
    assert lost.replaced_hz == 0
    assert not lost.is_slower_than_camera

    # In 80 ms, 2.4 images come, of which the newest is taken: 12.5 a second, and 17.5 are replaced.
    slow = watch(images(30, 10), busy_s=0.080).measure(10.0, rate_hz=30)
    assert slow.delivered_share == 1
    assert slow.missing_hz == 0
    assert slow.image_hz == pytest.approx(12.5, rel=0.05)
    assert slow.replaced_hz == pytest.approx(17.5, rel=0.05)
    assert slow.busy_share == pytest.approx(1, abs=0.02)
    assert slow.is_slower_than_camera


@pytest.mark.parametrize("seed", range(10))
def test_losses_by_chance_show_in_the_stamps_alone(seed):
    third = watch(some(images(30, 20), 1 / 3, np.random.default_rng(seed))).measure(20.0)
    assert third.promised_hz == pytest.approx(30)
    assert third.delivered_share < 0.5


@pytest.mark.parametrize("seed", range(10))
def test_where_hardly_any_image_comes_the_rate_is_underestimated_and_the_loss_still_seen(seed):
    few = watch(some(images(30, 60), 1 / 10, np.random.default_rng(seed))).measure(60.0)
    assert few.promised_hz <= 30.01
    assert few.delivered_share < 0.5


@pytest.mark.parametrize("rate_hz", [0.0, 5.0], ids=["from the stamps", "promised"])
def test_a_camera_that_truly_is_slow_loses_nothing(rate_hz):
    stream = watch(images(5, 10)).measure(10.0, rate_hz)
    assert stream.promised_hz == pytest.approx(5)
    assert stream.image_hz == pytest.approx(5, rel=0.05)
    assert stream.delivered_share == 1
    assert (stream.missing_hz, stream.replaced_hz) == (0, 0)
    assert not stream.is_slower_than_camera


def test_a_frame_that_takes_longer_than_a_silence_is_no_silence():
    stream = watch(images(30, 10), lambda at_s: 1.51 if 6.99 < at_s < 7.01 else 0.005).measure(10.0)
    assert stream.replaced_hz == pytest.approx(44 / 5)
    assert stream.missing_hz == 0


@pytest.mark.parametrize("busy_s", [0.001, 0.020, 0.026])
def test_a_tracker_that_keeps_pace_loses_nothing(busy_s):
    stream = watch(images(30, 10), busy_s).measure(10.0)
    assert stream.promised_hz == pytest.approx(30)
    assert stream.delivered_share == 1
    assert not stream.is_slower_than_camera


def test_one_frame_that_takes_long_is_no_loss_on_the_way():
    stream = watch(images(30, 10), lambda at_s: 0.51 if 6.99 < at_s < 7.01 else 0.005).measure(10.0)
    assert stream.missing_hz == 0
    assert stream.replaced_hz == pytest.approx(14 / 5)  # 15 come meanwhile, and the last is taken
    assert stream.delivered_share == 1


def test_images_without_an_answer_are_no_loss():
    log = FrameLog(0.0)
    for at_s, stamp_s in images(30, 5):  # as while a first fit runs
        log.add(Arrival(at_s, 0.001, round(stamp_s * 1e9), 0.01))
    stream = log.measure(5.0)
    assert (stream.image_hz, stream.answer_hz) == (pytest.approx(30, rel=0.05), 0)
    assert stream.delivered_share == 1
    assert (stream.frame_s, stream.answer_age_s) == (None, None)


def test_one_silence_is_no_loss_and_the_rate_is_still_known_after_it():
    stream = watch(images(30, 10) + images(30, 1.5, begin_s=13)).measure(14.5)
    assert stream.promised_hz == pytest.approx(30)
    assert stream.missing_hz == pytest.approx(29 / 5)  # a second of the three
    assert stream.delivered_share > 0.5


def test_images_that_come_in_drops_are_a_loss_however_long_the_pauses():
    drops = [image for begin_s in range(0, 30, 2) for image in images(30, 0.1, begin_s)]
    stream = watch(drops).measure(30.0)
    assert stream.promised_hz == pytest.approx(30)
    assert stream.delivered_share < 0.2


def test_of_a_pause_no_more_counts_than_the_limit_that_is_given():
    paused = images(30, 9) + images(30, 1, begin_s=9.8)
    assert watch(paused).measure(10.8, silent_s=0.5).missing_hz == pytest.approx(14 / 5)
    assert watch(paused).measure(10.8, silent_s=1.0).missing_hz == pytest.approx(24 / 5)  # 0.8 s of them


def test_three_steps_are_needed_to_speak_of_a_loss():
    lossy = images(30, 10)[::3]
    assert watch(lossy[:3]).measure(1.0, rate_hz=30).delivered_share is None
    assert watch(lossy[:4]).measure(1.0, rate_hz=30).delivered_share == pytest.approx(1 / 3)


# The rate that stamps promise


@pytest.mark.parametrize("of", ["each exposure", "each period"])
@pytest.mark.parametrize("rate_hz", [5, 30, 60])
def test_a_jitter_of_a_fifth_leaves_the_rate_right_to_a_tenth(rate_hz, of):
    for seed in range(20):
        stream = watch(jittered(rate_hz, 15, np.random.default_rng(seed), of=of)).measure(15.0)
        assert stream.promised_hz == pytest.approx(rate_hz, rel=0.1)
        assert stream.delivered_share == 1


def test_jitter_and_losses_together_leave_the_rate_right_to_a_tenth():
    for seed in range(20):
        chance = np.random.default_rng(seed)
        stream = watch(some(jittered(30, 15, chance), 0.5, chance)).measure(15.0)
        assert stream.promised_hz == pytest.approx(30, rel=0.1)


def test_the_rate_from_before_stays_known_once_the_tracker_is_too_slow_to_see_neighbours():
    log = watch(images(30, 5))
    assert log.measure(5.0).promised_hz == pytest.approx(30)
    later = watch(images(30, 60, begin_s=5), busy_s=0.080, log=log).measure(65.0)
    assert later.promised_hz == pytest.approx(30)
    assert later.delivered_share == 1
    assert later.is_slower_than_camera


def test_a_tracker_that_never_waited_is_slower_than_a_camera_of_unknown_rate():
    stream = watch(images(30, 10), busy_s=0.080).measure(10.0)
    assert (stream.promised_hz, stream.replaced_hz, stream.delivered_share) == (None, None, None)
    assert stream.is_slower_than_camera


def test_a_rate_that_is_set_has_precedence_over_the_stamps():
    stream = watch(images(5, 10)).measure(10.0, rate_hz=20)
    assert stream.promised_hz == 20
    assert stream.delivered_share == pytest.approx(1 / 4)


def test_a_camera_that_becomes_slower_is_believed_after_a_while():
    stream = watch(images(30, 10) + images(5, 40, begin_s=10)).measure(50.0)
    assert stream.promised_hz == pytest.approx(5)


STRANGE = {
    "each image twice": [(at_s, EPOCH_S + index // 2 / 30) for index, (at_s, _) in enumerate(images(60, 10))],
    "a recording in a loop": [(at_s, EPOCH_S + at_s % 0.5) for at_s, _ in images(30, 10)],
    "a recording at a third of its speed": [(3 * at_s, stamp_s) for at_s, stamp_s in images(30, 4)],
    "a clock that is set": [(at_s, stamp_s + 3600 * (at_s > 8)) for at_s, stamp_s in images(30, 10)],
    "one stamp that is late": [
        (at_s, stamp_s + 0.03 * (index == 200)) for index, (at_s, stamp_s) in enumerate(images(30, 10))
    ],
    "two stamps in one burst": [
        (at_s, stamp_s - 0.03 * (index % 2)) for index, (at_s, stamp_s) in enumerate(images(30, 10))
    ],
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_stamps_make_no_loss_and_no_other_rate(name):
    stream = watch(STRANGE[name]).measure(STRANGE[name][-1][0])
    assert stream.promised_hz == pytest.approx(30, rel=0.1)
    assert stream.delivered_share == 1
    assert not stream.is_slower_than_camera
    assert stream.is_stamped


def test_images_that_come_in_pairs_are_judged_by_a_rate_that_is_set_alone():
    pairs = [
        (at_s - 0.03 * (i % 2), stamp_s - 0.03 * (i % 2)) for i, (at_s, stamp_s) in enumerate(images(30, 10))
    ]
    log = watch(pairs)  # the second one always waits: nobody knows whether others did
    assert log.measure(10.0).promised_hz is None
    assert not log.measure(10.0).is_slower_than_camera
    assert log.measure(10.0, rate_hz=30).delivered_share > 0.95


@pytest.mark.parametrize("stamp_s", [0.0, EPOCH_S], ids=["none", "always the same"])
def test_stamps_that_stand_promise_nothing_and_are_told(stamp_s):
    log = watch([(at_s, stamp_s) for at_s, _ in images(30, 10)])
    stream = log.measure(10.0)
    assert not stream.is_stamped
    assert stream.promised_hz is None
    # The clock counts instead, against a rate that is set: a third of ninety.
    assert log.measure(10.0, rate_hz=90).delivered_share == pytest.approx(1 / 3)


def test_a_single_image_is_not_told_to_stand():
    assert watch([(1.0, EPOCH_S)]).measure(1.5).is_stamped


# Numbers by hand


def test_the_numbers_of_four_callbacks():
    log = FrameLog(10.0)
    log.add(Arrival(10.0, 0.010, 1_000_000_000, image_age_s=0.1))
    log.add(Arrival(10.5, 0.100, 1_500_000_000, image_age_s=0.2, answer_age_s=0.3))
    log.add(Arrival(11.0, 0.040, 2_000_000_000, image_age_s=0.3, answer_age_s=0.0))
    log.add(Arrival(11.5, 0.050, 2_500_000_000, image_age_s=0.4, is_refused=True))
    stream = log.measure(12.0)
    assert (stream.image_hz, stream.answer_hz) == (4 / 2, 2 / 2)  # in the 2 s since the log began
    assert stream.busy_share == pytest.approx(0.200 / 2)
    assert (stream.frame_s.median, stream.frame_s.p99) == (0.040, 0.040)
    assert (stream.answer_age_s.median, stream.image_age_s) == (0.0, 0.2)
    assert (stream.images_in_all, stream.answers_in_all, stream.refused_in_all, stream.refused) == (
        4,
        2,
        1,
        1,
    )


def test_the_99th_percentile_of_a_hundred_and_one_is_the_last_but_one():
    log = FrameLog(0.0)
    for index in range(101):
        log.add(Arrival(index / 30, (index + 1) / 1000, index, 0.0, answer_age_s=1.0))
    spread = log.measure(3.5).frame_s
    assert (spread.median, spread.p99) == (0.051, 0.100)


def test_only_the_last_five_seconds_count_but_for_the_totals():
    log = watch(images(30, 2))
    log.add(Arrival(9.0, 0.01, 0, 0.0, is_refused=True))
    stream = log.measure(10.0)
    assert stream.image_hz == 1 / 5
    assert (stream.images_in_all, stream.refused) == (61, 1)
    assert log.measure(20.0).image_age_s is None
    assert log.measure(20.0).refused_in_all == 1


def test_memory_is_bounded_however_long_the_camera_runs():
    log = watch(images(30, 100))
    assert len(log._arrivals) == CAPACITY
    assert log.measure(100.0).images_in_all == 3000


def test_the_simulated_node_takes_the_newest_image_and_never_two_at_once():
    taken = list(watch(images(30, 2), busy_s=0.080)._arrivals)
    assert all(after.begun_s >= before.begun_s + before.busy_s for before, after in pairwise(taken))
    assert max(arrival.image_age_s for arrival in taken) <= 1 / 30 + 1e-9


def test_the_process_knows_its_memory():
    assert resident_bytes() > 1_000_000
