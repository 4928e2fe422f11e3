"""One flat loop: it learns, stops when told, and leaves nothing behind when it fails."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from recip_tracker_core.attention import READINGS, as_printed
from recip_tracker_core.classifier import Head, margin
from recip_tracker_core.errors import LearningError
from recip_tracker_core.features import Batch
from recip_tracker_core.learning import LearningRequest, Recipe, learn
from recip_tracker_core.levels import AtFeatures

RECIPE = Recipe(
    attention_weight=0.0,
    reading=as_printed,
    level=AtFeatures(),
    is_mean=True,
    momentum=0.9,
    weight_decay=5e-4,
    clip_norm=10.0,
    last_layer_gain=1.0,
    positives=16,
    negatives=16,
    mined_from=64,
)
SHAPE = (4, 2, 2)


def never() -> bool:
    return False


def cloud(center: float, count: int, seed: int) -> Tensor:
    """(count, 4, 2, 2) around ``center``, deviation 1."""
    return center + torch.randn((count, *SHAPE), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def request_(device: torch.device) -> LearningRequest:
    """Targets around 1, background around -1; the positives come from two frames."""
    head = Head(channels=4, grid=2, hidden=16, dropout=0.5, seed=0).to(device)
    return LearningRequest(
        head,
        (Batch(cloud(1, 60, seed=1).to(device)), Batch(cloud(1, 40, seed=2).to(device))),
        (Batch(cloud(-1, 300, seed=3).to(device)),),
        iterations=30,
        learning_rate=0.01,
        seed=0,
    )


def learned(request: LearningRequest, recipe: Recipe = RECIPE) -> Head:
    head = learn(request, None, recipe, never)
    assert head is not None
    return head


def device_of(request: LearningRequest) -> torch.device:
    return request.positives[0].features.device


def weights(head: Head) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in head.parameters()])


@pytest.mark.parametrize("attention_weight", [0.0, 0.08], ids=["plain", "attentive"])
def test_two_clouds_are_told_apart(request_: LearningRequest, attention_weight: float) -> None:
    head = learned(request_, replace(RECIPE, attention_weight=attention_weight))
    device = device_of(request_)
    unseen = torch.cat([cloud(1, 200, seed=7), cloud(-1, 200, seed=8)]).to(device)
    is_target = torch.arange(400, device=device) < 200
    assert ((margin(head(unseen)) > 0) == is_target).float().mean().item() > 0.97


@pytest.mark.parametrize("name", READINGS)
def test_the_weight_of_attention_changes_what_is_learned(request_: LearningRequest, name: str) -> None:
    plain, attentive = (
        learned(request_, replace(RECIPE, reading=READINGS[name], attention_weight=value))
        for value in (0.0, 5.0)
    )
    assert (weights(plain) - weights(attentive)).abs().max() > 1e-3


def test_the_head_that_comes_back_is_frozen(request_: LearningRequest) -> None:
    head = learned(request_)
    assert not head.training
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in head.parameters())


def test_a_frozen_head_can_be_learned_further(request_: LearningRequest) -> None:
    first = learned(request_)
    assert not torch.equal(weights(first), weights(learned(replace(request_, head=first))))


def test_the_head_of_the_request_is_not_touched(request_: LearningRequest) -> None:
    before = copy.deepcopy(request_.head)
    learned(request_)
    assert torch.equal(weights(before), weights(request_.head))


def test_equal_seeds_learn_equal_weights_and_other_seeds_others(request_: LearningRequest) -> None:
    first, again = learned(request_), learned(request_)
    other = learned(replace(request_, seed=1))
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


def test_learning_draws_nothing_from_the_global_generator(request_: LearningRequest) -> None:
    before = torch.get_rng_state()
    learned(request_)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("stop_at", [1, 4])
def test_the_flag_to_stop_is_read_before_each_step(request_: LearningRequest, stop_at: int) -> None:
    calls = itertools.count(1)
    assert learn(request_, None, RECIPE, lambda: next(calls) == stop_at) is None
    assert next(calls) == stop_at + 1


def test_the_flag_is_read_once_a_step(request_: LearningRequest) -> None:
    calls = itertools.count()

    def count() -> bool:
        next(calls)
        return False

    learn(request_, None, RECIPE, count)
    assert next(calls) == request_.iterations


def test_weights_that_run_away_are_an_error_and_the_head_before_stays(request_: LearningRequest) -> None:
    before = copy.deepcopy(request_.head)
    with pytest.raises(LearningError, match="diverged"):
        learn(replace(request_, learning_rate=1e30), None, RECIPE, never)
    assert torch.equal(weights(before), weights(request_.head))


@pytest.mark.parametrize("which", ["positives", "negatives"])
def test_learning_from_one_class_alone_is_refused_with_the_counts(
    request_: LearningRequest, which: str
) -> None:
    nothing = {which: (Batch(torch.zeros((0, *SHAPE), device=device_of(request_))),)}
    counts = {"positives": "0 and 300", "negatives": "100 and 0"}[which]
    with pytest.raises(LearningError, match=counts):
        learn(replace(request_, **nothing), None, RECIPE, never)


def test_fewer_samples_than_a_step_takes_are_enough(request_: LearningRequest) -> None:
    one, two = (torch.arange(count, device=device_of(request_)) for count in (1, 2))
    few = replace(request_, positives=(request_.positives[0][one],), negatives=(request_.negatives[0][two],))
    assert weights(learned(few)).isfinite().all()


def test_the_hardest_negatives_are_learned(request_: LearningRequest) -> None:
    device = device_of(request_)
    easy, hard = cloud(-3, 2000, seed=4).to(device), cloud(0, 8, seed=5).to(device)
    mixed = replace(request_, negatives=(Batch(easy), Batch(hard)))
    mined = learned(mixed, replace(RECIPE, negatives=8, mined_from=2008))
    unmined = learned(mixed, replace(RECIPE, negatives=8, mined_from=8))
    assert margin(mined(hard)).mean() < margin(unmined(hard)).mean() - 1


def one_step(request: LearningRequest, recipe: Recipe) -> list[Tensor]:
    """By how much a first step changes each parameter; nothing else changes any."""
    plain = replace(recipe, momentum=0.0, weight_decay=0.0, clip_norm=1e6)
    head = copy.deepcopy(request.head)
    assert head is not None
    head.dropout = 0.0
    after = learned(replace(request, head=head, iterations=1), plain)
    return [b.detach() - a.detach() for a, b in zip(head.parameters(), after.parameters(), strict=True)]


@pytest.mark.parametrize("attention_weight", [0.0, 0.5], ids=["plain", "attentive"])
def test_the_mean_over_a_step_is_its_sum_over_the_number_of_samples(
    request_: LearningRequest, attention_weight: float
) -> None:
    recipe = replace(RECIPE, attention_weight=attention_weight, positives=12, negatives=20)
    mean, total = (one_step(request_, replace(recipe, is_mean=is_mean)) for is_mean in (True, False))
    for one, other in zip(mean, total, strict=True):
        torch.testing.assert_close(32 * one, other, rtol=1e-3, atol=1e-5)


def test_the_last_layer_learns_faster_by_its_gain_and_the_others_do_not(request_: LearningRequest) -> None:
    usual, fast = (one_step(request_, replace(RECIPE, last_layer_gain=gain)) for gain in (1.0, 10.0))
    for one, other, gain in zip(usual, fast, (1, 1, 1, 1, 10, 10), strict=True):
        torch.testing.assert_close(gain * one, other, rtol=1e-3, atol=1e-6)


def test_a_step_goes_down_the_slope_of_the_loss_by_the_learning_rate(request_: LearningRequest) -> None:
    step = one_step(request_, replace(RECIPE, positives=100, negatives=300, mined_from=300, is_mean=False))
    head = copy.deepcopy(request_.head)
    assert head is not None
    features = torch.cat([batch.features for batch in (*request_.positives, *request_.negatives)])
    labels = (torch.arange(400, device=features.device) < 100).long()
    loss = torch.nn.functional.cross_entropy(head.eval()(features), labels, reduction="sum")
    for change, slope in zip(step, torch.autograd.grad(loss, list(head.parameters())), strict=True):
        torch.testing.assert_close(change, -0.01 * slope, rtol=1e-3, atol=1e-5)


class CropsAreTheirSamples:
    """A level that sees whether each crop is still the one of its features."""

    border = 0.0

    def __init__(self) -> None:
        self.seen = 0

    def gradients(self, at_features: Tensor, batch: Batch) -> Tensor:
        assert batch.crops is not None
        assert torch.equal(batch.crops[:, 0, 0, 0].float(), batch.features[:, 0, 0, 0])
        self.seen += len(batch)
        return at_features


def test_crops_stay_with_their_features_through_drawing_and_mining(request_: LearningRequest) -> None:
    def numbered(start: int, count: int) -> Batch:
        numbers = torch.arange(start, start + count, device=device_of(request_))[:, None, None, None]
        return Batch(numbers.expand(count, *SHAPE).float(), numbers.expand(count, 3, 4, 4).byte())

    level = CropsAreTheirSamples()
    request = replace(
        request_,
        positives=(numbered(0, 20), numbered(20, 1), numbered(21, 30)),
        negatives=(numbered(100, 40), numbered(140, 60)),
        iterations=3,
        learning_rate=1e-6,
    )
    learned(request, replace(RECIPE, attention_weight=1.0, level=level))
    assert level.seen == 3 * 32


def test_what_lies_outside_of_the_box_is_what_the_level_says(request_: LearningRequest) -> None:
    shape = (4, 4, 4)  # channels and cells: with a border of a quarter four of sixteen are the box

    def drawn(count: int, seed: int) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        return Batch(torch.randn((count, *shape), generator=generator).to(device_of(request_)))

    request = replace(
        request_,
        head=Head(channels=4, grid=4, hidden=16, dropout=0.5, seed=0).to(device_of(request_)),
        positives=(drawn(20, 1),),
        negatives=(drawn(40, 2),),
        iterations=3,
    )
    recipe = replace(RECIPE, reading=READINGS["box"], attention_weight=5.0)
    whole, inner = (learned(request, replace(recipe, level=AtFeatures(border))) for border in (0.0, 0.25))
    assert (weights(whole) - weights(inner)).abs().max() > 1e-4


def test_without_any_weight_of_attention_no_map_is_taken(request_: LearningRequest) -> None:
    level = CropsAreTheirSamples()
    learned(request_, replace(RECIPE, attention_weight=0.0, level=level))
    assert level.seen == 0
