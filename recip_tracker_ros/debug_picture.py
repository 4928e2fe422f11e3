"""What ``~/debug_image`` shows: every target's box, and which one it is where there are several."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from recip_tracker_core.drawing import COLORS, FONT, draw_result
from recip_tracker_core.types import TrackResult

from .targets import Answer

Picture = NDArray[np.uint8]


def picture_of(image: Picture, answers: Sequence[Answer]) -> Picture:
    """A copy of an RGB image with a box for each answer, the current target's on top."""
    for target, result in answers:
        image = draw_result(image, result)
        if len(answers) > 1:
            _name(image, target.target_id, result)
    return image


def _name(canvas: Picture, text: str, result: TrackResult) -> None:
    """Write into the lower left corner of a box, as far as that is in the picture."""
    height, width = canvas.shape[:2]
    scale, box = max(0.4, min(height, width) / 900), result.box
    (text_width, text_height), baseline = cv2.getTextSize(text, FONT, scale, 1)
    x = int(np.clip(box.x, 0, max(width - text_width - 4, 0)))
    y = int(np.clip(box.y + box.h - baseline, text_height + 3, max(height - baseline, text_height + 3)))
    corners = (x, y - text_height - 3), (x + text_width + 4, y + baseline)
    cv2.rectangle(canvas, *corners, COLORS[result.status], cv2.FILLED)
    cv2.putText(canvas, text, (x + 2, y), FONT, scale, (0, 0, 0), 1, cv2.LINE_AA)
