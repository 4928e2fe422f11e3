"""Where the classifier of a shared map looks, for people: Eq. 1-2 of the paper back to pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from .appearance import Appearance
from .attention import AttentionPicture
from .classifier import TARGET
from .crops import Crop
from .encoding import MapSource, box_features, color_planes, taps, to_lab
from .features import to_pixels
from .types import BoundingBox, Frame


class MapPainter:
    """Attention of the target's score back to the pixels of the target's own crop.

    Colour enters the map by tables, which have no gradient: what is shown is what the network sees.
    Where there is no classifier, the score is the finder's response. Nothing that is shared is written,
    so any thread may paint.

    Args:
        source: of maps, by a network that gradients flow through.
        target_px: root of the target's area in a crop.
        region_px: side of the crops that frames are seen in.
        side_px: of the picture, crop pixels; a multiple of the network's granularity.
        grid: bins a side that the classifier reads of a box.
        device: where it computes.
    """

    def __init__(
        self,
        source: MapSource,
        target_px: float,
        region_px: int,
        side_px: int,
        grid: int,
        device: torch.device,
    ) -> None:
        self._source, self._grid, self._device = source, grid, device
        self._target_px, self._region_px, self._side_px = target_px, region_px, side_px

    def paint(self, frame: Frame, box: BoundingBox, known: Appearance) -> AttentionPicture:
        """The picture of one box by one version of what is known."""
        center, size = np.array(box.center), np.array([box.w, box.h])
        crop = replace(Crop.around(center, size, self._target_px, self._region_px), side_px=self._side_px)
        cut, middle = crop.cut(frame.image), np.full((1, 2), self._side_px / 2)
        lab = to_lab(cut)
        with torch.enable_grad():
            pixels = to_pixels(cut, self._device).requires_grad_(True)
            groups = self._source.deep(pixels)
            cells = self._side_px // self._source.stage.stride
            color = torch.from_numpy(color_planes(lab, self._source.stage, cells)).to(groups[0])
            features = known.encoder.encode_raw(torch.cat([*groups, color]), lab)
            place = (features, middle, size * crop.scale, self._source.stage, self._grid)
            if known.head is not None:
                score = known.head(box_features(*place))[:, TARGET]
            else:
                score = (taps(*place) @ known.finder)[:, 0]
            return AttentionPicture.of(cut, score, pixels)
