"""Memories and classifiers as arrays and back: equal to the last bit, or refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from recip_tracker_core.classifier import Head
from recip_tracker_core.errors import TargetFileError
from recip_tracker_core.features import Batch
from recip_tracker_core.ridge import Moments, RidgeMemory
from recip_tracker_core.target_files import Arrays
from recip_tracker_core.target_parts import ClassifierPart, MemoryPart, Taught

CHANNELS, GRID, CROP_PX = 5, 2, 8


@pytest.fixture
def memory_part(device: torch.device) -> MemoryPart:
    return MemoryPart("locator", 4, 2, device)


@pytest.fixture
def classifier_part(device: torch.device) -> ClassifierPart:
    return ClassifierPart(Head(CHANNELS, GRID, 8, 0.5, seed=7).to(device), CHANNELS, GRID, CROP_PX)


def moments(value: float) -> Moments:
    return Moments(torch.full((4, 4), value), torch.full((4, 2), -value))


def batch(count: int, device: torch.device) -> Batch:
    """Samples as pooling gives them, channels last in memory."""
    generator = torch.Generator().manual_seed(count)
    features = torch.randn((count, GRID, GRID, CHANNELS), generator=generator).permute(0, 3, 1, 2)
    crops = torch.full((count, 3, CROP_PX, CROP_PX), count, dtype=torch.uint8)
    return Batch(features.to(device), crops.to(device))


def taught(device: torch.device) -> Taught:
    head, first_head = (Head(CHANNELS, GRID, 8, 0.5, seed).to(device) for seed in (1, 2))
    positives, negatives = (tuple(batch(count, device) for count in counts) for counts in ((4, 2, 3), (5, 0)))
    return Taught(head, first_head, positives, negatives)


def as_wanted(part: MemoryPart | ClassifierPart, arrays: Arrays) -> None:
    assert set(part.wanted) == set(arrays)
    for name, wanted in part.wanted.items():
        wanted.check_form(name, arrays[name].shape, arrays[name].dtype)
        wanted.check_values(name, arrays[name])


@pytest.mark.parametrize("recent", [None, moments(2.0)], ids=["fresh", "with-later-frames"])
def test_a_memory_comes_back_as_it_was(memory_part: MemoryPart, recent: Moments | None) -> None:
    count = 0 if recent is None else 17
    arrays = memory_part.pack(RidgeMemory(moments(1.0), recent, count))
    as_wanted(memory_part, arrays)
    found = memory_part.unpack(arrays)
    assert found.count == count
    assert found.first.gram.tolist() == [[1.0] * 4] * 4
    assert found.first.cross.tolist() == [[-1.0] * 2] * 4
    if recent is None:
        assert found.recent is None
    else:
        assert found.recent is not None
        assert found.recent.gram.tolist() == [[2.0] * 4] * 4
        assert found.recent.cross.tolist() == [[-2.0] * 2] * 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("count", np.array([0]), id="moments-without-frames"),
        pytest.param("gram", np.zeros((1, 4, 4), np.float32), id="one-gram-too-few"),
        pytest.param("cross", np.zeros((1, 4, 2), np.float32), id="one-cross-too-few"),
    ],
)
def test_a_memory_whose_parts_do_not_fit_together_is_refused(
    memory_part: MemoryPart, name: str, value: np.ndarray
) -> None:
    arrays = memory_part.pack(RidgeMemory(moments(1.0), moments(2.0), 17))
    with pytest.raises(TargetFileError, match=r"'locator\.gram' and 'locator\.cross', expected"):
        memory_part.unpack({**arrays, f"locator.{name}": value})


def test_frames_without_their_moments_are_refused(memory_part: MemoryPart) -> None:
    arrays = memory_part.pack(RidgeMemory(moments(1.0)))
    with pytest.raises(TargetFileError, match=r"has 1 and 1 .* expected 2 of each after 3 frames"):
        memory_part.unpack({**arrays, "locator.count": np.array([3])})


def test_a_classifier_comes_back_as_it_was(classifier_part: ClassifierPart, device: torch.device) -> None:
    before = taught(device)
    arrays = classifier_part.pack(before)
    as_wanted(classifier_part, arrays)
    assert arrays["positives.counts"].tolist() == [4, 2, 3]
    assert arrays["positives.features"].shape == (9, GRID, GRID, CHANNELS)
    found = classifier_part.unpack(arrays)
    for name in ("head", "first_head"):
        for one, other in zip(
            getattr(found, name).parameters(), getattr(before, name).parameters(), strict=True
        ):
            assert torch.equal(one, other)
    for one, other in zip(
        (*found.positives, *found.negatives), (*before.positives, *before.negatives), strict=True
    ):
        assert torch.equal(one.features, other.features)
        assert one.features.device == other.features.device
        assert one.features.permute(0, 2, 3, 1).is_contiguous()
        assert one.crops is not None
        assert torch.equal(one.crops, other.crops)


def test_a_head_that_comes_back_is_frozen_and_learns_as_those_of_this_tracker(
    classifier_part: ClassifierPart, device: torch.device
) -> None:
    head = classifier_part.unpack(classifier_part.pack(taught(device))).head
    assert not head.training
    assert not any(parameter.requires_grad for parameter in head.parameters())
    assert head.dropout == classifier_part.like.dropout
    assert head is not classifier_part.like


def test_what_comes_back_keeps_nothing_of_what_it_came_from(
    classifier_part: ClassifierPart, memory_part: MemoryPart, device: torch.device
) -> None:
    arrays = {
        **classifier_part.pack(taught(device)),
        **memory_part.pack(RidgeMemory(moments(1.0), moments(2.0), 1)),
    }
    memory = memory_part.unpack(arrays)
    for tensor in (classifier_part.unpack(arrays).positives[1].features, memory.first.gram):
        assert not any(np.shares_memory(tensor.cpu().numpy(), array) for array in arrays.values())
        assert tensor.untyped_storage().nbytes() == 4 * tensor.numel()


@pytest.mark.parametrize("part", ["features", "crops"])
def test_samples_that_are_not_as_many_as_their_frames_have_are_refused(
    classifier_part: ClassifierPart, device: torch.device, part: str
) -> None:
    arrays = classifier_part.pack(taught(device))
    fewer = {**arrays, f"negatives.{part}": arrays[f"negatives.{part}"][:-1]}
    with pytest.raises(TargetFileError, match=rf"has 4 for 'negatives\.{part}', expected 5"):
        classifier_part.unpack(fewer)


def test_without_crops_there_are_none(classifier_part: ClassifierPart, device: torch.device) -> None:
    part, before = replace(classifier_part, crop_px=0), taught(device)
    bare = replace(before, positives=(Batch(before.positives[0].features),), negatives=before.negatives[:1])
    bare = replace(bare, negatives=(Batch(before.negatives[0].features),))
    arrays = part.pack(bare)
    as_wanted(part, arrays)
    assert part.unpack(arrays).positives[0].crops is None
