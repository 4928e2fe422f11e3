"""Steps that are replayed: they learn what steps by themselves do, and one learning leaves another alone."""

from __future__ import annotations

import contextlib
import copy
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from recip_tracker_core.attention import ASKING_THE_HOST, READINGS, Sensitivity, as_printed
from recip_tracker_core.classifier import Head
from recip_tracker_core.errors import LearningError
from recip_tracker_core.features import Batch
from recip_tracker_core.lanes import Lane
from recip_tracker_core.learning import LearningRequest, Recipe, learn
from recip_tracker_core.levels import AtFeatures
from recip_tracker_core.recorded_steps import MOST_RECORDED, Learner, StaticStep, is_recordable
from recip_tracker_core.shared_parts import recorder

RECIPE = Recipe(
    attention_weight=0.08,
    reading=READINGS["paper"],
    level=AtFeatures(),
    is_mean=True,
    momentum=0.9,
    weight_decay=5e-4,
    clip_norm=10.0,
    last_layer_gain=10.0,
    positives=16,
    negatives=16,
    mined_from=64,
)
SHAPE = (4, 3, 3)
HOST_FREE = sorted(name for name, reading in READINGS.items() if reading not in ASKING_THE_HOST)


def never() -> bool:
    return False


def cloud(center: float, count: int, seed: int) -> Tensor:
    """(count, 4, 3, 3) around ``center``, deviation 1, as pooled features lie in memory."""
    values = center + torch.randn((count, *SHAPE), generator=torch.Generator().manual_seed(seed))
    return values.contiguous(memory_format=torch.channels_last)


def a_head(seed: int = 0, dropout: float = 0.5, hidden: int = 24, *, weighs_features: bool = False) -> Head:
    return Head(SHAPE[0], SHAPE[1], hidden, dropout, seed, weighs_features=weighs_features)


@pytest.fixture
def asked(device: torch.device) -> Callable[..., LearningRequest]:
    """``asked(target, head)``: to learn a target, each of whose classes comes from two frames."""

    def of(target: int = 0, head: Head | None = None, **values: Any) -> LearningRequest:
        sizes = {1: (60, 40), -1: (200, 100)}
        positives, negatives = (
            tuple(Batch(cloud(c / 2, n, seed=100 * target + n + c).to(device)) for n in sizes[c])
            for c in (1, -1)
        )
        start = (head or a_head(target)).to(device)
        request = LearningRequest(start, positives, negatives, iterations=30, learning_rate=3e-3, seed=target)
        return replace(request, **values)

    return of


class Launched:
    """Stands in for a recording on any device: it warms up, and each replay takes the step.

    Attributes:
        made, replays: how many there were.
    """

    def __init__(self) -> None:
        self.made, self.replays = 0, 0

    def __call__(self, step: Callable[[], None], device: torch.device) -> tuple[Callable[[], None], None]:
        self.made += 1
        for _ in range(3):
            step()

        def replay() -> None:
            self.replays += 1
            step()

        return replay, None


def weights(head: Head | None) -> Tensor:
    assert head is not None
    return torch.cat([parameter.detach().flatten() for parameter in head.parameters()])


def step_by_step(request: LearningRequest, recipe: Recipe = RECIPE) -> Tensor:
    return weights(learn(request, None, recipe, never))


def assert_learned_alike(found: Tensor, expected: Tensor) -> None:
    """But for rounding: the learning rate is multiplied first."""
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attention_weight", [0.0, 0.08], ids=["plain", "attentive"])
@pytest.mark.parametrize("mined_from", [16, 64], ids=["all", "the hardest"])
@pytest.mark.parametrize("dropout", [0.0, 0.5], ids=["whole", "with dropout"])
def test_replays_learn_what_steps_by_themselves_do(
    asked: Callable[..., LearningRequest], attention_weight: float, mined_from: int, dropout: float
) -> None:
    recipe = replace(RECIPE, attention_weight=attention_weight, mined_from=mined_from)
    request, launched = asked(head=a_head(dropout=dropout)), Launched()
    found = weights(Learner(recipe, launched)(request, None, never))
    assert launched.replays == request.iterations
    assert_learned_alike(found, step_by_step(request, recipe))
    assert (found - weights(request.head)).abs().max() > 0.01


@pytest.mark.parametrize("name", HOST_FREE)
@pytest.mark.parametrize("is_mean", [True, False], ids=["mean", "sum"])
def test_whatever_is_read_and_however_it_is_added(
    asked: Callable[..., LearningRequest], name: str, is_mean: bool
) -> None:
    recipe = replace(RECIPE, reading=READINGS[name], is_mean=is_mean, clip_norm=1.0, momentum=0.5)
    assert_learned_alike(
        weights(Learner(recipe, Launched())(asked(), None, never)), step_by_step(asked(), recipe)
    )


def test_a_head_that_weighs_features_is_learned_too(asked: Callable[..., LearningRequest]) -> None:
    recipe, request = replace(RECIPE, attention_weight=0.0), asked(head=a_head(weighs_features=True))
    assert_learned_alike(
        weights(Learner(recipe, Launched())(request, None, never)), step_by_step(request, recipe)
    )


def test_fewer_samples_than_a_step_takes_are_enough(asked: Callable[..., LearningRequest]) -> None:
    device = asked().positives[0].features.device
    few = asked(positives=(Batch(cloud(1, 3, 1).to(device)),), negatives=(Batch(cloud(-1, 5, 2).to(device)),))
    assert_learned_alike(weights(Learner(RECIPE, Launched())(few, None, never)), step_by_step(few))


def test_targets_that_are_learned_in_turns_do_not_disturb_each_other(
    asked: Callable[..., LearningRequest],
) -> None:
    launched = Launched()
    learner = Learner(RECIPE, launched)
    first, second = asked(1), asked(2)
    alone = [weights(Learner(RECIPE, Launched())(one, None, never)) for one in (first, second)]
    heads = [learner(one, None, never) for one in (first, second, first, second)]
    for head, expected in zip(heads, alone * 2, strict=True):
        assert torch.equal(weights(head), expected)
    assert launched.made == learner.recordings == 1


def test_a_first_fit_and_an_update_are_replays_of_one_step(asked: Callable[..., LearningRequest]) -> None:
    launched = Launched()
    learner = Learner(RECIPE, launched)
    fitted = learner(asked(), None, never)
    update = asked(3, head=None, iterations=10, learning_rate=1e-3)
    update = replace(update, head=None)
    assert_learned_alike(
        weights(learner(update, fitted, never)), weights(learn(update, fitted, RECIPE, never))
    )
    assert launched.made == 1


def test_a_head_that_was_learned_is_frozen_and_nobody_elses(asked: Callable[..., LearningRequest]) -> None:
    learner, request = Learner(RECIPE, Launched()), asked()
    start = copy.deepcopy(request.head)
    head = learner(request, None, never)
    assert head is not None
    assert not head.training
    assert all(not value.requires_grad and value.grad is None for value in head.parameters())
    before = weights(head).clone()
    learner(asked(5), None, never)
    assert torch.equal(weights(head), before)
    assert torch.equal(weights(request.head), weights(start))


@pytest.mark.parametrize("stop_at", [1, 4])
def test_a_stop_is_heeded_before_the_next_step_and_leaves_nothing_behind(
    asked: Callable[..., LearningRequest], stop_at: int
) -> None:
    launched, calls = Launched(), itertools.count(1)
    learner = Learner(RECIPE, launched)
    assert learner(asked(1), None, lambda: next(calls) == stop_at) is None
    assert launched.replays == stop_at - 1
    assert next(calls) == stop_at + 1
    expected = weights(Learner(RECIPE, Launched())(asked(2), None, never))
    assert torch.equal(weights(learner(asked(2), None, never)), expected)


def test_who_comes_while_another_replays_takes_steps_and_disturbs_nothing(
    asked: Callable[..., LearningRequest],
) -> None:
    launched, beside = Launched(), []
    learner = Learner(RECIPE, launched)

    def meanwhile() -> bool:
        if launched.replays == 7 and not beside:
            beside.append(weights(learner(asked(2), None, never)))
        return False

    found = weights(learner(asked(1), None, meanwhile))
    assert launched.replays == asked().iterations
    assert torch.equal(beside[0], step_by_step(asked(2)))
    assert torch.equal(found, weights(Learner(RECIPE, Launched())(asked(1), None, never)))


def test_what_cannot_be_recorded_is_launched_step_by_step_and_that_is_said_once(
    asked: Callable[..., LearningRequest], caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(step: Callable[[], None], device: torch.device) -> Any:
        step()
        raise RuntimeError("operation not permitted when stream is capturing")

    learner = Learner(RECIPE, refuse)
    for target in (1, 2, 1):
        assert torch.equal(weights(learner(asked(target), None, never)), step_by_step(asked(target)))
    (said,) = [record.getMessage() for record in caplog.records]
    assert "operation not permitted" in said
    assert learner.recordings == 0


def test_weights_that_run_away_are_an_error_after_which_others_are_learned(
    asked: Callable[..., LearningRequest],
) -> None:
    launched = Launched()
    learner = Learner(RECIPE, launched)
    with pytest.raises(LearningError, match="diverged"):
        learner(asked(learning_rate=1e30), None, never)
    before = launched.replays
    assert torch.equal(
        weights(learner(asked(), None, never)), weights(Learner(RECIPE, Launched())(asked(), None, never))
    )
    assert launched.replays == before + asked().iterations


def test_what_nothing_can_be_learned_from_is_refused_as_ever(asked: Callable[..., LearningRequest]) -> None:
    learner = Learner(RECIPE, Launched())
    with pytest.raises(LearningError, match="no head to start from"):
        learner(replace(asked(), head=None), None, never)
    with pytest.raises(LearningError, match="0 and 300"):
        learner(asked(positives=()), None, never)
    assert weights(learner(asked(), None, never)).isfinite().all()


def test_a_step_that_is_watched_is_taken_by_itself(asked: Callable[..., LearningRequest]) -> None:
    launched, seen = Launched(), []
    head = Learner(RECIPE, launched)(asked(), None, never, lambda *_: seen.append(1))
    assert (launched.made, len(seen)) == (0, asked().iterations)
    assert torch.equal(weights(head), step_by_step(asked()))


def test_each_kind_of_head_has_its_own_recording_up_to_a_number(
    asked: Callable[..., LearningRequest],
) -> None:
    launched = Launched()
    learner = Learner(RECIPE, launched)
    for hidden in range(8, 8 + MOST_RECORDED + 1):
        request = asked(head=a_head(hidden=hidden))
        assert_learned_alike(weights(learner(request, None, never)), step_by_step(request))
    assert launched.made == learner.recordings == MOST_RECORDED
    assert launched.replays == MOST_RECORDED * asked().iterations


class Elsewhere:
    """A level that is not the features."""

    border = 0.0

    def gradients(self, at_features: Tensor, batch: Batch) -> Tensor:
        return at_features


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({}, True, id="at the features"),
        pytest.param({"level": Elsewhere()}, False, id="before them"),
        pytest.param({"level": Elsewhere(), "attention_weight": 0.0}, True, id="nowhere"),
        pytest.param({"reading": READINGS["released"]}, False, id="a reading that asks the host"),
        pytest.param({"reading": READINGS["released"], "attention_weight": 0.0}, True, id="none"),
    ],
)
def test_only_what_stays_on_the_device_is_recorded(
    asked: Callable[..., LearningRequest], values: dict[str, Any], expected: bool
) -> None:
    recipe, launched = replace(RECIPE, **values), Launched()
    assert is_recordable(recipe) is expected
    found = weights(Learner(recipe, launched)(asked(iterations=3), None, never))
    assert launched.made == int(expected)
    assert_learned_alike(found, step_by_step(asked(iterations=3), recipe))


def test_on_a_cpu_nothing_is_recorded(asked: Callable[..., LearningRequest]) -> None:
    assert recorder(torch.device("cpu")) is None
    assert torch.equal(weights(Learner(RECIPE, None)(asked(), None, never)), step_by_step(asked()))


class DeviceAlone(TorchDispatchMode):
    """Refuses every tensor that is not on the device that has no memory to read."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [one for one in tree_leaves((args, kwargs, result)) if isinstance(one, Tensor)]
        assert all(one.device.type == "meta" for one in tensors), func
        return result


@pytest.mark.parametrize("name", READINGS)
def test_a_step_asks_the_host_for_nothing_and_takes_nothing_from_it(name: str) -> None:
    """Both would end a recording; a tensor on the device ``meta`` cannot be asked either."""
    recipe = replace(RECIPE, reading=READINGS[name])
    step = StaticStep(a_head().to("meta"), recipe, torch.Size(SHAPE))
    expected = (
        contextlib.nullcontext()
        if is_recordable(recipe)
        else pytest.raises((RuntimeError, NotImplementedError))
    )
    with expected:
        step()  # warms up
        with DeviceAlone():
            step()


def recording_on(device: torch.device, recipe: Recipe = RECIPE) -> Learner:
    """A learner by the real thing."""
    if device.type != "cuda":
        pytest.skip("there are CUDA graphs on CUDA devices alone")
    return Learner(recipe, recorder(device))


@pytest.mark.parametrize("attention_weight", [0.0, 0.08], ids=["plain", "attentive"])
@pytest.mark.parametrize("mined_from", [16, 64], ids=["all", "the hardest"])
@pytest.mark.parametrize("name", HOST_FREE)
def test_a_recording_learns_what_steps_by_themselves_do(
    asked: Callable[..., LearningRequest],
    device: torch.device,
    caplog: pytest.LogCaptureFixture,
    attention_weight: float,
    mined_from: int,
    name: str,
) -> None:
    recipe = replace(RECIPE, attention_weight=attention_weight, mined_from=mined_from, reading=READINGS[name])
    learner = recording_on(device, recipe)
    for target in (1, 2, 1):
        found = weights(learner(asked(target), None, never))
        torch.testing.assert_close(found, step_by_step(asked(target), recipe), rtol=1e-2, atol=1e-3)
    assert learner.recordings == 1
    assert not caplog.records


def test_a_recording_gives_equal_weights_for_equal_seeds_whatever_came_between(
    asked: Callable[..., LearningRequest], device: torch.device
) -> None:
    learner, calls = recording_on(device), itertools.count()
    first = weights(learner(asked(1), None, never))
    assert learner(asked(2), None, lambda: next(calls) == 5) is None
    weights(learner(asked(3), None, never))
    assert torch.equal(weights(learner(asked(1), None, never)), first)


def test_a_recording_is_replayed_by_other_threads_in_learnings_lane(
    asked: Callable[..., LearningRequest], device: torch.device
) -> None:
    learner, lane, found = recording_on(device), Lane(device, is_urgent=False), {}

    def learned(target: int) -> None:
        with lane.entered():
            found[target] = [weights(learner(asked(target), None, never)) for _ in range(5)]

    learned(0)
    threads = [threading.Thread(target=learned, args=(target,)) for target in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert learner.recordings == 1
    for target, several in found.items():
        for one in several:
            torch.testing.assert_close(one, step_by_step(asked(target)), rtol=1e-2, atol=1e-3)


def asking(seen: Sensitivity) -> Tensor:
    """As printed, for those who ask first."""
    return as_printed(seen) if bool(seen.is_target.any()) else seen.gradients.sum()


def test_a_recording_that_fails_leaves_a_device_that_goes_on_step_by_step(
    asked: Callable[..., LearningRequest], device: torch.device, caplog: pytest.LogCaptureFixture
) -> None:
    learner = recording_on(device, replace(RECIPE, reading=asking))
    before = torch.cuda.current_stream(device)
    for target in (1, 2):
        found = weights(learner(asked(target), None, never))
        assert torch.equal(found, step_by_step(asked(target)))
    assert torch.cuda.current_stream(device) == before
    assert learner.recordings == 0
    assert len(caplog.records) == 1
    again = recording_on(device)  # and what can be recorded still is
    assert weights(again(asked(), None, never)).isfinite().all()
    assert again.recordings == 1
