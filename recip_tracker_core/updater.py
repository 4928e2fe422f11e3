"""When and where learning runs. Knows requests and models only as values, and no torch.

Two threads share one thing: :class:`Published`, a frozen pair that is replaced by one assignment. The
tracking thread reads :attr:`Updater.latest` once a frame, so a whole frame sees one version.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from .errors import NotInitialisedError
from .learning_threads import Threads

Request = TypeVar("Request")
Model = TypeVar("Model")

Learn = Callable[[Request, "Model | None", Callable[[], bool]], "Model | None"]
"""``learn(request, latest, should_stop)``: the new model, or None when told to stop. ``latest`` is the
newest model when learning begins, so that no update starts from one that another has replaced."""


@dataclass(frozen=True, slots=True)
class Published(Generic[Model]):
    """A model and its version, which counts from 1."""

    version: int
    model: Model


@dataclass(frozen=True, slots=True)
class UpdateStatistics:
    """What became of the requests so far.

    Attributes:
        completed: updates that ended in a published model, first fits included.
        replaced: requests that a newer one replaced before they began.
        failed: updates that raised.
        failure: the last update's exception, or None once one has succeeded or the target is another.
    """

    completed: int = 0
    replaced: int = 0
    failed: int = 0
    failure: Exception | None = None


@dataclass(frozen=True, slots=True)
class Rest(Generic[Request, Model]):
    """What makes a first fit whole that was not waited for.

    Attributes:
        request: learned from the model that was waited for.
        joined: what then brings its model into the newest one, which has been learning meanwhile.
    """

    request: Request
    joined: Callable[[Model], Request]


class Updater(Protocol[Request, Model]):
    """The one seam through which learning runs."""

    @property
    def latest(self) -> Published[Model]:
        """The newest model.

        Raises:
            NotInitialisedError: before the first fit.
        """
        ...

    @property
    def statistics(self) -> UpdateStatistics:
        """Counts so far."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether something is being learned, or waits for it."""
        ...

    def fit(self, request: Request, rest: Rest[Request, Model] | None = None) -> Published[Model]:
        """Learn now, whatever was being learned before, and wait for it: the first fit of a target.

        Args:
            request: what is waited for.
            rest: what makes it whole. Where learning runs beside, so does this; where all is waited for
                anyway, it is learned instead.

        Raises:
            Exception: what learning raised; the latest model is then still the one before.
        """
        ...

    def adopt(self, model: Model) -> Published[Model]:
        """Publish a model that was not learned here; what is being learned for the one before is dropped.

        Raises:
            NotInitialisedError: after closing.
        """
        ...

    def submit(self, request: Request) -> None:
        """Learn when there is time. A failure is kept in the statistics; the latest model stays."""
        ...

    def another(self) -> Updater[Request, Model]:
        """One of the same kind that learns in the same way and has learned nothing yet."""
        ...

    def close(self) -> None:
        """Stop before the next step of whatever is being learned."""
        ...


class InlineUpdater(Generic[Request, Model]):
    """Learns before it returns: deterministic, for evaluation and tests."""

    def __init__(self, learn: Learn[Request, Model]) -> None:
        self._learn = learn
        self._latest: Published[Model] | None = None
        self._statistics = UpdateStatistics()
        self._is_closed = False

    @property
    def latest(self) -> Published[Model]:
        """See :class:`Updater`."""
        return _initialised(self._latest)

    @property
    def statistics(self) -> UpdateStatistics:
        """See :class:`Updater`."""
        return self._statistics

    @property
    def is_busy(self) -> bool:
        """See :class:`Updater`: not between its calls."""
        return False

    def fit(self, request: Request, rest: Rest[Request, Model] | None = None) -> Published[Model]:
        """See :class:`Updater`."""
        # Nothing is known of a target whose fit has not begun: what there is of another is not gone on with.
        model = self._learn(rest.request if rest else request, None, lambda: self._is_closed)
        if model is None:
            raise NotInitialisedError("the updater was closed during the first fit")
        self._latest = _next(self._latest, model)
        self._statistics = _succeeded(self._statistics)
        return self._latest

    def adopt(self, model: Model) -> Published[Model]:
        """See :class:`Updater`."""
        if self._is_closed:
            raise NotInitialisedError("the updater is closed")
        self._latest = _next(self._latest, model)
        self._statistics = replace(self._statistics, failure=None)
        return self._latest

    def submit(self, request: Request) -> None:
        """See :class:`Updater`."""
        try:
            model = self._begin(request)
        except Exception as error:
            self._statistics = _failed(self._statistics, error)
            return
        if model is not None:
            self._latest = _next(self._latest, model)
            self._statistics = _succeeded(self._statistics)

    def another(self) -> InlineUpdater[Request, Model]:
        """See :class:`Updater`."""
        return InlineUpdater(self._learn)

    def close(self) -> None:
        """See :class:`Updater`."""
        self._is_closed = True

    def _begin(self, request: Request) -> Model | None:
        return self._learn(request, _newest(self._latest), lambda: self._is_closed)


class BackgroundUpdater(Generic[Request, Model]):
    """Updates in a learning thread, which all of :meth:`another` share; each in its turn.

    The thread that tracks never waits for it. A first fit, which is waited for, runs in the thread that
    asks; the rest of it in a thread of its own, while updates go on, and what comes of it goes before them.

    The mailbox holds one request, and a newer one replaces it: when learning is slower than its
    interval, requests are replaced, never queued.
    """

    def __init__(self, learn: Learn[Request, Model], threads: Threads | None = None) -> None:
        self._learn = learn
        self._threads = threads or Threads()
        for thread in self._threads.both:
            thread.join()
        self._lock = threading.Lock()  # guards the mailbox and the counts, never a computation
        self._ended = threading.Condition(self._lock)
        self._joined: Request | None = None
        self._waiting: Request | None = None
        self._rests = 0  # that are being learned, or are going to be
        self._is_busy = False
        self._running = 0  # threads that learn
        self._era = 0  # of targets: a model learned for an earlier one is dropped
        self._is_closed = False
        self._latest: Published[Model] | None = None
        self._statistics = UpdateStatistics()

    @property
    def latest(self) -> Published[Model]:
        """See :class:`Updater`."""
        return _initialised(self._latest)

    @property
    def statistics(self) -> UpdateStatistics:
        """See :class:`Updater`."""
        return self._statistics

    @property
    def is_busy(self) -> bool:
        """See :class:`Updater`."""
        return self._is_busy or self._rests > 0

    def fit(self, request: Request, rest: Rest[Request, Model] | None = None) -> Published[Model]:
        """See :class:`Updater`."""
        with self._lock:
            era = self._begin_era()
        # In the thread that waits for it: the learning thread has given its place to that one for good.
        model = self._begin(request, era)
        if model is None:
            raise NotInitialisedError("the updater was closed during the first fit")
        self._publish(model, era)
        with self._lock:
            if rest is not None and not self._is_stale(era):
                self._rests += 1
                self._threads.rests.submit(lambda: self._complete(rest, model, era))
        return self.latest

    def adopt(self, model: Model) -> Published[Model]:
        """See :class:`Updater`."""
        with self._lock:
            self._begin_era()
            self._latest = _next(self._latest, model)
            self._statistics = replace(self._statistics, failure=None)
            return self._latest

    def submit(self, request: Request) -> None:
        """See :class:`Updater`."""
        with self._lock:
            if self._is_closed:
                return
            if self._waiting is not None:
                replaced = self._statistics.replaced + 1
                self._statistics = replace(self._statistics, replaced=replaced)
            self._waiting = request
            self._work()

    def another(self) -> BackgroundUpdater[Request, Model]:
        """See :class:`Updater`."""
        return BackgroundUpdater(self._learn, self._threads)

    def close(self) -> None:
        """See :class:`Updater`. Returns once nothing of it is being learned any more."""
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
            self._joined = self._waiting = None
            self._ended.wait_for(lambda: not self._running)
        if not was_closed:
            for thread in self._threads.both:
                thread.leave()

    def _begin_era(self) -> int:
        """Another target's; the caller holds the lock."""
        if self._is_closed:
            raise NotInitialisedError("the updater is closed")
        self._era += 1
        self._joined = self._waiting = None
        return self._era

    def _work(self) -> None:
        """See to it that what waits is learned; the caller holds the lock."""
        if not self._is_busy:
            self._is_busy = True
            self._threads.updates.submit(self._work_off)

    def _work_off(self) -> None:
        """Learn one request, and then let others have their turn."""
        with self._lock:
            era = self._era
            request = self._next_request()
            self._running += 1
        if request is not None and (model := self._begin_beside(request, era)) is not None:
            self._publish(model, era)
        with self._lock:
            self._running -= 1
            self._is_busy = False
            if self._joined is not None or self._waiting is not None:
                self._work()
            self._ended.notify_all()

    def _next_request(self) -> Request | None:
        """What is to be learned now, which then waits no more; the caller holds the lock."""
        joined, self._joined = self._joined, None
        if joined is not None:
            return joined
        waiting, self._waiting = self._waiting, None
        return waiting

    def _complete(self, rest: Rest[Request, Model], begun: Model, era: int) -> None:
        """Learn the rest of a first fit, and let the learning thread bring it in."""
        with self._lock:
            self._running += 1
        model = self._begin_beside(rest.request, era, begun)
        with self._lock:
            self._running -= 1
            self._rests -= 1
            if model is not None and not self._is_stale(era):
                self._joined = rest.joined(model)
                self._work()
            self._ended.notify_all()

    def _begin_beside(self, request: Request, era: int, latest: Model | None = None) -> Model | None:
        """The model, from the newest one or one that is given, or None; a failure is kept."""
        if self._is_stale(era):
            return None
        try:
            return self._begin(request, era, latest)
        except Exception as error:
            with self._lock:
                self._statistics = _failed(self._statistics, error)
            return None

    def _begin(self, request: Request, era: int, latest: Model | None = None) -> Model | None:
        newest = _newest(self._latest) if latest is None else latest
        return self._learn(request, newest, lambda: self._is_stale(era))

    def _publish(self, model: Model, era: int) -> None:
        with self._lock:
            if era != self._era:
                return
            self._latest = _next(self._latest, model)
            self._statistics = _succeeded(self._statistics)

    def _is_stale(self, era: int) -> bool:
        return self._is_closed or era != self._era


def _initialised(latest: Published[Model] | None) -> Published[Model]:
    if latest is None:
        raise NotInitialisedError("nothing has been learned yet: initialise the tracker with a box first")
    return latest


def _newest(latest: Published[Model] | None) -> Model | None:
    return None if latest is None else latest.model


def _next(latest: Published[Model] | None, model: Model) -> Published[Model]:
    return Published(1 if latest is None else latest.version + 1, model)


def _succeeded(statistics: UpdateStatistics) -> UpdateStatistics:
    return replace(statistics, completed=statistics.completed + 1, failure=None)


def _failed(statistics: UpdateStatistics, error: Exception) -> UpdateStatistics:
    # Without its traceback: that holds everything the failed update had drawn.
    return replace(statistics, failed=statistics.failed + 1, failure=error.with_traceback(None))
