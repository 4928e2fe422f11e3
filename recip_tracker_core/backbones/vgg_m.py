"""VGG-M up to its third convolution, as the paper and MDNet use it: no padding, 107 pixels to 3 x 3 cells.

Architecture: Chatfield et al., Return of the Devil in the Details (BMVC 2014). Weights: MatConvNet's
``imagenet-vgg-m``, converted once (see :mod:`.weight_files`), or random ones, which serve for timing.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..errors import WeightsError
from .base import Chain, Stage

RANDOM = "random"
CONVOLUTIONS = ("conv1", "conv2", "conv3")


def _norm() -> nn.LocalResponseNorm:
    """Each value over (2 + 1e-4 * sum of squares of 5 channels) ** 0.75 (Krizhevsky et al., 2012).

    torch divides the sum by the number of channels, the network's authors do not.
    """
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


class VggM(Chain):
    """The frozen network; see :class:`~.base.Backbone`. Its stages bear the names of its layers.

    Args:
        weights: a safetensors file with ``conv1.weight`` and so on; empty takes the one in the user's
            cache; ``random`` draws them, for timing and tests.

    Raises:
        WeightsError: no file, a damaged one, or one of another network.
    """

    # Without padding the first cell looks at pixels 0 to 6, 0 to 10, 0 to 42 and 0 to 74.
    stages: ClassVar[Mapping[str, Stage]] = {
        "conv1": Stage(channels=96, stride=2, first_center_px=3.5, least_px=7, scale=1.0),
        "pool1": Stage(channels=96, stride=4, first_center_px=5.5, least_px=11, scale=1.0),
        "pool2": Stage(channels=256, stride=16, first_center_px=21.5, least_px=43, scale=1.0),
        "relu3": Stage(channels=512, stride=16, first_center_px=37.5, least_px=75, scale=1.0),
    }
    granularity_px = 1

    def __init__(self, weights: str = "") -> None:
        layers = OrderedDict[str, nn.Module](
            conv1=nn.Conv2d(3, 96, 7, stride=2),
            relu1=nn.ReLU(),
            norm1=_norm(),
            pool1=nn.MaxPool2d(3, stride=2),
            conv2=nn.Conv2d(96, 256, 5, stride=2),
            relu2=nn.ReLU(),
            norm2=_norm(),
            pool2=nn.MaxPool2d(3, stride=2),
            conv3=nn.Conv2d(256, 512, 3),
            relu3=nn.ReLU(),
        )
        names = list(layers)
        super().__init__(nn.Sequential(layers), {name: names.index(name) + 1 for name in self.stages})
        if weights == RANDOM:
            self._draw()
        else:
            self._load(weights)
        self.freeze()

    def normalized(self, pixels: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 255] minus 128, as the paper's released code does."""
        return pixels - 128.0

    def _draw(self) -> None:
        generator = torch.Generator().manual_seed(0)
        for name in CONVOLUTIONS:
            layer = self.layers.get_submodule(name)
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            layer.bias.data.zero_()
            inputs = layer.weight[0].numel()
            layer.weight.data.normal_(0, math.sqrt(2 / inputs), generator=generator)

    def _load(self, weights: str) -> None:
        from .weight_files import load_safetensors, weights_path  # noqa: PLC0415  its libraries may be absent

        path = Path(weights) if weights else weights_path("vgg-m")
        state = load_safetensors(path)
        try:
            self.layers.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(f"weights file '{path}' is not of VGG-M: {error}") from error
