"""Where the target may be in the next frame."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .features import View
from .geometry import keep_in_view
from .sampling import gaussian
from .types import BoundingBox, Boxes, Frame


class Proposer(Protocol):
    """The first stage of a frame."""

    def propose(
        self, frame: Frame, view: View, last: BoundingBox, *, searching: bool, generator: np.random.Generator
    ) -> Boxes:
        """(N, 4) candidates, all in the image.

        Args:
            frame: the new frame.
            view: a look at it around the last box; a locator reads its map, a sampler ignores it.
            last: where the target was.
            searching: the target was not found in the last frame, so look further.
            generator: the tracker's own.
        """
        ...


class GaussianProposer:
    """Candidates around the last box, as the paper draws them.

    Args:
        count: candidates a frame.
        translation: furthest displacement, in target sizes.
        translation_searching: the same while searching.
        scale_step: base of the candidates' scale.
    """

    def __init__(
        self, count: int, translation: float, translation_searching: float, scale_step: float
    ) -> None:
        self._count = count
        self._translation, self._translation_searching = translation, translation_searching
        self._scale_step = scale_step

    def propose(
        self, frame: Frame, view: View, last: BoundingBox, *, searching: bool, generator: np.random.Generator
    ) -> Boxes:
        """See :class:`Proposer`."""
        reach = self._translation_searching if searching else self._translation
        boxes = gaussian(last, self._count, reach, self._scale_step, generator)
        return keep_in_view(boxes, frame.width, frame.height)
