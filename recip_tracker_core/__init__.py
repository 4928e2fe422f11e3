"""Deep Attentive Tracking via Reciprocative Learning: follow one target, chosen at run time.

>>> tracker = build_tracker(TrackerConfig())
>>> tracker.init(Frame(first_image), BoundingBox(x=60, y=38, w=54, h=62))
>>> result = tracker.update(Frame(next_image))
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .build import build_tracker
    from .config import TrackerConfig
    from .errors import RecipTrackerError
    from .multi_tracker import MultiTracker
    from .tracker import Tracker
    from .types import BoundingBox, Boxes, Frame, TrackResult, TrackStatus
else:

    def __getattr__(name):
        """A public name's value, imported when it is first asked for.

        ``recip-tracker doctor`` must answer where torch or OpenCV is what is broken.
        """
        if name not in _MODULES:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
        return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)


__all__ = [
    "BoundingBox",
    "Boxes",
    "Frame",
    "MultiTracker",
    "RecipTrackerError",
    "TrackResult",
    "TrackStatus",
    "Tracker",
    "TrackerConfig",
    "build_tracker",
]
_MODULES = {
    "build_tracker": "build",
    "TrackerConfig": "config",
    "MultiTracker": "multi_tracker",
    "RecipTrackerError": "errors",
    "Tracker": "tracker",
    **dict.fromkeys(("BoundingBox", "Boxes", "Frame", "TrackResult", "TrackStatus"), "types"),
}
