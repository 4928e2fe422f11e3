"""What several tests of the core share."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from recip_tracker_core.backbones import Backbone, load_backbone


@pytest.fixture(scope="session")
def backbone(device: torch.device) -> Backbone:
    """The default network with its packaged weights; it is frozen, so one serves every test."""
    network = load_backbone("efficientnet_lite0")
    assert isinstance(network, nn.Module)
    return network.to(device)


@pytest.fixture(scope="session")
def photograph(device: torch.device) -> Callable[[int, int], Tensor]:
    """``photograph(height, width)``: (2, 3, H, W) in [0, 255], noise of several grains."""

    def taken(height: int, width: int) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        picture = torch.zeros(2, 3, height, width)
        for grain in (1, 4, 16):
            noise = torch.rand((2, 3, height // grain, width // grain), generator=generator)
            picture += nn.functional.interpolate(noise, size=(height, width), mode="nearest") / 3
        return 255 * picture.to(device)

    return taken
