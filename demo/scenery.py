"""What is in the drawn clip: a room, a pillar of bricks, a robot and a ball, all drawn here.

Lengths are pixels of the scene, which is 640 wide and 360 high. Colours are RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Color = tuple[int, int, int]
Point = tuple[float, float]

DRAWN, KEPT = 4, 2  # pixels of a sprite for one of the scene, while it is drawn and afterwards
MARGIN_PX = 60  # of the room around what a still camera sees
ROOM_PX, FLOOR_Y = (640 + 2 * MARGIN_PX, 360 + 2 * MARGIN_PX), 222 + MARGIN_PX
ROBOT_PX, BALL_PX, PILLAR_PX = (64, 80), (46, 46), (180, 420)
BRICK_PX, MORTAR_PX = (30.0, 13.0), 1.5

DARK, PALE, TEAL, ORANGE = (38, 42, 52), (232, 228, 214), (24, 138, 140), (240, 138, 36)
RED, YELLOW, GREEN, BLUE = (218, 50, 50), (248, 204, 54), (66, 150, 88), (54, 92, 196)
BINDINGS: tuple[Color, ...] = ((174, 90, 90), (92, 110, 164), (98, 140, 108), (190, 168, 92), (84, 86, 92))
PAPER, STRIPE, WOOD, BOARD = (176, 184, 172), (164, 174, 164), (120, 80, 48), (168, 124, 82)


@dataclass(frozen=True, eq=False, slots=True)
class Sprite:
    """A thing with a shape.

    Attributes:
        pixels: (h, w, 4) float32 in [0, 255], RGB times its opacity, and the opacity, ``KEPT`` pixels to
            one of the scene.
        outline: (N, 2) points ``x, y`` around it, pixels of the scene from its top left corner.
    """

    pixels: Floats
    outline: NDArray[np.float64]


class Canvas:
    """Draws the shapes of one sprite.

    Args:
        size_px: width and height.
    """

    def __init__(self, size_px: tuple[int, int]) -> None:
        width, height = size_px
        self._pixels = np.zeros((height * DRAWN, width * DRAWN, 4), np.uint8)

    def polygon(self, *corners: Point, color: Color) -> None:
        """A filled polygon."""
        cv2.fillPoly(self._pixels, [np.round(np.array(corners) * DRAWN).astype(np.int32)], (*color, 255))

    def box(self, x: float, y: float, w: float, h: float, color: Color, radius: float = 0.0) -> None:
        """A filled rectangle, with round corners if asked for."""
        for across, down in ((radius, 0.0), (0.0, radius)):
            low, high = (x + across, y + down), (x + w - across, y + h - down)
            first = round(low[0] * DRAWN), round(low[1] * DRAWN)
            last = round(high[0] * DRAWN) - 1, round(high[1] * DRAWN) - 1
            cv2.rectangle(self._pixels, first, last, (*color, 255), cv2.FILLED)
        if radius:
            for middle in product((x + radius, x + w - radius), (y + radius, y + h - radius)):
                self.ellipse(middle, (radius, radius), color)

    def ellipse(self, middle: Point, radii: Point, color: Color, arc: tuple[int, int] = (0, 360)) -> None:
        """A filled ellipse, or its sector between two angles in degrees, clockwise from the right."""
        center, axes = ((round(x * DRAWN), round(y * DRAWN)) for x, y in (middle, radii))
        cv2.ellipse(self._pixels, center, axes, 0, *arc, (*color, 255), cv2.FILLED)

    def sprite(self, generator: np.random.Generator, wear: float, shade: float) -> Sprite:
        """What was drawn, worn by use and lit from the left.

        Args:
            generator: of the wear.
            wear: of the surface, as a share of its brightness.
            shade: share of the brightness that the right side lacks.
        """
        height, width = (side * KEPT // DRAWN for side in self._pixels.shape[:2])
        kept = cv2.resize(self._pixels.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        light = 1.05 - shade * np.linspace(0, 1, width, dtype=np.float32) ** 2
        surface = 1 + wear * noise(generator, (width, height), (3, 9, 40))
        kept[:, :, :3] = np.minimum(kept[:, :, :3] * (light * surface)[:, :, None], kept[:, :, 3:])
        solid = np.ascontiguousarray(self._pixels[:, :, 3])
        shapes, _ = cv2.findContours(solid, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        outline = (np.concatenate([shape[:, 0] for shape in shapes]) + 0.5) / DRAWN
        return Sprite(np.asarray(kept, np.float32), outline)


def noise(generator: np.random.Generator, size_px: tuple[int, int], grains_px: tuple[int, ...]) -> Floats:
    """(height, width) in about [-1, 1], the mean of smooth noises of these grains."""
    width, height = size_px
    layers = []
    for grain in grains_px:
        cells = generator.uniform(-1, 1, (height // grain + 2, width // grain + 2)).astype(np.float32)
        layers.append(cv2.resize(cells, size_px, interpolation=cv2.INTER_CUBIC))
    return np.asarray(np.mean(layers, axis=0) * len(layers) ** 0.5, np.float32)


def robot(generator: np.random.Generator) -> Sprite:
    """A round robot on a track, seen from the front."""
    canvas = Canvas(ROBOT_PX)
    canvas.box(8, 64, 48, 16, DARK, 8)
    for x in (17, 32, 47):
        canvas.ellipse((x, 72), (5.5, 5.5), (150, 152, 158))
        canvas.ellipse((x, 72), (2.2, 2.2), DARK)
    for x in (0, 56):
        canvas.box(x, 36, 8, 22, ORANGE, 4)
    canvas.box(6, 30, 52, 37, TEAL, 14)
    canvas.box(6.5, 57, 51, 3, ORANGE)
    canvas.box(15, 38, 34, 16, PALE, 4)
    for x, color in ((22, RED), (32, YELLOW), (42, GREEN)):
        canvas.ellipse((x, 43), (3, 3), color)
    for x in range(18, 46, 5):
        canvas.box(x, 48.5, 3, 3, (120, 124, 132))
    canvas.box(29.5, 3, 5, 9, DARK)
    canvas.ellipse((32, 4.5), (4.5, 4.5), RED)
    canvas.ellipse((32, 33), (22, 25), PALE, (180, 360))
    canvas.box(14, 18, 36, 12, DARK, 6)
    for x in (24, 40):
        canvas.ellipse((x, 24), (4.2, 4.2), (96, 232, 250))
        canvas.ellipse((x + 1, 23), (1.6, 1.6), (250, 255, 255))
    return canvas.sprite(generator, wear=0.12, shade=0.38)


def ball(generator: np.random.Generator) -> Sprite:
    """A beach ball."""
    canvas, middle, radius = Canvas(BALL_PX), (BALL_PX[0] / 2, BALL_PX[1] / 2), BALL_PX[0] / 2 - 1
    for index, color in enumerate((RED, PALE, BLUE, PALE, YELLOW, PALE)):
        canvas.ellipse(middle, (radius, radius), color, (60 * index, 60 * index + 60))
    canvas.ellipse(middle, (4, 4), PALE)
    return canvas.sprite(generator, wear=0.06, shade=0.0)


def pillar(generator: np.random.Generator) -> Sprite:
    """A pillar of bricks."""
    canvas, (width, height) = Canvas(PILLAR_PX), PILLAR_PX
    canvas.box(0, 0, width, height, (176, 168, 154))
    for row in range(int(height / BRICK_PX[1]) + 1):
        for column in range(int(width / BRICK_PX[0]) + 2):
            x = (column - 0.5 * (row % 2)) * BRICK_PX[0]
            left, right = max(x, 0.0), min(x + BRICK_PX[0] - MORTAR_PX, width)
            if right > left:
                color = _toned(generator, (152, 86, 66), 12)
                canvas.box(left, row * BRICK_PX[1], right - left, BRICK_PX[1] - MORTAR_PX, color)
    return canvas.sprite(generator, wear=0.16, shade=0.45)


def shadow(width_px: int) -> Sprite:
    """A soft dark ellipse, a quarter as high as it is wide."""
    height, width = width_px * KEPT // 4, width_px * KEPT
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    pixels = np.zeros((height, width, 4), np.float32)
    pixels[:, :, 3] = 140 * np.clip(1 - x**2 - y**2, 0, 1)
    return Sprite(pixels, np.zeros((0, 2)))


def room(generator: np.random.Generator) -> Sprite:
    """A papered wall with a window, a shelf and a picture, over a wooden floor."""
    canvas, width = Canvas(ROOM_PX), ROOM_PX[0]
    canvas.box(0, 0, width, FLOOR_Y, PAPER)
    for x in range(0, width, 24):
        canvas.box(x, 0, 11, FLOOR_Y, STRIPE)
    _window(canvas, 92, 84)
    _shelf(canvas, 470, 120, generator)
    _shelf(canvas, 520, 196, generator)
    _picture(canvas, 250, 110)
    _floor(canvas, generator)
    return canvas.sprite(generator, wear=0.10, shade=0.12)


def _window(canvas: Canvas, x: float, y: float) -> None:
    canvas.box(x - 6, y - 6, 132, 112, PALE)
    canvas.box(x, y, 120, 100, (150, 196, 230))
    canvas.ellipse((x + 84, y + 28), (14, 14), (255, 244, 200))
    hills = ((0, 100), (0, 66), (40, 44), (76, 72), (120, 56), (120, 100))
    canvas.polygon(*((x + right, y + down) for right, down in hills), color=(98, 140, 92))
    for bar in ((x + 57, y, 6, 100), (x, y + 47, 120, 6), (x - 12, y + 103, 144, 8)):
        canvas.box(*bar, PALE)


def _shelf(canvas: Canvas, x: float, y: float, generator: np.random.Generator) -> None:
    at = x + 4
    while at < x + 128:
        thick, tall = generator.uniform(6, 13), generator.uniform(30, 46)
        binding = BINDINGS[generator.integers(len(BINDINGS))]
        canvas.box(at, y - tall, thick, tall, _toned(generator, binding, 14))
        canvas.box(at + 1, y - tall + 6, thick - 2, 3, PALE)
        at += thick + 1
    canvas.box(x, y, 150, 6, WOOD)


def _picture(canvas: Canvas, x: float, y: float) -> None:
    canvas.box(x, y, 74, 56, WOOD)
    canvas.box(x + 5, y + 5, 64, 46, PALE)
    canvas.ellipse((x + 28, y + 30), (13, 13), (204, 120, 96))
    canvas.polygon((x + 36, y + 44), (x + 50, y + 14), (x + 62, y + 44), color=(96, 120, 160))


def _floor(canvas: Canvas, generator: np.random.Generator) -> None:
    """Boards that run towards the camera."""
    (width, height), middle = ROOM_PX, ROOM_PX[0] / 2
    canvas.box(0, FLOOR_Y, width, height - FLOOR_Y, WOOD)
    far, near = 44.0, 96.0  # widths of a board
    for index in range(-11, 11):
        left, right = (middle + index * far, FLOOR_Y), (middle + (index + 1) * far - 1, FLOOR_Y)
        nearer = (middle + (index + 1) * near - 2, height), (middle + index * near, height)
        canvas.polygon(left, right, *nearer, color=_toned(generator, BOARD, 9))
    canvas.box(0, FLOOR_Y - 12, width, 13, PALE)


def _toned(generator: np.random.Generator, color: Color, deviation: float) -> Color:
    """The colour, brighter or darker by chance."""
    tone = generator.normal(0, deviation)
    red, green, blue = (int(np.clip(part + tone, 0, 255)) for part in color)
    return red, green, blue
