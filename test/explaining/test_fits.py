"""The record of a first fit: what is measured, what is kept, and that it changes nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from recip_tracker_core.attention import READINGS, attention_map
from recip_tracker_core.classifier import BACKGROUND, TARGET, Head
from recip_tracker_core.explaining.fits import COURSES, SPREADS, FitRecord, measured
from recip_tracker_core.features import Batch
from recip_tracker_core.learning import LearningRequest, Recipe, Watch, learn
from recip_tracker_core.levels import AtFeatures

RECIPE = Recipe(
    attention_weight=0.5,
    reading=READINGS["paper"],
    level=AtFeatures(),
    is_mean=True,
    momentum=0.9,
    weight_decay=5e-4,
    clip_norm=10.0,
    last_layer_gain=1.0,
    positives=6,
    negatives=5,
    mined_from=20,
)
PLAIN = dataclasses.replace(RECIPE, attention_weight=0.0)


def features(count: int, seed: int) -> Tensor:
    """(count, 3, 4, 4), positives and negatives apart by their seeds."""
    return seed + torch.randn((count, 3, 4, 4), generator=torch.Generator().manual_seed(seed))


def request(iterations: int) -> LearningRequest:
    head = Head(channels=3, grid=4, hidden=16, dropout=0.5, seed=0)
    samples = (Batch(features(30, 1)),), (Batch(features(60, 2)),)
    return LearningRequest(head, *samples, iterations=iterations, learning_rate=0.01, seed=3)


def weights(head: Head | None) -> Tensor:
    assert head is not None
    return torch.cat([parameter.detach().flatten() for parameter in head.parameters()])


def fitted(recipe: Recipe, iterations: int, watch: Watch | None = None) -> Tensor:
    return weights(learn(request(iterations), None, recipe, lambda: False, watch))


def record(*kept: int) -> FitRecord:
    return FitRecord(AtFeatures(), READINGS["paper"], kept, lambda: None)


def test_the_spreads_are_those_of_each_samples_own_two_maps() -> None:
    head = Head(channels=3, grid=4, hidden=16, dropout=0.5, seed=0)
    batch, is_target = Batch(features(5, 1)), torch.tensor([True, True, False, False, False])
    found = measured(head.train(), batch, is_target, AtFeatures(), READINGS["paper"])
    activation = batch.features.clone().requires_grad_(True)
    scores = head.eval()(activation)
    maps = {c: attention_map(scores[:, c], activation).detach().numpy() for c in (TARGET, BACKGROUND)}
    spreads = {c: np.array([one.std() / one.mean() for one in found]) for c, found in maps.items()}
    expected = [spreads[c][rows].mean() for rows in (slice(0, 2), slice(2, 5)) for c in (TARGET, BACKGROUND)]
    assert [found[name] for name in SPREADS] == pytest.approx(expected, rel=1e-5)
    assert len(set(np.round(expected, 4))) == 4  # none can stand for another
    # Eq. 3 and 4, and the cross entropy of the right class, by hand; means over the five samples
    of_target, of_background = spreads[TARGET], spreads[BACKGROUND]
    terms = [*(of_target + 1 / of_background)[:2], *(1 / of_target + of_background)[2:]]
    assert found["regularizer"] == pytest.approx(np.mean(terms), rel=1e-5)
    shares = torch.softmax(scores.detach(), dim=1)
    right = torch.where(is_target, shares[:, TARGET], shares[:, BACKGROUND])
    assert found["classification"] == pytest.approx(float(-right.log().mean()), rel=1e-5)


@pytest.mark.parametrize("recipe", [RECIPE, PLAIN], ids=["with", "without"])
def test_a_watched_fit_ends_where_one_ends_that_nobody_watches(recipe: Recipe) -> None:
    assert torch.equal(fitted(recipe, 12, record(3, 6).watch), fitted(recipe, 12))


@pytest.mark.parametrize("recipe", [RECIPE, PLAIN], ids=["with", "without"])
def test_a_copy_after_some_steps_is_what_a_fit_of_so_many_gives(recipe: Recipe) -> None:
    watched = record(3, 6)
    fitted(recipe, 12, watched.watch)
    assert sorted(watched.heads) == [3, 6]
    for steps, head in watched.heads.items():
        assert torch.equal(weights(head), fitted(recipe, steps))
        assert not head.training
        assert not any(parameter.requires_grad for parameter in head.parameters())


def test_each_course_has_a_value_for_each_step_from_the_start_that_both_share() -> None:
    courses = {}
    for recipe in (RECIPE, PLAIN):
        watched = record()
        fitted(recipe, 12, watched.watch)
        assert {name: len(course) for name, course in watched.courses.items()} == dict.fromkeys(COURSES, 12)
        courses[recipe.attention_weight] = watched.courses
    for name in COURSES:
        assert courses[0.5][name][0] == courses[0.0][name][0]
        assert courses[0.5][name][-1] != courses[0.0][name][-1]


def test_the_term_ends_with_a_smaller_regulariser_than_learning_without_it() -> None:
    last = {}
    for weight in (5.0, 0.0):
        watched = record()
        fitted(dataclasses.replace(RECIPE, attention_weight=weight), 60, watched.watch)
        last[weight] = np.mean(watched.courses["regularizer"][-10:])
    assert last[5.0] < 0.95 * last[0.0]
