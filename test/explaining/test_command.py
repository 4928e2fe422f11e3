"""``recip-tracker explain`` from end to end, and what it says when it is asked for what it cannot do."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

for library in ("matplotlib", "jinja2"):
    pytest.importorskip(library)

from recip_tracker_core.cli import app
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.explaining.command import parsed_frames
from recip_tracker_core.explaining.fits import COURSES

pytestmark = pytest.mark.slow

FRAMES, ITERATIONS = 5, 5
QUICK = (
    "classifier.hidden=16",
    "optimizer.positives=3",
    "optimizer.negatives=3",
    "optimizer.mined_from=8",
    "first_fit.positives=20",
    "first_fit.negatives=40",
    "search.candidates=16",
    "regression.samples=10",
    "update.interval=3",
    "update.iterations=1",
    "update.positives=4",
    "update.negatives=8",
)
FILES = {"index.html", "explain.json", "iterations.png", "frames.png", "course.png"}


@pytest.fixture(scope="module")
def clip(rendered_clip: Callable[..., list], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of images, and the target in the first."""
    path = tmp_path_factory.mktemp("clips") / "a <clip>"
    path.mkdir()
    made = rendered_clip(frames=FRAMES, seed=1)
    for index, (image, _) in enumerate(made):
        cv2.imwrite(str(path / f"{index}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path, ",".join(map(str, made[0][1]))


@pytest.fixture
def run(clip: tuple[Path, str], tmp_path: Path, device) -> Callable[..., Result]:
    """``run(*arguments)``: explain the clip; arguments come last, so they win."""
    folder, init = clip

    def invoked(*arguments: str, source: Path = folder) -> Result:
        always = ["explain", str(source), "--init", init, "--out", str(tmp_path / "out")]
        quick = [part for assignment in QUICK for part in ("--set", assignment)]
        quick += ["--iterations", str(ITERATIONS), "--device", str(device)]
        return CliRunner().invoke(app, [*always, *quick, *arguments], env={"COLUMNS": "200"})

    return invoked


class Page(HTMLParser):
    """What a page holds; an element that is closed in the wrong place is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.links += [found[key] or "" for key in ("src", "href") if key in found]
        if tag not in {"meta", "link", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_it_writes_page_pictures_and_figures_of_the_default_configuration(
    run: Callable[..., Result], clip: tuple[Path, str], tmp_path: Path
) -> None:
    small = ("--set", "features.crop_px=64", "--set", "features.context_px=4")
    result = run(*small, "--frames", "1,4", "--seed", "3")
    assert result.exit_code == 0, result.output
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == FILES
    assert str(out / "index.html") in result.output
    figures = json.loads((out / "explain.json").read_text())
    assert figures["source"] == f"{clip[0].parent.name}/a <clip>"
    assert figures["shown"] == [1, 4]
    assert (figures["configuration"]["seed"], figures["configuration"]["first_fit.iterations"]) == (
        3,
        ITERATIONS,
    )
    assert figures["configuration"]["attention.level"] == "s4"
    assert "map.region_px" not in figures["configuration"]  # this tracker does not read it
    assert set(figures["courses"]) == {"with", "without"}
    for name in COURSES:
        one, other = (np.array(figures["courses"][side][name]) for side in ("with", "without"))
        assert len(one) == len(other) == ITERATIONS
        assert np.isfinite([one, other]).all()
        assert one[0] == other[0]
        assert (one != other).any()
    for side in ("with", "without"):
        assert [len(frame["box"]) for frame in figures["frames"][side]] == [4] * FRAMES
        assert list(figures["spread_of_the_pictures"][side]) == ["1", "2", "4", "5"]
    text = (out / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert all(link.startswith("data:") for link in page.links)
    assert sum(link.startswith("data:image/png") for link in page.links) == 3
    assert not [word for word in ("http:", "https:", "@import", "url(") if word in text]
    for words in ("a <clip>", "attention.weight", "features.crop_px", "(5)"):
        assert words in page.words


def test_the_papers_own_configuration_can_be_explained(run: Callable[..., Result], tmp_path: Path) -> None:
    small = ("--set", "features.crop_px=75", "--set", "features.context_px=11")
    result = run("--config", "paper", "--set", "backbone.weights=random", *small, "--frames", "2")
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "out" / "explain.json").read_text())
    assert figures["configuration"]["attention.weight"] == 5
    assert figures["configuration"]["attention.level"] == "input"
    assert figures["shown"] == [1]
    assert len(figures["frames"]["with"]) == 2


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(("--init", "1,2,3"), "'1,2,3'", id="no-box"),
        pytest.param(("--init", "900,900,10,10"), "900,900,10,10", id="box-outside"),
        pytest.param(("--config", "default"), "'proposals' = 'gaussian', got 'locator'", id="locator"),
        pytest.param(("--set", "attention.weight=0"), "'attention.weight' above 0, got 0", id="no-term"),
        pytest.param(("--set", "attention.level=s32"), "'s32'", id="level-behind-the-features"),
        pytest.param(("--set", "features.stages=s99"), "'s99'", id="unknown-stage"),
        pytest.param(("--set", "attention.wait=1"), "'attention.wait'", id="unknown-name"),
        pytest.param(("--config", "/no/such.yaml"), "/no/such.yaml", id="absent-config"),
        pytest.param(("--device", "gpu"), "'gpu'", id="unknown-device"),
        pytest.param(("--topic", "/camera"), "'/camera'", id="topic-of-a-folder"),
        pytest.param(("--iterations", "3"), "--iterations expects at least 4", id="no-quarters"),
        pytest.param(("--iterations", "20000"), "20000", id="too-many-iterations"),
        pytest.param(("--frames", "soon"), "'soon'", id="no-frames"),
        pytest.param(("--frames", "1,9"), "a <clip>', got 9", id="frame-behind-the-end"),
        pytest.param(("--out", "/proc/version"), "'/proc/version' is a file", id="file-for-a-folder"),
        pytest.param(("--out", "/proc/none/out"), "/proc/none", id="folder-that-cannot-be"),
    ],
)
def test_what_cannot_be_done_ends_with_code_2_and_names_the_value(
    run: Callable[..., Result], tmp_path: Path, arguments: tuple[str, ...], named: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert named in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.glob("out/*"))


def test_a_source_of_one_frame_is_refused(
    run: Callable[..., Result], clip: tuple[Path, str], tmp_path: Path
) -> None:
    short = tmp_path / "short"
    short.mkdir()
    (short / "0.png").write_bytes((clip[0] / "0.png").read_bytes())
    result = run(source=short)
    assert result.exit_code == 2
    assert f"'{short}' has 1 frame, expected at least 2" in result.output


@pytest.mark.parametrize(
    ("text", "expected"),
    [("60", 60), ("2", 2), ("1,20,40", (1, 20, 40)), ("40, 1", (1, 40))],
)
def test_frames_are_a_number_or_a_list(text: str, expected: int | tuple[int, ...]) -> None:
    assert parsed_frames(text) == expected


@pytest.mark.parametrize("text", ["", "1", "-3", "0,5", "5,5", "1,", "2.5", ",".join(map(str, range(1, 14)))])
def test_other_words_for_frames_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--frames expects"):
        parsed_frames(text)
