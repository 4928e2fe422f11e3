"""What every test may ask for: the device that torch computes on, and a clip whose truth is known."""

from __future__ import annotations

import os
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recip_tracker_core.shared_parts import resolve_device

Clip = list[tuple[NDArray[np.uint8], tuple[int, int, int, int]]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where torch computes: cpu, cuda or cuda:N")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: a module whose tests run the whole tracker; runs last")
    # Small tensors on few cores: more threads only wait for each other.
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for name in ("COLUMNS", "LINES"):  # a terminal's, or a worker's: no word of what a console is asked for
        os.environ.pop(name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(scope="session")
def device(pytestconfig: pytest.Config) -> torch.device:
    """The device named by ``--device``; an absent one is an error, not a skip."""
    return resolve_device(pytestconfig.getoption("--device"))


@pytest.fixture(scope="session")
def rendered_clip() -> Callable[..., Clip]:
    """``rendered_clip(frames, size, seed)``: RGB images with the target's box, see :func:`render`."""
    return render


def render(frames: int, size: tuple[int, int] = (160, 120), seed: int = 0, hidden: range = range(0)) -> Clip:
    """A textured target that moves smoothly over a textured background.

    Args:
        frames: how many.
        size: (width, height) of the images, pixels.
        seed: of both textures; equal seeds give equal clips.
        hidden: indices of the frames in which the background covers the target.

    Returns:
        (H, W, 3) uint8 RGB images, each with the target's ``x, y, w, h`` in whole pixels.
    """
    generator = np.random.default_rng(seed)
    width, height = size
    side = min(size) // 4
    background = _texture(generator, width, height, tint=(70, 110, 90))
    target = _texture(generator, side, side, tint=(190, 120, 60))
    clip: Clip = []
    for index in range(frames):
        angle = 2 * np.pi * index / 60  # one round of an ellipse in 60 frames
        x = round((width - side) * (0.5 + 0.3 * np.cos(angle)))
        y = round((height - side) * (0.5 + 0.3 * np.sin(angle)))
        image = background.copy()
        if index not in hidden:
            image[y : y + side, x : x + side] = target
        clip.append((image, (x, y, side, side)))
    return clip


def _texture(
    generator: np.random.Generator, width: int, height: int, tint: tuple[int, int, int]
) -> NDArray[np.uint8]:
    """(height, width, 3): a tint with noise of two grains, coarse enough to survive a codec."""
    canvas = np.full((height, width, 3), tint, np.float32)
    for grain_px, strength in ((12, 40), (4, 35)):
        cells = (height // grain_px + 1, width // grain_px + 1, 3)
        noise = generator.uniform(-strength, strength, cells).astype(np.float32)
        canvas += cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(canvas, 0, 255).astype(np.uint8)
