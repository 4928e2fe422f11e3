"""Values that are typed as text."""

from __future__ import annotations

from ..errors import ConfigError
from ..types import BoundingBox


def names(text: str) -> tuple[str, ...]:
    """A comma separated list, without the empty ones."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parsed_box(text: str) -> BoundingBox:
    """``X,Y,W,H`` as a box.

    Raises:
        BoxError: four numbers that are no box.
        ConfigError: anything else.
    """
    try:
        x, y, w, h = (float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"expected a box as X,Y,W,H in pixels, got '{text}'") from None
    return BoundingBox(x, y, w, h)


def parsed_weights(text: str) -> tuple[float, ...]:
    """``0,1,5`` as numbers.

    Raises:
        ConfigError: anything else.
    """
    try:
        return tuple(float(part) for part in names(text))
    except ValueError:
        raise ConfigError(f"expected weights as 0,1,5, got '{text}'") from None
