"""The video and the attention picture, from the bags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from bags import pixels, stamp_ns
from numpy.typing import NDArray
from plan import ATTENTION_IMAGE, DEBUG_IMAGE, Plan
from recording import Recording
from rosbags.highlevel import AnyReader

from recip_tracker_core.drawing import side_by_side
from recip_tracker_core.video import VideoWriter

LEAST_HEIGHT_PX = 360  # smaller pictures are enlarged by a whole number

Picture = NDArray[np.uint8]


def write_video(plan: Plan, recording: Recording, path: Path, advance: Callable[[], None]) -> int:
    """Every debug image with the newest attention image beside it, at the speed at which it happened.

    Args:
        plan: of the run, whose bags are complete.
        recording: of the same run.
        path: of the ``.mp4`` file.
        advance: called after each picture.

    Returns:
        How many pictures it has.
    """
    count = 0
    with VideoWriter(path, plan.rate_hz) as video:
        for picture in in_time(plan, recording):
            video.write(picture)
            count += 1
            advance()
    return count


def in_time(plan: Plan, recording: Recording) -> Iterator[Picture]:
    """The pictures of the video, from the first attention image on, if there is any.

    Where a played frame has no debug image, the picture before it comes again.
    """
    has_attention = next(images(plan, ATTENTION_IMAGE), None) is not None
    place = {stamp: index for index, stamp in enumerate(recording.played_ns)}
    shown, last, attention = None, -1, None
    for topic, stamp, picture in images(plan, DEBUG_IMAGE, ATTENTION_IMAGE):
        if topic == ATTENTION_IMAGE:
            attention = picture
        elif stamp in place and (attention is not None or not has_attention):
            if shown is not None:
                yield from [shown] * (place[stamp] - last - 1)
            shown, last = side_by_side(enlarged(picture), attention), place[stamp]
            yield shown


def write_attention(plan: Plan, recording: Recording, path: Path) -> bool:
    """The attention image of the most certain frame, beside that frame; False if there is none."""
    confidence = {answer.stamp_ns: answer.confidence or 0.0 for answer in recording.answers}
    pictures = {stamp: picture for _, stamp, picture in images(plan, ATTENTION_IMAGE) if stamp in confidence}
    for stamp in sorted(pictures, key=confidence.__getitem__, reverse=True):
        frame = next((picture for _, other, picture in images(plan, DEBUG_IMAGE) if other == stamp), None)
        if frame is not None:
            joined = side_by_side(enlarged(frame), pictures[stamp])
            cv2.imwrite(str(path), cv2.cvtColor(joined, cv2.COLOR_RGB2BGR))
            return True
    return False


def images(plan: Plan, *topics: str) -> Iterator[tuple[str, int, Picture]]:
    """Topic, header's stamp in nanoseconds and pixels of the images of a run, as they arrived."""
    with AnyReader([plan.bag, plan.pictures_bag]) as reader:
        chosen = [item for item in reader.connections if item.topic in topics]
        for connection, _, raw in reader.messages(chosen):
            message = reader.deserialize(raw, connection.msgtype)
            yield connection.topic, stamp_ns(message), pixels(message)


def enlarged(picture: Picture) -> Picture:
    """The picture, a whole number of times as large, so that it is not too small to look at."""
    factor = -(-LEAST_HEIGHT_PX // picture.shape[0])
    if factor == 1:
        return picture
    size = (picture.shape[1] * factor, picture.shape[0] * factor)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)
