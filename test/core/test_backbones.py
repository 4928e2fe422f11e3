"""What every frozen network promises; a new row of the registry is tested without a new line here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recip_tracker_core.backbones import INPUT, REGISTRY, Backbone, Stage, load_backbone
from recip_tracker_core.errors import ConfigError, WeightsError

Photograph = Callable[[int, int], Tensor]
RANDOM = {"vgg_m": "random"}  # no package ships their weights
SUFFIX = {"vgg_m": ".safetensors"}  # of a weights file, where it is not torch's own
every_backbone = pytest.mark.parametrize("name", REGISTRY)


@pytest.fixture(scope="module", params=REGISTRY)
def network(request: pytest.FixtureRequest, device: torch.device) -> Backbone:
    return load_backbone(request.param, RANDOM.get(request.param, "")).to(device)


def seen_side(network: Backbone) -> int:
    """The smallest side, pixels, of which the network sees each of its stages."""
    step = network.granularity_px
    return step * max(-(-stage.least_px // step) for stage in network.stages.values())


def cells(stage: Stage, side_px: int) -> int:
    """That a stage has of a side: one, and another for each stride beyond the first one's pixels."""
    return (side_px - stage.least_px) // stage.stride + 1


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ConfigError, match=r"\['efficientnet_lite0'.*got 'efficientnet_lite9'"):
        load_backbone("efficientnet_lite9")


def test_every_stage_has_the_shape_that_it_declares(network: Backbone, photograph: Photograph) -> None:
    step = network.granularity_px
    height, width = seen_side(network) + 3 * step, seen_side(network) + 5 * step
    images = network.normalized(photograph(height, width))
    features = network(images, tuple(network.stages))
    for name, stage in network.stages.items():
        assert features[name].shape == (2, stage.channels, cells(stage, height), cells(stage, width))


def test_a_stage_has_a_cell_from_the_side_on_that_it_declares(network: Backbone) -> None:
    step = network.granularity_px
    for name, stage in network.stages.items():
        least_px = step * -(-stage.least_px // step)
        device = next(network.parameters()).device
        features = network(torch.zeros(1, 3, least_px, least_px, device=device), (name,))[name]
        assert features.shape[-2:] == (cells(stage, least_px), cells(stage, least_px))
        if stage.least_px > step:
            with pytest.raises(RuntimeError):
                network(torch.zeros(1, 3, least_px - step, least_px - step, device=device), (name,))


def test_stages_are_declared_finest_first(network: Backbone) -> None:
    strides = [stage.stride for stage in network.stages.values()]
    assert strides == sorted(strides)


def test_only_the_stages_asked_for_come_back_and_do_not_depend_on_the_others(
    network: Backbone, photograph: Photograph
) -> None:
    side = seen_side(network)
    images = network.normalized(photograph(side, side))
    together = network(images, tuple(network.stages))
    for name in network.stages:
        alone = network(images, (name,))
        assert list(alone) == [name]
        torch.testing.assert_close(alone[name], together[name])


def test_the_layers_between_two_levels_make_the_one_of_the_other(
    network: Backbone, photograph: Photograph
) -> None:
    names, side = tuple(network.stages), seen_side(network) + network.granularity_px
    images = network.normalized(photograph(side, side))
    found = {INPUT: images, **network(images, names)}
    for until in names:
        for after in (INPUT, *names[: names.index(until) + 1]):
            torch.testing.assert_close(network.part(after, until)(found[after]), found[until])


@pytest.mark.parametrize("name", sorted(set(REGISTRY) - set(RANDOM)))
def test_a_stage_divided_by_its_scale_is_of_the_order_of_one(
    name: str, photograph: Photograph, device: torch.device
) -> None:
    network = load_backbone(name).to(device)
    features = network(network.normalized(photograph(256, 256)), tuple(network.stages))
    for name, stage in network.stages.items():
        assert 0.3 < (features[name] / stage.scale).std().item() < 3


def test_a_cell_looks_at_what_lies_around_the_centre_that_its_stage_declares(
    network: Backbone, photograph: Photograph
) -> None:
    side = 384
    for name, stage in network.stages.items():
        images = network.normalized(photograph(side, side)).requires_grad_(True)
        cell = side // stage.stride // 2
        network(images, (name,))[name][:, :, cell, cell].sum().backward()
        assert images.grad is not None
        seen = images.grad.abs().sum(dim=(0, 1)) > 0
        for axis in (0, 1):
            pixels = seen.any(dim=axis).nonzero()
            middle = (pixels.min().item() + pixels.max().item() + 1) / 2
            assert middle == stage.first_center_px + stage.stride * cell


def test_its_weights_cannot_learn_but_its_input_can(network: Backbone, photograph: Photograph) -> None:
    assert isinstance(network, nn.Module)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    side = seen_side(network)
    images = network.normalized(photograph(side, side)).requires_grad_(True)
    sum(features.sum() for features in network(images, tuple(network.stages)).values()).backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


@every_backbone
def test_weights_that_are_absent_are_refused_with_their_path(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"nowhere{SUFFIX.get(name, '.pth')}"
    with pytest.raises(WeightsError) as refusal:
        load_backbone(name, str(path))
    assert str(path) in str(refusal.value)


def damaged(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(4096))


def truncated(path: Path) -> None:
    torch.save({"a": torch.zeros(1000)}, path)
    path.write_bytes(path.read_bytes()[:1500])


def other_names(path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)


def not_tensors(path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": {}}, path)


def relative_of_another_size(path: Path) -> None:
    """Weights of EfficientNet-Lite2: all the names that Lite0 has, of other shapes."""
    reference = pytest.importorskip("efficientnet_lite_pytorch")
    torch.save(reference.EfficientNet.from_name("efficientnet-lite2").state_dict(), path)


@pytest.mark.parametrize("write", [damaged, truncated, other_names, not_tensors, relative_of_another_size])
@every_backbone
def test_weights_that_are_damaged_or_foreign_are_refused_with_their_path(
    name: str, write: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / f"weights{SUFFIX.get(name, '.pth')}"
    write(path)
    with pytest.raises(WeightsError) as refusal:
        load_backbone(name, str(path))
    assert str(path) in str(refusal.value)
