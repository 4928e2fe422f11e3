"""MatConvNet's files become what torch computes with, and no other file does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recip_tracker_core.backbones.matconvnet import converted_matconvnet
from recip_tracker_core.errors import WeightsError

scipy_io = pytest.importorskip("scipy.io")

EXPECTED = {
    "conv1.weight": (96, 3, 7, 7),
    "conv1.bias": (96,),
    "conv2.weight": (256, 96, 5, 5),
    "conv2.bias": (256,),
    "conv3.weight": (512, 256, 3, 3),
    "conv3.bias": (512,),
}
CONV1 = ((7, 7, 3, 96), (96,))
THREE = np.full((1, 3), "a cell", object)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.float32)


def refused(path: Path) -> str:
    with pytest.raises(WeightsError) as refusal:
        converted_matconvnet(path)
    assert f"'{path}'" in str(refusal.value)
    return str(refusal.value)


def test_either_layout_gives_the_three_convolutions_and_nothing_else(
    matconvnet_file: Path, filters: dict[str, Any]
) -> None:
    state = converted_matconvnet(matconvnet_file)
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == EXPECTED
    for tensor in state.values():
        assert tensor.dtype == torch.float32
        assert tensor.is_contiguous()
    generator = np.random.default_rng(2)
    for name, (weight, bias) in filters.items():
        assert np.array_equal(state[f"{name}.bias"].numpy(), bias)
        for _ in range(20):  # row, column, in and out are each where torch looks for them
            row, column, source, target = (int(generator.integers(size)) for size in weight.shape)
            found = state[f"{name}.weight"][target, source, row, column].item()
            assert found == weight[row, column, source, target]


def test_a_convolution_gives_what_its_sum_written_out_gives(
    newer_file: Path, filters: dict[str, Any]
) -> None:
    state = converted_matconvnet(newer_file)
    patch = np.random.default_rng(3).standard_normal((7, 7, 3), dtype=np.float32)  # height, width, channel
    weight, bias = filters["conv1"]
    by_hand = (patch[..., None] * weight).sum((0, 1, 2)) + bias
    image = torch.from_numpy(patch.transpose(2, 0, 1).copy())[None]
    found = F.conv2d(image, state["conv1.weight"], state["conv1.bias"])
    assert np.allclose(found.flatten().numpy(), by_hand, atol=1e-4)


def test_a_compressed_file_has_the_same_numbers(
    newer_file: Path, tmp_path: Path, filters: dict[str, Any]
) -> None:
    path = tmp_path / "compressed.mat"
    layers = scipy_io.loadmat(newer_file)["layers"][:, :5]  # conv1 to conv3
    scipy_io.savemat(path, {"layers": layers}, do_compression=True)
    assert path.stat().st_size < 0.95 * newer_file.stat().st_size
    expected = filters["conv3"][0].transpose(3, 2, 0, 1)
    assert np.array_equal(converted_matconvnet(path)["conv3.weight"].numpy(), expected)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param(
            (ones(7, 7, 3, 64), ones(96)), "'conv1' are 7 x 7 x 3 x 64 of float32, expected 7 x 7 x 3 x 96"
        ),
        pytest.param(
            (ones(7, 7, 96), ones(96)), "'conv1' are 7 x 7 x 96 of float32, expected 7 x 7 x 3 x 96"
        ),
        pytest.param((ones(96, 3, 7, 7), ones(96)), "96 x 3 x 7 x 7 of float32", id="as-torch-has-them"),
        pytest.param((ones(7, 7, 3, 96), ones(95)), "biases of layer 'conv1' are 95 x 1", id="short-biases"),
        pytest.param((np.ones(CONV1[0], np.int32), ones(96)), "7 x 7 x 3 x 96 of int32", id="integers"),
        pytest.param((1j * np.ones(CONV1[0]), ones(96)), "complex128", id="complex"),
        pytest.param((np.full(CONV1[0], np.nan, np.float32), ones(96)), "14112 values that are not finite"),
        pytest.param(
            (ones(*CONV1[0]), np.full(96, np.inf, np.float32)), "biases of layer 'conv1' have 96 values"
        ),
        pytest.param((np.ones(CONV1[0]), ones(96)), "7 x 7 x 3 x 96 of float64, expected", id="doubles"),
    ],
)
def test_filters_of_another_network_are_refused_with_what_was_found(
    tmp_path: Path,
    network_of: Callable[..., Path],
    convolution: Callable[..., Any],
    changed: tuple[np.ndarray, np.ndarray],
    told: str,
) -> None:
    assert told in refused(network_of(tmp_path / "other.mat", conv1=convolution("conv1", *changed)))


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        pytest.param(None, "has no layer 'conv2', only ['conv1', 'conv3']", id="absent"),
        pytest.param({"name": "conv2", "type": "relu"}, "layer 'conv2' is a 'relu', expected a 'conv'"),
        pytest.param({"name": "conv2"}, "layer 'conv2' is a ''", id="without-type"),
        pytest.param(
            {"name": "conv2", "type": "conv", "pad": 0.0}, "has ['name', 'type', 'pad'], expected 'weights'"
        ),
        pytest.param(
            {"name": "conv2", "type": "conv", "filters": ones(2)}, "expected 'weights', or 'filters'"
        ),
        pytest.param(
            {"name": "conv2", "type": "conv", "weights": ones(2)}, "has the weights 1 x 2 of float32"
        ),
        pytest.param({"name": "conv2", "type": "conv", "weights": THREE}, "has the weights 1 x 3 of object"),
        pytest.param({"type": "conv", "weights": ones(2)}, "has no layer 'conv2'", id="without-name"),
        pytest.param({"name": 7.0, "type": "conv"}, "has no layer 'conv2'", id="number-as-name"),
        pytest.param("conv2", "has no layer 'conv2'", id="text"),
    ],
)
def test_a_layer_that_is_none_is_told(
    tmp_path: Path, network_of: Callable[..., Path], layer: Any, told: str
) -> None:
    assert told in refused(network_of(tmp_path / "other.mat", conv2=layer))


def test_an_object_of_matlab_is_taken_for_nothing(
    tmp_path: Path, network_of: Callable[..., Path], convolution: Callable[..., Any], filters: dict[str, Any]
) -> None:
    fields = np.zeros((1, 1), [("name", "O"), ("type", "O")])
    fields[0, 0] = ("conv1", "conv")
    path = network_of(tmp_path / "object.mat", conv1=scipy_io.matlab.MatlabObject(fields, "dagnn.Conv"))
    assert "has no layer 'conv1'" in refused(path)
    _, bias = filters["conv1"]
    hidden = convolution("conv1", scipy_io.matlab.MatlabObject(fields, "gpuArray"), bias)
    path = network_of(tmp_path / "object.mat", conv1=hidden)
    assert "filters of layer 'conv1' are 1 x 1 of MatlabObject" in refused(path)


@pytest.mark.parametrize(
    ("start", "told"),
    [
        pytest.param(
            b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "of MATLAB 7.3 (HDF5), expected version 5", id="hdf5"
        ),
        pytest.param(b"<!DOCTYPE html><html>", "starts with b'<!DOCTYPE html><htm'", id="page"),
        pytest.param(b"\x80\x02}q\x00.", "expected a MATLAB file of version 5", id="pickle"),
        pytest.param(b"", "starts with b''", id="empty"),
    ],
)
def test_another_kind_of_file_is_refused_by_how_it_starts(tmp_path: Path, start: bytes, told: str) -> None:
    path = tmp_path / "network.mat"
    path.write_bytes(start.ljust(600, b" ") if start else start)
    assert told in refused(path)


@pytest.mark.parametrize("kept", [100, 200, 5_000, 1_000_000])
def test_a_file_that_was_cut_is_refused(newer_file: Path, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.mat"
    path.write_bytes(newer_file.read_bytes()[:kept])
    refused(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.mat"
    scipy_io.savemat(path, {"params": ones(2)})
    assert "has no variable 'layers'" in refused(path)
    scipy_io.savemat(path, {"layers": ones(2)})
    assert "expected 'layers' to be a cell, got 1 x 2 of float32" in refused(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "network.mat")


def test_without_scipy_it_says_what_to_install(newer_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    assert "pip install scipy safetensors" in refused(newer_file)
