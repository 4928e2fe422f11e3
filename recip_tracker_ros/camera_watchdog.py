"""Whether images come at all, and what is to be done where they don't. Pure: time is handed in."""

from __future__ import annotations

from dataclasses import dataclass

from .middleware import PROFILE_VARIABLE

AWAY_S = 1.0  # between two ticks, from which the executor had no time to take images

DDS_REMEDY = (
    f"Fast DDS loses images that its shared memory has no room for: export {PROFILE_VARIABLE}="
    "<share/recip_tracker_ros>/config/fastdds.xml where the CAMERA DRIVER starts, for the memory is the "
    "sender's; over a weak network, use image_transport: compressed"
)


@dataclass(frozen=True, slots=True)
class Notice:
    """News for the log."""

    is_trouble: bool
    text: str


class CameraWatchdog:
    """Says once that images stay away, and once that they come again. Times are steady, in seconds.

    Attributes:
        trouble: what is wrong at present, or empty.

    Args:
        topic: of the images, by its full name.
        now_s: from when on images are expected; a new activation takes a new watchdog.
    """

    def __init__(self, topic: str, now_s: float) -> None:
        self.trouble = ""
        self._topic = topic
        self._last_s = self._ticked_s = now_s
        self._has_images = False
        self._resumed_s: float | None = None

    def image(self, now_s: float) -> None:
        """An image's callback is over; not when it began, or a long one would look like silence."""
        self._last_s = now_s
        self._has_images = True

    def tick(self, now_s: float, silent_s: float, publishers: int, incompatible: str = "") -> Notice | None:
        """Look at the clock; to be called several times within ``silent_s``.

        Args:
            now_s: steady time.
            silent_s: without an image, after which the camera is silent; with them, after which it is not.
            publishers: of the topic, at present.
            incompatible: what :func:`~.diagnostics.incompatible_qos` says of one of them, or empty.
        """
        # Then the executor was, with something else: whether images wait, the next tick will know.
        was_away = now_s - self._ticked_s > max(silent_s, AWAY_S)
        self._ticked_s = now_s
        if was_away and not self.trouble:
            self._last_s = now_s
        if now_s - self._last_s < silent_s:
            return self._resumed(now_s, silent_s) if self.trouble else None
        is_news, self._resumed_s = not self.trouble, None
        reason = incompatible or self._reason(publishers)
        self.trouble = f"no image on {self._topic} for {now_s - self._last_s:.1f} s: {reason}"
        return Notice(True, self.trouble) if is_news else None

    def _resumed(self, now_s: float, silent_s: float) -> Notice | None:
        """Not at the first image: those that come in drops would be news again and again."""
        if self._resumed_s is None:
            self._resumed_s = now_s
        if now_s - self._resumed_s < silent_s:
            return None
        self.trouble, self._resumed_s = "", None
        return Notice(False, f"images come again on {self._topic}")

    def _reason(self, publishers: int) -> str:
        if publishers and self._has_images:
            return f"has the camera stopped, or do its images get lost? {DDS_REMEDY}"
        if publishers:
            return f"somebody publishes there, but nothing arrives. If the driver does send: {DDS_REMEDY}"
        if self._has_images:
            return "its publisher is gone; has the driver ended?"
        return "nobody publishes there; is the driver running, and is this its topic (remap 'image')?"
