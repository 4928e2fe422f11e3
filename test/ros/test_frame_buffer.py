"""Recent frames: found by their stamps, bounded in time and memory, encoded when memory is short."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy")

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from recip_tracker_core.types import Frame
from recip_tracker_ros.frame_buffer import FrameBuffer, Jpeg, NotYetError, StampError

MS = 1_000_000
RAW_BYTES = 240 * 320 * 3


def picture(level: int, height: int = 240, width: int = 320) -> np.ndarray:
    """A ramp that JPEG keeps, its middle at a level that tells pictures apart."""
    ramp = np.linspace(0, 40, width) + level
    return np.repeat(np.tile(ramp, (height, 1))[..., None], 3, axis=2).astype(np.uint8)


def filled(buffer: FrameBuffer, count: int, period_ms: int = 100, **changes: int) -> FrameBuffer:
    for index in range(count):
        frame = Frame(picture(index, **changes), index * period_ms * MS, index)
        buffer.add(frame, Header(stamp=Time(nanosec=0)), index * period_ms / 1e3)
    return buffer


@pytest.fixture
def made():
    """``made(seconds, megabytes)``: buffers whose threads end with the test."""
    buffers: list[FrameBuffer] = []

    def make(seconds: float = 3.0, megabytes: int = 64) -> FrameBuffer:
        buffers.append(FrameBuffer(seconds, megabytes))
        return buffers[-1]

    yield make
    for buffer in buffers:
        buffer.close()


@pytest.mark.parametrize(
    ("stamp_ms", "index"),
    [(300, 3), (340, 3), (360, 4), (-90, 0)],
    ids=["its own", "just after", "just before", "a little early"],
)
def test_a_stamp_finds_the_nearest_frame(made, stamp_ms, index):
    assert filled(made(), 10).at(stamp_ms * MS).frame.index == index


@pytest.mark.parametrize(
    ("stamp_ms", "kind", "text"),
    [
        (-2000, StampError, "2.00 s before the oldest"),
        (3900, StampError, "from the future: 3.00 s after the newest"),
        (1400, NotYetError, "0.50 s after the newest"),
    ],
    ids=["too old", "from the future", "on its way"],
)
def test_a_stamp_of_no_frame_is_refused_with_the_distance(made, stamp_ms, kind, text):
    with pytest.raises(StampError, match=text) as caught:
        filled(made(), 10).at(stamp_ms * MS)
    assert type(caught.value) is kind


def test_of_frames_with_one_stamp_the_newest_is_found(made):
    buffer = filled(made(), 4, period_ms=0)
    assert buffer.at(0).frame.index == 3


def test_frames_are_dropped_when_they_are_older_than_the_time_they_are_kept_for(made):
    buffer = filled(made(seconds=0.5), 20)
    assert [buffer.at(index * 100 * MS).frame.index for index in range(14, 20)] == list(range(14, 20))
    assert len(buffer) == 6


def test_the_newest_is_none_when_nobody_can_be_looking_at_it_any_more(made):
    buffer = filled(made(seconds=2.0), 3)
    assert buffer.newest(1.0).frame.index == 2
    assert buffer.newest(2.3) is None
    assert made().newest(0.0) is None


def test_where_memory_is_short_older_frames_are_encoded_and_all_are_there(made):
    buffer = made(seconds=100.0, megabytes=1)  # four of them as they are
    for index in range(12):
        buffer.add(Frame(picture(index), index * 100 * MS, index), Header(), index / 10)
        buffer._encoder.submit(lambda: None).result()  # so that the encoding keeps pace
    assert len(buffer) == 12
    assert buffer.size <= 2**20
    assert isinstance(buffer.at(0).stored, Jpeg)
    assert not isinstance(buffer.at(1100 * MS).stored, Jpeg)
    for index in (0, 5, 11):
        frame = buffer.at(index * 100 * MS).frame
        assert (frame.index, frame.stamp_ns) == (index, index * 100 * MS)
        difference = frame.image.astype(int) - picture(index)
        assert abs(difference).mean() < 1.5


def test_where_even_that_is_not_enough_the_oldest_are_dropped_and_the_newest_stays(made):
    buffer = made(seconds=100.0, megabytes=1)
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)  # 1.4 MB, hardly less as JPEG
    for index in range(5):
        buffer.add(Frame(noise, index * MS, index), Header(), index / 10)
    assert [len(buffer), buffer.newest(0.4).frame.index] == [1, 4]


def test_what_comes_after_a_frame_is_the_first_that_is_far_enough_ahead_or_the_newest(made):
    buffer = filled(made(), 10)
    start = buffer.at(200 * MS)
    assert (buffer.after(start, 0.0)[0].frame.index, buffer.after(start, 0.0)[1]) == (3, False)
    assert buffer.after(start, 0.35)[0].frame.index == 6
    last, is_newest = buffer.after(start, 60.0)
    assert (last.frame.index, is_newest) == (9, True)
    assert buffer.after(last, 0.0) is None


def test_a_frame_that_has_been_dropped_still_says_what_comes_after_it(made):
    buffer = filled(made(seconds=0.3), 1)
    first = buffer.newest(0.0)
    filled(buffer, 20)
    assert buffer.after(first, 0.0)[0].serial > first.serial


def test_a_cleared_buffer_knows_no_frame_and_goes_on(made):
    buffer = filled(made(), 5)
    buffer.clear()
    with pytest.raises(NotYetError, match="no image"):
        buffer.at(0)
    assert (len(buffer), buffer.size) == (0, 0)
    filled(buffer, 1)
    assert buffer.size == RAW_BYTES
