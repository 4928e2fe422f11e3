"""What is learned of a target: from its first frame, and from later ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from recip_tracker_core import TrackerConfig
from recip_tracker_core.appearance import Appearance, Completed, FirstLook, Lesson, Part, sharpness
from recip_tracker_core.build import build_classifier
from recip_tracker_core.encoding import MapSource, taps
from recip_tracker_core.errors import LearningError
from recip_tracker_core.locator import Locator
from recip_tracker_core.parameters import replaced
from recip_tracker_core.refinement import BoxRefiner
from recip_tracker_core.teaching import Teacher

MIDDLE = np.full(2, 80.0)
QUICK = {
    "map.region_px": 160,
    "map.target_px": 48.0,
    "locator.grid": 3,
    "locator.turns": 4,
    "refiner.grid": 3,
    "refiner.first_samples": 40,
    "classifier.hidden": 16,
    "first_fit.positives": 42,
    "first_fit.negatives": 84,
    "first_fit.iterations": 5,
    "update.positives": 6,
    "update.negatives": 9,
    "update.iterations": 2,
    "update.interval": 4,
    "memory.long_frames": 3,
    "memory.short_frames": 2,
}


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def made(map_source: MapSource, device: torch.device) -> Callable[..., Teacher]:
    """``made(**values)``: a teacher of small appearances."""

    def make(**values: object) -> Teacher:
        settings = replaced(TrackerConfig(), {**QUICK, **values})
        return Teacher(
            map_source,
            Locator(settings.locator, map_source.stage, settings.map.region_px, settings.seed),
            BoxRefiner(settings.refiner, map_source.stage, settings.seed),
            build_classifier(settings, device),
            settings,
        )

    return make


@pytest.fixture(scope="module")
def first_look(scene) -> FirstLook:
    return FirstLook(scene.frame.image, scene.box)


@pytest.fixture(scope="module")
def known(made: Callable[..., Teacher], first_look: FirstLook) -> Appearance:
    """After the first look; frozen, so one serves every test."""
    appearance = made()(first_look, None, never)
    assert appearance is not None
    return appearance


@pytest.fixture
def lesson(scene) -> Callable[..., Lesson]:
    """``lesson(frame, trust=1)``: that the target is what was background beside it, which is news."""
    features = scene.seen(shift_px=(-50.0, -45.0))

    def of(frame: int, trust: float = 1.0) -> Lesson:
        return Lesson(features, MIDDLE, scene.size_px, trust, frame)

    return of


def tensors_of(known: Appearance) -> list[torch.Tensor]:
    heads = [parameter for head in (known.head, known.first_head) if head for parameter in head.parameters()]
    memories = [known.locator_memory.first.gram, known.refiner_memory.first.gram]
    for recent in (known.locator_memory.recent, known.refiner_memory.recent):
        memories += [recent.gram, recent.cross] if recent else []
    batches = [*known.samples.positives, *known.samples.negatives] if known.samples else []
    samples = [batch.features for batch in batches]
    return [known.finder, known.witness, known.regression, *heads, *memories, *samples]


def are_equal(one: Appearance, other: Appearance) -> bool:
    pairs = zip(tensors_of(one), tensors_of(other), strict=True)
    return all(torch.equal(a, b) for a, b in pairs) and one.first_peak == other.first_peak


def response(known: Appearance, features: torch.Tensor, size_px: np.ndarray, at_px: np.ndarray) -> float:
    """Of the finder at a place."""
    return (taps(features, at_px[None], size_px, known.encoder.stage, 3) @ known.finder).item()


def test_a_first_look_gives_all_that_a_frame_needs(known: Appearance, scene) -> None:
    width = 3 * 3 * known.encoder.channels + 1
    assert known.filters(0).shape == (width, 2)
    assert known.regression.shape == (width, 4)
    assert torch.equal(known.finder, known.witness[:, :1])
    assert known.first_head is known.head is not None
    assert not any(parameter.requires_grad for parameter in known.head.parameters())
    assert 0.6 < known.first_peak < 1.3
    assert known.first_sharpness > 5
    around = [MIDDLE + shift for shift in ([-2, -2], [2, -2], [-2, 2], [2, 2])]  # the nearest half cells
    said = [response(known, scene.seen(), scene.size_px, place) for place in around]
    assert max(said) == pytest.approx(known.first_peak, rel=1e-3)
    far = response(known, scene.seen(), scene.size_px, MIDDLE + scene.size_px)
    assert far < 0.3 * known.first_peak


def test_the_witness_knows_a_compact_target_at_every_turn(known: Appearance, scene) -> None:
    assert known.turns == 4
    stage, around = known.encoder.stage, [MIDDLE + shift for shift in ([-2, -2], [2, -2], [-2, 2], [2, 2])]
    said = np.array(
        [
            (taps(scene.seen(degrees=degrees), np.stack(around), scene.size_px, stage, 3) @ known.witness)
            .max(dim=0)
            .values.numpy()
            for degrees in (0.0, 90.0, 180.0, 270.0)
        ]
    )
    np.testing.assert_allclose(said.diagonal(), known.first_peak, rtol=1e-3)
    assert (said < 0.7 * known.first_peak).sum() == 12  # all but those of its own turn
    assert torch.equal(known.filters(3, -1)[:, 1], known.filters(3, -1)[:, 2])


def test_a_long_target_is_known_upright_alone_and_so_is_one_that_is_not_known_whole(
    made: Callable[..., Teacher], first_look: FirstLook
) -> None:
    box = first_look.box
    long = replace(first_look, box=replace(box, h=box.h * 0.6))
    assert made()(long, None, never).turns == 1
    assert made()(replace(first_look, part=Part.BEGINNING), None, never).turns == 1
    assert made(**{"locator.turns": 1})(first_look, None, never).turns == 1


def test_sharpness_is_the_peak_over_its_sidelobes() -> None:
    # mean 2, deviation 1
    assert sharpness(7.0, np.array([1, 3, 1, 3], np.float32)) == pytest.approx(5, rel=1e-5)


def test_equal_first_looks_give_equal_appearances_bit_by_bit(
    made: Callable[..., Teacher], first_look: FirstLook, known: Appearance
) -> None:
    again = made()(first_look, known, never)  # whatever was known before
    assert again is not None
    assert are_equal(again, known)


def test_another_seed_learns_from_other_points(
    made: Callable[..., Teacher], first_look: FirstLook, known: Appearance
) -> None:
    other = made(seed=5)(first_look, None, never)
    assert other is not None
    assert not torch.equal(other.finder, known.finder)


def test_a_lesson_is_a_function_of_itself_and_of_what_is_known(
    made: Callable[..., Teacher], known: Appearance, lesson: Callable[..., Lesson]
) -> None:
    kept = [tensor.clone() for tensor in tensors_of(known)]
    once, again = (made()(lesson(4), known, never) for _ in range(2))
    assert once is not None
    assert again is not None
    assert are_equal(once, again)
    assert not torch.equal(once.finder, known.finder)
    assert all(torch.equal(a, b) for a, b in zip(tensors_of(known), kept, strict=True))


def test_what_the_first_frame_left_stays(
    made: Callable[..., Teacher], known: Appearance, lesson: Callable[..., Lesson]
) -> None:
    teacher, latest = made(), known
    for frame in range(1, 9):
        latest = teacher(lesson(frame), latest, never)
    assert latest.head is not known.head
    assert latest.first_head is known.first_head
    assert latest.encoder is known.encoder
    assert torch.equal(latest.witness, known.witness)
    assert (latest.first_peak, latest.first_sharpness) == (known.first_peak, known.first_sharpness)
    assert torch.equal(latest.locator_memory.first.gram, known.locator_memory.first.gram)


def test_the_finder_learns_what_it_is_shown_and_keeps_the_first_frame(
    made: Callable[..., Teacher], known: Appearance, lesson: Callable[..., Lesson], scene
) -> None:
    teacher, latest = made(**{"ridge.ramp": 4}), known
    for frame in range(1, 6):
        latest = teacher(lesson(frame), latest, never)
    news, size = lesson(0).features, scene.size_px
    assert response(known, news, size, MIDDLE) < 0.3
    assert response(latest, news, size, MIDDLE) > 0.6
    assert response(latest, scene.seen(), size, MIDDLE) > 0.6


@pytest.mark.parametrize("interval", [2, 5])
def test_the_less_a_frame_is_trusted_the_less_it_changes(
    made: Callable[..., Teacher], known: Appearance, lesson: Callable[..., Lesson], scene, interval: int
) -> None:
    teacher = made(**{"ridge.interval": interval, "ridge.ramp": 2})
    usual = Lesson(scene.seen(), MIDDLE, scene.size_px, 1.0, 1)
    before = teacher(usual, teacher(usual, known, never), never)
    said = [
        response(teacher(lesson(4, trust), before, never), lesson(4).features, scene.size_px, MIDDLE)
        for trust in (0.001, 0.1, 1.0)
    ]
    unchanged = teacher(replace(usual, frame=4), before, never)
    usually = response(unchanged, lesson(4).features, scene.size_px, MIDDLE)
    assert said[0] == pytest.approx(usually, abs=0.05)
    assert said[0] < said[1] < said[2]


def test_a_head_learns_when_its_interval_is_over_and_not_before(
    made: Callable[..., Teacher], known: Appearance, lesson: Callable[..., Lesson]
) -> None:
    teacher, latest, learned = made(), known, []
    for frame in range(1, 11):
        after = teacher(lesson(frame), latest, never)
        learned += [frame] if after.head is not latest.head else []
        latest = after
    assert learned == [4, 8]
    assert latest.head_frame == 8


def test_an_interval_that_fell_due_while_nothing_was_learned_is_over_at_the_next_lesson(
    made: Callable[..., Teacher], known: Appearance, lesson: Callable[..., Lesson]
) -> None:
    assert made()(lesson(70), known, never).head_frame == 70


def test_of_later_frames_so_many_samples_are_kept_and_of_the_first_all(
    made: Callable[..., Teacher], known: Appearance, lesson: Callable[..., Lesson]
) -> None:
    teacher, latest = made(**{"update.interval": 1}), known
    assert len(known.samples.positives[0]) >= 42
    assert len(known.samples.negatives[0]) >= 60
    for frame in range(1, 7):
        latest = teacher(lesson(frame), latest, never)
    positives, negatives = latest.samples.positives, latest.samples.negatives
    assert [len(samples) for samples in positives[1:]] == [6] * 3
    assert [len(samples) for samples in negatives[1:]] == [9] * 2
    assert positives[0] is known.samples.positives[0]
    assert negatives[0] is known.samples.negatives[0]
    for samples in (*positives, *negatives):  # no view that keeps a larger tensor alive
        features = samples.features
        assert features.untyped_storage().nbytes() == features.numel() * features.element_size()
        assert samples.crops is None


def test_without_a_classifier_the_rest_is_learned_all_the_same(
    made: Callable[..., Teacher], first_look: FirstLook, lesson: Callable[..., Lesson], known: Appearance
) -> None:
    teacher = made(**{"classifier.enabled": False})
    first = teacher(first_look, None, never)
    after = teacher(lesson(4), first, never)
    assert torch.equal(first.finder, known.finder)
    for appearance in (first, after):
        assert appearance.head is appearance.first_head is appearance.samples is None
    assert not torch.equal(after.finder, first.finder)


@pytest.mark.parametrize("steps", [0, 1, 20, 34])
def test_a_first_look_that_is_told_to_stop_ends_without_an_appearance(
    made: Callable[..., Teacher], first_look: FirstLook, steps: int
) -> None:
    asked = iter(range(1000))
    assert made()(first_look, None, lambda: next(asked) >= steps) is None
    assert next(asked) <= steps + 2  # and soon


def test_a_lesson_that_is_told_to_stop_ends_without_an_appearance(
    made: Callable[..., Teacher], known: Appearance, lesson: Callable[..., Lesson]
) -> None:
    assert made()(lesson(4), known, lambda: True) is None


def test_a_lesson_before_the_first_look_is_refused(
    made: Callable[..., Teacher], lesson: Callable[..., Lesson]
) -> None:
    with pytest.raises(LearningError, match="before the first fit"):
        made()(lesson(1), None, never)


def test_a_lesson_that_leads_nowhere_is_refused(
    made: Callable[..., Teacher], known: Appearance, lesson: Callable[..., Lesson]
) -> None:
    broken = replace(lesson(1), features=torch.full_like(lesson(1).features, float("nan")))
    with pytest.raises(LearningError):
        made()(broken, known, never)


def test_a_beginning_is_enough_to_go_on_with_and_its_rest_makes_it_whole(
    made: Callable[..., Teacher], first_look: FirstLook, known: Appearance, scene
) -> None:
    beginning = made()(replace(first_look, part=Part.BEGINNING), None, never)
    assert beginning is not None
    far = response(beginning, scene.seen(), scene.size_px, MIDDLE + scene.size_px)
    assert far < 0.3 * beginning.first_peak
    assert not torch.equal(beginning.finder, known.finder)
    whole = made()(replace(first_look, part=Part.REST), beginning, never)
    assert whole is not None
    assert are_equal(whole, known)
    assert whole.encoder is beginning.encoder  # so lessons seen meanwhile can still be read


def test_a_fit_that_becomes_whole_keeps_what_lessons_taught_meanwhile(
    made: Callable[..., Teacher], first_look: FirstLook, lesson: Callable[..., Lesson], known: Appearance
) -> None:
    teach = made(**{"update.interval": 2})
    beginning = teach(replace(first_look, part=Part.BEGINNING), None, never)
    untaught = teach(Completed(known), beginning, never)
    assert untaught is not None
    assert are_equal(untaught, known)
    taught = beginning
    for frame in (1, 2, 3):
        taught = teach(lesson(frame), taught, never)
    completed = teach(Completed(known), taught, never)
    assert completed is not None
    assert torch.equal(completed.witness, known.witness)
    assert completed.first_peak == known.first_peak
    assert not torch.equal(completed.finder, known.finder)
    assert completed.locator_memory.first is known.locator_memory.first
    assert completed.locator_memory.recent is taught.locator_memory.recent
    assert (completed.lessons, completed.head_frame) == (3, taught.head_frame)
    assert completed.head is taught.head is not beginning.head
    assert completed.first_head is known.first_head
    assert completed.samples.positives[0] is known.samples.positives[0]
    assert completed.samples.positives[1:] == taught.samples.positives[1:] != ()


def test_what_is_remembered_of_a_target_is_bounded(
    made: Callable[..., Teacher], known: Appearance, lesson: Callable[..., Lesson]
) -> None:
    counts = {"update.positives": 7, "update.negatives": 9}
    teach = made(**counts, **{"memory.long_frames": 3, "memory.short_frames": 2, "update.interval": 1})
    first = len(known.samples.positives[0]), len(known.samples.negatives[0])
    taught = known
    for frame in range(1, 8):
        taught = teach(lesson(frame), taught, never)
        assert sum(map(len, taught.samples.positives)) <= first[0] + 3 * 7
        assert sum(map(len, taught.samples.negatives)) <= first[1] + 2 * 9
    assert (len(taught.samples.positives), len(taught.samples.negatives)) == (1 + 3, 1 + 2)
    assert taught.samples.positives[0] is known.samples.positives[0]
    for memory, before in (
        (taught.locator_memory, known.locator_memory),
        (taught.refiner_memory, known.refiner_memory),
    ):
        assert memory.recent.gram.shape == before.first.gram.shape
