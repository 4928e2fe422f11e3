"""One flat loop: it learns, stops when told, and leaves nothing behind when it fails."""

from __future__ import annotations

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from recip_tracker_core.classifier import Head, margin
from recip_tracker_core.errors import LearningError
from recip_tracker_core.learning import LearningRequest, Recipe, learn

RECIPE = Recipe(
    attention_weight=0.0,
    momentum=0.9,
    weight_decay=5e-4,
    clip_norm=10.0,
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
        (cloud(1, 60, seed=1).to(device), cloud(1, 40, seed=2).to(device)),
        (cloud(-1, 300, seed=3).to(device),),
        iterations=30,
        learning_rate=0.01,
        seed=0,
    )


def learned(request: LearningRequest, recipe: Recipe = RECIPE) -> Head:
    head = learn(request, None, recipe, never)
    assert head is not None
    return head


def weights(head: Head) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in head.parameters()])


@pytest.mark.parametrize("attention_weight", [0.0, 0.08], ids=["plain", "attentive"])
def test_two_clouds_are_told_apart(request_: LearningRequest, attention_weight: float) -> None:
    head = learned(request_, replace(RECIPE, attention_weight=attention_weight))
    device = request_.positives[0].device
    unseen = torch.cat([cloud(1, 200, seed=7), cloud(-1, 200, seed=8)]).to(device)
    is_target = torch.arange(400, device=device) < 200
    assert ((margin(head(unseen)) > 0) == is_target).float().mean().item() > 0.97


def test_the_weight_of_attention_changes_what_is_learned(request_: LearningRequest) -> None:
    plain, attentive = (learned(request_, replace(RECIPE, attention_weight=value)) for value in (0.0, 5.0))
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
    nothing = {which: (torch.zeros((0, *SHAPE), device=request_.positives[0].device),)}
    counts = {"positives": "0 and 300", "negatives": "100 and 0"}[which]
    with pytest.raises(LearningError, match=counts):
        learn(replace(request_, **nothing), None, RECIPE, never)


def test_fewer_samples_than_a_step_takes_are_enough(request_: LearningRequest) -> None:
    few = replace(request_, positives=(request_.positives[0][:1],), negatives=(request_.negatives[0][:2],))
    assert weights(learned(few)).isfinite().all()


def test_the_hardest_negatives_are_learned(request_: LearningRequest) -> None:
    device = request_.positives[0].device
    easy, hard = cloud(-3, 2000, seed=4).to(device), cloud(0, 8, seed=5).to(device)
    mixed = replace(request_, negatives=(easy, hard))
    mined = learned(mixed, replace(RECIPE, negatives=8, mined_from=2008))
    unmined = learned(mixed, replace(RECIPE, negatives=8, mined_from=8))
    assert margin(mined(hard)).mean() < margin(unmined(hard)).mean() - 1
