"""Benchmarks are read as they lie on disk, and what does not fit together is refused by the file's name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from recip_tracker_core.errors import ConfigError, SourceError
from recip_tracker_core.evaluation.datasets import FORMATS, open_dataset
from recip_tracker_core.evaluation.datasets.uav123_parts import PARTS
from recip_tracker_core.evaluation.sequences import Sequence

PICTURE = np.full((6, 8, 3), (10, 20, 200), np.uint8)  # BGR
BOX = "1,2,3,4"


def write(file: Path, *lines: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines))


def images(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        done, data = cv2.imencode(Path(name).suffix, PICTURE)
        assert done
        (folder / name).write_bytes(data.tobytes())


def numbers(pattern: str, first: int, last: int) -> list[str]:
    return [pattern % number for number in range(first, last + 1)]


def otb(folder: Path, *truth: str, count: int | None = None, first: int = 1) -> None:
    images(folder / "img", numbers("%04d.jpg", first, first - 1 + (len(truth) if count is None else count)))
    write(folder / "groundtruth_rect.txt", *truth)


def got10k(folder: Path, cover: str, absence: str, truth: tuple[str, ...] | None = None) -> None:
    images(folder, numbers("%08d.jpg", 1, len(cover)))
    write(folder / "groundtruth.txt", *(truth or (BOX,) * len(cover)))
    write(folder / "cover.label", *cover)
    write(folder / "absence.label", *absence)
    write(folder.parent / "list.txt", *sorted(item.name for item in folder.parent.iterdir() if item.is_dir()))


def lasot(folder: Path, occluded: str, out_of_view: str) -> None:
    images(folder / "img", numbers("%08d.jpg", 1, len(occluded)))
    write(folder / "groundtruth.txt", *(BOX,) * len(occluded))
    write(folder / "full_occlusion.txt", ",".join(occluded))
    write(folder / "out_of_view.txt", ",".join(out_of_view))


def uav123(root: Path, name: str, *truth: str, folder: str, count: int, attributes: str = "0" * 12) -> None:
    images(root / "data_seq" / "UAV123" / folder, numbers("%06d.jpg", 1, count))
    write(root / "anno" / "UAV123" / f"{name}.txt", *truth)
    write(root / "anno" / "UAV123" / "att" / f"{name}.txt", ",".join(attributes))


def vot(root: Path, *truth: str, pictures: str = "color/%08d.jpg") -> Path:
    folder = root / "bag"
    place, _, pattern = pictures.rpartition("/")
    images(folder / place, numbers(pattern, 1, len(truth)))
    write(folder / "groundtruth.txt", *truth)
    write(root / "list.txt", "bag")
    return folder


def only(root: Path, format: str = "auto") -> Sequence:
    (sequence,) = open_dataset(root, format).sequences
    return sequence


def absent(sequence: Sequence) -> str:
    return "".join("x" if gone else "." for gone in ~sequence.is_present)


MAKERS: dict[str, Callable[[Path], object]] = {
    "otb": lambda root: otb(root / "Bolt", BOX, BOX),
    "got10k": lambda root: got10k(root / "val" / "GOT-10k_Val_000001", "88", "00"),
    "lasot": lambda root: lasot(root / "cat" / "cat-1", "00", "00"),
    "uav123": lambda root: uav123(root, "bike1", BOX, BOX, folder="bike1", count=2),
    "vot": lambda root: vot(root, BOX, BOX),
}


@pytest.mark.parametrize("format", FORMATS)
def test_a_benchmark_is_recognised_from_its_folder(tmp_path: Path, format: str) -> None:
    MAKERS[format](tmp_path / "set")
    dataset = open_dataset(tmp_path / "set")
    assert (dataset.name, dataset.format) == ("set", format)
    assert dataset.sequences[0].truth.tolist() == [[1, 2, 3, 4]] * 2
    assert dataset.sequences[0].frame(1).image.shape == PICTURE.shape


def test_sequences_come_by_name_or_in_the_order_asked_for(tmp_path: Path) -> None:
    for name in ("Man", "Bolt", "Crossing"):
        otb(tmp_path / name, BOX)
    write(tmp_path / "README.md", "no sequence")
    assert [s.name for s in open_dataset(tmp_path).sequences] == ["Bolt", "Crossing", "Man"]
    assert [s.name for s in open_dataset(tmp_path, names=["Man", "Bolt"]).sequences] == ["Man", "Bolt"]


def test_a_sequence_not_asked_for_is_not_read(tmp_path: Path) -> None:
    otb(tmp_path / "Bolt", BOX)
    otb(tmp_path / "Man", "broken")
    assert [s.name for s in open_dataset(tmp_path, names=["Bolt"]).sequences] == ["Bolt"]


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        pytest.param({"names": ["Bolt", "Crosing"]}, "'Crosing', did you mean 'Crossing'?", id="misspelt"),
        pytest.param({"names": ["Q"]}, r"'Q', expected one of \['Bolt', 'Crossing'\]", id="unknown"),
        pytest.param({"names": ["Bolt", "Bolt"]}, "'Bolt' is named 2 times", id="twice"),
        pytest.param({"format": "otb100"}, "'otb100', expected 'auto' or one of", id="format"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_by_name(tmp_path: Path, choice: dict, said: str) -> None:
    for name in ("Bolt", "Crossing"):
        otb(tmp_path / name, BOX)
    with pytest.raises(ConfigError, match=said):
        open_dataset(tmp_path, **choice)


def test_an_absent_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"'{tmp_path / 'none'}' is absent"):
        open_dataset(tmp_path / "none")


@pytest.mark.parametrize("format", ["auto", *FORMATS])
def test_a_root_without_sequences_is_refused(tmp_path: Path, format: str) -> None:
    with pytest.raises(SourceError, match=f"'{tmp_path}' holds no sequences"):
        open_dataset(tmp_path, format)


def test_two_sequences_of_one_name_are_refused(tmp_path: Path) -> None:
    otb(tmp_path / "Jogging-1", BOX)
    otb(tmp_path / "Jogging", BOX)
    (tmp_path / "Jogging" / "groundtruth_rect.txt").rename(tmp_path / "Jogging" / "groundtruth_rect.1.txt")
    write(tmp_path / "Jogging" / "groundtruth_rect.2.txt", BOX)
    with pytest.raises(SourceError, match="2 sequences named 'Jogging-1'"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        pytest.param(["1,2,3,4", "1,2,x,4"], "has the line '1,2,x,4', expected numbers", id="letters"),
        pytest.param(["1,2,3,inf"], "has the line '1,2,3,inf', expected numbers", id="infinite"),
        pytest.param(["1,2,3"], "has the line '1,2,3', expected x,y,w,h", id="three"),
        pytest.param([], "is empty", id="empty"),
        pytest.param([BOX] * 3, "has 3 boxes and sequence 'Bolt' has 2 images", id="too-many"),
        pytest.param([BOX], "has 1 boxes and sequence 'Bolt' has 2 images", id="too-few"),
    ],
)
def test_truth_that_is_none_is_refused_by_its_file(tmp_path: Path, lines: list[str], said: str) -> None:
    otb(tmp_path / "Bolt", *lines, count=2)
    with pytest.raises(SourceError) as refusal:
        open_dataset(tmp_path)
    assert f"'{tmp_path / 'Bolt' / 'groundtruth_rect.txt'}' {said}" in str(refusal.value)


def test_a_clip_without_images_is_refused_by_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "Bolt" / "groundtruth_rect.txt", BOX)
    with pytest.raises(SourceError, match=f"'{tmp_path / 'Bolt' / 'img'}' is absent or has no images"):
        open_dataset(tmp_path)


@pytest.mark.parametrize("line", ["1,2.5,3,4", "1\t2.5\t3\t4", " 1 2.5  3 4 ", "1, 2.5, 3, 4"])
def test_otb_boxes_are_taken_as_they_are_whatever_parts_them(tmp_path: Path, line: str) -> None:
    otb(tmp_path / "Bolt", line)
    assert only(tmp_path).truth.tolist() == [[1, 2.5, 3, 4]]


@pytest.mark.parametrize("line", ["nan,nan,nan,nan", "NaN NaN NaN NaN", "nan"])
def test_otb_lines_of_nan_say_absent(tmp_path: Path, line: str) -> None:
    otb(tmp_path / "Bolt", BOX, line, BOX)
    assert absent(only(tmp_path)) == ".x."


def test_one_sequence_is_a_dataset_too(tmp_path: Path) -> None:
    otb(tmp_path / "mine", BOX)
    write(tmp_path / "mine" / "attributes.txt", "low light, blur", "rain,")
    dataset = open_dataset(tmp_path / "mine")
    assert (dataset.name, dataset.format) == ("mine", "otb")
    assert (dataset.sequences[0].name, dataset.sequences[0].attributes) == (
        "mine",
        ("low light", "blur", "rain"),
    )


def test_images_of_ones_own_come_by_their_numbers(tmp_path: Path) -> None:
    images(tmp_path / "img", ["10.PNG", "2.jpg", "1.jpeg"])
    write(tmp_path / "img" / "._1.jpg", "of a Mac")
    write(tmp_path / "img" / "notes.txt", "no image")
    write(tmp_path / "groundtruth_rect.txt", BOX, BOX, BOX)
    assert [file.name for file in only(tmp_path).files] == ["1.jpeg", "2.jpg", "10.PNG"]


def test_each_target_of_a_clip_is_a_sequence(tmp_path: Path) -> None:
    images(tmp_path / "Jogging" / "img", ["0001.jpg"])
    write(tmp_path / "Jogging" / "groundtruth_rect.1.txt", BOX)
    write(tmp_path / "Jogging" / "groundtruth_rect.2.txt", "5,6,7,8")
    found = {s.name: s.truth.tolist() for s in open_dataset(tmp_path).sequences}
    assert found == {"Jogging-1": [[1, 2, 3, 4]], "Jogging-2": [[5, 6, 7, 8]]}


def test_an_empty_truth_beside_another_is_no_target(tmp_path: Path) -> None:
    images(tmp_path / "Human4" / "img", ["0001.jpg"])
    write(tmp_path / "Human4" / "groundtruth_rect.1.txt")
    write(tmp_path / "Human4" / "groundtruth_rect.2.txt", BOX)
    assert only(tmp_path).name == "Human4"


@pytest.mark.parametrize(
    ("name", "first", "count", "used"),
    [
        pytest.param("BlurCar3", 1, 360, (3, 359), id="both-ends-cut"),
        pytest.param("Football1", 1, 80, (1, 74), id="end-cut"),
        pytest.param("BlurCar3", 3, 357, (3, 359), id="cut-already"),
    ],
)
def test_truth_of_a_part_of_a_clip_meets_the_images_it_is_of(
    tmp_path: Path, name: str, first: int, count: int, used: tuple[int, int]
) -> None:
    otb(tmp_path / name, *[BOX] * (used[1] - used[0] + 1), first=first, count=count)
    files = only(tmp_path).files
    assert (files[0].name, files[-1].name) == (f"{used[0]:04}.jpg", f"{used[1]:04}.jpg")


def test_got10k_frames_without_cover_or_marked_absent_are_absent_but_never_the_first(tmp_path: Path) -> None:
    got10k(tmp_path / "GOT-10k_Val_000001", cover="08018", absence="10010")
    assert absent(only(tmp_path)) == "..xx."


def test_got10k_of_several_subsets_is_the_validation(tmp_path: Path) -> None:
    for subset in ("Train", "Val"):
        got10k(tmp_path / subset.lower() / f"GOT-10k_{subset}_000001", "8", "0")
    assert only(tmp_path).name == "GOT-10k_Val_000001"
    assert only(tmp_path / "train").name == "GOT-10k_Train_000001"


def test_got10k_of_the_test_subset_is_left_to_its_server(tmp_path: Path) -> None:
    got10k(tmp_path / "test" / "GOT-10k_Test_000001", "88", "00", truth=(BOX,))
    with pytest.raises(SourceError, match=r"groundtruth\.txt' .* only be judged by the benchmark's server"):
        open_dataset(tmp_path)


def test_labels_of_another_number_of_frames_are_refused(tmp_path: Path) -> None:
    got10k(tmp_path / "GOT-10k_Val_000001", cover="888", absence="00")
    with pytest.raises(SourceError, match=r"absence\.label' has 2 numbers, expected 3"):
        open_dataset(tmp_path)


def test_a_folder_that_the_list_names_must_be_there(tmp_path: Path) -> None:
    write(tmp_path / "list.txt", "GOT-10k_Val_000001")
    with pytest.raises(SourceError, match=r"GOT-10k_Val_000001/groundtruth\.txt' cannot be read"):
        open_dataset(tmp_path)


def test_lasot_frames_occluded_or_out_of_view_are_absent_but_never_the_first(tmp_path: Path) -> None:
    lasot(tmp_path / "cat" / "cat-1", occluded="10100", out_of_view="00010")
    assert absent(only(tmp_path)) == "..xx."
    assert only(tmp_path).attributes == ("full occlusion", "out of view")


def test_lasot_attributes_are_of_frames_that_have_them(tmp_path: Path) -> None:
    lasot(tmp_path / "cat-1", occluded="000", out_of_view="010")
    assert only(tmp_path).attributes == ("out of view",)


@pytest.mark.parametrize("parent", ["cat", ""], ids=["of-a-class", "at-once"])
def test_lasot_uses_the_sequences_of_its_testing_set(tmp_path: Path, parent: str) -> None:
    for name in ("cat-1", "cat-20"):
        lasot(tmp_path / parent / name, "0", "0")
    assert [s.name for s in open_dataset(tmp_path).sequences] == ["cat-1", "cat-20"]
    write(tmp_path / "testing_set.txt", "cat-20")
    assert only(tmp_path).name == "cat-20"


def test_a_part_of_a_uav123_clip_has_its_own_images(tmp_path: Path) -> None:
    uav123(tmp_path, "bird1_1", *[BOX] * 253, folder="bird1", count=1477)
    uav123(tmp_path, "bird1_2", *[BOX] * 703, folder="bird1", count=0)
    first, second = open_dataset(tmp_path).sequences
    assert (first.files[0].name, first.files[-1].name) == ("000001.jpg", "000253.jpg")
    assert (second.files[0].name, second.files[-1].name) == ("000775.jpg", "001477.jpg")


def test_uav123_parts_are_in_order_and_share_one_image_at_most() -> None:
    for parts in PARTS.values():
        assert all(first < last for first, last in parts)
        assert all(last <= first for (_, last), (first, _) in pairwise(parts))


def test_a_uav123_clip_may_go_on_behind_its_truth(tmp_path: Path) -> None:
    uav123(tmp_path, "car1_s", BOX, "NaN,NaN,NaN,NaN", folder="car1_s", count=3)
    assert [file.name for file in only(tmp_path).files] == ["000001.jpg", "000002.jpg"]
    assert absent(only(tmp_path)) == ".x"


def test_uav123_attributes_have_the_benchmarks_order(tmp_path: Path) -> None:
    uav123(tmp_path, "bike1", BOX, folder="bike1", count=1, attributes="100010000001")
    assert only(tmp_path).attributes == ("scale variation", "full occlusion", "similar object")


@pytest.mark.parametrize(
    ("line", "box"),
    [
        pytest.param("1,2,3,4", [1, 2, 3, 4], id="rectangle"),
        pytest.param("2,1,6,3,4,7,0,5", [0, 1, 6, 6], id="polygon"),  # x from 0 to 6, y from 1 to 7
        pytest.param("0,0,4,0,2,3", [0, 0, 4, 3], id="triangle"),
    ],
)
def test_a_vot_region_becomes_the_box_around_it(tmp_path: Path, line: str, box: list[float]) -> None:
    vot(tmp_path, line)
    assert only(tmp_path).truth.tolist() == [box]


@pytest.mark.parametrize("line", ["nan,nan,nan,nan", "nan,nan,nan,nan,nan,nan,nan,nan", "0"])
def test_a_vot_line_without_a_region_says_absent(tmp_path: Path, line: str) -> None:
    vot(tmp_path, BOX, line)
    assert absent(only(tmp_path)) == ".x"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("m0,0,2,2,0,4", "has masks, which are not read", id="mask"),
        pytest.param("1,2", "has the line '1,2', expected x,y,w,h, the corners", id="point"),
        pytest.param("1,2,3,4,5", "has the line '1,2,3,4,5', expected x,y,w,h, the corners", id="odd"),
    ],
)
def test_a_vot_line_that_is_no_region_is_refused(tmp_path: Path, line: str, said: str) -> None:
    file = vot(tmp_path, BOX, line) / "groundtruth.txt"
    with pytest.raises(SourceError) as refusal:
        open_dataset(tmp_path)
    assert f"'{file}' {said}" in str(refusal.value)


@pytest.mark.parametrize(
    ("pictures", "metadata"),
    [
        pytest.param("color/%08d.jpg", None, id="usual"),
        pytest.param("%08d.jpg", None, id="beside-the-truth"),
        pytest.param("rgb/%06d.png", "channels.color=rgb/%06d.png", id="pattern"),
        pytest.param("rgb/%08d.jpg", "channels.color = rgb", id="folder"),
    ],
)
def test_vot_images_are_where_the_sequence_says(tmp_path: Path, pictures: str, metadata: str | None) -> None:
    folder = vot(tmp_path, BOX, BOX, pictures=pictures)
    if metadata is not None:
        write(folder / "sequence", "fps=30", metadata)
    assert [str(file.relative_to(folder)) for file in only(tmp_path).files] == numbers(pictures, 1, 2)


def test_a_vot_pattern_leaves_other_channels_out(tmp_path: Path) -> None:
    folder = vot(tmp_path, BOX, pictures="all/color%04d.jpg")
    images(folder / "all", ["depth0001.jpg"])
    write(folder / "sequence", "channels.color=all/color%04d.jpg", "channels.depth=all/depth%04d.jpg")
    assert [file.name for file in only(tmp_path).files] == ["color0001.jpg"]


def test_vot_attributes_are_the_tags_that_a_frame_has(tmp_path: Path) -> None:
    folder = vot(tmp_path, BOX, BOX)
    write(folder / "camera_motion.tag", "0", "1")
    write(folder / "occlusion.tag", "0", "0")
    assert only(tmp_path).attributes == ("camera motion",)
