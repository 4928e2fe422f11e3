"""Videos that play in any browser: H.264 in MP4, written by PyAV. Used by the command line and the demo."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from numpy.typing import NDArray


class VideoWriter:
    """Writes (H, W, 3) RGB pictures of one size; opened by the first of them.

    Args:
        path: of the ``.mp4`` file, in a folder that exists.
        rate_hz: pictures a second.
    """

    def __init__(self, path: Path, rate_hz: float) -> None:
        self._container = av.open(str(path), "w", options={"movflags": "faststart"})
        self._rate = Fraction(rate_hz).limit_denominator(1000)
        self._stream: av.VideoStream | None = None

    def __enter__(self) -> VideoWriter:
        return self

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Add one picture; sides must be even."""
        if self._stream is None:
            self._stream = self._container.add_stream("libx264", rate=self._rate, options={"crf": "21"})
            self._stream.height, self._stream.width = picture.shape[:2]
            self._stream.pix_fmt = "yuv420p"
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._container.mux(self._stream.encode())
        self._container.close()
