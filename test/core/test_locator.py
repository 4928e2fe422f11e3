"""The filter that finds the target on a map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recip_tracker_core import config
from recip_tracker_core.backbones import Stage
from recip_tracker_core.encoding import taps
from recip_tracker_core.locator import Locator, Response
from recip_tracker_core.ridge import Moments, RidgeMemory, Weighted

SIDE_PX = 160
STAGE = Stage(channels=5, stride=8, first_center_px=7.5, least_px=8, scale=1.0)
MIDDLE = np.full(2, SIDE_PX / 2)
AT_PX = np.arange(2.0, SIDE_PX, 4)  # the half cells


def locator(**settings: object) -> Locator:
    return Locator(replace(config.Locator(), **settings), STAGE, SIDE_PX, seed=0)


@pytest.fixture(scope="module")
def filter_of_the_scene(scene) -> torch.Tensor:
    """Solved from the first frame alone, at four draws of points."""
    samples = (locator().samples(scene.seen(), MIDDLE, scene.size_px, draw) for draw in range(4))
    return RidgeMemory(Moments.mean(samples)).solved(ridge=0.1, first_share=0.5, ramp=20)


@pytest.mark.parametrize("size", [(48.0, 48.0), (99.2, 12.0), (9.0, 31.7), (300.0, 20.0)], ids=str)
@pytest.mark.parametrize("grid", [1, 3, 4])
def test_a_response_is_the_filter_times_what_it_reads_at_every_half_cell(
    device: torch.device, grid: int, size: tuple[float, float]
) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn((5, 20, 20), generator=generator).to(device)
    filters = torch.randn((grid * grid * 5 + 1, 2), generator=generator).to(device)
    responses = locator(grid=grid).responses(features, np.array(size), filters)
    places = np.stack(np.meshgrid(AT_PX, AT_PX), axis=-1).reshape(-1, 2)
    expected = (taps(features, places, np.array(size), STAGE, grid) @ filters).cpu().numpy()
    for response, column in zip(responses, expected.T, strict=True):
        np.testing.assert_array_equal(response.at_px, AT_PX)
        np.testing.assert_allclose(response.values, column.reshape(40, 40), atol=1e-4)


def paraboloid(x: float, y: float) -> Response:
    """1 at a place, falling by the square of the distance in pixels, a thousandth each."""
    values = 1 - 1e-3 * ((AT_PX - x) ** 2 + (AT_PX[:, None] - y) ** 2)
    return Response(values.astype(np.float32), AT_PX)


@pytest.mark.parametrize("place", [(50.0, 90.0), (51.3, 88.9), (80.0, 81.9)], ids=str)
def test_a_peak_lies_between_half_cells_where_the_parabola_has_its_top(place: tuple[float, float]) -> None:
    peak = paraboloid(*place).peak(0.0, MIDDLE)
    np.testing.assert_allclose(peak.place_px, place, atol=0.01)
    assert peak.value == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("corner", [(0.0, 0.0), (160.0, 0.0), (0.0, 160.0)], ids=str)
def test_a_peak_at_the_border_is_the_last_half_cell(corner: tuple[float, float]) -> None:
    np.testing.assert_allclose(paraboloid(*corner).peak(0.0, MIDDLE).place_px, np.clip(corner, 2, 158))


def two_peaks(near: float, far: float) -> Response:
    values = np.zeros((40, 40), np.float32)
    values[20, 20], values[20, 37] = near, far  # the far one is 70 pixels, 7/8 of half a crop, to the right
    return Response(values, AT_PX)


@pytest.mark.parametrize(
    ("window", "expected_x"),
    [pytest.param(0.0, 150, id="no-window"), pytest.param(0.6, 82, id="window")],
)
def test_a_window_prefers_the_nearer_of_two_peaks(window: float, expected_x: float) -> None:
    peak = two_peaks(near=0.7, far=0.9).peak(window, MIDDLE)  # 0.9 * (1 - 0.6 * 0.766) = 0.49
    assert peak.place_px[0] == pytest.approx(expected_x)
    assert peak.value == pytest.approx(0.7 if window else 0.9)  # what is said of a peak has no window


def test_a_window_does_not_stop_a_peak_that_is_high_enough() -> None:
    assert two_peaks(near=0.4, far=0.9).peak(0.6, MIDDLE).place_px[0] == pytest.approx(150)


def test_values_near_a_place_and_beyond_a_box() -> None:
    response = two_peaks(near=0.7, far=0.9)  # at (82, 82) and (150, 82)
    assert response.near(np.array([88.0, 75.0]), 10.0) == pytest.approx(0.7)
    assert response.near(np.array([88.0, 75.0]), 5.0) == 0
    beyond = response.beyond(np.array([82.0, 82.0]), np.array([48.0, 24.0]))
    assert len(beyond) == 40 * 40 - 13 * 7  # half cells up to 24 and 12 pixels away lie in the box
    assert beyond.max() == pytest.approx(0.9)


def test_the_target_is_found_where_it_is_with_the_label_there(
    scene, filter_of_the_scene: torch.Tensor
) -> None:
    (response,) = locator().responses(scene.seen(), scene.size_px, filter_of_the_scene)
    peak = response.peak(0.0, MIDDLE)
    np.testing.assert_allclose(peak.place_px, MIDDLE, atol=1)
    assert 0.75 < peak.value < 1.25
    assert response.beyond(MIDDLE, 1.5 * scene.size_px).max() < 0.5 * peak.value


@pytest.mark.parametrize("shift", [(11.0, -7.0), (-20.0, 14.0), (25.0, 25.0)], ids=str)
def test_a_target_that_has_moved_is_found_where_it_has_moved_to(
    scene, filter_of_the_scene: torch.Tensor, shift: tuple[float, float]
) -> None:
    features = scene.seen(shift_px=shift)
    (response,) = locator().responses(features, scene.size_px, filter_of_the_scene)
    np.testing.assert_allclose(response.peak(0.0, MIDDLE).place_px, MIDDLE + shift, atol=2)


def test_a_target_in_another_frame_is_found_before_a_background_that_has_not_moved(
    scene, filter_of_the_scene: torch.Tensor, rendered_clip
) -> None:
    image, (x, y, w, h) = rendered_clip(frames=6, seed=1)[5]
    features = scene.encoder.encode(scene.crop.cut(image))
    (response,) = locator().responses(features, scene.size_px, filter_of_the_scene)
    truth = scene.crop.to_crop(np.array([x + w / 2, y + h / 2]))
    assert np.linalg.norm(truth - MIDDLE) > 15
    np.testing.assert_allclose(response.peak(0.0, MIDDLE).place_px, truth, atol=2)


SIZE = np.array([40.0, 20.0])


def test_points_are_dense_on_the_target_and_sparse_all_over_the_crop() -> None:
    places = locator().sample_places(MIDDLE, SIZE, draw=0)
    distance = np.abs((places - MIDDLE) / SIZE)
    assert ((distance <= 0.41).all(axis=1)).sum() >= 81
    assert (distance > 1.3).any(axis=1).sum() > 80
    assert places.min() > 0
    assert places.max() < SIDE_PX


def test_no_point_from_around_lies_on_the_target() -> None:
    # they are the negatives; within 0.3 boxes the dense grid alone says what the target looks like
    places = locator().sample_places(MIDDLE, SIZE, draw=0)
    on_target = (((places - MIDDLE) / SIZE) ** 2).sum(axis=1) < 0.3**2
    grid = np.linspace(-0.4, 0.4, 9)
    assert on_target.sum() == (grid**2 + grid[:, None] ** 2 < 0.3**2).sum()


def test_every_draw_has_other_points_and_equal_draws_have_equal_ones() -> None:
    first, again, other = (locator().sample_places(MIDDLE, SIZE, draw) for draw in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    apart = np.linalg.norm(first[81:, None] - other[None, 81:], axis=2).min(axis=1)  # but for the grid
    assert (apart > 0).all()


def halves(device: torch.device) -> torch.Tensor:
    """A map of one channel: 0 left of the border at 123.5 pixels, 1 right of it."""
    features = torch.zeros((1, 20, 20), device=device)
    features[:, :, 15:] = 1  # whose first centre is 127.5, the one before 119.5
    return features


def mean_of(samples: Weighted) -> float:
    """The weighted mean of the one feature."""
    return Moments.mean([samples]).gram[-1, 0].item()


def test_a_background_taken_for_the_target_weighs_five_times_as_much(device: torch.device) -> None:
    features, subject = halves(device), locator(grid=1)
    places = subject.sample_places(MIDDLE, SIZE, draw=0)
    value = taps(features, places, SIZE, STAGE, 1)[:, 0].cpu().numpy()
    steep = torch.tensor([[1e4], [-5e3]], device=device)  # below 0 to the left of the border, above 1 right
    label = np.exp(-0.5 * (((places - MIDDLE) / SIZE) ** 2).sum(axis=1) / 0.12**2)
    right, left = places[:, 0] > 123.5, (places[:, 0] < 123.5) & (label <= 0.1)  # the target is 43 px away
    plain = 0.7 * value[right | left].mean()  # negatives have 0.7 of the weight, and positives the value 0
    weighed = 0.7 * (5 * value[right].sum() + value[left].sum()) / (5 * right.sum() + left.sum())
    assert mean_of(subject.samples(features, MIDDLE, SIZE, 0)) == pytest.approx(plain, rel=1e-4)
    assert mean_of(subject.samples(features, MIDDLE, SIZE, 0, steep)) == pytest.approx(weighed, rel=1e-4)


def test_a_response_of_half_the_first_peak_is_half_a_mistake(device: torch.device) -> None:
    features, subject = halves(device), locator(grid=1)
    as_the_value = torch.tensor([[1.0], [0.0]], device=device)
    halved = torch.tensor([[0.5], [0.0]], device=device)
    by_unit = subject.samples(features, MIDDLE, SIZE, 0, halved, first_peak=0.5)
    assert mean_of(by_unit) == pytest.approx(
        mean_of(subject.samples(features, MIDDLE, SIZE, 0, as_the_value)), rel=1e-5
    )
    assert mean_of(subject.samples(features, MIDDLE, SIZE, 0, halved)) < mean_of(by_unit)


def test_all_weights_together_are_one_and_the_targets_samples_have_their_share(device: torch.device) -> None:
    features = torch.zeros((1, 20, 20), device=device)
    features[:, 8:12, 5:15] = 1  # wider than the samples of the target reach
    for share in (0.1, 0.3, 0.9):
        samples = locator(grid=1, positive_share=share).samples(features, MIDDLE, SIZE, 0)
        assert samples.weight.sum().item() == pytest.approx(1, rel=1e-5)
        assert mean_of(samples) >= 0.99 * share


def labelled(samples: Weighted) -> float:
    """The weighted mean of the label."""
    return Moments.mean([samples]).cross[-1, 0].item()


def test_the_label_falls_with_the_distance_in_boxes(device: torch.device) -> None:
    # With one sample of the target alone (a label of nearly no width) its mean is 1; that of more is less.
    features = torch.zeros((1, 20, 20), device=device)
    narrow, wide = (
        labelled(locator(grid=1, label_deviation=deviation).samples(features, MIDDLE, SIZE, 0)) / 0.3
        for deviation in (0.01, 0.12)
    )
    assert narrow == pytest.approx(1, abs=1e-3)
    grid = np.linspace(-0.4, 0.4, 9)
    label = np.exp(-0.5 * (grid**2 + grid[:, None] ** 2) / 0.12**2)
    assert wide == pytest.approx(label[label > 0.1].mean(), abs=0.02)  # and next to nothing from the others


def test_every_peak_is_found_the_best_first() -> None:
    peaks = two_peaks(near=0.7, far=0.9).peaks(0.0, MIDDLE, SIZE, least=0.1)
    np.testing.assert_allclose([peak.place_px for peak in peaks], [[150, 82], [82, 82]])
    assert [peak.value for peak in peaks] == pytest.approx([0.9, 0.7])
    windowed = two_peaks(near=0.7, far=0.9).peaks(0.6, MIDDLE, SIZE, least=0.1)
    np.testing.assert_allclose([peak.place_px[0] for peak in windowed], [82, 150])
    assert [peak.value for peak in windowed] == pytest.approx([0.7, 0.9])


def test_a_low_peak_and_one_close_to_a_higher_are_none() -> None:
    response = two_peaks(near=0.7, far=0.3)
    response.values[20, 22] = 0.6  # 8 pixels, a fifth of a box, beside the first
    (only,) = response.peaks(0.0, MIDDLE, SIZE, least=0.35)
    np.testing.assert_allclose(only.place_px, (82, 82), atol=4)
