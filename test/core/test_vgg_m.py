"""VGG-M up to its third convolution, against the same written out in NumPy."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn

from recip_tracker_core.backbones import Backbone
from recip_tracker_core.backbones.vgg_m import VggM
from recip_tracker_core.errors import WeightsError

Array = np.ndarray


@pytest.fixture(scope="module")
def exact() -> VggM:
    """In float64, random biases and all."""
    network = copy.deepcopy(VggM("random")).double()
    generator = np.random.default_rng(3)
    for name in ("conv1", "conv2", "conv3"):
        layer = network.layers.get_submodule(name)
        layer.bias.copy_(torch.from_numpy(generator.normal(0, 20, layer.bias.shape)))
    return network


@pytest.mark.parametrize("name", ["norm1", "norm2"])
@pytest.mark.parametrize("channels", [9, 5, 3])
def test_normalisation_is_what_its_formula_says(exact: VggM, name: str, channels: int) -> None:
    x = 300 * np.random.default_rng(0).standard_normal((2, channels, 3, 2))
    expected = np.empty_like(x)
    for n, c, row, column in np.ndindex(x.shape):
        neighbours = [x[n, other, row, column] for other in range(channels) if abs(other - c) <= 2]
        total = sum(value**2 for value in neighbours)
        expected[n, c, row, column] = x[n, c, row, column] / (2 + 1e-4 * total) ** 0.75
    found = exact.layers.get_submodule(name)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def convolved(x: Array, layer: nn.Conv2d, stride: int) -> Array:
    """(N, C, H, W) by the filters and biases of a layer; the rest of it is not looked at."""
    filters, biases = layer.weight.numpy(), layer.bias.numpy()
    windows = sliding_window_view(x, filters.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum("nchwij,ocij->nohw", windows, filters, optimize=True) + biases[:, None, None]


def inhibited(x: Array) -> Array:
    """Local response normalisation over five channels."""
    squares = np.zeros_like(x)
    for shift in range(-2, 3):
        for channel in range(x.shape[1]):
            if 0 <= channel + shift < x.shape[1]:
                squares[:, channel] += x[:, channel + shift] ** 2
    return x / (2 + 1e-4 * squares) ** 0.75


def largest(x: Array) -> Array:
    """Of windows of 3 x 3 cells, two apart."""
    return sliding_window_view(x, (3, 3), axis=(2, 3))[:, :, ::2, ::2].max(axis=(4, 5))


def written_out(network: VggM, x: Array) -> dict[str, Array]:
    """Every stage of normalised images."""
    layers = network.layers
    conv1 = convolved(x, layers.conv1, stride=2)
    pool1 = largest(inhibited(np.maximum(conv1, 0)))
    pool2 = largest(inhibited(np.maximum(convolved(pool1, layers.conv2, stride=2), 0)))
    relu3 = np.maximum(convolved(pool2, layers.conv3, stride=1), 0)
    return {"conv1": conv1, "pool1": pool1, "pool2": pool2, "relu3": relu3}


@pytest.mark.parametrize(("height", "width"), [(75, 91), (107, 107)])
def test_every_stage_is_the_network_written_out(exact: VggM, height: int, width: int) -> None:
    images = np.random.default_rng(0).uniform(-128, 127, (2, 3, height, width))
    expected = written_out(exact, images)
    found = exact(torch.from_numpy(images), tuple(exact.stages))
    assert set(found) == set(expected)
    for name, features in expected.items():
        assert found[name].shape == features.shape
        difference = np.abs(found[name].numpy() - features).max() / np.abs(features).max()
        assert difference < 1e-8, name
        assert np.abs(features).max() > 0


def test_a_crop_of_107_pixels_has_3_x_3_cells_of_512_channels(vgg_m: Backbone, device: torch.device) -> None:
    images = torch.zeros(1, 3, 107, 107, device=device)
    assert vgg_m(images, ("relu3",))["relu3"].shape == (1, 512, 3, 3)


def test_grey_is_zero_and_nothing_is_scaled(vgg_m: Backbone) -> None:
    pixels = torch.tensor([0.0, 128.0, 255.0]).reshape(1, 3, 1, 1)
    assert vgg_m.normalized(pixels).flatten().tolist() == [-128.0, 0.0, 127.0]


def test_random_weights_are_the_same_on_every_call() -> None:
    one, other = (VggM("random").state_dict() for _ in range(2))
    assert set(one) == {f"layers.conv{n}.{kind}" for n in (1, 2, 3) for kind in ("weight", "bias")}
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_random_weights_have_the_spread_of_he() -> None:
    state = VggM("random").state_dict()
    for name, inputs in (("conv1", 3 * 49), ("conv2", 96 * 25), ("conv3", 256 * 9)):
        assert state[f"layers.{name}.weight"].std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.02)
        assert not state[f"layers.{name}.bias"].any()


def test_weights_of_a_file_are_those_that_it_computes_with(tmp_path: Path, exact: VggM) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    state = {name: value.float().contiguous() for name, value in exact.layers.state_dict().items()}
    safetensors.save_file(state, tmp_path / "weights.safetensors")
    loaded = VggM(str(tmp_path / "weights.safetensors"))
    assert all(torch.equal(loaded.layers.state_dict()[name], value) for name, value in state.items())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize("change", ["another-shape", "one-missing", "one-too-many"])
def test_weights_of_another_network_are_refused_with_their_path(tmp_path: Path, change: str) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    state = {name: value.contiguous() for name, value in VggM("random").layers.state_dict().items()}
    if change == "another-shape":
        state["conv2.weight"] = torch.zeros(256, 48, 5, 5)
    elif change == "one-missing":
        del state["conv3.bias"]
    else:
        state["conv4.weight"] = torch.zeros(512, 512, 3, 3)
    path = tmp_path / "weights.safetensors"
    safetensors.save_file(state, path)
    with pytest.raises(WeightsError, match="not of VGG-M") as refusal:
        VggM(str(path))
    assert str(path) in str(refusal.value)


def test_without_weights_it_says_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"'vgg-m' are absent: .*weights fetch vgg-m"):
        VggM()
