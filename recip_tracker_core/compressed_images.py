"""JPEG, PNG and TIFF in memory, and what ``sensor_msgs/CompressedImage`` says of their pixels."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import FrameError
from .images import ENCODINGS, Buffer, Pixels, to_rgb

# What the compressed transport writes: the image's encoding, the codec, and maybe what the codec was given.
_TRANSPORT = re.compile(r"(?P<origin>\w+); ?(?P<codec>\w+) compressed ?(?P<given>\w*) *")

# What OpenCV's decoder returns by itself.
_DECODED = {
    (1, "uint8"): "mono8",
    (3, "uint8"): "bgr8",
    (4, "uint8"): "bgra8",
    (1, "uint16"): "mono16",
    (3, "uint16"): "bgr16",
    (4, "uint16"): "bgra16",
}


def rgb_from_compressed(data: Buffer, message_format: str) -> Pixels:
    """(H, W, 3) RGB, read-only, of a JPEG, PNG or TIFF in a ``sensor_msgs/CompressedImage``.

    Args:
        message_format: the message's ``format``, for instance ``rgb8; jpeg compressed bgr8``. What it says
            of the pixels is believed where it can be: ``16UC1`` is stretched, and a Bayer pattern that was
            packed as it is becomes colour. Any other text means what is usual for the codec.

    Raises:
        FrameError: for depth, or what cannot be decoded.
    """
    if "compressedDepth" in message_format:
        raise FrameError(
            f"'{message_format}' is a depth image, expected one to see: jpeg, png or tiff compressed"
        )
    samples = decoded(data, f"the image '{message_format}'")
    return to_rgb(samples, _encoding_of(samples, message_format))


def _encoding_of(samples: NDArray[Any], message_format: str) -> str:
    """What the pixels of a decoded image are."""
    channels, sample = samples.shape[2], samples.dtype.name
    usual = _DECODED.get((channels, sample))
    if usual is None:
        raise FrameError(
            f"'{message_format}' has {channels} channels of {sample}, expected 1, 3 or 4 of 8 or 16 bits"
        )
    said = _TRANSPORT.fullmatch(message_format)
    if said is None:
        return usual
    # TIFF is given the image's own order of colours; JPEG and PNG are not, whoever packs them
    is_as_sent = channels == 1 or said["codec"] == "tiff"
    name = said["given"] or (said["origin"] if is_as_sent else usual)
    return name if name in ENCODINGS and ENCODINGS[name].holds(samples) else usual


def decoded(data: Buffer, name: str, flags: int = cv2.IMREAD_UNCHANGED) -> NDArray[Any]:
    """(H, W, channels) samples of an image file in memory, in OpenCV's order of colours.

    Args:
        name: of the image, for the error.
        flags: of ``cv2.imdecode``.

    Raises:
        FrameError: if it is no image, or not all of one.
    """
    file = np.frombuffer(data, np.uint8)
    try:
        image = None if _is_cut_short(file.tobytes()) else cv2.imdecode(file, flags)
    except cv2.error:  # nothing to decode, or a picture beyond OpenCV's limits
        image = None
    if image is None:
        raise FrameError(f"{name} of {file.size} bytes cannot be decoded, expected a whole JPEG, PNG or TIFF")
    return image.reshape(*image.shape[:2], -1)


def _is_cut_short(file: bytes) -> bool:
    """Whether a JPEG's last scan has no end: OpenCV 4 fills the rest with grey and says nothing.

    Neither marker can be inside of a scan; a thumbnail, which has both, comes before the first.
    """
    start_of_scan, end_of_image = b"\xff\xda", b"\xff\xd9"
    return file.startswith(b"\xff\xd8") and file.rfind(end_of_image) < file.rfind(start_of_scan)
