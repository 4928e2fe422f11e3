"""Depth images, by the encodings of ``sensor_msgs/Image`` that REP 118 gives them, as metres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .images import Buffer, Encoding, samples_from_buffer

Depth = NDArray[np.float32]


def _from_millimetres(samples: NDArray[Any]) -> Depth:
    return _from_metres(samples / np.float32(1000))


def _from_metres(samples: NDArray[Any]) -> Depth:
    metres: Depth = np.where(np.isfinite(samples) & (samples > 0), samples, np.float32(np.nan))
    return metres


DEPTH_ENCODINGS = {
    "16UC1": Encoding(1, _from_millimetres, np.uint16),
    "mono16": Encoding(1, _from_millimetres, np.uint16),  # how some drivers call the same
    "32FC1": Encoding(1, _from_metres, np.float32),
}


def depth_from_buffer(
    data: Buffer, height: int, width: int, encoding: str, step: int, is_bigendian: bool = False
) -> Depth:
    """(H, W) float32, metres along the optical axis; NaN where there is none.

    ``16UC1`` and ``mono16`` are millimetres, 0 being none; ``32FC1`` is metres, none being whatever is not
    finite or not positive.

    Raises:
        FrameError: for another encoding, an empty image, a step too short, or a wrong size.
    """
    samples = samples_from_buffer(data, height, width, encoding, step, is_bigendian, DEPTH_ENCODINGS)
    return DEPTH_ENCODINGS[encoding].convert(samples[..., 0])
