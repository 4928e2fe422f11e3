"""From a point that an operator clicks on to the box of the thing that it lies on.

GrabCut (Rother, Kolmogorov, Blake, SIGGRAPH 2004) is asked in windows of several sizes around the point: what
is close to it is the thing, what is beyond the window is not. Of the answers the one is taken whose border
has the most contrast against what is around it. Nothing here knows what a thing is: a shirt may be
answered for a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import BoxError
from .types import BoundingBox

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

# Chosen on nine clicks on each first frame of 20 sequences (mean overlap with the true box .52, the best
# square .34, the best upright box .38), and held against later frames (.47, .38, .42): bench/pointing.py
WINDOWS = (0.055, 0.08, 0.11, 0.15, 0.2, 0.27, 0.36, 0.48)  # half a side, by the image's shorter one
UPRIGHT = 1.7  # height of a window and of what is sure, by their width: people stand
SEEN_PX = 64  # side of a window as GrabCut sees it
SURE, PROBABLE, BEYOND = 0.15, 0.8, 0.9  # radii of the thing, of what may be it, and of what isn't
COLORS = 5  # of each of GrabCut's two mixtures
LEAST_BACKGROUND = 25  # pixels; with fewer the window holds too little that the thing could differ from
RING = 0.35  # width of the surroundings, by the root of the thing's area
FLAT = 2.0  # contrast, in levels, that is nothing
OFF_CENTER, UNUSUAL, USUAL = 2.0, 0.3, 0.18  # price of a click off the middle, of an odd size; the usual one
PLAIN = 0.1  # side of the square where nothing is found, by the image's shorter side
LEAST_PX = 4  # of a side, or it is no thing
LEAST_CONTRAST = 0.1  # of a border that is one


@dataclass(frozen=True, eq=False, slots=True)
class Pointed:
    """What a point was understood as.

    Attributes:
        box: inside the image, pixels.
        mask: (H, W) the pixels that it was grown from, or None.
        is_grown: whether it was grown, and is not just a square.
    """

    box: BoundingBox
    mask: NDArray[np.bool_] | None
    is_grown: bool


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """A part of the image around a point, as GrabCut sees it.

    Attributes:
        pixels: (h, w, 3) RGB.
        left, top, width, height: of it in the image, whole pixels.
        distance: (h, w) of each pixel from the point; 1 is the window's own ellipse.
    """

    pixels: Pixels
    left: int
    top: int
    width: int
    height: int
    distance: Floats

    @staticmethod
    def around(image: Pixels, x_px: float, y_px: float, radius_px: float) -> Window:
        """The window whose ellipse has that mean radius, as far as it lies in the image."""
        across, down = radius_px / math.sqrt(UPRIGHT), radius_px * math.sqrt(UPRIGHT)
        left, top = max(int(x_px - across), 0), max(int(y_px - down), 0)
        right = min(int(x_px + across) + 1, image.shape[1])
        bottom = min(int(y_px + down) + 1, image.shape[0])
        scale = SEEN_PX / (2 * radius_px)
        size = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)
        pixels = cv2.resize(image[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
        x = left + (np.arange(size[0]) + 0.5) * (right - left) / size[0]
        y = top + (np.arange(size[1]) + 0.5) * (bottom - top) / size[1]
        distance = np.hypot((x - x_px) / across, ((y - y_px) / down)[:, None])
        return Window(np.asarray(pixels, np.uint8), left, top, right - left, bottom - top, distance)

    def box_of(self, mask: Pixels) -> BoundingBox:
        """Of a mask in the window, image pixels."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        across, down = self.width / mask.shape[1], self.height / mask.shape[0]
        corner = self.left + columns[0] * across, self.top + rows[0] * down
        size = (columns[-1] + 1 - columns[0]) * across, (rows[-1] + 1 - rows[0]) * down
        return BoundingBox(*map(float, corner), *map(float, size))

    def in_image(self, mask: Pixels, image: Pixels) -> NDArray[np.bool_]:
        """(H, W): a mask of the window in the image."""
        whole = np.zeros(image.shape[:2], bool)
        there = cv2.resize(mask, (self.width, self.height), interpolation=cv2.INTER_NEAREST)
        whole[self.top : self.top + self.height, self.left : self.left + self.width] = there > 0
        return whole


@dataclass(frozen=True, eq=False, slots=True)
class Thing:
    """One window's answer.

    Attributes:
        gain: how well it stands out, less what is odd about it: logarithms, so that they add up.
        box: image pixels.
        window, mask: where it was found, and its pixels there.
    """

    gain: float
    box: BoundingBox
    window: Window
    mask: Pixels


def pointed_box(image: Pixels, x_px: float, y_px: float, size_px: float = 0.0) -> Pointed:
    """The box that is meant by a point.

    Args:
        image: (H, W, 3) uint8 RGB; it is not written to.
        x_px, y_px: the point, image pixels.
        size_px: side of a square around it; 0 grows the box by what the image shows.

    Raises:
        BoxError: if the point is not in the image.
    """
    height, width = image.shape[:2]
    if not (0 <= x_px < width and 0 <= y_px < height):  # NaN is nowhere
        raise BoxError(f"the point {x_px:g},{y_px:g} is not in the image, which is {width} x {height}")
    if size_px > 0:
        return Pointed(_square(image, x_px, y_px, size_px), None, False)
    shorter = min(height, width)
    best = max(_things(image, (x_px, y_px), shorter), key=lambda thing: thing.gain, default=None)
    if best is None:
        return Pointed(_square(image, x_px, y_px, max(PLAIN * shorter, LEAST_PX)), None, False)
    return Pointed(best.box, best.window.in_image(best.mask, image), True)


def _things(image: Pixels, point: tuple[float, float], shorter_px: int) -> Iterator[Thing]:
    """What is found in each window, where it has a border at all."""
    for share in WINDOWS:
        window = Window.around(image, *point, share * shorter_px)
        mask = _cut(window)
        if mask is None:
            continue
        contrast, box = _contrast(window.pixels, mask), window.box_of(mask)
        if contrast < LEAST_CONTRAST or min(box.w, box.h) < LEAST_PX:
            continue
        off = sum(((box.center[axis] - point[axis]) / (box.w, box.h)[axis]) ** 2 for axis in (0, 1))
        odd = math.log(math.sqrt(box.area) / (USUAL * shorter_px)) ** 2
        yield Thing(contrast - OFF_CENTER * off - UNUSUAL * odd, box, window, mask)


def _square(image: Pixels, x_px: float, y_px: float, side_px: float) -> BoundingBox:
    box = BoundingBox(x_px - side_px / 2, y_px - side_px / 2, side_px, side_px)
    return box.clipped(image.shape[1], image.shape[0])


def _cut(window: Window) -> Pixels | None:
    """(h, w) of 0 and 1: the thing that the window's middle belongs to, or None without a background."""
    distance = window.distance
    marks = np.full(distance.shape, cv2.GC_PR_BGD, np.uint8)
    marks[distance < PROBABLE] = cv2.GC_PR_FGD
    marks[distance > BEYOND] = cv2.GC_BGD
    marks[distance < SURE] = cv2.GC_FGD
    middle = int(distance.argmin())
    marks.flat[middle] = cv2.GC_FGD
    is_thing = marks & 1 > 0
    if np.count_nonzero(~is_thing) < LEAST_BACKGROUND:
        return None
    pixels = window.pixels.astype(np.float32)
    models = _mixture(pixels[~is_thing]), _mixture(pixels[is_thing])
    # Its own first guess would draw by chance, from a generator that the whole process shares.
    cv2.grabCut(window.pixels, marks, None, *models, 1, cv2.GC_EVAL)  # type: ignore[call-overload]
    _, labels = cv2.connectedComponents(marks & 1, connectivity=4)
    return np.asarray(labels == labels.flat[middle], np.uint8)


def _mixture(pixels: NDArray[np.float32]) -> Floats:
    """(1, 65) of (N, 3) pixels: weights, means and covariances as GrabCut keeps them.

    By k-means from equal shares along the main direction of the colours.
    """
    count = min(COLORS, len(pixels))
    off = pixels - pixels.mean(axis=0)
    main = np.linalg.eigh(off.T @ off)[1][:, -1]
    labels = np.empty(len(pixels), np.int32)
    labels[np.argsort(off @ main, kind="stable")] = np.arange(len(pixels)) * count // len(pixels)
    criteria = (cv2.TERM_CRITERIA_COUNT, 10, 0.0)
    _, found, _ = cv2.kmeans(pixels, count, labels[:, None], criteria, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    model = np.zeros(13 * COLORS)
    weights, means, covariances = np.split(model, [COLORS, 4 * COLORS])
    for color in range(count):
        own = pixels[np.ravel(found) == color]
        if len(own):
            weights[color] = len(own) / len(pixels)
            means[3 * color : 3 * color + 3] = own.mean(axis=0)
            covariances[9 * color : 9 * color + 9] = (np.cov(own.T, bias=True) + np.eye(3)).ravel()
    return model[None]


def _contrast(pixels: Pixels, mask: Pixels) -> float:
    """Logarithm of the gradient along a mask's border over that in its surroundings."""
    radius = max(2, round(RING * math.sqrt(np.count_nonzero(mask))))
    near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    next_to = np.ones((3, 3), np.uint8)
    gradient = np.asarray(cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, next_to)).max(axis=2)
    border = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, next_to)
    around = cv2.subtract(cv2.dilate(mask, near), cv2.dilate(mask, next_to))
    if not np.any(around):
        return -math.inf  # it fills the window
    return math.log((cv2.mean(gradient, border)[0] + FLAT) / (cv2.mean(gradient, around)[0] + FLAT))
