"""The page of an evaluation: complete, self-contained, and readable by a browser."""

from __future__ import annotations

import base64
import dataclasses
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

for library in ("matplotlib", "jinja2", "sklearn"):
    pytest.importorskip(library)

from recip_tracker_core.evaluation.plots import PLOTS
from recip_tracker_core.evaluation.records import Evaluation, Record, Run
from recip_tracker_core.evaluation.report import write_report
from recip_tracker_core.evaluation.sequences import Sequence
from recip_tracker_core.evaluation.summary import summarise

NAMES = ("crossing", "<b>&", "$lost$ & found")
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VOID = {"meta", "link", "img", "br"}


def record(sequence: Sequence, seed: int, drift_px: float, is_sure: bool, core_share: float) -> Record:
    """Answers that drift from the truth, further with each frame."""
    generator = np.random.default_rng([seed, len(sequence.name)])
    boxes = np.where(np.isfinite(sequence.truth), sequence.truth, sequence.truth[0])
    boxes[:, :2] += np.linspace(0, drift_px, len(boxes))[:, None] * generator.uniform(0.5, 1, 2)
    confidences = np.linspace(1, 0.1, len(boxes)) if is_sure else np.full(len(boxes), np.nan)
    tracked = np.ones(len(boxes), bool) if not is_sure else confidences > 0.4
    return Record(boxes, confidences, tracked, np.full(len(boxes), 0.03), core_share)


@pytest.fixture
def evaluation(rendered_sequence: Callable[..., Sequence]) -> Evaluation:
    """Two trackers with three seeds, one that says no confidence, and whose time nobody knows."""
    sequences = [
        dataclasses.replace(
            rendered_sequence(name, frames=40, seed=at, hidden=range(20, 26) if at else range(0)),
            attributes=("occlusion",) if at else (),
        )
        for at, name in enumerate(NAMES)
    ]

    def runs(seeds: int, drift_px: float, is_sure: bool = True, core_share: float = 1.0) -> tuple[Run, ...]:
        return tuple(
            Run(sequence, seed, record(sequence, seed, drift_px, is_sure, core_share))
            for sequence in sequences
            for seed in range(seeds)
        )

    return Evaluation(
        dataset="made here",
        format="otb",
        runs={
            "recip": runs(3, 20),
            "other": runs(3, 60),
            "plain <i>": runs(1, 90, is_sure=False, core_share=0.2),
        },
        realtime={"recip": runs(3, 40)},
        rate_hz=30.0,
        conditions={"limit": "40 frames", "stress": "seed 7"},
    )


class Page(HTMLParser):
    """What a page holds; an element that is closed in the wrong place is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.images: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.links += [found[key] or "" for key in ("src", "href", "srcset") if key in found]
        if tag == "img":
            assert found["alt"]
            self.images.append(found["src"] or "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words += data


def written(evaluation: Evaluation, folder: Path) -> Page:
    return Page(write_report(evaluation, summarise(evaluation), folder).read_text(encoding="utf-8"))


def test_the_page_names_every_tracker_sequence_and_condition(evaluation: Evaluation, tmp_path: Path) -> None:
    page = written(evaluation, tmp_path / "out")
    for words in (*evaluation.runs, *NAMES, "made here", "limit: 40 frames", "stress: seed 7", "occlusion"):
        assert words in page.words
    assert "No figure for plain <i>: time not known, or core shared" in page.words
    assert "count as misses" in page.words  # the rule of its format
    assert "at 30 frames a second" in page.words
    assert not page.tags & {"i", "script"}  # names are text, and nothing needs a script


def test_the_page_needs_no_other_file(evaluation: Evaluation, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    page = written(evaluation, folder)
    assert page.images
    assert all(link.startswith("data:") for link in page.links)
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert not [word for word in ("http:", "https:", "@import", "url(") if word in text]
    assert len(text) < 6_000_000


def test_the_plots_lie_beside_the_page_as_they_are_in_it(evaluation: Evaluation, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    page = written(evaluation, folder)
    embedded = {base64.b64decode(image.partition("base64,")[2]) for image in page.images}
    files = {path.stem: path.read_bytes() for path in folder.glob("*.png")}
    assert set(files) == set(PLOTS)
    assert set(files.values()) <= embedded


def test_five_stretches_of_our_tracker_are_shown_in_eight_frames_each(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    page = written(evaluation, tmp_path / "out")
    assert "The worst stretches of recip" in page.words
    assert "The worst stretches of other" not in page.words
    assert sum(image.startswith("data:image/jpeg") for image in page.images) == 5 * 8


def test_the_best_tracker_is_shown_where_none_is_ours(evaluation: Evaluation, tmp_path: Path) -> None:
    others = {name: runs for name, runs in evaluation.runs.items() if name != "recip"}
    page = written(dataclasses.replace(evaluation, runs=others, realtime={}), tmp_path / "out")
    assert "The worst stretches of other" in page.words
    assert "Offline and in real time" not in page.words


def test_the_same_evaluation_gives_the_same_files(evaluation: Evaluation, tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        written(evaluation, folder)
    one, two = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert one == two


def test_a_figure_without_numbers_is_left_out_and_an_older_one_removed(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    written(evaluation, tmp_path / "out")
    (tmp_path / "out" / "mine.png").touch()
    plain = evaluation.runs["plain <i>"]
    alone = Evaluation("bare", "otb", {"plain": (dataclasses.replace(plain[0], seed=4),)})
    page = written(alone, tmp_path / "out")
    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == {"success", "precision", "mine"}
    for words in ("confidence to be believed", "Spread over the seeds", "By attribute"):
        assert words not in page.words


def test_a_tracker_of_which_nothing_is_known_has_a_line(evaluation: Evaluation, tmp_path: Path) -> None:
    first = evaluation.runs["recip"][0]
    short = Run(first.sequence.limited(1), 0, Record(*(part[:1] for part in arrays(first.record)), np.nan))
    page = written(Evaluation("one frame", "got10k", {"recip": (short,)}), tmp_path / "out")
    assert "recip" in page.words
    assert "worst stretches" not in page.words


def arrays(record: Record) -> tuple[np.ndarray, ...]:
    return record.boxes, record.confidences, record.tracked, record.seconds


def browse(page: Path, folder: Path, *arguments: str) -> tuple[str, str]:
    """What headless Chromium writes to its two streams; some versions never end by themselves."""
    assert BROWSER is not None
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}", "--enable-logging=stderr", *arguments, page.as_uri(),
    ]  # fmt: skip
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    try:
        return process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_browser_shows_the_page_without_complaint(evaluation: Evaluation, tmp_path: Path) -> None:
    written(evaluation, tmp_path / "out")
    shot = tmp_path / "shot.png"
    _, log = browse(
        tmp_path / "out" / "index.html", tmp_path, f"--screenshot={shot}", "--window-size=1366,3000"
    )
    image = cv2.imread(str(shot))
    assert image is not None, log[-2000:]
    assert image.shape == (3000, 1366, 3)
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 200  # curves and text, not an empty page
    assert "CONSOLE" not in log


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_browser_decodes_every_picture_and_a_phone_scrolls_only_downward(
    evaluation: Evaluation, tmp_path: Path
) -> None:
    page = written(evaluation, tmp_path / "out")
    asked = """<script>addEventListener('load', () => {
        const images = [...document.images], root = document.documentElement;
        document.title = `${images.filter(one => one.naturalWidth > 50).length} decoded,`
            + ` ${root.scrollWidth - root.clientWidth} px too wide`;
    })</script>"""
    copy = tmp_path / "asked.html"
    copy.write_text((tmp_path / "out" / "index.html").read_text(encoding="utf-8") + asked, encoding="utf-8")
    document, log = browse(copy, tmp_path, "--dump-dom", "--window-size=500,900")
    assert f"<title>{len(page.images)} decoded, 0 px too wide</title>" in document, log[-2000:]
