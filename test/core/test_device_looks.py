"""What is computed on the device is what OpenCV computes: colours to the bit, pixels to a level or two."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from recip_tracker_core.backbones import Stage
from recip_tracker_core.colors import cell_means, color_bins, color_planes, halved, to_lab
from recip_tracker_core.crops import Crop
from recip_tracker_core.device_looks import bins_of, cut_on, halved_on, lab_of, means_of, planes_of
from recip_tracker_core.encoding import MapSource

STAGES = {
    "centred": Stage(channels=1, stride=8, first_center_px=4.0, least_px=8, scale=1.0),
    "right and below": Stage(channels=1, stride=8, first_center_px=7.5, least_px=8, scale=1.0),
}
each_stage = pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """A smooth one, but for a hard edge."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    smooth = cv2.resize(noise, (320, 240), interpolation=cv2.INTER_CUBIC)
    smooth[100:140, 150:200] = (250, 10, 40)
    return smooth


def noise(side: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)


def as_pixels(crop: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(crop).to(device).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize("scale", [2.3, 1.0, 0.7, 0.45, 0.2])
@pytest.mark.parametrize("center", [(160.0, 120.0), (151.3, 97.9), (3.2, 230.0), (-400.0, 50.0)])
def test_a_crop_shows_what_opencv_shows(
    image: np.ndarray, device: torch.device, scale: float, center: tuple[float, float]
) -> None:
    crop = Crop(np.array(center), scale, 96)
    found = cut_on(device, image, crop)
    assert found.shape == (1, 3, 96, 96)
    assert torch.equal(found, found.round())
    error = np.abs(found[0].permute(1, 2, 0).cpu().numpy() - crop.cut(image).astype(float))
    assert error.mean() < 0.7
    assert np.percentile(error, 99) <= 4


def test_colours_are_those_of_opencv(device: torch.device) -> None:
    crop = noise(64)
    lab = lab_of(as_pixels(crop, device))
    expected = to_lab(crop)
    np.testing.assert_array_equal(lab.permute(1, 2, 0).cpu().numpy(), expected)
    np.testing.assert_array_equal(bins_of(lab).cpu().numpy(), color_bins(expected))


def test_pixels_twice_as_large_are_those_of_opencv(device: torch.device) -> None:
    crop = noise(64)
    found = halved_on(as_pixels(crop, device))[0].permute(1, 2, 0).cpu().numpy()
    np.testing.assert_array_equal(found, halved(crop))


@each_stage
def test_cells_and_planes_are_those_of_opencv(device: torch.device, stage: Stage) -> None:
    lab = to_lab(noise(64))
    on_device = torch.from_numpy(lab).to(device).permute(2, 0, 1).float()
    planes = planes_of(on_device, stage).cpu().numpy()
    np.testing.assert_array_equal(planes, color_planes(lab, stage, 8))
    plane = np.random.default_rng(2).random((64, 64), np.float32)
    means = means_of(torch.from_numpy(plane).to(device)[None], stage, 8)[0].cpu().numpy()
    np.testing.assert_allclose(means, cell_means(plane, stage, 8), atol=1e-6)


def test_a_look_on_the_device_is_read_as_one_by_opencv_is(map_source: MapSource, scene) -> None:
    by_opencv = scene.encoder.read(map_source.seen(scene.crop.cut(scene.frame.image)))
    seen = map_source.look_on_device(scene.frame.image, scene.crop)
    assert isinstance(seen.bins, torch.Tensor)
    on_device = scene.encoder.read(seen)
    error = ((on_device - by_opencv).norm() / by_opencv.norm()).item()
    assert error < 0.05
    assert seen.window(2, 4, 10).bins.shape == (40, 40)
