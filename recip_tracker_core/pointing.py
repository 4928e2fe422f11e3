"""From a click on a thing to the box that it fills.

GrabCut (Rother, Kolmogorov, Blake; SIGGRAPH 2004) is asked in windows of several sizes around the click what
belongs to it: a small ellipse around the click is target, what lies beyond a large one is ground. The answer
taken is the one whose contour stands out most from what is around it, which is centred on the click, and
which has about the size of what people point at.

Low-level segmentation finds what differs from its surroundings, not what has a name: trousers, or a head with
its hair and neck. ``bench/pointing.py`` measures how far that goes, and says what else was tried.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import BoxError
from .types import BoundingBox, Frame

Mask = NDArray[np.uint8]  # of zeros and ones

# Lengths are in the shorter sides of an image, ellipses in windows. All were chosen on first frames by what
# bench/pointing.py measures, which is flat around them.
RADII = (0.05, 0.073, 0.106, 0.155, 0.226, 0.33, 0.48)  # of windows: of circles of their ellipses' areas
UPRIGHT = 1.5  # height of an ellipse over its width: most things that one follows stand
SEED, LIKELY, GROUND = 0.15, 0.8, 0.9  # ellipses: target within, target at first within, ground beyond
SIDE_PX = 64  # what a window is resized to, root of its area
USUAL = 0.18  # side of a thing, root of its area
FALLBACK = 0.15  # side of the square where nothing stands out: the best one on first frames
OFF_CENTER, UNUSUAL = 2.0, 0.3  # what a box loses for its centre's offset and its size, both squared
FAINTEST = 0.3  # contrast below which there is no contour: noise and plain texture have up to 0.2
NOISE = 10.0  # grey levels that a gradient needs to count
NEIGHBOURHOOD = 0.35  # width of the ring that a contour is compared to, in roots of the mask's area
LEAST_PX, LARGEST_SHARE = 4.0, 0.5  # sides, and share of the image, beyond which a box is no answer
LEAST_FALLBACK_PX = 8.0
COLORS = 5  # Gaussians in a mixture of grabCut, which is its constant
CROSS = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Pointed:
    """What a click was understood as.

    Attributes:
        box: inside the image.
        mask: (H, W), the thing's pixels, which the box is drawn around; None where the box was not grown.
        is_grown: whether the box follows what the image shows, and is not a square around the click.
    """

    box: BoundingBox
    mask: NDArray[np.bool_] | None
    is_grown: bool


def pointed_box(image: NDArray[np.uint8], x_px: float, y_px: float, size_px: float = 0.0) -> Pointed:
    """The box of the thing under a point: equal arguments give equal boxes, whatever OpenCV's generator does.

    Args:
        image: (H, W, 3) RGB; it is not written to.
        x_px, y_px: the point.
        size_px: side of a square around the point; 0 grows the box by what the image shows, or takes a square
            of a usual size where nothing stands out.

    Raises:
        BoxError: if the point is not finite or outside of the image, or the size is negative or not finite.
        FrameError: if the image has another shape or type.
    """
    frame = Frame(image)
    _check(frame, x_px, y_px, size_px)
    if size_px > 0:
        return _square(frame, x_px, y_px, size_px)
    shorter = min(frame.width, frame.height)
    windows = [_Window.around(frame, x_px, y_px, max(radius * shorter, LEAST_PX)) for radius in RADII]
    shapes = [_Shape.in_window(window) for window in windows]
    answers = [shape for shape in shapes if shape.is_answer(frame)]
    if not answers:
        return _square(frame, x_px, y_px, max(FALLBACK * shorter, LEAST_FALLBACK_PX))
    return max(answers, key=lambda shape: shape.worth(x_px, y_px, USUAL * shorter)).pointed(frame)


def _check(frame: Frame, x_px: float, y_px: float, size_px: float) -> None:
    if not (0 <= x_px < frame.width and 0 <= y_px < frame.height):  # NaN is not, either
        raise BoxError(
            f"a point must lie in the image, which is {frame.width} x {frame.height}, got {x_px:g},{y_px:g}"
        )
    if not 0 <= size_px < math.inf:
        raise BoxError(f"the side of a box around a point must be finite and not negative, got {size_px:g}")


def _square(frame: Frame, x_px: float, y_px: float, side_px: float) -> Pointed:
    box = BoundingBox(x_px - side_px / 2, y_px - side_px / 2, side_px, side_px)
    return Pointed(box.clipped(frame.width, frame.height), None, is_grown=False)


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of the image around the click.

    Attributes:
        left, top, right, bottom: what it covers of the image, pixels.
        pixels: (h, w, 3) uint8, that part resized.
        distance: (h, w) from the click; 1 on the window's ellipse.
    """

    left: int
    top: int
    right: int
    bottom: int
    pixels: NDArray[np.uint8]
    distance: NDArray[np.float64]

    @staticmethod
    def around(frame: Frame, x_px: float, y_px: float, radius_px: float) -> _Window:
        """What the image has of the rectangle around an upright ellipse."""
        across, down = radius_px / math.sqrt(UPRIGHT), radius_px * math.sqrt(UPRIGHT)
        left, top = max(int(x_px - across), 0), max(int(y_px - down), 0)
        right, bottom = min(int(x_px + across) + 1, frame.width), min(int(y_px + down) + 1, frame.height)
        scale = SIDE_PX / (2 * radius_px)
        width, height = max(round((right - left) * scale), 1), max(round((bottom - top) * scale), 1)
        part = frame.image[top:bottom, left:right]
        pixels = np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        x = left + (np.arange(width) + 0.5) * (right - left) / width - x_px
        y = top + (np.arange(height) + 0.5) * (bottom - top) / height - y_px
        return _Window(left, top, right, bottom, pixels, np.hypot(x / across, y[:, None] / down))

    def segmented(self) -> Mask:
        """(h, w): what belongs to the pixel that was clicked on, and hangs together with it."""
        labels = np.full(self.distance.shape, cv2.GC_PR_BGD, np.uint8)
        labels[self.distance < LIKELY] = cv2.GC_PR_FGD
        labels[self.distance > GROUND] = cv2.GC_BGD
        labels[self.distance < SEED] = cv2.GC_FGD
        clicked = np.unravel_index(self.distance.argmin(), self.distance.shape)
        labels[clicked] = cv2.GC_FGD
        is_target, colors = (labels & 1).astype(bool), self.pixels.astype(np.float32)
        if is_target.all():
            return np.ones(labels.shape, np.uint8)
        # The rectangle is not read in this mode.
        ground, target = _mixture(colors[~is_target]), _mixture(colors[is_target])
        cv2.grabCut(self.pixels, labels, (0, 0, 1, 1), ground, target, 1, cv2.GC_EVAL)
        _, parts = cv2.connectedComponents(labels & 1, connectivity=4)
        return np.asarray(parts == parts[clicked], np.uint8)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A mask in a window.

    Attributes:
        box: of the mask, in the image.
        contrast: how much steeper the image is along the mask's contour than around it, logarithmic.
    """

    window: _Window
    mask: Mask
    box: BoundingBox
    contrast: float

    @staticmethod
    def in_window(window: _Window) -> _Shape:
        """What the click belongs to there."""
        mask = window.segmented()
        x, y, width, height = cv2.boundingRect(mask)
        across = (window.right - window.left) / mask.shape[1]
        down = (window.bottom - window.top) / mask.shape[0]
        box = BoundingBox(window.left + x * across, window.top + y * down, width * across, height * down)
        return _Shape(window, mask, box, _contrast(window.pixels, mask))

    def is_answer(self, frame: Frame) -> bool:
        """Whether there is a contour, and the box is neither a few pixels nor most of the image."""
        share = self.box.area / (frame.width * frame.height)
        return self.contrast > FAINTEST and min(self.box.w, self.box.h) >= LEAST_PX and share < LARGEST_SHARE

    def worth(self, x_px: float, y_px: float, usual_px: float) -> float:
        """What decides between the windows."""
        (x, y), box = self.box.center, self.box
        offset = ((x - x_px) / box.w) ** 2 + ((y - y_px) / box.h) ** 2
        unusual = math.log(math.sqrt(box.area) / usual_px) ** 2
        return self.contrast - OFF_CENTER * offset - UNUSUAL * unusual

    def pointed(self, frame: Frame) -> Pointed:
        """The same at the pixels of the image."""
        window, mask = self.window, np.zeros(frame.image.shape[:2], np.uint8)
        size = (window.right - window.left, window.bottom - window.top)
        part = cv2.resize(self.mask, size, interpolation=cv2.INTER_NEAREST)
        mask[window.top : window.bottom, window.left : window.right] = part
        return Pointed(BoundingBox(*map(float, cv2.boundingRect(mask))), mask.astype(bool), is_grown=True)


def _mixture(colors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(1, 65) Gaussians of (N, 3) colours as grabCut keeps them: weights, means, covariances.

    GrabCut's own beginning draws from OpenCV's generator, which is shared by all that the thread does; here
    k-means begins with equal parts along the colours' principal axis, and nothing is drawn.
    """
    count = min(COLORS, len(colors))
    centered = colors - colors.mean(axis=0)
    order = np.argsort(centered @ np.linalg.eigh(centered.T @ centered)[1][:, -1], kind="stable")
    labels = np.empty((len(colors), 1), np.int32)
    labels[order, 0] = np.arange(len(colors)) * count // len(colors)
    stop = (cv2.TERM_CRITERIA_COUNT, 10, 0.0)
    cv2.kmeans(colors, count, labels, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    model = np.zeros(65)
    weights, means, covariances = model[:5], model[5:20].reshape(5, 3), model[20:].reshape(5, 3, 3)
    for index in np.unique(labels):
        part = colors[labels[:, 0] == index]
        weights[index], means[index] = len(part) / len(colors), part.mean(axis=0)
        covariances[index] = np.cov(part.T, bias=True) + np.eye(3)  # a plain area has none
    return model[None]


def _contrast(pixels: NDArray[np.uint8], mask: Mask) -> float:
    """Mean logarithm of the gradients on a mask's contour, less that around it; gaps in a contour tell."""
    gradient = cv2.morphologyEx(pixels, cv2.MORPH_GRADIENT, CROSS).max(axis=2)
    steepness = np.log(gradient + np.float32(NOISE))
    contour = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, CROSS)
    reach = max(2, round(NEIGHBOURHOOD * math.sqrt(mask.sum())))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    ring = cv2.dilate(mask, disc) - cv2.dilate(mask, CROSS)
    return float(cv2.mean(steepness, contour)[0] - cv2.mean(steepness, ring)[0])
