"""A track for the Rerun viewer (rerun.io), live or in an ``.rrd`` file. Used by the command line only."""

from __future__ import annotations

import math
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import numpy as np
import rerun as rr
import rerun.blueprint as rrb

from .drawing import COLORS, Image
from .errors import ConfigError, SourceError
from .types import Frame, TrackResult, TrackStatus

APPLICATION = "recip_tracker"
VIEWER_PORT = 9876  # Rerun's own default
JPEG_QUALITY = 85
LEVELS = {
    TrackStatus.TRACKED: rr.TextLogLevel.INFO,
    TrackStatus.UNCERTAIN: rr.TextLogLevel.WARN,
    TrackStatus.LOST: rr.TextLogLevel.ERROR,
}


class RerunLog:
    """Writes frame after frame what the tracker saw, said and took.

    The timelines are ``frame``, the index, and ``stamp``, the frame's own: where stamps begin at 0, as those
    of a video do, in the first seconds of 1970.

    Args:
        path: of the ``.rrd`` file; None writes none.
        is_viewed: opens the viewer, or finds the one that listens at its port.

    Raises:
        ConfigError: there is neither a display nor a viewer.
        SourceError: a file that cannot be written, or a viewer that cannot be started.
    """

    def __init__(self, path: Path | None, *, is_viewed: bool) -> None:
        if is_viewed:
            check_viewer(os.environ)
        self._stream = rr.RecordingStream(APPLICATION)
        self._status: TrackStatus | None = None
        try:
            sinks: list[rr.FileSink | rr.GrpcSink] = [] if path is None else [rr.FileSink(path)]
            if is_viewed:
                self._stream.spawn(port=VIEWER_PORT, connect=False)
                sinks.append(rr.GrpcSink())
            self._stream.set_sinks(*sinks, default_blueprint=layout())
        except RuntimeError as error:
            raise SourceError(f"the Rerun log cannot be opened: {error}") from error

    def __enter__(self) -> RerunLog:
        return self

    def write(self, frame: Frame, result: TrackResult, overlay: Image) -> None:
        """Add one frame.

        Args:
            frame: as the camera gave it.
            result: the tracker's answer to it.
            overlay: (S, S, 3) RGB, where the classifier looks in the box.
        """
        self._stream.set_time("frame", sequence=frame.index)
        self._stream.set_time("stamp", timestamp=np.datetime64(frame.stamp_ns, "ns"))
        self._stream.log("camera/image", rr.Image(frame.image).compress(jpeg_quality=JPEG_QUALITY))
        self._stream.log("camera/image/target", _box(result))
        self._stream.log("attention", rr.Image(overlay).compress(jpeg_quality=JPEG_QUALITY))
        self._log_numbers(result)
        if result.status is not self._status:
            self._status = result.status
            self._stream.log("state", rr.TextLog(_in_words(result), level=LEVELS[result.status]))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.disconnect()

    def _log_numbers(self, result: TrackResult) -> None:
        # The first fit takes seconds: in one plot with it, all later frames would look alike.
        taken = "first_fit_ms" if self._status is None else "timings_ms"
        numbers = {"confidence": result.confidence, "score": result.score}
        numbers |= {f"{taken}/{stage}": taken_s * 1e3 for stage, taken_s in result.timings_s.items()}
        for path, value in numbers.items():
            if math.isfinite(value):  # the score of the first frame is not
                self._stream.log(path, rr.Scalars(value))


def layout() -> rrb.Blueprint:
    """The image with what was said of it; beside it where the classifier looks, and the plots."""
    seen = rrb.Vertical(
        rrb.Spatial2DView(origin="camera", name="camera"),
        rrb.TextLogView(origin="state", name="state"),
        row_shares=[4, 1],
    )
    known = rrb.Vertical(
        rrb.Spatial2DView(origin="attention", name="attention"),
        rrb.TimeSeriesView(origin="confidence", name="confidence", axis_y=rrb.ScalarAxis(range=(0.0, 1.0))),
        rrb.TimeSeriesView(origin="score", name="score"),
        rrb.TimeSeriesView(origin="timings_ms", name="timings, ms"),
        row_shares=[2, 1, 1, 1],
    )
    return rrb.Blueprint(rrb.Horizontal(seen, known, column_shares=[3, 2]), collapse_panels=True)


def check_viewer(variables: Mapping[str, str], port: int = VIEWER_PORT) -> None:
    """Whether a viewer can open here, or one listens already, be it behind a port that is forwarded.

    Raises:
        ConfigError: neither; without this, tracking would go on and nobody would see it.
    """
    has_display = sys.platform != "linux" or any(map(variables.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if has_display or _listens(port):
        return
    raise ConfigError(
        "--view expects a display (DISPLAY or WAYLAND_DISPLAY) or a Rerun viewer that listens at port "
        f"{port}, and there is neither; --rerun FILE.rrd keeps the same for later"
    )


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


def _box(result: TrackResult) -> rr.Boxes2D:
    return rr.Boxes2D(
        array=[result.box.as_array()],
        array_format=rr.Box2DFormat.XYWH,
        labels=[f"{result.status.value} {result.confidence:.2f}"],
        colors=[COLORS[result.status]],
    )


def _in_words(result: TrackResult) -> str:
    return f"{result.status.value}: {result.reason}" if result.reason else result.status.value
