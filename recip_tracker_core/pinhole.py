"""From a place in the image to a direction in space: a calibrated camera with its lens.

Two conventions for pixels meet in :meth:`Camera.of_matrix`, and nowhere else. In this package the left
edge of the first pixel is 0 (see :mod:`.types`); in a calibration's matrix its centre is. So the principal
point is moved by half a pixel once, there. Windows, bins and other image sizes are then plain shifts and
factors, which they are not on pixel centres.

Directions are in the optical frame of REP 103: z forward, x right, y down.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import CameraError

Floats = NDArray[np.float64]
Distortion = tuple[float, ...]

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
SAME_ASPECT = 0.02  # relative; a side of 50 pixels that was rounded to whole ones is off by as much


def _brown(place: Floats, distortion: Distortion) -> Floats | None:
    """The direction (3,) that OpenCV's polynomial or rational lens shows at a place (2,) of its image.

    Newton's method on OpenCV's own forward model. cv2.undistortPoints stops after five steps of a slower
    one: with strong distortion it is off by degrees, and it answers where there is no answer.
    """
    origin, coefficients = np.zeros(3), np.array(_padded(distortion, 14))
    point, proper = place, np.zeros(2)
    for _ in range(50):  # most lenses need 5 at most, places beside a fold 20
        ahead = np.array([[*point, 1.0]])
        seen, derivatives = cv2.projectPoints(ahead, origin, origin, np.eye(3), coefficients)
        slope = derivatives[:, 3:5]  # by the translation, which at depth 1 is by the point itself
        if slope[0, 0] <= 0 or np.linalg.det(slope) <= 0:  # past a fold the model shows the scene mirrored
            point = (point + proper) / 2
            continue
        proper, error = point, place - seen.reshape(2)
        if np.abs(error).max() < 1e-10:
            return np.asarray(ahead[0])
        point = point + np.linalg.solve(slope, error)
    return None


def _fisheye(place: Floats, distortion: Distortion) -> Floats | None:
    """The direction (3,) that an equidistant lens shows at a place (2,), also beside and behind the camera.

    cv2.fisheye.undistortPoints answers on a plane before the camera, where 90 degrees and more have no place.
    """
    radius = math.hypot(*place)
    if radius < 1e-12:
        return np.array([0.0, 0.0, 1.0])
    first, second, third, fourth = _padded(distortion, 4)
    image = np.polynomial.Polynomial([0, 1, 0, first, 0, second, 0, third, 0, fourth])  # of the angle
    angle = _first_root(image - radius)
    if angle > min(_first_root(image.deriv()), math.pi):  # past the fold of the polynomial, or a full turn
        return None
    return np.array([*(place / radius * math.sin(angle)), math.cos(angle)])


def _first_root(polynomial: np.polynomial.Polynomial) -> float:
    """The smallest positive real root, or infinity."""
    return min(
        (root.real for root in polynomial.roots() if root.imag == 0 and root.real > 0), default=math.inf
    )


def _padded(distortion: Distortion, count: int) -> Distortion:
    return (*distortion, *[0.0] * count)[:count]


Lens = Callable[[Floats, Distortion], "Floats | None"]

# distortion_model of sensor_msgs/CameraInfo: how many coefficients it has at most, and its inverse.
# OpenCV's order makes rational_polynomial a longer plumb_bob, and drivers publish 8 under either name.
LENSES: dict[str, tuple[int, Lens]] = {
    "": (0, _brown),
    "none": (0, _brown),
    "plumb_bob": (14, _brown),
    "rational_polynomial": (14, _brown),
    "equidistant": (4, _fisheye),
    "fisheye": (4, _fisheye),
}


@dataclass(frozen=True, slots=True)
class Camera:
    """A calibrated camera, for images of one size.

    Attributes:
        fx, fy: focal lengths, pixels.
        cx, cy: where the optical axis meets the image, pixels from its edges: half a pixel more than in
            the calibration's matrix.
        width, height: of the images that these are for, pixels.
        model: of the lens, one of ``LENSES``.
        distortion: its coefficients in OpenCV's order; missing ones are 0.
        rotation: 9 numbers, row by row: turns a direction of this camera into one of the optical frame.

    Raises:
        CameraError: if it is not calibrated, or no such camera can be.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int
    height: int
    model: str = "none"
    distortion: Distortion = ()
    rotation: tuple[float, ...] = IDENTITY

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion, *self.rotation)
        if not all(map(math.isfinite, numbers)):
            raise CameraError(f"a camera's numbers must be finite, got {self}")
        if self.fx == 0:
            raise CameraError("the camera is uncalibrated: its focal length is 0")
        if min(self.fx, self.fy) <= 0:
            raise CameraError(f"focal lengths must be positive, got {self.fx:g} and {self.fy:g} pixels")
        if min(self.width, self.height) <= 0:
            raise CameraError(f"a camera's image must have a size, got {self.width} x {self.height}")
        if self.model not in LENSES:
            raise CameraError(f"unknown distortion model '{self.model}', expected one of {sorted(LENSES)}")
        most = LENSES[self.model][0]
        if any(self.distortion[most:]):
            raise CameraError(
                f"distortion model '{self.model}' has {most} coefficients at most, got {self.distortion}"
            )
        turn = np.reshape(self.rotation, (3, 3))
        if np.abs(turn @ turn.T - np.eye(3)).max() > 1e-3 or np.linalg.det(turn) < 0:
            raise CameraError(f"a rotation must be one, got {self.rotation}")

    @classmethod
    def of_matrix(
        cls,
        matrix: ArrayLike,
        size: tuple[int, int],
        model: str = "none",
        distortion: Distortion = (),
        rotation: tuple[float, ...] = IDENTITY,
    ) -> Camera:
        """A camera as a calibration describes it, with the centre of the first pixel at 0.

        Args:
            matrix: (3, 3), or (3, 4) whose last column is left out.
            size: (width, height) of the images that it is for, pixels.
            model, distortion, rotation: see :class:`Camera`.

        Raises:
            CameraError: see :class:`Camera`.
        """
        rows = np.asarray(matrix, np.float64)
        fx, fy, cx, cy = (float(rows[index]) for index in ((0, 0), (1, 1), (0, 2), (1, 2)))
        return cls(fx, fy, cx + 0.5, cy + 0.5, *size, model, distortion, rotation)

    def windowed(self, x: int, y: int, width: int, height: int, bins: tuple[int, int] = (1, 1)) -> Camera:
        """This camera where only a window of its sensor is read, and blocks of pixels are read as one.

        Args:
            x, y, width, height: the window, in pixels before binning.
            bins: (columns, rows) of a block.
        """
        across, down = bins
        return replace(
            self,
            fx=self.fx / across,
            fy=self.fy / down,
            cx=(self.cx - x) / across,
            cy=(self.cy - y) / down,
            width=width // across,
            height=height // down,
        )

    def ray(self, x_px: float, y_px: float, image_size: tuple[int, int]) -> Floats:
        """The direction of what is seen at a place of the image.

        Args:
            x_px, y_px: the place, in the convention of :mod:`.types`; it may lie outside the image.
            image_size: (width, height) of the image. Where it is not the camera's, the image is taken
                for the whole picture made smaller or larger.

        Returns:
            (3,) of length 1 in the optical frame. Through a fisheye lens z may be 0 or less.

        Raises:
            CameraError: for an image of another aspect, which must have been cropped, or a place that no
                light reaches by the model of the lens.
        """
        across, down = self.width / image_size[0], self.height / image_size[1]
        if abs(across / down - 1) > SAME_ASPECT:
            raise CameraError(
                f"the image is {image_size[0]} x {image_size[1]}, but the camera is calibrated for "
                f"{self.width} x {self.height}, which is of another aspect"
            )
        place = np.array([(x_px * across - self.cx) / self.fx, (y_px * down - self.cy) / self.fy])
        direction = LENSES[self.model][1](place, self.distortion)
        if direction is None:
            raise CameraError(f"by its lens model the camera sees nothing at {x_px:g}, {y_px:g} pixels")
        turned = np.reshape(self.rotation, (3, 3)) @ direction
        return np.asarray(turned / np.linalg.norm(turned))


def point_on(ray: ArrayLike, z_m: float) -> Floats:
    """The point (3,) of a ray from the camera at a depth along the optical axis, metres.

    Raises:
        CameraError: if the ray does not go forward, where no depth image looks.
    """
    direction = np.asarray(ray, np.float64)
    if direction[2] <= 0:
        raise CameraError(f"a ray must go forward to have a depth, got {direction}")
    return np.asarray(direction / direction[2] * z_m)
