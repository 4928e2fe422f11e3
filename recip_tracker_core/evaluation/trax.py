"""The tracker behind TraX, the protocol through which the VOT toolkit drives any tracker.

A rectangle of TraX is ``x, y, w, h`` in pixels from the image's upper left corner, as our boxes are. While a
session lasts, standard output belongs to the protocol.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from trax import Image as TraxImage
from trax import Rectangle, Region, Server, TraxException, TraxStatus
from trax.server import Request

from ..errors import BoxError, NotInitialisedError, SourceError
from ..tracker import Tracker
from ..types import BoundingBox, Frame, TrackResult
from .sequences import Image, read_image

CHANNEL = "color"


def serve(make: Callable[[], Tracker]) -> None:
    """Follow targets for one client, on standard streams or the socket in ``TRAX_SOCKET``, until it leaves.

    Every initialisation gets a new tracker, so that no answer depends on what was followed before. An answer
    is a box with the properties ``confidence``, in [0, 1], and ``status``.

    Args:
        make: each tracker the like of the last.

    Raises:
        RecipTrackerError: what ended the session early; a client that still listens has been told.
    """
    with contextlib.redirect_stdout(sys.stderr):
        server = Server(
            [Region.RECTANGLE],
            [TraxImage.PATH, TraxImage.MEMORY, TraxImage.BUFFER],
            [CHANNEL],
            tracker_name="recip_tracker",
            tracker_description="Deep attentive tracking via reciprocative learning",
        )
        with _ended_with_a_reason(server), contextlib.ExitStack() as trackers:
            _answer(server, make, trackers)


def _answer(server: Server, make: Callable[[], Tracker], trackers: contextlib.ExitStack) -> None:
    tracker: Tracker | None = None
    index = 0
    while (request := server.wait()).type != TraxStatus.QUIT:
        if request.type == TraxStatus.INITIALIZE:
            trackers.close()
            tracker, index = trackers.enter_context(contextlib.closing(make())), 0
            result = tracker.init(_frame(request, index), _box(request))
        elif tracker is None:
            raise NotInitialisedError("the TraX client sent a frame before it sent a target")
        else:
            index += 1
            result = tracker.update(_frame(request, index))
        server.status([_object(result)])


@contextlib.contextmanager
def _ended_with_a_reason(server: Server) -> Iterator[None]:
    try:
        yield
    except TraxException as error:
        raise SourceError(f"the TraX client has gone, or does not speak the protocol: {error}") from error
    except Exception as error:
        # libtrax writes past its buffer at a byte above 127
        reason = str(error).encode("ascii", "backslashreplace").decode()
        with contextlib.suppress(TraxException):
            server.quit(reason)
        raise
    server.quit()


def _frame(request: Request, index: int) -> Frame:
    """The request's image.

    Raises:
        SourceError: if it cannot be read.
        FrameError: if it has more than 8 bits.
    """
    picture = request.image[CHANNEL]
    if picture.type() == TraxImage.PATH:
        return Frame(read_image(Path(picture.path())), index=index)
    if picture.type() == TraxImage.BUFFER:
        return Frame(_decoded(picture.buffer()), index=index)
    pixels = picture.array()  # (H, W, 3) RGB, or (H, W, 1) of 8 or 16 bits
    return Frame(np.repeat(pixels, 3 // pixels.shape[2], axis=2), index=index)


def _decoded(data: bytes) -> Image:
    """(H, W, 3) RGB of an image file's bytes."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise SourceError(f"the TraX client sent {len(data)} bytes that are no image that can be read")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def _box(request: Request) -> BoundingBox:
    """The request's target. libtrax sees to it that there is one, and makes polygons and masks rectangles.

    Raises:
        BoxError: if it is no box.
    """
    region, _ = request.objects[0]
    if region.type != Region.RECTANGLE:  # libtrax reads 'nan' as a special region
        raise BoxError(f"the TraX client must send a target as a finite region with an area, got a {region}")
    return BoundingBox(*region.bounds())


def _object(result: TrackResult) -> tuple[Rectangle, dict[str, str]]:
    box = result.box
    properties = {"confidence": str(result.confidence), "status": result.status.value}
    return Rectangle.create(box.x, box.y, box.w, box.h), properties
