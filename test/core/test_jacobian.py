"""The Jacobian of frozen layers at one input, against automatic differentiation."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from recip_tracker_core.backbones import INPUT, REGISTRY, Backbone, load_backbone
from recip_tracker_core.backbones.efficientnet_lite0 import InvertedResidual, SameConv
from recip_tracker_core.box_crops import CellPooling
from recip_tracker_core.jacobian import RULES, linearized, pulled

RANDOM = {"vgg_m": "random"}  # no package ships their weights
SIDE_PX = {"vgg_m": 107, "efficientnet_lite0": 48}  # 3 x 3 cells of the last stage
LEVELS = [(name, level) for name in REGISTRY for level in (INPUT, *REGISTRY[name].stages)]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def frozen(layer: nn.Module) -> nn.Module:
    """In float64, its weights and biases drawn."""
    layer.double().requires_grad_(False)
    for seed, parameter in enumerate(layer.parameters()):
        parameter.copy_(drawn(*parameter.shape, seed=seed) / parameter[0].numel() ** 0.5)
    return layer


def assert_near(found: Tensor, expected: Tensor) -> None:
    """Within 1e-9 of the whole, which isn't nothing."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype == torch.float64
    assert expected.norm() > 0
    assert (found - expected).norm() <= 1e-9 * expected.norm()


def assert_is_jacobian(layer: nn.Module, x: Tensor) -> None:
    """What is written of the layers at (N, C, H, W) is their Jacobian there, for two products a sample."""
    y, linear = linearized(layer, x)
    assert not y.requires_grad
    assert_near(y, layer(x))

    cotangents, tangents = drawn(2, *y.shape, seed=1), drawn(2, *x.shape, seed=2)
    back, forth = linear.pull(cotangents), linear.push(tangents)
    leaf = x.clone().requires_grad_(True)
    again = layer(leaf)
    for found, cotangent in zip(back, cotangents, strict=True):
        assert_near(found, torch.autograd.grad(again, leaf, cotangent, retain_graph=True)[0])
    # A product with the transpose is linear in its cotangent: its own slope is the product the other way.
    cotangent = cotangents[0].clone().requires_grad_(True)
    (pulled_back,) = torch.autograd.grad(again, leaf, cotangent, create_graph=True)
    for found, tangent in zip(forth, tangents, strict=True):
        assert_near(found, torch.autograd.grad(pulled_back, cotangent, tangent, retain_graph=True)[0])
    assert_near((back * tangents).flatten(2).sum(dim=2), (cotangents * forth).flatten(2).sum(dim=2))


@pytest.fixture(scope="module")
def exact() -> Callable[[str], Backbone]:
    """``exact(name)``: a network in float64."""
    made: dict[str, Backbone] = {}

    def network(name: str) -> Backbone:
        if name not in made:
            made[name] = copy.deepcopy(load_backbone(name, RANDOM.get(name, ""))).double()
        return made[name]

    return network


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_of_a_network_from_any_level_on_it_is_what_automatic_differentiation_finds(
    name: str, level: str, exact: Callable[[str], Backbone], photograph: Callable[[int, int], Tensor]
) -> None:
    network = exact(name)
    last = [*network.stages][-1]
    images = network.normalized(photograph(SIDE_PX[name], SIDE_PX[name]).cpu().double())
    activation = images if level == INPUT else network(images, (level,))[level]
    layers = nn.Sequential(*network.part(level, last), CellPooling(2, network.stages[last].scale))
    assert_is_jacobian(layers, activation)


# For each kind of layer, some of it, and the shape of what it reads. Shapes are oblong and leave pixels over.
CASES: dict[type[nn.Module], dict[str, tuple[nn.Module, tuple[int, int, int]]]] = {
    nn.Sequential: {
        "of-several": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)), (3, 6, 5)),
        "of-none": (nn.Sequential(), (3, 6, 5)),
    },
    InvertedResidual: {
        "with-a-skip": (InvertedResidual(4, 4, 2, 3, 1), (4, 6, 5)),
        "with-a-stride": (InvertedResidual(4, 4, 2, 5, 2), (4, 6, 8)),
        "with-other-channels": (InvertedResidual(4, 3, 1, 3, 1), (4, 6, 5)),
    },
    nn.Conv2d: {
        "plain": (nn.Conv2d(3, 4, 3), (3, 6, 5)),
        "plain-with-a-stride": (nn.Conv2d(3, 4, 5, stride=2), (3, 10, 9)),
        "plain-and-oblong": (nn.Conv2d(3, 4, (3, 2), stride=(2, 1), bias=False), (3, 6, 5)),
        "plain-in-groups": (nn.Conv2d(6, 4, 3, groups=2), (6, 6, 5)),
        "same": (SameConv(3, 4, 3), (3, 6, 5)),
        "same-with-a-stride": (SameConv(3, 4, 3, 2), (3, 6, 8)),
        "same-wider-with-a-stride": (SameConv(3, 4, 5, 2), (3, 6, 8)),
        "same-by-channel": (SameConv(4, 4, 5, 1, groups=4), (4, 6, 5)),
        "same-of-one-pixel": (SameConv(3, 4, 1), (3, 6, 5)),
    },
    nn.ReLU: {"": (nn.ReLU(), (3, 6, 5))},
    nn.ReLU6: {"": (nn.ReLU6(), (3, 6, 5))},
    nn.LocalResponseNorm: {
        "of-five-channels": (nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0), (9, 6, 5)),
        "of-three-by-torch's-own-constants": (nn.LocalResponseNorm(3), (9, 6, 5)),
        "of-more-channels-than-there-are": (nn.LocalResponseNorm(5, k=2.0), (3, 6, 5)),
        "of-one": (nn.LocalResponseNorm(5, k=2.0), (1, 6, 5)),
    },
    nn.MaxPool2d: {
        "overlapping": (nn.MaxPool2d(3, stride=2), (3, 8, 7)),
        "side-by-side": (nn.MaxPool2d(2), (3, 7, 6)),
        "dense": (nn.MaxPool2d((3, 2), stride=1), (3, 6, 5)),
        "padded": (nn.MaxPool2d(3, stride=2, padding=1), (3, 6, 5)),
        "with-what-is-left-over": (nn.MaxPool2d(2, ceil_mode=True), (3, 7, 5)),
    },
    CellPooling: {
        "of-parts-that-overlap": (CellPooling(3, 8.0), (4, 7, 5)),
        "of-each-cell": (CellPooling(4, 2.0), (4, 4, 4)),
        "of-more-parts-than-cells": (CellPooling(3, 1.0), (4, 2, 1)),
    },
}


def test_every_kind_of_layer_that_has_a_rule_has_a_case() -> None:
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        pytest.param(*case, id=f"{kind.__name__}-{name}".rstrip("-"))
        for kind, cases in CASES.items()
        for name, case in cases.items()
    ],
)
def test_of_each_layer_it_is_what_automatic_differentiation_finds(
    layer: nn.Module, shape: tuple[int, int, int]
) -> None:
    x = 8 * drawn(3, *shape, seed=9)  # both ends of relu6 are reached
    if isinstance(layer, nn.LocalResponseNorm):
        x = 20 * x  # what is added to the sum is no longer all that counts
    assert_is_jacobian(frozen(layer), x)


def test_the_largest_of_equal_cells_is_the_one_that_automatic_differentiation_takes() -> None:
    assert_is_jacobian(nn.MaxPool2d(3, stride=2), drawn(3, 4, 8, 7).clamp(min=0).round())


@pytest.fixture(scope="module")
def chain() -> nn.Module:
    """One of each kind, 16 x 16 pixels to 3 x 3 cells."""
    return frozen(
        nn.Sequential(
            SameConv(2, 3, 3, 2),
            nn.ReLU6(),
            InvertedResidual(3, 3, 2, 3, 1),
            SameConv(3, 4, 5),
            nn.ReLU(),
            nn.Conv2d(4, 4, 3),
            nn.LocalResponseNorm(3, alpha=0.5, beta=0.75, k=2.0),
            nn.MaxPool2d(3, stride=1),
            nn.Conv2d(4, 2, 1),
            CellPooling(3, 0.5),
        )
    )


def test_that_chain_has_every_kind(chain: nn.Module) -> None:
    kinds = {kind for kind in RULES for part in chain.modules() if isinstance(part, kind)}
    assert kinds == set(RULES)
    assert_is_jacobian(chain, 3 * drawn(2, 2, 16, 16))


@pytest.mark.parametrize(
    "check", [torch.autograd.gradcheck, torch.autograd.gradgradcheck], ids=["first-order", "second-order"]
)
def test_what_is_pulled_back_can_be_differentiated(chain: nn.Module, check: Callable[..., bool]) -> None:
    y, linear = linearized(chain, 3 * drawn(1, 2, 16, 16))
    cotangents = drawn(1, *y.shape, seed=1).requires_grad_(True)
    assert pulled(cotangents, linear).norm() > 0
    assert check(lambda values: pulled(values, linear), cotangents)


def test_a_loss_on_what_is_pulled_back_has_the_slope_of_the_double_backward(chain: nn.Module) -> None:
    x, weights = 3 * drawn(2, 2, 16, 16), drawn(2, 2, 3, 3, seed=4)  # of two scores by the features

    def slope(maps: Callable[[Tensor], Tensor]) -> Tensor:
        leaf = weights.clone().requires_grad_(True)
        return torch.autograd.grad(maps(leaf).relu().square().sum(), leaf)[0]

    def naive(leaf: Tensor) -> Tensor:
        pixels = x.clone().requires_grad_(True)
        features = chain(pixels)
        scores = [(features * row).sum() for row in leaf]
        return torch.stack([torch.autograd.grad(score, pixels, create_graph=True)[0] for score in scores])

    _, linear = linearized(chain, x)
    fast = slope(lambda leaf: pulled(leaf[:, None].expand(2, 2, 2, 3, 3), linear))
    assert_near(fast, slope(naive))


def test_nothing_of_it_has_a_gradient(chain: nn.Module) -> None:
    x = drawn(1, 2, 16, 16).requires_grad_(True)
    y, linear = linearized(chain, x)
    assert not y.requires_grad
    assert not pulled(drawn(2, *y.shape), linear).requires_grad


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        pytest.param(nn.Sigmoid(), "'Sigmoid'", id="alone"),
        pytest.param(
            nn.Sequential(nn.ReLU(), nn.Sequential(nn.BatchNorm2d(3))), "'BatchNorm2d'", id="within"
        ),
        pytest.param(nn.Conv2d(3, 4, 3, padding=1), "padding", id="a-padded-convolution"),
        pytest.param(nn.Conv2d(3, 4, 3, dilation=2), "dilation", id="a-dilated-convolution"),
        pytest.param(nn.LocalResponseNorm(2), "even window of 2 channels", id="an-even-window"),
    ],
)
def test_a_layer_without_a_rule_is_refused_by_its_kind(layer: nn.Module, named: str) -> None:
    with pytest.raises(NotImplementedError, match=named):
        linearized(layer, torch.zeros(1, 3, 8, 8))
