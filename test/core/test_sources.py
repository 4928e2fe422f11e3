"""A video, a folder and a bag all give back the frames that went into them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from recip_tracker_core.errors import FrameError, SourceError
from recip_tracker_core.sources import open_source
from recip_tracker_core.video import VideoWriter

STORE = get_typestore(Stores.LATEST)
IMAGE, COMPRESSED, TEXT = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "std_msgs/msg/String"
STEP_NS = 100_000_000


def pictures(count: int, height: int = 24, width: int = 32) -> list[np.ndarray]:
    """Smooth RGB pictures that a codec keeps, each of another colour."""
    ramp = np.linspace(0, 60, width, dtype=np.float32)[None, :, None]
    return [
        np.broadcast_to(ramp + np.array([20 * i, 100, 190 - 20 * i]), (height, width, 3)).astype(np.uint8)
        for i in range(count)
    ]


def message(kind: str, **fields: object) -> object:
    stamp = STORE.types["builtin_interfaces/msg/Time"](sec=1, nanosec=0)
    header = STORE.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
    return STORE.types[kind](header=header, **fields)


def image_message(picture: np.ndarray, encoding: str, padding: int = 0) -> object:
    """An RGB picture in another encoding, its rows padded."""
    convert = {"rgb8": None, "bgr8": cv2.COLOR_RGB2BGR, "mono8": cv2.COLOR_RGB2GRAY}.get(encoding)
    pixels = picture if convert is None else cv2.cvtColor(picture, convert)
    height, width = pixels.shape[:2]
    rows = np.pad(pixels.reshape(height, -1), ((0, 0), (0, padding)), constant_values=255)
    return message(
        IMAGE,
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=rows.shape[1],
        data=rows.reshape(-1),
    )


def write_bag(
    path: Path,
    topics: dict[str, tuple[str, list[object]]],
    storage: StoragePlugin = StoragePlugin.SQLITE3,
) -> Path:
    """A bag with messages of one kind on each topic, 100 ms apart."""
    with Writer(path, version=9, storage_plugin=storage) as writer:
        for topic, (kind, messages) in topics.items():
            connection = writer.add_connection(topic, kind, typestore=STORE)
            for index, content in enumerate(messages):
                data = STORE.serialize_cdr(content, kind)
                writer.write(connection, 10**9 + index * STEP_NS, data)
    return path


def test_a_video_gives_back_its_frames(tmp_path: Path) -> None:
    shown = pictures(7)
    with VideoWriter(tmp_path / "clip.mp4", 12.5) as writer:
        for picture in shown:
            writer.write(picture)
    source = open_source(tmp_path / "clip.mp4")
    frames = list(source.frames)
    assert (source.count, source.rate_hz) == (7, 12.5)
    assert [frame.index for frame in frames] == list(range(7))
    assert [frame.stamp_ns for frame in frames] == [80_000_000 * i for i in range(7)]
    for frame, picture in zip(frames, shown, strict=True):
        assert np.abs(frame.image.astype(int) - picture).mean() < 6


def test_a_folder_gives_back_its_images_exactly_and_2_comes_before_10(tmp_path: Path) -> None:
    shown = pictures(4)
    for name, picture in zip(("1.png", "2.PNG", "10.png", "11.bmp"), shown, strict=True):
        cv2.imwrite(str(tmp_path / name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    (tmp_path / "notes.txt").write_text("no image")
    source = open_source(tmp_path)
    frames = list(source.frames)
    assert source.count == 4
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert frames[3].stamp_ns == 100_000_000
    for frame, picture in zip(frames, shown, strict=True):
        np.testing.assert_array_equal(frame.image, picture)


@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "mono8"])
@pytest.mark.parametrize("padding", [0, 5], ids=["tight", "padded"])
def test_a_bag_gives_back_its_images_exactly(tmp_path: Path, encoding: str, padding: int) -> None:
    shown = pictures(3)
    bag = write_bag(
        tmp_path / "bag", {"/camera": (IMAGE, [image_message(p, encoding, padding) for p in shown])}
    )
    source = open_source(bag)
    frames = list(source.frames)
    assert source.count == 3
    assert [frame.stamp_ns - frames[0].stamp_ns for frame in frames] == [0, STEP_NS, 2 * STEP_NS]
    for frame, picture in zip(frames, shown, strict=True):
        if encoding == "mono8":
            picture = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)  # noqa: PLW2901
        np.testing.assert_array_equal(frame.image, picture)


def test_a_bag_of_compressed_images_gives_them_back(tmp_path: Path) -> None:
    shown = pictures(2)
    encoded = [cv2.imencode(".png", cv2.cvtColor(p, cv2.COLOR_RGB2BGR))[1].reshape(-1) for p in shown]
    messages = [message(COMPRESSED, format="rgb8; png compressed", data=data) for data in encoded]
    bag = write_bag(tmp_path / "bag", {"/camera/compressed": (COMPRESSED, messages)})
    for frame, picture in zip(open_source(bag).frames, shown, strict=True):
        np.testing.assert_array_equal(frame.image, picture)


@pytest.mark.parametrize("storage", StoragePlugin, ids=lambda storage: storage.name.lower())
@pytest.mark.parametrize("is_lone", [False, True], ids=["folder", "file-alone"])
def test_a_bag_is_read_from_its_folder_or_its_file(
    tmp_path: Path, storage: StoragePlugin, is_lone: bool
) -> None:
    shown = pictures(2)
    bag = write_bag(
        tmp_path / "bag", {"/camera": (IMAGE, [image_message(p, "rgb8") for p in shown])}, storage
    )
    if is_lone:
        (file,) = (item for item in bag.iterdir() if item.suffix != ".yaml")
        bag = file.rename(tmp_path / file.name)
    assert len(list(open_source(bag).frames)) == 2


@pytest.fixture
def two_cameras(tmp_path: Path) -> Path:
    """A bag with a dark left camera, a bright right one, and text."""
    dark, bright = (np.full((4, 6, 3), shade, np.uint8) for shade in (10, 240))
    return write_bag(
        tmp_path / "bag",
        {
            "/left": (IMAGE, [image_message(dark, "rgb8")] * 2),
            "/right": (IMAGE, [image_message(bright, "rgb8")] * 3),
            "/words": (TEXT, [STORE.types[TEXT](data="hello")]),
        },
    )


def test_a_topic_chooses_among_the_cameras_of_a_bag(two_cameras: Path) -> None:
    source = open_source(two_cameras, "/right")
    assert source.count == 3
    assert [frame.image.max() for frame in source.frames] == [240, 240, 240]


@pytest.mark.parametrize(
    "topic",
    [
        pytest.param("/rear", id="not-in-the-bag"),
        pytest.param("/words", id="no-image-topic"),
        pytest.param(None, id="none-named-of-two"),
    ],
)
def test_a_topic_that_cannot_be_read_is_refused_with_those_that_can(
    two_cameras: Path, topic: str | None
) -> None:
    with pytest.raises(SourceError, match=r"\['/left', '/right'\]") as refusal:
        open_source(two_cameras, topic)
    assert str(topic) in str(refusal.value)


def test_an_encoding_that_is_not_known_is_named(tmp_path: Path) -> None:
    bag = write_bag(
        tmp_path / "bag", {"/camera": (IMAGE, [image_message(np.zeros((2, 2, 3), np.uint8), "yuv9")])}
    )
    with pytest.raises(FrameError, match="'yuv9'"):
        next(open_source(bag).frames)


def absent(path: Path) -> None:
    pass


def empty_folder(path: Path) -> None:
    path.mkdir()


def folder_without_images(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("no image")


def text_file(path: Path) -> None:
    path.write_text("no video")


def folder_of_a_broken_bag(path: Path) -> None:
    path.mkdir()
    (path / "metadata.yaml").write_text("no: bag")


@pytest.mark.parametrize(
    "make", [absent, empty_folder, folder_without_images, text_file, folder_of_a_broken_bag]
)
def test_a_path_without_frames_is_refused_by_name(tmp_path: Path, make) -> None:
    path = tmp_path / "source"
    make(path)
    with pytest.raises(SourceError) as refusal:
        open_source(path)
    assert str(path) in str(refusal.value)


def test_a_broken_image_in_a_folder_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "7.png").write_bytes(b"no image")
    with pytest.raises(SourceError, match=r"7\.png"):
        next(open_source(tmp_path).frames)


def test_a_topic_with_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="'/camera'"):
        open_source(tmp_path, "/camera")
