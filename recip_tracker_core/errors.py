"""What can go wrong, by name. Every message says the value that was given and what was expected."""

from __future__ import annotations


class RecipTrackerError(Exception):
    """Anything this package refuses or fails to do."""


class BoxError(RecipTrackerError, ValueError):
    """A box that is not finite, has no area, or does not touch the image."""


class FrameError(RecipTrackerError, ValueError):
    """An image that cannot be tracked on: wrong shape, type, encoding or buffer size."""


class CameraError(RecipTrackerError, ValueError):
    """A camera that gives no direction: uncalibrated, of an unknown lens, or asked for what it cannot see."""


class ConfigError(RecipTrackerError, ValueError):
    """An unknown parameter, a value out of bounds, or a pair of choices that cannot work together."""


class WeightsError(RecipTrackerError):
    """Network weights that are absent, damaged, or of another network."""


class LearningError(RecipTrackerError):
    """A fit or an update that did not end in usable weights."""


class NotInitialisedError(RecipTrackerError):
    """The tracker was asked to follow a target before it was given one."""


class TargetFileError(RecipTrackerError):
    """A file of a learned target that is absent, damaged, of another tracker, or cannot be written."""


class SourceError(RecipTrackerError):
    """A video, folder or bag that is absent or cannot be read."""
