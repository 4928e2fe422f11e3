"""One contract for learning now and learning in the background; and what the background promises beyond it.

No test waits for time to pass: a learner says when it began, and ends when it is told to.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError

import pytest

from recip_tracker_core.errors import LearningError, NotInitialisedError
from recip_tracker_core.updater import BackgroundUpdater, InlineUpdater, Rest, Updater

PATIENCE_S = 20.0  # after which a test that would wait for ever fails


class Learner:
    """Learns ``model of <request>``; a request that is held waits until it is let go.

    A held request stops when it is told to, as learning does, unless ``is_stubborn``.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.started_from: list[str | None] = []
        self.stopped: list[str] = []
        self.threads: list[str] = []
        self.is_stubborn = False
        self._held: dict[str, threading.Event] = {}
        self._began: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def hold(self, request: str) -> None:
        self._held[request] = threading.Event()

    def let_go(self, request: str) -> None:
        self._held[request].set()

    def wait_for_beginning_of(self, request: str) -> None:
        assert self._event(request).wait(PATIENCE_S), f"{request} was never begun"

    def __call__(self, request: str, latest: str | None, should_stop: Callable[[], bool]) -> str | None:
        self.seen.append(request)
        self.started_from.append(latest)
        self.threads.append(threading.current_thread().name)
        self._event(request).set()
        if request in self._held:
            self._wait_until_let_go(self._held[request], should_stop)
        if should_stop():
            self.stopped.append(request)
            return f"model of {request}" if self.is_stubborn else None
        if request.startswith("bad"):
            raise LearningError(f"{request} diverged")
        return f"model of {request}"

    def _event(self, request: str) -> threading.Event:
        with self._lock:
            return self._began.setdefault(request, threading.Event())

    def _wait_until_let_go(self, held: threading.Event, should_stop: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not held.wait(0.002) and not should_stop():
            assert time.monotonic() < deadline_s, "neither let go nor told to stop"


@pytest.fixture
def learner() -> Learner:
    return Learner()


@pytest.fixture(params=[InlineUpdater, BackgroundUpdater], ids=["inline", "background"])
def updater(request: pytest.FixtureRequest, learner: Learner) -> Iterator[Updater[str, str]]:
    with contextlib.closing(request.param(learner)) as made:
        yield made


@pytest.fixture
def background(learner: Learner) -> Iterator[BackgroundUpdater[str, str]]:
    with contextlib.closing(BackgroundUpdater(learner)) as made:
        yield made


def wait_for_end_of(request: str, updater: Updater[str, str], learner: Learner) -> None:
    """Return once a submitted request has been published or has failed.

    There is one worker, so that is so when a later request has begun; the later one never ends.
    """
    learner.wait_for_beginning_of(request)
    if isinstance(updater, BackgroundUpdater):
        learner.hold("marker")
        updater.submit("marker")
        learner.wait_for_beginning_of("marker")


def test_before_the_first_fit_there_is_no_model(updater: Updater[str, str]) -> None:
    with pytest.raises(NotInitialisedError):
        _ = updater.latest
    assert updater.statistics.completed == 0


def test_a_fit_returns_version_one_and_it_is_the_latest(updater: Updater[str, str]) -> None:
    published = updater.fit("first")
    assert (published.version, published.model) == (1, "model of first")
    assert updater.latest is published


def test_a_submitted_request_becomes_the_next_version(updater: Updater[str, str], learner: Learner) -> None:
    updater.fit("first")
    updater.submit("second")
    wait_for_end_of("second", updater, learner)
    assert (updater.latest.version, updater.latest.model) == (2, "model of second")
    assert updater.statistics.completed == 2


def test_an_update_starts_from_the_model_before_it_even_when_it_was_submitted_earlier(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    background.fit("first")
    learner.hold("second")
    background.submit("second")
    learner.wait_for_beginning_of("second")
    background.submit("third")  # while the second is being learned
    learner.let_go("second")
    wait_for_end_of("third", background, learner)
    assert learner.started_from[:3] == [None, "model of first", "model of second"]


def test_a_failure_that_is_kept_holds_nothing_of_the_update_that_failed(
    updater: Updater[str, str], learner: Learner
) -> None:
    updater.fit("first")
    updater.submit("bad update")
    wait_for_end_of("bad update", updater, learner)
    failure = updater.statistics.failure
    assert failure is not None
    assert failure.__traceback__ is None


def test_versions_go_on_counting_over_a_new_target(updater: Updater[str, str]) -> None:
    updater.fit("first")
    assert updater.fit("another target").version == 2


def test_a_failed_fit_raises_what_learning_raised_and_the_model_before_stays(
    updater: Updater[str, str],
) -> None:
    before = updater.fit("first")
    with pytest.raises(LearningError, match="bad fit diverged"):
        updater.fit("bad fit")
    assert updater.latest is before


def test_updates_go_on_after_a_failed_fit(updater: Updater[str, str], learner: Learner) -> None:
    updater.fit("first")
    with pytest.raises(LearningError):
        updater.fit("bad fit")
    updater.submit("second")
    wait_for_end_of("second", updater, learner)
    assert updater.latest.model == "model of second"


def test_a_failed_update_is_counted_and_kept_and_the_model_before_stays(
    updater: Updater[str, str], learner: Learner
) -> None:
    before = updater.fit("first")
    updater.submit("bad update")
    wait_for_end_of("bad update", updater, learner)
    assert updater.latest is before
    assert updater.statistics.failed == 1
    assert "bad update diverged" in str(updater.statistics.failure)


def test_a_success_clears_the_failure_and_keeps_its_count(
    updater: Updater[str, str], learner: Learner
) -> None:
    updater.fit("first")
    updater.submit("bad update")
    learner.wait_for_beginning_of("bad update")
    updater.submit("good update")
    wait_for_end_of("good update", updater, learner)
    assert updater.statistics.failure is None
    assert (updater.statistics.failed, updater.statistics.completed) == (1, 2)


def test_nothing_is_published_after_closing(updater: Updater[str, str]) -> None:
    before = updater.fit("first")
    updater.close()
    updater.submit("late")
    assert updater.latest is before


def test_closing_twice_is_no_error(updater: Updater[str, str]) -> None:
    updater.close()
    updater.close()


def test_a_fit_after_closing_is_refused_by_name(updater: Updater[str, str]) -> None:
    updater.close()
    with pytest.raises(NotInitialisedError, match="closed"):
        updater.fit("late")


def test_what_is_published_cannot_be_changed(updater: Updater[str, str]) -> None:
    published = updater.fit("first")
    with pytest.raises(FrozenInstanceError):
        published.version = 7  # type: ignore[misc]


def test_a_model_from_elsewhere_is_the_first_version_and_what_updates_start_from(
    updater: Updater[str, str], learner: Learner
) -> None:
    published = updater.adopt("adopted")
    assert (published.version, published.model) == (1, "adopted")
    assert updater.latest is published
    updater.submit("second")
    wait_for_end_of("second", updater, learner)
    assert learner.started_from[0] == "adopted"
    assert (updater.latest.version, updater.latest.model) == (2, "model of second")


def test_versions_go_on_counting_over_a_model_from_elsewhere_that_nobody_learned(
    updater: Updater[str, str], learner: Learner
) -> None:
    updater.fit("first")
    updater.submit("bad update")
    wait_for_end_of("bad update", updater, learner)
    assert updater.adopt("adopted").version == 2
    assert (updater.statistics.completed, updater.statistics.failed) == (1, 1)
    assert updater.statistics.failure is None  # it was of another target


def test_a_closed_updater_adopts_nothing(updater: Updater[str, str]) -> None:
    before = updater.fit("first")
    updater.close()
    with pytest.raises(NotInitialisedError, match="closed"):
        updater.adopt("adopted")
    assert updater.latest is before


def test_submitting_returns_while_learning_goes_on(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    first = background.fit("first")
    learner.hold("slow")
    background.submit("slow")
    learner.wait_for_beginning_of("slow")
    background.submit("next")
    assert background.latest is first  # both submits have returned, and nothing has been let go
    learner.let_go("slow")
    wait_for_end_of("next", background, learner)
    assert background.latest.model == "model of next"


def test_updates_run_in_one_thread_of_their_own_and_a_fit_in_the_one_that_waits(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    background.fit("first")
    background.submit("second")
    wait_for_end_of("second", background, learner)
    fit, *updates = learner.threads
    assert fit == threading.current_thread().name
    assert fit not in updates
    assert len(set(updates)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only there niceness is a thread's own")
def test_updates_stand_behind_the_thread_that_tracks_for_a_processor() -> None:
    def niceness(request: str, latest: int | None, should_stop: Callable[[], bool]) -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    with contextlib.closing(BackgroundUpdater(niceness)) as background:
        own = background.fit("first").model
        background.submit("second")
        deadline_s = time.monotonic() + PATIENCE_S
        while background.latest.version < 2:
            assert time.monotonic() < deadline_s
            time.sleep(0.002)
        assert background.latest.model > own


def test_a_newer_request_replaces_one_not_begun(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    background.fit("first")
    learner.hold("slow")
    background.submit("slow")
    learner.wait_for_beginning_of("slow")
    for request in ("stale", "staler", "newest"):
        background.submit(request)
    assert background.statistics.replaced == 2
    learner.let_go("slow")
    wait_for_end_of("newest", background, learner)
    assert learner.seen == ["first", "slow", "newest", "marker"]
    assert background.latest.version == 3


def test_closing_stops_what_is_being_learned_and_publishes_nothing(learner: Learner) -> None:
    background = BackgroundUpdater(learner)
    first = background.fit("first")
    learner.hold("endless")
    background.submit("endless")
    learner.wait_for_beginning_of("endless")
    background.submit("waiting")
    background.close()
    assert learner.stopped == ["endless"]
    assert background.latest is first
    assert learner.seen == ["first", "endless"]


def test_a_new_target_stops_and_drops_what_is_learned_for_the_one_before(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    background.fit("first target")
    learner.hold("update of the first target")
    learner.is_stubborn = True  # it ends in a model although it was told to stop
    background.submit("update of the first target")
    learner.wait_for_beginning_of("update of the first target")
    background.submit("waiting update of the first target")
    published = background.fit("second target")
    assert (published.version, published.model) == (2, "model of second target")
    learner.is_stubborn = False
    background.submit("update of the second target")
    wait_for_end_of("update of the second target", background, learner)
    assert background.latest.model == "model of update of the second target"
    assert background.latest.version == 3
    assert "waiting update of the first target" not in learner.seen


def test_a_model_from_elsewhere_stops_and_drops_what_is_learned_for_the_one_before(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    background.fit("first target")
    learner.hold("update of the first target")
    learner.is_stubborn = True  # it ends in a model although it was told to stop
    background.submit("update of the first target")
    learner.wait_for_beginning_of("update of the first target")
    background.submit("waiting update of the first target")
    assert background.adopt("adopted").version == 2
    learner.is_stubborn = False
    background.submit("update of the adopted")
    wait_for_end_of("update of the adopted", background, learner)
    assert learner.stopped[0] == "update of the first target"
    assert (background.latest.version, background.latest.model) == (3, "model of update of the adopted")
    assert learner.started_from[2] == "adopted"
    assert "waiting update of the first target" not in learner.seen
    assert background.statistics.replaced == 0  # it did not wait any more


def test_closing_ends_a_first_fit_that_another_thread_waits_for(learner: Learner) -> None:
    background = BackgroundUpdater(learner)
    learner.hold("endless")
    with ThreadPoolExecutor(1) as elsewhere:
        fit = elsewhere.submit(background.fit, "endless")
        learner.wait_for_beginning_of("endless")
        background.close()
        with pytest.raises(NotInitialisedError, match="closed"):
            fit.result(PATIENCE_S)


def test_the_one_in_the_background_is_busy_until_all_is_learned() -> None:
    begun, may_end = threading.Event(), threading.Event()

    def learn(request: int, latest: int | None, should_stop: Callable[[], bool]) -> int:
        begun.set()
        assert may_end.wait(20)
        return request

    updater: BackgroundUpdater[int, int] = BackgroundUpdater(learn)
    assert not updater.is_busy
    updater.submit(1)
    assert begun.wait(20)
    assert updater.is_busy
    may_end.set()
    updater.close()
    assert not updater.is_busy
    assert not InlineUpdater(learn).is_busy


def rest(name: str) -> Rest[str, str]:
    return Rest(name, lambda model: f"join ({model})")


def test_the_rest_of_a_fit_is_learned_while_updates_are_and_then_joins_the_newest_model(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    learner.hold("rest")
    published = background.fit("beginning", rest=rest("rest"))
    assert (published.version, published.model) == (1, "model of beginning")
    learner.wait_for_beginning_of("rest")
    assert background.is_busy
    background.submit("early")
    learner.wait_for_beginning_of("early")
    learner.let_go("rest")
    learner.wait_for_beginning_of("join (model of rest)")
    wait_for_end_of("join (model of rest)", background, learner)
    started_from = dict(zip(learner.seen, learner.started_from, strict=True))
    assert started_from["rest"] == started_from["early"] == "model of beginning"
    assert started_from["join (model of rest)"] == "model of early"
    assert background.latest.model == "model of join (model of rest)"
    assert learner.threads[learner.seen.index("rest")] not in learner.threads[learner.seen.index("early")]


def test_what_the_rest_gave_goes_before_an_update_that_waits(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    for held in ("rest", "slow"):
        learner.hold(held)
    background.fit("beginning", rest=rest("rest"))
    background.submit("slow")
    for held in ("rest", "slow"):
        learner.wait_for_beginning_of(held)
    background.submit("waiting")
    learner.let_go("rest")
    deadline_s = time.monotonic() + PATIENCE_S
    while background._joined is None:
        assert time.monotonic() < deadline_s
        time.sleep(0.002)
    background.submit("newest")  # in the place of the one that waits, and not of the rest's
    learner.let_go("slow")
    wait_for_end_of("newest", background, learner)
    assert learner.seen[3:5] == ["join (model of rest)", "newest"]


def test_where_all_is_waited_for_a_fit_is_whole_at_once(learner: Learner) -> None:
    inline: InlineUpdater[str, str] = InlineUpdater(learner)
    inline.fit("another target")
    assert inline.fit("beginning", rest=rest("rest")).model == "model of rest"
    assert learner.seen == ["another target", "rest"]
    assert learner.started_from[-1] is None


def test_a_new_target_drops_the_rest_of_the_fit_of_the_one_before(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    learner.hold("rest of the first")
    learner.is_stubborn = True
    background.fit("first", rest=rest("rest of the first"))
    learner.wait_for_beginning_of("rest of the first")
    background.fit("second", rest=rest("rest of the second"))
    joined = "join (model of rest of the second)"
    learner.wait_for_beginning_of(joined)
    wait_for_end_of(joined, background, learner)
    assert background.latest.model == f"model of {joined}"
    assert background.latest.version == 3
    assert "join (model of rest of the first)" not in learner.seen


def test_a_rest_that_fails_leaves_the_beginning(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    before = background.fit("beginning", rest=rest("bad rest"))
    learner.wait_for_beginning_of("bad rest")
    deadline_s = time.monotonic() + PATIENCE_S
    while background.is_busy:
        assert time.monotonic() < deadline_s
        time.sleep(0.002)
    assert background.latest is before
    assert background.statistics.failed == 1


def test_closing_stops_a_rest_and_publishes_nothing(learner: Learner) -> None:
    background: BackgroundUpdater[str, str] = BackgroundUpdater(learner)
    learner.hold("endless rest")
    before = background.fit("beginning", rest=rest("endless rest"))
    learner.wait_for_beginning_of("endless rest")
    background.close()
    assert learner.stopped == ["endless rest"]
    assert background.latest is before
    assert not background.is_busy


def test_those_made_of_one_learn_in_one_thread_each_in_its_turn(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    with contextlib.closing(background.another()) as other:
        background.fit("first")
        other.fit("other first")
        learner.hold("slow")
        background.submit("slow")
        learner.wait_for_beginning_of("slow")
        background.submit("next")
        other.submit("other next")
        learner.let_go("slow")
        wait_for_end_of("next", background, learner)
        assert learner.seen[:5] == ["first", "other first", "slow", "other next", "next"]
        assert len(set(learner.threads[2:])) == 1
        assert (background.latest.model, other.latest.model) == ("model of next", "model of other next")


def test_closing_one_waits_for_nothing_of_another_and_leaves_it_its_thread(
    background: BackgroundUpdater[str, str], learner: Learner
) -> None:
    other = background.another()
    background.fit("first")
    other.fit("other first")
    learner.hold("slow")
    background.submit("slow")
    learner.wait_for_beginning_of("slow")
    other.submit("never learned")
    other.close()  # returns while the slow one is still being learned
    assert "model of slow" not in background.latest.model
    learner.let_go("slow")
    wait_for_end_of("slow", background, learner)
    assert background.latest.model == "model of slow"
    assert "never learned" not in learner.seen


def test_the_thread_ends_with_the_last_who_learns_in_it() -> None:
    threads: list[threading.Thread] = []

    def learn(request: int, latest: int | None, should_stop: Callable[[], bool]) -> int:
        threads.append(threading.current_thread())
        return request

    first: BackgroundUpdater[int, int] = BackgroundUpdater(learn)
    second = first.another()
    for one in (first, second):
        one.submit(1)
        deadline_s = time.monotonic() + PATIENCE_S
        while one.is_busy:
            assert time.monotonic() < deadline_s
            time.sleep(0.002)
    assert threads[0] is threads[1]
    first.close()
    assert threads[0].is_alive()
    second.close()
    assert not threads[0].is_alive()


def test_a_fit_that_ends_after_closing_leaves_no_rest_and_no_thread(learner: Learner) -> None:
    background: BackgroundUpdater[str, str] = BackgroundUpdater(learner)
    learner.hold("beginning")
    learner.is_stubborn = True  # it ends in a model although it was told to stop
    with ThreadPoolExecutor(1) as elsewhere:
        fit = elsewhere.submit(background.fit, "beginning", rest("rest"))
        learner.wait_for_beginning_of("beginning")
        background.close()
        fit.result(PATIENCE_S)
    assert not background.is_busy
    assert learner.seen == ["beginning"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("rests")]
