"""Attention at every level: what is learned must equal the plain double backward through the network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recip_tracker_core.attention import (
    EPSILON,
    READINGS,
    Sensitivity,
    as_printed,
    at_one_scale,
    attention_map,
    attentive_loss,
    reciprocative_regularizer,
)
from recip_tracker_core.backbones import INPUT, REGISTRY, Backbone, Stage, load_backbone
from recip_tracker_core.box_crops import CropNetwork
from recip_tracker_core.classifier import BACKGROUND, TARGET, Head, Kept
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.features import Batch
from recip_tracker_core.learning import LearningRequest, Recipe, learn
from recip_tracker_core.levels import AT_ONCE, FEATURES, AtFeatures, BeforeFeatures, Level, check_level

RANDOM = {"vgg_m": "random"}  # no package ships their weights
SIDE_PX = {"vgg_m": 107, "efficientnet_lite0": 48}  # 3 x 3 cells of the last stage, averaged to 2 x 2
LEVELS = [(name, level) for name in REGISTRY for level in (INPUT, *REGISTRY[name].stages, FEATURES)]
GRID, LAMBDA = 2, 5.0
TOLERANCE = 1e-5  # in float32
# Of a slope in single precision: a gradient near 0 that rounding, which is each processor's own, puts on its
# other side is in one map and not in the other. In double precision, below, none is.
TIPPED = 5e-3
pytestmark = pytest.mark.usefixtures("full_precision")
every_level = pytest.mark.parametrize(("name", "level_name"), LEVELS)


class InDouble:
    """A network in float64, whatever comes in."""

    def __init__(self, network: Backbone) -> None:
        assert isinstance(network, nn.Module)
        self._network = copy.deepcopy(network).double()
        self.granularity_px = network.granularity_px

    @property
    def stages(self) -> Mapping[str, Stage]:
        return self._network.stages

    def normalized(self, pixels: Tensor) -> Tensor:
        return self._network.normalized(pixels.double())

    def __call__(self, images: Tensor, stages: tuple[str, ...]) -> dict[str, Tensor]:
        return self._network(images, stages)

    def part(self, after: str, until: str) -> nn.Sequential:
        return self._network.part(after, until)


@dataclass(frozen=True)
class Setting:
    """Samples of two classes, and the network that they come from.

    Attributes:
        backbone: of the network.
        stage: that is read.
        batch: with crops; two targets, then one of the background.
    """

    backbone: Backbone
    network: CropNetwork
    stage: str
    batch: Batch

    def level(self, name: str) -> Level:
        return AtFeatures(0.1) if name == FEATURES else BeforeFeatures(self.network, name, 0.1)

    def head(self) -> Head:
        """One that learns, with units that are dropped, and that looks at some cells more than at others.

        A new head looks at all alike: ratios of such almost even maps are small differences of large
        numbers, in which float32 leaves neither way of computing them five digits.
        """
        head = Head(self.network.channels, GRID, hidden=16, dropout=0.5, seed=2)
        by_cell = head.fc4.weight.data.view(-1, GRID * GRID, self.network.channels)
        by_cell *= torch.linspace(0.5, 1.5, GRID * GRID)[:, None]
        return head.to(self.batch.features).train()

    @property
    def is_target(self) -> Tensor:
        return torch.arange(len(self.batch), device=self.batch.features.device) < 2


@pytest.fixture(scope="module")
def setting(device: torch.device) -> Callable[[str, torch.dtype], Setting]:
    """``setting(name, dtype)``: three samples of a backbone."""
    made: dict[tuple[str, torch.dtype], Setting] = {}

    def of(name: str, dtype: torch.dtype) -> Setting:
        if (name, dtype) not in made:
            backbone = load_backbone(name, RANDOM.get(name, "")).to(device)
            if dtype == torch.float64:
                backbone = InDouble(backbone)
            stage, side_px = [*backbone.stages][-1], SIDE_PX[name]
            network = CropNetwork(backbone, stage, side_px, GRID, device)
            crops = torch.randint(
                256, (3, 3, side_px, side_px), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
            ).to(device)
            made[name, dtype] = Setting(backbone, network, stage, Batch(network.features(crops), crops))
        return made[name, dtype]

    return of


def dropped(head: Head, features: Tensor) -> Kept | None:
    """The same units each time."""
    return head.kept(len(features), torch.Generator(features.device).manual_seed(7))


def sensed(setting: Setting, level: str, head: Head) -> tuple[Tensor, Sensitivity]:
    """Scores, and how they depend on the level, as learning computes them."""
    features, where = setting.batch.features, setting.level(level)
    scores, by_features = head.with_gradients(features, dropped(head, features))
    gradients = where.gradients(by_features, setting.batch)
    return scores, at_one_scale(Sensitivity(gradients, setting.is_target, where.border))


def fast(setting: Setting, level: str, head: Head, name: str) -> tuple[Tensor, Tensor]:
    """The loss, and the regulariser alone, as learning computes them."""
    scores, seen = sensed(setting, level, head)
    return attentive_loss(scores, seen, READINGS[name], LAMBDA), READINGS[name](seen)


def naive(setting: Setting, level: str, head: Head, name: str) -> tuple[Tensor, Tensor]:
    """The same as they are written down, the backbone from the level on under automatic differentiation."""
    backbone, stage, batch, is_target = setting.backbone, setting.stage, setting.batch, setting.is_target
    with torch.no_grad():
        activation = backbone.normalized(batch.crops.float())
        if level in backbone.stages:
            activation = backbone(activation, (level,))[level]
        elif level == FEATURES:
            activation = batch.features
    activation = activation.clone().requires_grad_(True)
    features = activation
    if level != FEATURES:
        cells = backbone.part(level, stage)(activation)
        features = F.adaptive_avg_pool2d(cells, GRID) / backbone.stages[stage].scale
    scores = head(features, dropped(head, features))
    slopes = [torch.autograd.grad(scores[:, kind].sum(), activation, retain_graph=True) for kind in (0, 1)]
    scaled = scores / torch.cat([slope for (slope,) in slopes]).abs().mean()
    if name == "paper":
        maps = [attention_map(scaled[:, kind], activation) for kind in (TARGET, BACKGROUND)]
        regulariser = reciprocative_regularizer(*maps, is_target).sum()
    else:
        regulariser = released(scaled, activation, is_target)
    return F.cross_entropy(scores, is_target.long(), reduction="sum") + LAMBDA * regulariser, regulariser


def slope(value: Tensor, head: Head) -> Tensor:
    """(P,): by all weights of the head."""
    by_weights = torch.autograd.grad(value, [*head.parameters()], materialize_grads=True)
    return torch.cat([gradient.flatten() for gradient in by_weights])


def released(scores: Tensor, activation: Tensor, is_target: Tensor) -> Tensor:
    """One ratio of summed deviations and means of squared gradients for each class and map."""
    means, deviations = [], []
    for kind in (BACKGROUND, TARGET):
        (gradient,) = torch.autograd.grad(10 * scores[:, kind].sum(), activation, create_graph=True)
        squares = gradient.square().sum(dim=1)
        means.append(squares.mean(dim=(1, 2)))
        deviations.append((squares.var(dim=(1, 2), correction=0) + EPSILON**2).sqrt())
    regulariser = scores.new_zeros(())
    for own, other, rows in ((TARGET, BACKGROUND, is_target), (BACKGROUND, TARGET, ~is_target)):
        regulariser = regulariser + deviations[own][rows].sum() / (means[own][rows].sum() + EPSILON)
        regulariser = regulariser + means[other][rows].sum() / (deviations[other][rows].sum() + EPSILON)
    return regulariser


@pytest.mark.parametrize("reading", ["paper", "released"])
@every_level
def test_the_loss_and_its_slope_are_those_of_the_plain_double_backward(
    setting: Callable[[str, torch.dtype], Setting], name: str, level_name: str, reading: str
) -> None:
    given = setting(name, torch.float32)
    head = given.head()
    found, _ = fast(given, level_name, head, reading)
    expected, _ = naive(given, level_name, head, reading)
    assert found.item() == pytest.approx(expected.item(), rel=TOLERANCE)
    one, other = slope(found, head), slope(expected, head)
    assert (one - other).norm() <= TIPPED * other.norm()


@pytest.mark.parametrize("reading", ["paper", "released"])
@every_level
def test_the_attention_term_and_its_slope_are_exactly_those_of_the_plain_double_backward(
    setting: Callable[[str, torch.dtype], Setting], name: str, level_name: str, reading: str
) -> None:
    given = setting(name, torch.float64)
    head = given.head()
    losses, terms = zip(
        fast(given, level_name, head, reading), naive(given, level_name, head, reading), strict=True
    )
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-9)
    assert terms[0].item() == pytest.approx(terms[1].item(), rel=1e-9)
    one, other = (slope(term, head) for term in terms)
    assert (one - other).norm() <= 1e-9 * other.norm()


@every_level
def test_the_attention_term_alone_moves_the_weights_of_every_layer_however_it_is_read(
    setting: Callable[[str, torch.dtype], Setting], name: str, level_name: str
) -> None:
    given = setting(name, torch.float32)
    head = given.head()
    _, seen = sensed(given, level_name, head)
    weights = [head.fc4.weight, head.fc5.weight, head.fc6.weight]
    for reading, regulariser in READINGS.items():
        for by_weights in torch.autograd.grad(regulariser(seen), weights, retain_graph=True):
            assert by_weights.isfinite().all(), reading
            assert by_weights.norm() > 0, reading


def learned(setting: Setting, level: str, weight: float) -> Tensor:
    """All weights after two steps from a head whose scores are so small that attention counts."""
    start = setting.head()
    start.fc4.weight.data *= 0.02
    recipe = Recipe(
        attention_weight=weight,
        reading=as_printed,
        level=setting.level(level),
        is_mean=True,
        momentum=0.9,
        weight_decay=5e-4,
        clip_norm=10.0,
        last_layer_gain=1.0,
        positives=2,
        negatives=1,
        mined_from=1,
    )
    positives, negatives = (
        setting.batch[rows.nonzero()[:, 0]] for rows in (setting.is_target, ~setting.is_target)
    )
    request = LearningRequest(start, (positives,), (negatives,), 2, 1e-3, seed=0)
    head = learn(request, None, recipe, lambda: False)
    assert head is not None
    return torch.cat([parameter.flatten() for parameter in head.parameters()])


@pytest.mark.parametrize("name", REGISTRY)
def test_lambda_and_the_level_make_a_difference_to_what_is_learned(
    setting: Callable[[str, torch.dtype], Setting], name: str
) -> None:
    given = setting(name, torch.float32)
    plain = learned(given, FEATURES, 0.0)
    results = [learned(given, level, LAMBDA) for where, level in LEVELS if where == name]
    for number, result in enumerate(results):
        assert result.isfinite().all()
        for other in (plain, *results[:number]):
            assert (result - other).norm() > 1e-4 * plain.norm()


@pytest.mark.parametrize("name", REGISTRY)
def test_a_level_before_the_features_refuses_samples_without_crops(
    setting: Callable[[str, torch.dtype], Setting], name: str
) -> None:
    given = setting(name, torch.float32)
    _, by_features = given.head().with_gradients(given.batch.features)
    with pytest.raises(AssertionError, match="keep their crops"):
        given.level(INPUT).gradients(by_features, Batch(given.batch.features))
    assert torch.equal(given.level(FEATURES).gradients(by_features, Batch(given.batch.features)), by_features)


def test_of_many_samples_each_is_pulled_back_through_its_own_crop(
    backbone: Backbone, device: torch.device
) -> None:
    network = CropNetwork(backbone, "s8", 16, GRID, device)
    count = AT_ONCE["cpu"] + 8
    generator = torch.Generator().manual_seed(0)
    crops = torch.randint(256, (count, 3, 16, 16), generator=generator, dtype=torch.uint8).to(device)
    batch = Batch(network.features(crops), crops)
    at_features = torch.randn((2, count, 40, GRID, GRID), generator=generator).to(device)
    level = BeforeFeatures(network, "s4", 0.0)
    rows = torch.tensor([0, count - 9, count - 1], device=device)
    together = level.gradients(at_features, batch)
    alone = level.gradients(at_features[:, rows], batch[rows])
    assert together.shape == (2, count, 24, 4, 4)
    torch.testing.assert_close(together[:, rows], alone, rtol=1e-4, atol=1e-5)


MAP_STAGES, CROP_STAGES = ("s8", "s16"), ("s8",)


@pytest.mark.parametrize(
    ("level", "mode", "read"),
    [
        pytest.param("features", "map", MAP_STAGES, id="features-of-a-map"),
        pytest.param("features", "crops", CROP_STAGES, id="features-of-crops"),
        pytest.param("s8", "crops", CROP_STAGES, id="the-stage-that-is-read"),
        pytest.param("s4", "crops", CROP_STAGES, id="a-stage-before-it"),
        pytest.param("input", "crops", CROP_STAGES, id="pixels-of-crops"),
    ],
)
def test_a_level_that_can_carry_attention_is_accepted(level: str, mode: str, read: tuple[str, ...]) -> None:
    check_level(level, mode, ("s4", "s8", "s16"), read)


@pytest.mark.parametrize(
    ("level", "mode", "read", "expected"),
    [
        pytest.param(
            "s32", "crops", CROP_STAGES, r"\['input', 's4', 's8', 's16', 'features'\]", id="unknown-level"
        ),
        pytest.param("input", "map", MAP_STAGES, "crops", id="pixels-of-a-map"),
        pytest.param("s8", "map", MAP_STAGES, "crops", id="a-stage-of-a-map"),
        pytest.param(
            "s16",
            "crops",
            CROP_STAGES,
            r"behind 's8'.*\['input', 's4', 's8', 'features'\]",
            id="a-stage-behind-the-one-that-is-read",
        ),
    ],
)
def test_a_level_that_cannot_is_refused_by_name(
    level: str, mode: str, read: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected) as refusal:
        check_level(level, mode, ("s4", "s8", "s16"), read)
    assert f"'{level}'" in str(refusal.value)
