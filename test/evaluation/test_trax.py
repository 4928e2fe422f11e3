"""``recip-tracker trax``, over its protocol, as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

trax = pytest.importorskip("trax")

from trax import BufferImage, FileImage, Mask, MemoryImage, Polygon, Rectangle, TraxException
from trax.client import Client

from recip_tracker_core.build import build_tracker
from recip_tracker_core.parameter_files import read_config
from recip_tracker_core.types import BoundingBox, Frame, TrackResult

pytestmark = pytest.mark.slow

FRAMES = 5
QUICK = (
    "first_fit.iterations=10",
    "first_fit.positives=100",
    "first_fit.negatives=300",
    "map.region_px=160",
    "map.target_px=48",
    "locator.grid=3",
    "refiner.grid=3",
    "classifier.hidden=32",
)
COMMAND = (sys.executable, "-c", "from recip_tracker_core.cli import main; main()", "trax")
ROUNDING_PX = 1e-4  # the protocol writes four decimals, of single precision

Answer = tuple[tuple[float, ...], dict[str, str]]


class Session:
    """A server and a client that talks to it, with all that was said."""

    def __init__(self, command: tuple[str, ...], folder: Path) -> None:
        self._errors = folder / "stderr.txt"
        self._said: list[str] = []
        with self._errors.open("wb") as errors:
            self._server = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        streams = (self._server.stdin.fileno(), self._server.stdout.fileno())
        self.client = Client(streams, log=self._said.append)

    def init(self, image: Any, region: Any) -> Answer:
        """The answer to a first image; ``region`` is of TraX, or ``x, y, w, h``."""
        region = Rectangle.create(*region) if isinstance(region, tuple) else region
        objects, _ = self.client.initialize({"color": image}, [(region, {})], {})
        return _answer(objects)

    def update(self, image: Any) -> Answer:
        objects, _ = self.client.frame({"color": image}, {}, [])
        return _answer(objects)

    def end(self) -> tuple[int, str]:
        """Exit code and standard error; what came on standard output must be the protocol's."""
        self.client.quit()
        code = self._server.wait(60)
        lines = "".join(self._said).splitlines()
        assert [line for line in lines if not line.startswith("@@TRAX:")] == []
        return code, self._errors.read_text()

    def kill(self) -> None:
        self._server.kill()
        self._server.communicate()


def _answer(objects: list[tuple[Any, dict[str, str]]]) -> Answer:
    ((region, properties),) = objects
    return region.bounds(), properties


@pytest.fixture
def clip(rendered_clip: Callable[..., list]) -> list[tuple[np.ndarray, tuple[int, int, int, int]]]:
    """RGB images, each with the target's box."""
    return rendered_clip(frames=FRAMES, seed=1)


@pytest.fixture
def files(clip: list, tmp_path: Path) -> list[Path]:
    """The images of the clip; the folder has a space in its name."""
    folder = tmp_path / "a clip"
    folder.mkdir()
    paths = [folder / f"{index:08d}.png" for index in range(len(clip))]
    for path, (image, _) in zip(paths, clip, strict=True):
        cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return paths


@pytest.fixture
def quick(device) -> tuple[str, ...]:
    """Arguments that make the tracker fast."""
    settings = [part for assignment in QUICK for part in ("--set", assignment)]
    return (*settings, "--device", str(device), "--seed", "3")


@pytest.fixture
def start(quick: tuple[str, ...], tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """``start(*arguments)``: a session with the quick tracker; arguments come last, so they win."""
    sessions: list[Session] = []

    def started(*arguments: str, command: tuple[str, ...] = COMMAND) -> Session:
        sessions.append(Session((*command, *quick, *arguments), tmp_path))
        return sessions[-1]

    yield started
    for session in sessions:
        session.kill()


def run(*command: str, said: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The end of a server to which nothing but this was said."""
    return subprocess.run(command, check=False, input=said, cwd=folder, capture_output=True, text=True)


def path_image(file: Path) -> FileImage:
    return FileImage.create(str(file))


def test_a_session_says_what_the_tracker_says_without_it(
    start: Callable[..., Session], clip: list, files: list[Path], device
) -> None:
    session = start()
    answers = [session.init(path_image(files[0]), clip[0][1])]
    answers += [session.update(path_image(file)) for file in files[1:]]
    assert session.end() == (0, "")
    tracker = build_tracker(read_config(None, list(QUICK), str(device), 3))
    results: list[TrackResult] = []
    for image, box in clip:
        step = tracker.update(Frame(image)) if results else tracker.init(Frame(image), BoundingBox(*box))
        results.append(step)
    for (box, properties), result in zip(answers, results, strict=True):
        expected = (result.box.x, result.box.y, result.box.w, result.box.h)
        assert box == pytest.approx(expected, abs=ROUNDING_PX)
        assert properties == {"confidence": str(result.confidence), "status": result.status.value}
    assert answers[0] == (clip[0][1], {"confidence": "1.0", "status": "tracked"})


def test_an_answer_does_not_depend_on_what_was_followed_before(
    start: Callable[..., Session], clip: list, files: list[Path]
) -> None:
    session = start()

    def followed(region: tuple[int, ...]) -> list[Answer]:
        return [session.init(path_image(files[0]), region), *map(session.update, map(path_image, files[1:]))]

    first, other, again = followed(clip[0][1]), followed((10, 20, 30, 25)), followed(clip[0][1])
    assert session.end() == (0, "")
    assert first == again
    assert first != other


def test_an_image_is_the_same_by_path_from_memory_and_as_a_file_s_bytes(
    start: Callable[..., Session], clip: list, files: list[Path]
) -> None:
    session = start()
    sources: tuple[Callable[[int], Any], ...] = (
        lambda index: path_image(files[index]),
        lambda index: MemoryImage.create(clip[index][0]),
        lambda index: BufferImage.create(files[index].read_bytes()),
    )
    answers = [(session.init(source(0), clip[0][1]), session.update(source(1))) for source in sources]
    assert session.end() == (0, "")
    assert answers[0] == answers[1] == answers[2]


def test_a_gray_image_can_be_followed_in(
    start: Callable[..., Session], clip: list, files: list[Path]
) -> None:
    session = start()
    gray = [MemoryImage.create(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image, _ in clip[:2]]
    session.init(gray[0], clip[0][1])
    _, properties = session.update(gray[1])
    assert session.end() == (0, "")
    assert 0 <= float(properties["confidence"]) <= 1


def test_a_region_that_is_no_rectangle_becomes_the_one_around_it(
    start: Callable[..., Session], files: list[Path]
) -> None:
    session = start()
    polygon, _ = session.init(path_image(files[0]), Polygon.create([(40, 20), (70, 35), (55, 60)]))
    mask, _ = session.init(path_image(files[0]), Mask.create(np.ones((40, 30), np.uint8), x=40, y=20))
    assert session.end() == (0, "")
    assert polygon == mask == (40, 20, 30, 40)  # from 40 to 70, from 20 to 60


@pytest.mark.parametrize(
    ("box", "image", "named"),
    [
        pytest.param((1, 2, 0, 4), "00000000.png", "0.0 x 4.0", id="no-area"),
        pytest.param((float("nan"), 2, 3, 4), "00000000.png", "a finite region", id="not-finite"),
        pytest.param((900, 900, 10, 10), "00000000.png", "900,900,10,10", id="box-outside"),
        pytest.param((40, 20, 30, 40), "nowhere.png", "nowhere.png", id="absent-image"),
    ],
)
def test_what_cannot_be_followed_ends_the_session_with_the_reason(
    start: Callable[..., Session], files: list[Path], box: tuple[float, ...], image: str, named: str
) -> None:
    session = start()
    with pytest.raises(TraxException, match="terminated the session") as ended:
        session.init(path_image(files[0].parent / image), box)
    assert named in str(ended.value)
    code, errors = session.end()
    assert code == 2
    assert named in errors
    assert "Traceback" not in errors


def test_a_damaged_image_ends_a_session_that_had_begun(
    start: Callable[..., Session], clip: list, files: list[Path]
) -> None:
    files[1].write_bytes(files[1].read_bytes()[:20])
    session = start()
    session.init(path_image(files[0]), clip[0][1])
    with pytest.raises(TraxException, match=r"00000001\.png' is absent or no image"):
        session.update(path_image(files[1]))
    assert session.end()[0] == 2


def test_an_image_of_16_bits_is_refused_by_its_type(start: Callable[..., Session], clip: list) -> None:
    session = start()
    with pytest.raises(TraxException, match="uint16"):
        session.init(MemoryImage.create(np.zeros((120, 160), np.uint16)), clip[0][1])
    assert session.end()[0] == 2


def test_a_reason_travels_in_ascii(start: Callable[..., Session], clip: list, files: list[Path]) -> None:
    session = start("--set", "backbone.weights=/no/Gewicht_für_é.pth")
    with pytest.raises(TraxException, match=r"Gewicht_f\\xfcr_\\xe9.pth"):
        session.init(path_image(files[0]), clip[0][1])
    assert session.end()[0] == 2


def test_what_is_printed_meanwhile_goes_to_standard_error(
    start: Callable[..., Session], clip: list, files: list[Path]
) -> None:
    talkative = (
        "import sys; from recip_tracker_core.build import build_tracker\n"
        "from recip_tracker_core.parameter_files import read_config\n"
        "from recip_tracker_core.evaluation.trax import serve\n"
        f"def make(): print('chatter'); return build_tracker(read_config(None, {list(QUICK)}, 'cpu', 3))\n"
        "serve(make)"
    )
    session = start(command=(sys.executable, "-c", talkative))
    session.init(path_image(files[0]), clip[0][1])
    assert session.end() == (0, "chatter\n")


@pytest.mark.parametrize(
    ("said", "named"),
    [
        pytest.param("", "the TraX client has gone", id="nothing"),
        pytest.param('@@TRAX:frame "file:///a.png"\n', "before it sent a target", id="frame-first"),
        pytest.param("@@TRAX:dance\n", "does not speak the protocol", id="no-such-word"),
    ],
)
def test_a_client_that_breaks_off_or_the_protocol_leaves_one_line_and_code_2(
    quick: tuple[str, ...], tmp_path: Path, said: str, named: str
) -> None:
    done = run(*COMMAND, *quick, said=said, folder=tmp_path)
    assert done.returncode == 2
    assert [line for line in done.stdout.splitlines() if not line.startswith("@@TRAX:")] == []
    assert len(done.stderr.splitlines()) == 1
    assert named in done.stderr


def test_an_unknown_parameter_is_refused_before_the_protocol_begins(
    quick: tuple[str, ...], tmp_path: Path
) -> None:
    done = run(*COMMAND, *quick, "--set", "update.intervall=3", said="", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'update.intervall'" in done.stderr


def test_without_its_extra_the_command_says_what_to_install(tmp_path: Path) -> None:
    absent = "import sys; sys.modules['trax'] = None; from recip_tracker_core.cli import main; main()"
    done = run(sys.executable, "-c", absent, "trax", said="", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'recip_tracker_ros[cli,trax]'" in done.stderr
