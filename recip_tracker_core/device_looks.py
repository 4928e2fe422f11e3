"""Crops and colours computed where the network is: what :mod:`.crops` and :mod:`.colors` do by OpenCV.

Only the part of an image that a crop shows is sent, as bytes; all else stays on the device. Colours are the
same bit by bit; a crop's pixels are off by a level or two, as OpenCV interpolates in steps of 1/32 pixel.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from .backbones import Stage
from .crops import SHRUNK_BELOW, Crop

LEVELS = 256  # of each channel


def cut_on(device: torch.device, image: NDArray[np.uint8], crop: Crop) -> Tensor:
    """(1, 3, side_px, side_px) float32 in whole numbers from 0 to 255: the crop's pixels.

    Args:
        device: where to.
        image: (H, W, 3) uint8.
        crop: upright.
    """
    seen, low = crop.part_seen(image)
    part = sent(np.ascontiguousarray(seen), device).permute(2, 0, 1)[None].float()
    scale = np.full(2, crop.scale)
    size = np.array(part.shape[:1:-1])  # width, height
    if crop.scale < SHRUNK_BELOW:
        small = np.maximum(np.round(size * crop.scale), 1).astype(int)
        columns, rows = (_area(int(few), int(many), device) for few, many in zip(small, size, strict=True))
        part = (rows @ part @ columns.T).round()
        scale, size = crop.scale * size / small, small
    # From pixel centres of the crop to places in the part, and to the [-1, 1] over its edges.
    middle = (crop.center_px - low) * crop.scale / scale
    offset = torch.arange(crop.side_px, device=device, dtype=torch.float32) + (0.5 - crop.side_px / 2)
    x, y = (
        (offset / step + at) * (2 / side) - 1
        for step, at, side in zip(scale.tolist(), middle.tolist(), size.tolist(), strict=True)
    )
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    grid = torch.stack([columns, rows], dim=-1)[None]
    cut: Tensor = F.grid_sample(part, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return cut.round()


def _area(few: int, many: int, device: torch.device) -> Tensor:
    """(few, many) share of each of many pixels in each of few that cover the same length."""
    step = many / few
    start = torch.arange(few, device=device)[:, None] * step
    pixel = torch.arange(many, device=device)
    overlap = torch.minimum(start + step, pixel + 1) - torch.maximum(start, pixel)
    share: Tensor = overlap.clamp(min=0).float() / step
    return share


def sent(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """The same on the device; from pinned memory to a CUDA device, while the thread goes on."""
    tensor = torch.from_numpy(pixels)
    held: Tensor = tensor.pin_memory() if device.type == "cuda" else tensor
    return held.to(device, non_blocking=True)


def halved_on(pixels: Tensor) -> Tensor:
    """(1, 3, S, S) in whole numbers to (1, 3, S / 2, S / 2): as of :func:`~.colors.halved`."""
    return (F.avg_pool2d(pixels, 2) + 0.5).floor()


def lab_of(pixels: Tensor) -> Tensor:
    """(1, 3, S, S) RGB in whole numbers to (3, S, S) 8-bit CIELAB, as float32."""
    red, green, blue = pixels[0].long()
    colors: Tensor = _lab_of_all(pixels.device)[(red * LEVELS + green) * LEVELS + blue]
    return colors.permute(2, 0, 1).float()


def bins_of(lab: Tensor) -> Tensor:
    """(S, S) int64: as of :func:`~.colors.color_bins`."""
    lightness, a, b = lab.long()
    bins: Tensor = ((lightness >> 4) << 10) | ((a >> 3) << 5) | (b >> 3)
    return bins


def planes_of(lab: Tensor, stage: Stage) -> Tensor:
    """(6, n, n): as of :func:`~.colors.color_planes`."""
    mean = means_of(lab, stage, stage.stride).round()
    quarters = means_of(lab, stage, stage.stride // 2).round()[:, ::2, ::2]
    return torch.cat([mean, quarters - mean])


def means_of(planes: Tensor, stage: Stage, cell_px: int) -> Tensor:
    """(C, S, S) pixels averaged over cells, the first where the stage's first is, (C, n, n)."""
    shift = max(round(stage.first_center_px - stage.stride / 2), 0)
    moved = F.pad(planes[None, :, shift:, shift:], (0, shift, 0, shift), mode="replicate")
    return F.avg_pool2d(moved, cell_px)[0]


@functools.cache
def _lab_of_all(device: torch.device) -> Tensor:
    """(256 ** 3, 3) uint8: OpenCV's CIELAB of each colour; 50 MB, made once for a device."""
    every = np.arange(LEVELS**3, dtype=np.uint32)
    channels = [(every >> bits).astype(np.uint8) for bits in (16, 8, 0)]
    colors = np.stack(channels, axis=-1).reshape(LEVELS**2, LEVELS, 3)
    lab = cv2.cvtColor(colors, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    return torch.from_numpy(np.asarray(lab, np.uint8)).to(device)
