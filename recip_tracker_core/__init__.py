"""Deep Attentive Tracking via Reciprocative Learning: follow one target, chosen at run time.

>>> tracker = build_tracker(TrackerConfig())
>>> tracker.init(Frame(first_image), BoundingBox(x=60, y=38, w=54, h=62))
>>> result = tracker.update(Frame(next_image))
"""

from .build import build_tracker
from .config import TrackerConfig
from .errors import RecipTrackerError
from .tracker import Tracker
from .types import BoundingBox, Boxes, Frame, TrackResult, TrackStatus

__all__ = [
    "BoundingBox",
    "Boxes",
    "Frame",
    "RecipTrackerError",
    "TrackResult",
    "TrackStatus",
    "Tracker",
    "TrackerConfig",
    "build_tracker",
]
