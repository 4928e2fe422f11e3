"""The drawn clip as a video file, played like any other, with its truth beside it."""

from __future__ import annotations

from pathlib import Path

import occlusion
from clips import DRAWN, Box, Clip

from recip_tracker_core.video import VideoWriter


def drawn_clip(path: Path) -> Clip:
    """Draw the clip into a ``.mp4`` file, whose folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    truth: list[Box | None] = []
    with VideoWriter(path, occlusion.RATE_HZ) as video:
        for picture in occlusion.pictures():
            video.write(picture.image)
            x, y, w, h = map(float, picture.box)
            truth.append((x, y, w, h) if picture.in_view >= occlusion.LEAST_IN_VIEW else None)
    first = truth[0]
    assert first is not None
    return Clip(DRAWN, path, first, truth=tuple(truth))
