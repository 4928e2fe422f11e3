"""Made absences hide the target and nothing else, leave room to recover in, and repeat by their seed."""

from __future__ import annotations

import pickle
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from recip_tracker_core.errors import ConfigError, SourceError
from recip_tracker_core.evaluation.absences import stressed
from recip_tracker_core.evaluation.doubles import Double
from recip_tracker_core.evaluation.edits import AnotherClip, Blank, Occluder, Shift
from recip_tracker_core.evaluation.sequences import Sequence

KINDS = (Occluder, Blank, AnotherClip, Shift, Double)
LONG = 540  # frames, enough for one event of each kind
WIDTH, HEIGHT = 160, 120  # of the first clip, pixels
TARGET = (50.0, 40.0, 20.0, 16.0)


def clip(
    root: Path,
    name: str = "first",
    frames: int = LONG,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    box: tuple[float, ...] = TARGET,
    scene: int = 0,
) -> Sequence:
    """A bright square that drifts to the right by a pixel in ten frames and back, over dark noise.

    Few files serve many frames: ten different pictures, of which each is shown ten times.
    """
    folder = root / name
    folder.mkdir()
    width, height = size
    generator = np.random.default_rng(scene)
    background = generator.integers(0, 80, (height, width, 3), np.uint8)
    files, truth = [], []
    for place in range(10):
        left, top, right, bottom = (round(edge) for edge in corners((box[0] + place, *box[1:])))
        image = background.copy()
        image[top:bottom, left:right] = generator.integers(180, 255, (bottom - top, right - left, 3))
        file = folder / f"{place}.png"
        cv2.imwrite(str(file), image)
        files += [file] * 10
        truth += [(box[0] + place, *box[1:])] * 10
    there_and_back = [*range(100), *range(99, -1, -1)] * (frames // 200 + 1)
    shown = there_and_back[:frames]
    return Sequence(name, tuple(files[i] for i in shown), np.array(truth)[shown])


def corners(box: tuple[float, ...]) -> tuple[float, float, float, float]:
    x, y, w, h = box
    return x, y, x + w, y + h


def of_kind(sequence: Sequence, kind: type) -> list:
    return [edit for edit in sequence.edits if isinstance(edit, kind)]


def pixels(sequence: Sequence, index: int) -> np.ndarray:
    return sequence.frame(index).image


def cut(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    left, top, right, bottom = (int(edge) for edge in corners(tuple(box)))
    assert left >= 0 and top >= 0 and right <= image.shape[1] and bottom <= image.shape[0]
    return image[top:bottom, left:right]


@pytest.fixture
def source(tmp_path: Path) -> Sequence:
    return clip(tmp_path)


@pytest.fixture
def donor(tmp_path: Path) -> Sequence:
    """Of another scene and another size."""
    return clip(tmp_path, "donor", frames=60, size=(90, 140), scene=1)


@pytest.fixture
def made(source: Sequence, donor: Sequence) -> Sequence:
    return stressed((source, donor), seed=0)[0]


def test_a_long_sequence_gets_every_kind_in_turn(made: Sequence) -> None:
    kinds = [type(edit) for edit in made.edits]
    assert set(kinds[:5]) == set(KINDS)
    assert kinds[5:] == kinds[: len(kinds) - 5]


def test_events_leave_frames_to_recover_in(source: Sequence, donor: Sequence) -> None:
    for seed in range(20):
        edits = stressed((source, donor), seed)[0].edits
        assert edits[0].start >= 30
        assert edits[-1].stop + 30 <= len(source)
        assert all(after.start - edit.stop >= 40 for edit, after in pairwise(edits))
        for edit in edits:
            low, high = (30, 45) if isinstance(edit, Shift | Double) else (15, 25)
            assert low <= edit.stop - edit.start <= high


def test_the_truth_is_nan_exactly_in_absences(source: Sequence, made: Sequence) -> None:
    absent = np.zeros(len(made), bool)
    for edit in made.edits:
        absent[edit.start : edit.stop] = (
            edit.hides if isinstance(edit, Double) else not isinstance(edit, Shift)
        )
    assert absent.any()
    np.testing.assert_array_equal(np.isnan(made.truth), np.repeat(absent[:, None], 4, axis=1))
    assert np.isfinite(source.truth).all()  # the one that came in is left as it was


def test_frames_outside_events_are_those_of_the_source(source: Sequence, made: Sequence) -> None:
    inside = {index for edit in made.edits for index in range(edit.start, edit.stop)}
    near = {edge for edit in made.edits for edge in (edit.start - 1, edit.stop)}
    for index in sorted(near | set(range(0, len(made), 25)) - inside):
        np.testing.assert_array_equal(pixels(made, index), pixels(source, index))
        np.testing.assert_array_equal(made.truth[index], source.truth[index])
    assert (made.name, made.files) == (source.name, source.files)


def test_every_frame_of_an_event_is_changed_and_the_image_that_came_in_is_not(
    source: Sequence, made: Sequence
) -> None:
    for edit in made.edits:
        for index in range(edit.start, edit.stop):
            image = pixels(source, index)
            image.flags.writeable = False
            changed = edit.apply(image, index)
            assert (changed.shape, changed.dtype) == (image.shape, np.uint8)
            assert (changed != image).any()


def test_an_occluder_hides_the_target_and_changes_nothing_far_from_it(
    source: Sequence, made: Sequence
) -> None:
    (occluder, *_) = of_kind(made, Occluder)
    for index in range(occluder.start, occluder.stop):
        before, after = pixels(source, index).astype(int), pixels(made, index).astype(int)
        x, y, w, h = source.truth[index]
        assert np.abs(cut(before, source.truth[index]) - cut(after, source.truth[index])).mean() > 100
        assert after.max() < 80  # no pixel of the bright target is left, nor a seam brighter than the scene
        far = np.ones(before.shape[:2], bool)
        far[int(y - h / 4) : int(y + 5 * h / 4), int(x - w / 4) : int(x + 5 * w / 4)] = False
        np.testing.assert_array_equal(after[far], before[far])


def test_an_occluder_mixes_by_distance_from_the_target() -> None:
    # Half of 1.3 and 1.5 target sizes are 26 and 30 px from the centre at x = 100: at the pixel whose middle
    # is 28.5 px away a share of (30 - 28.5) / 4 = 0.375 is patch, 200 there, and the rest is image, 40.
    image = np.full((200, 300, 3), 40, np.uint8)
    image[:, 130:] = 200
    occluder = Occluder(5, ((80.0, 80.0, 40.0, 40.0),), (2.0, 0.0))
    row = occluder.apply(image, 5)[100, :, 0]
    assert row[71] == round(0.375 * 200 + 0.625 * 40) == 100
    assert (row[74:126] == 200).all()
    assert (row[:70] == 40).all()


def test_an_occluder_takes_the_background_that_is_least_like_the_target(tmp_path: Path) -> None:
    source = clip(tmp_path, frames=110)
    for file in set(source.files):
        image = cv2.imread(str(file))
        image[:, :50] = 220  # like the target, to the left of it
        cv2.imwrite(str(file), image)
    events = [stressed((source,), seed)[0] for seed in range(12)]
    occluders = [occluder for each in events for occluder in of_kind(each, Occluder)]
    assert occluders
    assert all(occluder.displacement[0] >= 0 for occluder in occluders)


def test_a_target_that_leaves_no_room_beside_it_is_neither_covered_nor_moved(tmp_path: Path) -> None:
    source = clip(tmp_path, box=(20.0, 10.0, 110.0, 100.0))
    kinds = {type(edit) for edit in stressed((source,), seed=0)[0].edits}
    assert kinds == {Blank}


def test_a_double_stays_inside_the_image_and_comes_from_where_it_is_clear_of_the_target(
    source: Sequence, donor: Sequence
) -> None:
    made = [stressed((source, donor), seed)[0] for seed in range(20)]
    doubles = [double for each in made for double in of_kind(each, Double)]
    assert {double.is_in_front for double in doubles} == {True, False}
    for double in doubles:
        low, high = double.places[:, :2], double.places[:, :2] + double.places[:, 2:]
        assert (low >= 0).all()
        assert (high <= (WIDTH, HEIGHT)).all()
        away = np.abs(double.places - source.truth[double.start : double.stop])[:, :2] / TARGET[2:]
        assert away[[0, -1]].max(axis=1).min() > 1  # in target sizes
        assert bool(double.hides.any()) == double.is_in_front


def test_a_double_is_cut_from_the_target_of_thirty_frames_ago(source: Sequence, made: Sequence) -> None:
    (double, *_) = of_kind(made, Double)
    past = slice(double.start - 30, double.stop - 30)
    assert double.files == source.files[past]
    np.testing.assert_array_equal(double.cuts, source.truth[past])


def test_a_blank_frame_is_grey_and_no_two_are_equal(made: Sequence) -> None:
    (blank, *_) = of_kind(made, Blank)
    first, second = (pixels(made, index) for index in (blank.start, blank.start + 1))
    assert abs(first.mean() - 128) < 1
    assert 0 < first.std() < 10
    assert (first[..., 0] == first[..., 2]).all()
    assert (first != second).any()


def test_another_clip_plays_in_its_own_order_at_the_size_of_this_one(made: Sequence, donor: Sequence) -> None:
    (another, *_) = of_kind(made, AnotherClip)
    length = another.stop - another.start
    runs = [donor.files[first : first + length] for first in range(len(donor))]
    assert another.files in runs
    assert {pixels(made, index).shape for index in range(another.start, another.stop)} == {(120, 160, 3)}


def test_a_donor_shorter_than_the_event_starts_again(tmp_path: Path, source: Sequence) -> None:
    short = clip(tmp_path, "short", frames=4, scene=1)
    (another, *_) = of_kind(stressed((source, short), seed=0)[0], AnotherClip)
    assert another.files == tuple(short.files[i % 4] for i in range(len(another.files)))


def test_frames_that_show_the_target_itself_are_not_lent(tmp_path: Path, source: Sequence) -> None:
    copied = clip(tmp_path, "copied")  # the same images in another folder
    beside = Sequence("beside", source.files[50:], source.truth[50:])  # later in the same clip
    first = stressed((source, copied, beside), seed=0)[0]
    assert first.edits
    assert not of_kind(first, AnotherClip)


def test_what_is_shown_after_a_jump_is_what_was_shown_before_it(source: Sequence, made: Sequence) -> None:
    (shift, *_) = of_kind(made, Shift)
    for index in range(shift.start, shift.stop):
        np.testing.assert_array_equal(
            cut(pixels(made, index), made.truth[index]), cut(pixels(source, index), source.truth[index])
        )
        moved = np.abs(made.truth[index] - source.truth[index])[:2] / source.truth[index, 2:]
        assert moved.max() >= 1.5
    assert {shift.start, shift.stop} <= set(made.jumps)


def test_every_absence_and_jump_has_its_return(made: Sequence) -> None:
    others = [edit for edit in made.edits if not isinstance(edit, Double)]
    expected = {edit.stop for edit in others} | {shift.start for shift in of_kind(made, Shift)}
    for double in of_kind(made, Double):
        expected |= {double.start + int(last) + 1 for last in np.flatnonzero(double.hides)[-1:]}
    assert set(made.returns) == expected


def test_a_target_partly_outside_the_image_does_not_jump(source: Sequence, donor: Sequence) -> None:
    outside = replace(source, truth=source.truth - (60, 0, 0, 0))  # x from -10 to -1, centre from 0 to 9
    first = stressed((outside, donor), seed=0)[0]
    assert {type(edit) for edit in first.edits} == {Occluder, Blank, AnotherClip}  # nor has it a double


def test_a_seed_repeats_and_another_differs(source: Sequence, donor: Sequence) -> None:
    first, again, other = (stressed((source, donor), seed)[0] for seed in (4, 4, 5))
    assert first.edits == again.edits
    assert first.edits != other.edits
    for edit in first.edits:
        for index in (edit.start, edit.stop - 1):
            np.testing.assert_array_equal(pixels(first, index), pixels(again, index))
    blanks = [of_kind(each, Blank)[0] for each in (first, other)]
    image = pixels(source, 0)
    assert (blanks[0].apply(image, 40) != blanks[1].apply(image, 40)).any()


def test_two_sequences_of_one_seed_differ(source: Sequence, donor: Sequence) -> None:
    twin = replace(source, name="twin")
    first, second, _ = stressed((source, twin, donor), seed=0)
    assert [edit.start for edit in first.edits] != [edit.start for edit in second.edits]


def test_a_sequence_more_in_the_set_changes_no_schedule(
    tmp_path: Path, source: Sequence, donor: Sequence
) -> None:
    third = clip(tmp_path, "third", frames=70, scene=2)

    def schedule(sequence: Sequence) -> list:
        return [(type(edit), edit.start, edit.stop) for edit in sequence.edits]

    few, many = stressed((source, donor), seed=0)[0], stressed((third, donor, source), seed=0)[2]
    assert schedule(few) == schedule(many)
    np.testing.assert_array_equal(few.truth, many.truth)


def test_natural_absences_and_the_frames_around_them_are_left_alone(
    source: Sequence, donor: Sequence
) -> None:
    truth = source.truth.copy()
    truth[150:160] = np.nan
    first = stressed((replace(source, truth=truth), donor), seed=0)[0]
    assert len(first.edits) >= 3
    for edit in first.edits:
        assert edit.stop + 30 <= 150 or edit.start - 30 >= 160


@pytest.mark.parametrize(("frames", "events"), [(74, 0), (75, 1), (81, 1), (129, 1)], ids=str)
def test_a_short_sequence_gets_an_event_where_one_fits(tmp_path: Path, frames: int, events: int) -> None:
    # 30 frames before it, 15 of it at least, 30 after it; a second one needs 40 between and 15 more.
    source = clip(tmp_path, frames=frames)
    for seed in range(5):
        assert len(stressed((source,), seed)[0].edits) == events


def test_a_sequence_without_events_comes_back_as_it_is(tmp_path: Path) -> None:
    source = clip(tmp_path, frames=60)
    assert stressed((source,), seed=0)[0] is source


def test_edits_travel_and_carry_no_images(made: Sequence) -> None:
    for edit in made.edits:
        sent = pickle.dumps(edit)
        assert len(sent) < 5000
        assert pickle.loads(sent) == edit  # noqa: S301


def test_a_negative_seed_is_refused(source: Sequence) -> None:
    with pytest.raises(ConfigError, match="0 or more, got -1"):
        stressed((source,), seed=-1)


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, source: Sequence) -> None:
    absent = Sequence("absent", (tmp_path / "none.png",) * len(source), source.truth)
    with pytest.raises(SourceError, match=r"none\.png"):
        stressed((source, absent), seed=0)
