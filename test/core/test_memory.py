"""A bounded store that never forgets the first frame."""

import torch

from recip_tracker_core.features import Batch
from recip_tracker_core.memory import SampleMemory


def sample(number: int) -> Batch:
    return Batch(torch.full((1, 1, 1, 1), float(number)), torch.full((1, 3, 2, 2), number, dtype=torch.uint8))


def numbers(samples: tuple[Batch, ...]) -> list[int]:
    """Of features whose crops are their own."""
    found = [int(batch.features) for batch in samples]
    assert [int(batch.crops[0, 0, 0, 0]) for batch in samples if batch.crops is not None] == found
    return found


def filled(frames: int) -> SampleMemory:
    """The first frame is 0 (negatives 100), the n-th tracked one n (negatives 100 + n)."""
    memory = SampleMemory(long_frames=4, short_frames=2)
    memory.restart(sample(0), sample(100))
    for number in range(1, frames + 1):
        memory.add(sample(number), sample(100 + number))
    return memory


def test_the_first_frame_is_kept_and_the_oldest_others_are_forgotten() -> None:
    positives, negatives = filled(9).long_term()
    assert numbers(positives) == [0, 6, 7, 8, 9]
    assert numbers(negatives) == [100, 108, 109]


def test_the_short_term_has_the_first_frame_and_the_most_recent() -> None:
    positives, negatives = filled(9).short_term()
    assert numbers(positives) == [0, 8, 9]
    assert numbers(negatives) == [100, 108, 109]


def test_a_fresh_memory_has_the_first_frame_alone() -> None:
    memory = filled(0)
    assert memory.long_term() == memory.short_term()
    assert numbers(memory.long_term()[0]) == [0]


def test_a_restart_forgets_everything_of_the_target_before() -> None:
    memory = filled(9)
    memory.restart(sample(50), sample(150))
    positives, negatives = memory.long_term()
    assert numbers(positives) == [50]
    assert numbers(negatives) == [150]


def test_what_it_holds_can_be_given_to_another_and_forgets_there_as_here() -> None:
    memory, other = filled(9), filled(3)
    other.restore(*memory.long_term())
    assert [numbers(kind) for kind in other.long_term()] == [[0, 6, 7, 8, 9], [100, 108, 109]]
    assert numbers(other.short_term()[0]) == [0, 8, 9]
    other.add(sample(10), sample(110))
    assert [numbers(kind) for kind in other.long_term()] == [[0, 7, 8, 9, 10], [100, 109, 110]]


def test_what_a_young_memory_holds_is_not_held_twice_by_another() -> None:
    memory = filled(0)
    memory.restore(*filled(1).long_term())
    assert [numbers(kind) for kind in memory.long_term()] == [[0, 1], [100, 101]]


def test_a_shorter_memory_keeps_the_first_frame_and_the_newest_of_what_it_is_given() -> None:
    memory = SampleMemory(long_frames=2, short_frames=1)
    memory.restore(*filled(9).long_term())
    assert [numbers(kind) for kind in memory.long_term()] == [[0, 8, 9], [100, 109]]
