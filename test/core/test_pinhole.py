"""From pixels to directions, against OpenCV's own projection and by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from recip_tracker_core.errors import CameraError
from recip_tracker_core.pinhole import Camera, point_on

SIZE = (640, 480)
MATRIX = np.array([[420.0, 0, 326.3], [0, 418.0, 241.8], [0, 0, 1]])
# 100 x 100 pixels whose optical axis goes through the middle: pixel centres are 0 to 99, their middle 49.5.
PLAIN = Camera.of_matrix([[100, 0, 49.5], [0, 100, 49.5], [0, 0, 1]], (100, 100))

POLYNOMIAL = {
    "barrel": ("plumb_bob", (-0.35, 0.12, 0.001, -0.002, 0.0)),
    "strong-barrel": ("plumb_bob", (-0.45, 0.2, 0.001, -0.002, -0.03)),
    "four-coefficients": ("plumb_bob", (-0.3, 0.1, 0.002, -0.001)),
    "pincushion": ("plumb_bob", (0.5, 0.3, 0.001, 0.002, 0.1)),
    "pincushion-that-folds": ("plumb_bob", (0.5, -0.3, 0.001, 0.002, 0.0)),
    "moustache": ("plumb_bob", (-0.4, 0.25, 0.0, 0.0, 0.0)),
    "rational": ("rational_polynomial", (0.6, -2.5, 0.0005, -0.0002, 1.4, 0.48, -2.3, 1.37)),
    "wide-rational": ("rational_polynomial", (8.0, 4.0, 0.0001, -0.0002, 0.2, 8.4, 6.5, 1.1)),
    "eight-under-the-other-name": ("plumb_bob", (0.6, -2.5, 0.0005, -0.0002, 1.4, 0.48, -2.3, 1.37)),
    "prism-and-tilt": (
        "rational_polynomial",
        (-0.2, 0.1, 0.001, 0.001, 0, 0, 0, 0, 0.001, 0.001, -0.001, 0.002, 0.02, -0.03),
    ),
}
FISHEYES = {
    "plain": (0.0, 0.0, 0.0, 0.0),
    "of-a-stereo-camera": (-0.0097, 0.0456, -0.0432, 0.0083),
    "strong": (0.08, -0.02, 0.01, -0.003),
}


def apart_deg(one: np.ndarray, other: np.ndarray) -> float:
    return math.degrees(math.atan2(np.linalg.norm(np.cross(one, other)), float(np.dot(one, other))))


def directions(widest_deg: float) -> list[np.ndarray]:
    """Directions all around the axis, out to an angle from it, which one of them has."""
    angles, turns = np.radians(np.linspace(0, widest_deg, 9)), np.linspace(0, 2 * np.pi, 12, endpoint=False)
    return [
        np.array([math.sin(angle) * math.cos(turn), math.sin(angle) * math.sin(turn), math.cos(angle)])
        for angle in angles
        for turn in turns
    ]


def test_rays_of_a_plain_camera_worked_by_hand() -> None:
    np.testing.assert_allclose(PLAIN.ray(50, 50, (100, 100)), [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(PLAIN.ray(150, 50, (100, 100)), np.array([1, 0, 1]) / math.sqrt(2))
    np.testing.assert_allclose(PLAIN.ray(50, 0, (100, 100)), np.array([0, -0.5, 1]) / math.sqrt(1.25))


def test_the_centre_of_the_first_pixel_is_half_a_pixel_here_and_zero_in_a_calibration() -> None:
    camera = Camera.of_matrix([[100, 0, 0], [0, 100, 0], [0, 0, 1]], (100, 100))
    assert (camera.cx, camera.cy) == (0.5, 0.5)
    np.testing.assert_allclose(camera.ray(0.5, 0.5, (100, 100)), [0, 0, 1], atol=1e-12)


@pytest.mark.parametrize(("model", "distortion"), POLYNOMIAL.values(), ids=POLYNOMIAL)
def test_a_ray_goes_through_what_opencv_projects_to_its_pixel(
    model: str, distortion: tuple[float, ...]
) -> None:
    camera = Camera.of_matrix(MATRIX, SIZE, model, distortion)
    for direction in directions(50):
        pixel, _ = cv2.projectPoints(
            direction[None], np.zeros(3), np.zeros(3), MATRIX, np.array(distortion, float)
        )
        x, y = pixel.ravel() + 0.5
        assert apart_deg(camera.ray(x, y, SIZE), direction) < 1e-6


@pytest.mark.parametrize("distortion", FISHEYES.values(), ids=FISHEYES)
@pytest.mark.parametrize("model", ["equidistant", "fisheye"])
def test_a_fisheyes_ray_goes_through_what_opencv_projects_to_its_pixel(
    model: str, distortion: tuple[float, ...]
) -> None:
    camera = Camera.of_matrix(MATRIX, SIZE, model, distortion)
    for direction in directions(85):
        pixel, _ = cv2.fisheye.projectPoints(
            (direction / direction[2])[None, None], np.zeros(3), np.zeros(3), MATRIX, np.array(distortion)
        )
        x, y = pixel.ravel() + 0.5
        assert apart_deg(camera.ray(x, y, SIZE), direction) < 1e-6


@pytest.mark.parametrize("angle_deg", [89.9, 90.0, 90.1, 100.0, 130.0])
def test_a_fisheye_sees_what_is_beside_and_behind_it(angle_deg: float) -> None:
    first = 0.02
    angle = math.radians(angle_deg)
    camera = replace(PLAIN, model="equidistant", distortion=(first,))
    ray = camera.ray(50 - 100 * angle * (1 + first * angle**2), 50, (100, 100))  # to the left, by the model
    np.testing.assert_allclose(ray, [-math.sin(angle), 0, math.cos(angle)], atol=1e-9)


@pytest.mark.parametrize(
    ("model", "distortion", "reach"),
    [
        # r * (1 - .4 r^2) is largest at r = 1 / sqrt(1.2), where it is .6086
        pytest.param("plumb_bob", (-0.4,), 60.86, id="polynomial"),
        # the same of the angle
        pytest.param("equidistant", (-0.4,), 60.86, id="fisheye"),
        pytest.param("equidistant", (), 314.16, id="fisheye-full-turn"),
        # the slope 1 - 1.2 s + .25 s^2 of s, the angle's square, is 0 at s = 1.0733; it rises again from 3.73
        pytest.param("equidistant", (-0.4, 0.05), 65.09, id="fisheye-that-rises-again"),
    ],
)
def test_a_place_that_no_light_reaches_is_refused(
    model: str, distortion: tuple[float, ...], reach: float
) -> None:
    camera = replace(PLAIN, model=model, distortion=distortion)
    camera.ray(50 + reach - 0.1, 50, (100, 100))
    for beyond_px in (0.1, 10, 100, 1000):
        with pytest.raises(CameraError, match="sees nothing at"):
            camera.ray(50 + reach + beyond_px, 50, (100, 100))


def test_a_scene_that_a_lens_model_mirrors_is_refused() -> None:
    camera = replace(PLAIN, model="plumb_bob", distortion=(-0.0843, -0.0134, 0.0057, 0.0033, -0.2294))
    x, y = 2.096, -0.516
    mirrored = np.array([[-1.416, 0.358, 1]])
    seen, _ = cv2.projectPoints(mirrored, np.zeros(3), np.zeros(3), np.eye(3), np.array(camera.distortion))
    np.testing.assert_allclose(seen.ravel(), [x, y], atol=0.01)  # OpenCV's model does show it there
    with pytest.raises(CameraError, match="sees nothing at"):
        camera.ray(50 + 100 * x, 50 + 100 * y, (100, 100))


def test_an_image_made_smaller_shows_the_same_directions() -> None:
    camera = Camera.of_matrix(MATRIX, SIZE, *POLYNOMIAL["barrel"])
    np.testing.assert_allclose(camera.ray(50, 60, (320, 240)), camera.ray(100, 120, SIZE), atol=1e-12)
    np.testing.assert_allclose(camera.ray(150, 180, (960, 720)), camera.ray(100, 120, SIZE), atol=1e-12)
    camera.ray(50, 60, (213, 160))  # a third, in whole pixels


def test_an_image_of_another_aspect_is_refused() -> None:
    with pytest.raises(CameraError, match=r"640 x 360, but the camera is calibrated for 640 x 480"):
        Camera.of_matrix(MATRIX, SIZE).ray(10, 10, (640, 360))


def test_a_window_and_its_bins_show_the_directions_of_their_pixels() -> None:
    camera = Camera.of_matrix(MATRIX, SIZE, *POLYNOMIAL["barrel"])
    window = camera.windowed(100, 40, 300, 200)
    assert (window.width, window.height) == (300, 200)
    np.testing.assert_allclose(window.ray(20, 30, (300, 200)), camera.ray(120, 70, SIZE), atol=1e-12)
    binned = camera.windowed(100, 40, 300, 200, (3, 2))
    assert (binned.width, binned.height) == (100, 100)
    # its first pixel is made of columns 100 to 102 and rows 40 and 41: their middle is 101.5, 41
    np.testing.assert_allclose(binned.ray(0.5, 0.5, (100, 100)), camera.ray(101.5, 41, SIZE), atol=1e-12)


def test_a_camera_that_is_turned_gives_directions_of_its_frame() -> None:
    quarter = (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0)  # about y: what is ahead of it is on the right
    np.testing.assert_allclose(
        replace(PLAIN, rotation=quarter).ray(50, 50, (100, 100)), [1, 0, 0], atol=1e-12
    )


def test_missing_coefficients_are_zero_and_zeros_too_many_are_no_matter() -> None:
    short, long = (replace(PLAIN, model="equidistant", distortion=(0.1,) + (0.0,) * n) for n in (0, 7))
    np.testing.assert_array_equal(short.ray(80, 20, (100, 100)), long.ray(80, 20, (100, 100)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"fx": 0.0}, "uncalibrated", id="uncalibrated"),
        pytest.param({"fy": -100.0}, "must be positive, got 100 and -100", id="negative-focal-length"),
        pytest.param({"cx": math.nan}, "must be finite", id="not-a-number"),
        pytest.param({"distortion": (math.inf,), "model": "plumb_bob"}, "must be finite", id="infinite"),
        pytest.param({"width": 0}, "0 x 100", id="no-size"),
        pytest.param({"model": "Mei"}, "unknown distortion model 'Mei', expected one of", id="unknown-model"),
        pytest.param({"distortion": (0.1,)}, "'none' has 0 coefficients at most", id="distortion-of-none"),
        pytest.param(
            {"model": "equidistant", "distortion": (0, 0, 0, 0, 0.1)}, "4 coefficients at most", id="too-many"
        ),
        pytest.param({"rotation": (2.0, 0, 0, 0, 1, 0, 0, 0, 1)}, "a rotation must be one", id="stretched"),
        pytest.param({"rotation": (-1.0, 0, 0, 0, 1, 0, 0, 0, 1)}, "a rotation must be one", id="mirrored"),
    ],
)
def test_nonsense_is_refused_at_birth(change: dict[str, object], reason: str) -> None:
    with pytest.raises(CameraError, match=reason):
        replace(PLAIN, **change)


def test_a_point_lies_on_its_ray_at_its_depth() -> None:
    ray = PLAIN.ray(75, 30, (100, 100))  # (.25, -.2, 1) before it was made of length 1
    np.testing.assert_allclose(point_on(ray, 4), [1, -0.8, 4])


@pytest.mark.parametrize("z", [0.0, -0.5])
def test_a_ray_that_does_not_go_forward_has_no_point(z: float) -> None:
    with pytest.raises(CameraError, match="must go forward"):
        point_on([0.6, 0.2, z], 3)
