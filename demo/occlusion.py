"""A drawn clip with its truth: a robot passes behind a pillar, and a ball rolls by.

It looks as a camera would show it: the camera sways, what moves is blurred, and there is noise. Needs
numpy and OpenCV alone. Coordinates are pixels of the scene (see :mod:`scenery`) until the last step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import scenery
from numpy.typing import NDArray
from scenery import BALL_PX, KEPT, MARGIN_PX, PILLAR_PX, ROBOT_PX, Floats, Sprite

SCENE_PX = (640, 360)
FRAMES, RATE_HZ = 120, 10.0
EXPOSURES, SHUTTER = 3, 0.4  # of which a picture is the mean, within that share of a frame
PILLAR_X, NEARER = 268.0, 1.25  # its left edge, and how much more than the room the camera moves it
LEAST_IN_VIEW = 0.01  # share of the target, below which it counts as hidden
GAIN, READ_NOISE = 0.25, 1.5  # of the sensor, grey levels
Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """One picture of the clip.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        box: (4,) of the whole target, ``x, y, w, h`` in pixels; NaN while nothing of it is in view.
        in_view: share of the target that nothing covers, 0 to 1.
    """

    image: NDArray[np.uint8]
    box: NDArray[np.float64]
    in_view: float


@dataclass(frozen=True, eq=False, slots=True)
class Placed:
    """A sprite and (2, 3) the matrix from its pixels to those of the scene as the camera sees it."""

    sprite: Sprite
    matrix: Matrix


@dataclass(frozen=True, eq=False, slots=True)
class Stage:
    """Everything that is in the clip."""

    room: Sprite
    robot: Sprite
    robot_shadow: Sprite
    pillar: Sprite
    ball: Sprite
    ball_shadow: Sprite


def pictures(frames: int = FRAMES, size: tuple[int, int] = SCENE_PX, seed: int = 0) -> Iterator[Picture]:
    """The clip. It always tells the whole story: with fewer frames, all moves faster.

    Args:
        frames: how many, at least 2.
        size: width and height, pixels, 16 to 9.
        seed: of textures and noise; equal seeds give equal clips.
    """
    generator = np.random.default_rng(seed)
    stage = built(generator)
    for index in range(frames):
        moments = (index + SHUTTER * np.arange(EXPOSURES) / EXPOSURES) / (frames - 1)
        shots = [placed(stage, moment) for moment in moments.tolist()]
        light = np.stack([exposed(shot) for shot in shots]).mean(axis=0)
        middle = shots[EXPOSURES // 2]
        in_view = share_in_view(middle)
        box = target_box(middle) * size[0] / SCENE_PX[0] if in_view >= LEAST_IN_VIEW else np.full(4, np.nan)
        yield Picture(sensed(light, size, generator), box, in_view)


def built(generator: np.random.Generator) -> Stage:
    """The sprites, drawn."""
    return Stage(
        room=scenery.room(generator),
        robot=scenery.robot(generator),
        robot_shadow=scenery.shadow(90),
        pillar=scenery.pillar(generator),
        ball=scenery.ball(generator),
        ball_shadow=scenery.shadow(60),
    )


def placed(stage: Stage, moment: float) -> list[Placed]:
    """What the camera sees at a moment from 0 to 1, farthest first, the robot third."""
    camera, near = swayed(moment, 1.0), swayed(moment, NEARER)
    foot, scale, lean = robot_pose(moment)
    ball, turn = ball_pose(moment)
    corner = (PILLAR_X + PILLAR_PX[0] / 2, 338.0)
    return [
        Placed(stage.room, camera @ posed((-MARGIN_PX, -MARGIN_PX), (0, 0))),
        Placed(stage.robot_shadow, camera @ posed((foot[0], foot[1] - 2), (45, 11), scale)),
        Placed(stage.robot, camera @ posed(foot, (ROBOT_PX[0] / 2, ROBOT_PX[1]), scale, lean)),
        Placed(stage.pillar, near @ posed(corner, (PILLAR_PX[0] / 2, PILLAR_PX[1]))),
        Placed(stage.ball_shadow, near @ posed((ball[0], ball[1] + 22), (30, 7))),
        Placed(stage.ball, near @ posed(ball, (BALL_PX[0] / 2, BALL_PX[1] / 2), 1.0, turn)),
    ]


def robot_pose(moment: float) -> tuple[tuple[float, float], float, float]:
    """Where its track touches the floor, its scale, and its lean in radians: it comes nearer, and wobbles."""
    x = 70 + 525 * moment
    foot = (x, 286 + 14 * moment + 1.5 * np.sin(34 * moment))
    return foot, 1.0 + 0.2 * moment, 0.05 * float(np.sin(21 * moment))


def ball_pose(moment: float) -> tuple[tuple[float, float], float]:
    """Its middle, and its turn in radians: it rolls to the left and back."""
    x = 400 + 230 * float(np.cos(2 * np.pi * 1.2 * moment))
    return (x, 324 - 12 * abs(float(np.sin(30 * moment)))), (x - 400) / 22


def swayed(moment: float, nearness: float) -> Matrix:
    """(3, 3) from the scene to the picture: a camera in a hand."""
    across = 9 * np.sin(5.1 * moment) + 2.0 * np.sin(31 * moment + 1)
    down = 4 * np.sin(7.7 * moment + 2) + 1.5 * np.sin(43 * moment)
    roll, zoom = 0.006 * np.sin(9 * moment), 1 + 0.012 * np.sin(4 * moment)
    turned = zoom * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    middle = np.array(SCENE_PX) / 2
    shift = middle - turned @ middle + nearness * np.array([across, down])
    return np.vstack([np.column_stack([turned, shift]), [0, 0, 1]])


def posed(
    at: tuple[float, float], anchor: tuple[float, float], scale: float = 1.0, turn: float = 0.0
) -> Matrix:
    """(3, 3) from a sprite, in pixels of the scene, to the scene: its anchor comes to ``at``."""
    turned = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return np.vstack([np.column_stack([turned, np.array(at) - turned @ np.array(anchor)]), [0, 0, 1]])


def exposed(shot: list[Placed]) -> Floats:
    """(360, 640, 3) float32 in [0, 255]: the sprites over each other; the first fills the picture."""
    picture = warped(shot[0])[1][:, :, :3].copy()
    for thing in shot[1:]:
        part, pixels = warped(thing)
        below = picture[part]
        below *= 1 - pixels[:, :, 3:] / 255
        below += pixels[:, :, :3]
    return np.asarray(picture, np.float32)


def warped(thing: Placed) -> tuple[tuple[slice, slice], Floats]:
    """The part of the picture that a sprite is in, and (h, w, 4) its pixels there."""
    height, width = (side / KEPT for side in thing.sprite.pixels.shape[:2])
    corners = moved(np.array([(0, 0), (width, 0), (0, height), (width, height)], np.float64), thing.matrix)
    low = np.clip(np.floor(corners.min(axis=0)), 0, SCENE_PX).astype(int)
    high = np.clip(np.ceil(corners.max(axis=0)), low, SCENE_PX).astype(int)
    part = slice(low[1], high[1]), slice(low[0], high[0])
    if (high == low).any():
        return part, np.zeros((*(high - low)[::-1], 4), np.float32)
    # OpenCV's pixels have their centres on whole numbers.
    to_scene, half = posed((0.5 / KEPT, 0.5 / KEPT), (0, 0), 1 / KEPT), np.array([0.5, 0.5])
    matrix = posed(tuple((-half - low).tolist()), (0, 0)) @ thing.matrix @ to_scene
    size = (int(high[0] - low[0]), int(high[1] - low[1]))
    return part, np.asarray(cv2.warpAffine(thing.sprite.pixels, matrix[:2], size), np.float32)


def moved(points: Matrix, matrix: Matrix) -> Matrix:
    """(N, 2) points through a (3, 3) matrix."""
    return np.asarray(points @ matrix[:2, :2].T + matrix[:2, 2])


def target_box(shot: list[Placed]) -> Matrix:
    """(4,) around the whole robot, ``x, y, w, h`` in pixels of the scene."""
    outline = moved(shot[2].sprite.outline, shot[2].matrix)
    low, high = outline.min(axis=0), outline.max(axis=0)
    return np.concatenate([low, high - low])


def share_in_view(shot: list[Placed]) -> float:
    """Share of the robot that neither pillar nor ball covers."""
    opaque = np.zeros((SCENE_PX[1], SCENE_PX[0]), np.float32)
    part, pixels = warped(shot[2])
    opaque[part] = pixels[:, :, 3]
    whole = opaque.sum()
    for cover in (shot[3], shot[5]):
        part, pixels = warped(cover)
        opaque[part] *= 1 - pixels[:, :, 3] / 255
    return float(opaque.sum() / whole)


def sensed(light: Floats, size: tuple[int, int], generator: np.random.Generator) -> NDArray[np.uint8]:
    """What a sensor of that size makes of it: a soft lens, and noise that grows with the light."""
    soft = cv2.GaussianBlur(light, (0, 0), 0.6)
    soft = cv2.resize(soft, size, interpolation=cv2.INTER_AREA)
    deviation = np.sqrt(READ_NOISE**2 + GAIN * np.maximum(soft, 0) / 8)
    noisy = soft + deviation * generator.standard_normal(soft.shape, np.float32)
    return np.asarray(np.clip(np.round(noisy), 0, 255), np.uint8)
