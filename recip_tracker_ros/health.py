"""What the node measures of itself: how images come in, what became of them, and how long it took.

Pure: nothing of ROS, no clock and no thread. Steady times are those of ``time.monotonic()``, seconds.
A frame costs one entry in a bounded queue; the arithmetic waits until somebody asks.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

WINDOW_S = 5.0  # what is reported is that of these last seconds
MEMORY_S = 30.0  # the camera's period is learned from these: where images get lost, neighbours are rare
CAPACITY = 1000  # callbacks that are remembered; 5 s of them up to 200 images a second
LEARNED_FROM = 8  # distances between stamps, at least
JUDGED_FROM = 3  # steps from image to image, at least: without room for images, one comes each second
SATURATED = 0.9  # share of the time spent on frames above which the next one was always waiting


@dataclass(frozen=True, slots=True)
class Arrival:
    """One call of the image callback, told when it is over.

    Attributes:
        begun_s: steady time at which it began.
        busy_s: how long it took.
        stamp_ns: of the image.
        image_age_s: the node's clock when it began, minus the stamp.
        answer_age_s: the node's clock when the answer was published, minus the stamp; None without answer.
        is_refused: whether the image could not be read.
    """

    begun_s: float
    busy_s: float
    stamp_ns: int
    image_age_s: float
    answer_age_s: float | None = None
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 99th percentile; of several values the latter always leaves out the largest."""

    median: float
    p99: float


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes: resident in the process, and torch's on the device; None where it is not known."""

    process: int | None = None
    device_allocated: int | None = None
    device_reserved: int | None = None
    device_free: int | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """What the last :data:`WINDOW_S` seconds say.

    Attributes:
        promised_hz: images a second that the camera sends; None when nobody knows.
        image_hz: images a second that the callback saw.
        answer_hz: answers a second.
        replaced_hz: images a second that a newer one replaced while the node was busy; None as above.
        missing_hz: images a second that never came although the node waited for them; None as above.
        delivered_share: of the images of the camera, those that came, replaced ones included; None as
            above, and after fewer than :data:`JUDGED_FROM` steps from image to image.
        busy_share: of the time, what the callback took; in [0, 1].
        frame_s: time that answered frames took, or None without any.
        answer_age_s: age of the answers, or None without any.
        image_age_s: median age at which images came, or None without any.
        is_stamped: whether stamps move; False says that all in the window are one and the same.
        refused: images in the window that could not be read.
        images_in_all, answers_in_all, refused_in_all: since the log began.
    """

    promised_hz: float | None
    image_hz: float
    answer_hz: float
    replaced_hz: float | None
    missing_hz: float | None
    delivered_share: float | None
    busy_share: float
    frame_s: Spread | None
    answer_age_s: Spread | None
    image_age_s: float | None
    is_stamped: bool
    refused: int
    images_in_all: int
    answers_in_all: int
    refused_in_all: int

    @property
    def is_slower_than_camera(self) -> bool:
        """Whether more than one image in ten was left out for want of time.

        As long as the camera's rate is unknown: whether there was no pause between two.
        """
        if self.replaced_hz is None:
            return self.busy_share >= SATURATED
        return self.replaced_hz > 0.1 * (self.image_hz + self.replaced_hz)


class FrameLog:
    """The latest image callbacks, and what they say of camera, transport and tracker.

    Args:
        now_s: steady time at which images can begin to come; a new activation takes a new log.
    """

    def __init__(self, now_s: float) -> None:
        self._begun_s = now_s
        self._arrivals: deque[Arrival] = deque(maxlen=CAPACITY)
        self._period_s: float | None = None
        self._images = self._answers = self._refused = 0

    def add(self, arrival: Arrival) -> None:
        """Keep one callback; in the order in which they happened."""
        self._arrivals.append(arrival)
        self._images += 1
        self._answers += arrival.answer_age_s is not None
        self._refused += arrival.is_refused

    def measure(self, now_s: float, rate_hz: float = 0.0, silent_s: float = 1.0) -> Stream:
        """Look back from now.

        Args:
            now_s: steady time.
            rate_hz: images a second that the camera promises; 0 takes them from the stamps.
            silent_s: what a pause has beyond this is silence, and no loss of images.
        """
        self._period_s = usual_period_s(self._since(now_s - MEMORY_S)) or self._period_s
        period_s = 1 / rate_hz if rate_hz > 0 else self._period_s
        arrivals = self._since(now_s - WINDOW_S)
        # Not less than a second, or the first image of all would come at hundreds a second.
        elapsed_s = max(1.0, min(WINDOW_S, now_s - self._begun_s))
        came, replaced, missing = _fates(arrivals, period_s, silent_s)
        ages_s = [arrival.answer_age_s for arrival in arrivals if arrival.answer_age_s is not None]
        frames_s = [arrival.busy_s for arrival in arrivals if arrival.answer_age_s is not None]
        return Stream(
            promised_hz=1 / period_s if period_s else None,
            image_hz=len(arrivals) / elapsed_s,
            answer_hz=len(ages_s) / elapsed_s,
            replaced_hz=replaced / elapsed_s if period_s else None,
            missing_hz=missing / elapsed_s if period_s else None,
            delivered_share=(came + replaced) / (came + replaced + missing) if came >= JUDGED_FROM else None,
            busy_share=min(1.0, sum(arrival.busy_s for arrival in arrivals) / elapsed_s),
            frame_s=_spread(frames_s),
            answer_age_s=_spread(ages_s),
            image_age_s=_quantile([arrival.image_age_s for arrival in arrivals], 0.5) if arrivals else None,
            is_stamped=len(arrivals) < 2 or len({arrival.stamp_ns for arrival in arrivals}) > 1,
            refused=sum(arrival.is_refused for arrival in arrivals),
            images_in_all=self._images,
            answers_in_all=self._answers,
            refused_in_all=self._refused,
        )

    def _since(self, begin_s: float) -> list[Arrival]:
        return [arrival for arrival in self._arrivals if arrival.begun_s > begin_s]


def usual_period_s(arrivals: Sequence[Arrival]) -> float | None:
    """The camera's period by the stamps of the images that came: the shortest distance that is usual.

    Half the time that two steps take, for a driver that stamps two images in one burst has no doubled rate.
    The shortest twentieth says which spans are of images without a loss between; their median evens out the
    jitter. An image that was waiting while the one before was worked on is left out: it may be the newest of
    several. Losses so regular that no three neighbours ever come look like a slower camera: no
    stamp tells them apart.

    Returns:
        None where fewer than :data:`LEARNED_FROM` such spans are known.
    """
    stamps = [arrivals[0]] if arrivals else []
    stamps += [after for before, after in pairwise(arrivals) if after.stamp_ns != before.stamp_ns]
    spans = [
        (third.stamp_ns - first.stamp_ns) / 1e9
        for first, second, third in zip(stamps, stamps[1:], stamps[2:], strict=False)
        if first.stamp_ns < second.stamp_ns < third.stamp_ns
        and _was_awaited(first, second)
        and _was_awaited(second, third)
    ]
    if len(spans) < LEARNED_FROM:
        return None
    shortest = _quantile(spans, 0.05)
    # Up to a jitter of a fifth, 1.4 parts two periods from three.
    return _quantile([span for span in spans if span < 1.4 * shortest], 0.5) / 2


def resident_bytes() -> int | None:
    """Memory of this process that is in RAM; None where there is no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _was_awaited(before: Arrival, after: Arrival) -> bool:
    """Whether the node was idle between two images: a tenth of the time, for taking one takes some, too."""
    gap_s = after.begun_s - before.begun_s
    return gap_s - before.busy_s > 0.1 * gap_s


def _fates(arrivals: Sequence[Arrival], period_s: float | None, silent_s: float) -> tuple[int, int, int]:
    """How many images came, were replaced by a newer one, and never came.

    The topic keeps the newest image only. One that comes while a frame is being worked on waits, and is
    taken as soon as that is done. So when the node then waited a whole period or more, nothing had come
    meanwhile, and what is missing was lost on the way. Of a pause, ``silent_s`` count: with one, the camera
    may have stopped; images that come in drops have many.
    """
    came = replaced = missing = early = 0
    for before, after in pairwise(arrivals if period_s else ()):
        assert period_s
        passed_s = after.begun_s - before.begun_s
        between_s = (after.stamp_ns - before.stamp_ns) / 1e9
        if not 0 < between_s < passed_s + silent_s:  # it stands, goes back, or its clock was set
            between_s = passed_s
        lost = round(min(between_s, before.busy_s + silent_s) / period_s) - 1 - early
        early = int(lost < 0)  # two in one burst: the next one seems late
        came += 1
        if passed_s - before.busy_s < period_s:
            replaced += max(0, lost)
        else:
            missing += max(0, lost)
    return came, replaced, missing


def _spread(values: Sequence[float]) -> Spread | None:
    return Spread(_quantile(values, 0.5), _quantile(values, 0.99)) if values else None


def _quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies, or the one before it; no interpolation."""
    return sorted(values)[int(share * (len(values) - 1))]
