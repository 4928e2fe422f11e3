"""The recent frames of a camera, so that a target can be given on the one that it was seen on."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from recip_tracker_core.errors import FrameError
from recip_tracker_core.types import Frame

SLACK_NS = 100_000_000  # a stamp need not be an image's own
ON_THE_WAY_NS = 1_000_000_000  # an image that others have had may be so far behind its stamp
JPEG_QUALITY = 95
RAW_SHARE = 0.75  # of the memory, beyond which older frames are encoded


class StampError(FrameError):
    """No frame that is kept has that stamp."""


class NotYetError(StampError):
    """The frame with that stamp may be on its way."""


@dataclass(frozen=True, eq=False, slots=True)
class Jpeg:
    """A frame as (N,) bytes of a JPEG file."""

    data: NDArray[np.uint8]
    stamp_ns: int
    index: int

    @staticmethod
    def of(frame: Frame) -> Jpeg:
        """A frame, encoded."""
        pixels = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return Jpeg(np.asarray(data, np.uint8), frame.stamp_ns, frame.index)

    def decoded(self) -> Frame:
        """The frame, nearly as it was."""
        pixels = cv2.imdecode(self.data, cv2.IMREAD_COLOR)
        assert pixels is not None, "what was encoded here can be decoded"
        return Frame(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8), self.stamp_ns, self.index)


@dataclass(frozen=True, eq=False, slots=True)
class Recent:
    """A frame that has arrived.

    Attributes:
        stored: as it came, or encoded.
        header: of its message.
        arrived_s: when, on a clock that only goes forward.
        serial: its number among all that have arrived.
    """

    stored: Frame | Jpeg
    header: Header
    arrived_s: float
    serial: int

    @property
    def frame(self) -> Frame:
        """The frame itself."""
        return self.stored.decoded() if isinstance(self.stored, Jpeg) else self.stored

    @property
    def stamp_ns(self) -> int:
        """Of its message."""
        return self.stored.stamp_ns

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return self.stored.data.nbytes if isinstance(self.stored, Jpeg) else self.stored.image.nbytes


class FrameBuffer:
    """Frames of the last seconds, within so much memory; several threads may use it.

    Where memory is short older frames are kept as JPEG, encoded in a thread of the buffer's own; where
    that is not enough the oldest are dropped. The newest is always there.

    Args:
        seconds: for how long a frame is kept after it has arrived.
        megabytes: for all of them together, of 2**20 bytes.
    """

    def __init__(self, seconds: float, megabytes: int) -> None:
        self._seconds, self._most_bytes = seconds, megabytes * 2**20
        self._kept: deque[Recent] = deque()  # their serials have no gaps
        self._bytes = self._count = 0
        self._lock = threading.Lock()
        self._encoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoding")
        self._is_encoding = False

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of all that is kept."""
        return self._bytes

    def add(self, frame: Frame, header: Header, now_s: float) -> Recent:
        """Keep a frame that has just arrived."""
        with self._lock:
            recent = Recent(frame, header, now_s, self._count)
            self._count += 1
            self._kept.append(recent)
            self._bytes += recent.size
            self._drop_old(now_s)
            self._encode_one()
        return recent

    def newest(self, now_s: float) -> Recent | None:
        """The last one, or None when no image has arrived for so long that nobody looks at it any more."""
        with self._lock:
            is_fresh = bool(self._kept) and now_s - self._kept[-1].arrived_s <= self._seconds
            return self._kept[-1] if is_fresh else None

    def at(self, stamp_ns: int) -> Recent:
        """The frame whose stamp is the nearest.

        Raises:
            NotYetError: the stamp is up to a second ahead of the newest one.
            StampError: it is older than all that are kept, or farther ahead.
        """
        with self._lock:
            if not self._kept:
                raise NotYetError("no image has arrived yet")
            stamps = [one.stamp_ns for one in self._kept]
            oldest, newest = min(stamps), max(stamps)
            if stamp_ns < oldest - SLACK_NS:
                raise StampError(
                    f"its stamp is {(oldest - stamp_ns) / 1e9:.2f} s before the oldest image that is kept "
                    f"('buffer.seconds' is {self._seconds:g})"
                )
            if stamp_ns > newest + ON_THE_WAY_NS:
                raise StampError(
                    f"its stamp is from the future: {(stamp_ns - newest) / 1e9:.2f} s after the newest image"
                )
            if stamp_ns > newest:
                raise NotYetError(f"its stamp is {(stamp_ns - newest) / 1e9:.2f} s after the newest image")
            gaps = [abs(stamp - stamp_ns) for stamp in stamps]
            return self._kept[len(gaps) - 1 - gaps[::-1].index(min(gaps))]  # of equal ones the newest

    def after(self, recent: Recent, ahead_s: float) -> tuple[Recent, bool] | None:
        """The first frame that arrived at least ``ahead_s`` later, else the newest, if there is a newer one.

        Returns:
            The frame and whether it is the newest, or None.
        """
        with self._lock:
            newer = [one for one in self._kept if one.serial > recent.serial]
            if not newer:
                return None
            far = (one for one in newer if one.arrived_s >= recent.arrived_s + ahead_s)
            chosen = next(far, newer[-1])
            return chosen, chosen is newer[-1]

    def clear(self) -> None:
        """Forget all frames."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def close(self) -> None:
        """End the thread that encodes."""
        self._encoder.shutdown(wait=True, cancel_futures=True)

    def _drop_old(self, now_s: float) -> None:
        while len(self._kept) > 1 and (
            self._bytes > self._most_bytes or now_s - self._kept[0].arrived_s > self._seconds
        ):
            self._bytes -= self._kept.popleft().size

    def _encode_one(self) -> None:
        if self._is_encoding or self._bytes <= RAW_SHARE * self._most_bytes:
            return
        raw = next((one for one in list(self._kept)[:-1] if isinstance(one.stored, Frame)), None)
        if raw is not None:
            self._is_encoding = True
            self._encoder.submit(self._encode, raw)

    def _encode(self, raw: Recent) -> None:
        assert isinstance(raw.stored, Frame)
        encoded = replace(raw, stored=Jpeg.of(raw.stored))
        with self._lock:
            self._is_encoding = False
            place = raw.serial - self._kept[0].serial if self._kept else -1
            if 0 <= place < len(self._kept):
                self._kept[place] = encoded
                self._bytes += encoded.size - raw.size
