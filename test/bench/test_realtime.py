"""What ``bench/realtime.py`` promises of its figures; the times themselves are nobody's promise."""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

for extra in ("typer", "rich", "matplotlib"):
    pytest.importorskip(extra)
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import typer
from endurance import endured, slope_per_hour
from figures import comparisons, pooled
from pictures import draw_endurance, draw_times
from realtime import lines_of, main, table
from rich.console import Console
from streams import LEAST_FRAMES, MOST_BYTES, TARGET_TINT, Camera, Scene
from turns import OURS, Player, Turn, builder, known_settings
from typer.testing import CliRunner

from recip_tracker_core import TrackerConfig
from recip_tracker_core.errors import ConfigError

SMALL = Scene(160, 120)
KEPT = {"median_ms": 20.0, "p99_ms": 30.0, "dropped": 0.0, "fps": 40.0}


class Time:
    """A clock that goes on when somebody sleeps or works."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class Knowing:
    """Answers the truth of a scene."""

    def init(self, frame, box) -> None:
        self.box = box

    def update(self, frame):
        return SimpleNamespace(box=SimpleNamespace(**dict(zip("xywh", SMALL.box(frame.index), strict=True))))

    def close(self) -> None:
        pass


def answer(index: int, took_ms: float, at_s: float, box=None):
    box = SMALL.box(index) if box is None else box
    return {"index": index, "box": box, "took_ms": took_ms, "age_ms": took_ms + 1, "at_s": at_s}


def a_turn(paced, flat=(), **more):
    costs = dict.fromkeys(("gpu_share", "grown_rss_mb", "peak_gpu_mb", "updates", "replaced"))
    known = {"released": len(paced), "cpu_s": 1.0, "wall_s": 2.0, "first_fit_ms": 5.0, "peak_rss_mb": 100.0}
    return costs | known | {"paced": list(paced), "flat": list(flat)} | more


def test_the_newest_frame_wins_and_its_age_counts_from_its_own_release():
    time = Time()
    camera = Camera(10.0, first=7, clock=time, sleep=time.sleep)
    assert camera.newest(6) == (7, 100.0)
    time.now_s += 0.25  # frames 8 and 9 are released meanwhile
    assert camera.newest(7) == (9, pytest.approx(100.2))


def test_a_frame_that_is_not_there_yet_is_waited_for():
    time = Time()
    camera = Camera(10.0, clock=time, sleep=time.sleep)
    index, released_s = camera.newest(0)
    assert (index, released_s) == (1, pytest.approx(100.1))
    assert time.now_s == pytest.approx(100.1)


@pytest.mark.parametrize("index", [0, 37, 200])
def test_the_target_is_where_the_truth_says(index):
    loop = SMALL.rendered()
    x, y, w, h = SMALL.box(index)
    rows, columns = np.mgrid[: SMALL.height, : SMALL.width] + 0.5
    is_inside = (abs(columns - x - w / 2) < w / 2) & (abs(rows - y - h / 2) < h / 2)
    is_target = loop[index % len(loop), ..., 0] > 130  # between the red of scene and target
    overlap = (is_inside & is_target).sum() / (is_inside | is_target).sum()
    assert TARGET_TINT[0] > 130
    assert overlap > 0.85


def test_the_loop_has_no_seam():
    steps = np.abs(np.diff([SMALL.box(index) for index in range(SMALL.frames + 1)], axis=0)).max(axis=1)
    assert steps[-1] <= 1.01 * steps.max()
    assert SMALL.box(SMALL.frames) == SMALL.box(0)


def test_large_images_move_as_fast_in_a_shorter_loop():
    large = Scene(3840, 2160)
    assert large.frames == LEAST_FRAMES
    assert Scene(1280, 720).frames * 1280 * 720 * 3 <= MOST_BYTES
    shares = [
        (scene.box(1)[1] - scene.box(0)[1]) / scene.height for scene in (large, Scene(640, 360))
    ]  # at angle 0 the target moves down
    assert shares[0] == pytest.approx(shares[1], rel=0.1)


def test_a_paced_stream_is_answered_in_order_and_within_its_window():
    player = Player(Knowing(), SMALL, SMALL.rendered(), rate_hz=200.0)
    found = [one["index"] for one in player.paced(first=5, frames=40)]
    assert found == sorted(set(found))
    assert set(found) <= set(range(5, 45))


def test_a_stream_that_waits_leaves_out_no_frame():
    player = Player(Knowing(), SMALL, SMALL.rendered(), rate_hz=30.0)
    found = [one["index"] for one in player.flat_out(first=9, seconds=0.05)]
    assert found == list(range(9, 9 + len(found)))
    assert found


def test_figures_are_pooled_over_turns():
    first = a_turn([answer(0, 10, 0.0), answer(1, 20, 0.1)], [answer(2, 10, 0)], updates=3, released=4)
    second = a_turn(
        [answer(0, 30, 5.0), answer(1, 40, 5.3)], [answer(2, 30, 0)], updates=4, peak_rss_mb=120.0
    )
    found = pooled([first, second], SMALL)
    assert found["fps"] == pytest.approx(50)  # two frames in 40 ms
    assert found["median_ms"] == pytest.approx(25)
    assert found["max_ms"] == pytest.approx(40)
    assert found["dropped"] == pytest.approx(1 / 3)  # four answers to six frames
    assert found["jitter_ms"] == pytest.approx(100)  # of 100 and 300: turns are not joined
    assert found["cpu_share"] == pytest.approx(0.5)
    assert (found["updates"], found["replaced"], found["peak_rss_mb"]) == (7, None, 120.0)


def test_an_answer_without_a_box_or_far_from_the_target_is_no_hit():
    lost = answer(1, 1, 0) | {"box": None}
    found = pooled([a_turn([answer(0, 1, 0), lost, answer(2, 1, 0, (0, 0, 3, 3)), answer(3, 1, 0)])], SMALL)
    assert found["hit"] == pytest.approx(0.5)
    shown = Console(width=80, no_color=True)
    with shown.capture() as capture:
        shown.print(table({"kcf": found}, "title"))
    assert "LOST 50" in capture.get()


@pytest.mark.parametrize(
    ("figure", "value"), [("median_ms", 25.1), ("p99_ms", 46.0), ("dropped", 0.011), ("fps", 31.0)]
)
def test_one_figure_out_of_bounds_is_a_promise_missed(figure, value):
    runs = {name: dict(KEPT) for name in ("off", "inline", "background", "csrt")}
    assert all(one.is_kept for one in comparisons(runs))
    runs["background"][figure] = value
    missed = [one.text for one in comparisons(runs) if not one.is_kept]
    assert len(missed) == 1


def test_another_checkout_is_compared_where_there_is_one():
    runs = {name: dict(KEPT) for name in ("off", "inline", "background", "csrt")}
    runs["before"] = KEPT | {"fps": 30.0}
    missed = [one for one in comparisons(runs) if not one.is_kept]
    assert [one.text for one in missed] == ["fps, background / before"]
    assert missed[0].verdict == "MISSED, at least 1.5"


def test_a_trend_is_that_of_the_settled_windows():
    windows = [{"at_s": at_s, "rss_mb": 100 + at_s / 360} for at_s in range(130, 300, 10)]
    start = [{"at_s": 10.0, "rss_mb": 5.0}]
    assert slope_per_hour(start + windows, "rss_mb") == (pytest.approx(10), pytest.approx(0, abs=1e-6))


def test_a_trend_says_how_sure_it_is():
    hour_s = 3600.0
    windows = [{"at_s": at_h * hour_s, "rss_mb": rss} for at_h, rss in ((1, 0.0), (2, 3.0), (3, 0.0))]
    # Residuals -1, 2, -1: a variance of 6 with one degree of freedom, over squares of -1, 0, 1 hours.
    assert slope_per_hour(windows, "rss_mb") == (pytest.approx(0, abs=1e-9), pytest.approx(3**0.5))


def test_a_core_from_elsewhere_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="was to come from"):
        builder(Turn("before", root=str(tmp_path)))


def test_an_older_core_leaves_out_what_it_does_not_know(capsys):
    settings = ("update.interval=7", "update.unheard_of=1")
    assert known_settings(TrackerConfig(), settings, is_strict=False) == [("update.interval", 7)]
    assert "update.unheard_of" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="unheard_of"):
        known_settings(TrackerConfig(), settings, is_strict=True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--size", "640"], "WIDTHxHEIGHT"),
        (["--set", "update.unheard_of=1"], "unheard_of"),
        (["--minutes", "1"], "at least 3"),
        (["--before", "."], "checkout"),
        (["--nanotrack", "."], "does not exist"),
        (["--json", "nowhere/at/all.json"], "does not exist"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_work_is_refused_before_anything_is_played(arguments, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(main)
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 2
    assert told in done.output


def test_learning_that_is_off_completes_no_update_and_other_learning_does():
    asked = Turn("off", size=(SMALL.width, SMALL.height), seconds=1.5, device="cpu")
    (off,) = lines_of("turns.py", asked)
    (inline,) = lines_of("turns.py", Turn(**(vars_of(asked) | {"run": "inline"})))
    assert off["updates"] == 0
    assert inline["updates"] > 0
    for found in (off, inline):
        assert 0 < len(found["paced"]) <= found["released"] == 30
        assert 0 < found["grown_rss_mb"] < found["peak_rss_mb"]
        assert json.dumps(found)


def vars_of(turn: Turn) -> dict[str, object]:
    return {name: getattr(turn, name) for name in Turn.__dataclass_fields__}


def test_opencvs_trackers_are_played_the_same_stream():
    (found,) = lines_of("turns.py", Turn("kcf", size=(SMALL.width, SMALL.height), seconds=1.5))
    assert pooled([found], SMALL)["hit"] > 0.9
    assert found["updates"] is None


def test_a_worker_that_fails_ends_the_command(tmp_path, capsys):
    with pytest.raises(typer.Exit) as ended:
        list(lines_of("turns.py", Turn("kcf", root=str(tmp_path))))
    assert ended.value.exit_code == 2
    assert "kcf failed" in capsys.readouterr().out


def test_the_long_mode_gives_the_target_anew_and_counts_every_window(tmp_path):
    turn = Turn("inline", size=(SMALL.width, SMALL.height), device="cpu", minutes=60)
    with contextlib.closing(endured(turn, window_s=0.5, afresh_s=0.0)) as endless:
        windows = list(itertools.islice(endless, 2))
    assert all(window["fit_ms"] > 0 and window["rss_mb"] > 0 for window in windows)
    assert windows[0]["indices"][-1] < windows[1]["indices"][0]
    assert windows[0]["updates"] < windows[1]["updates"]
    draw_endurance(windows, {"rss_mb": "+1.0 ± 0.1", "median_ms": "+0.1 ± 0.1"}, tmp_path / "long.png")
    assert cv2.imread(str(tmp_path / "long.png")).std() > 0


def test_the_picture_shows_every_group(tmp_path):
    times = {name: [5.0, 20.0, 40.0] for name in (*OURS, "csrt", "kcf", "nanotrack")}
    draw_times({"in one process": times}, 33.3, tmp_path / "one.png")
    draw_times({"in one process": times, "through the node": times}, 33.3, tmp_path / "two.png")
    one, two = (cv2.imread(str(tmp_path / name)) for name in ("one.png", "two.png"))
    assert two.shape[1] > 1.5 * one.shape[1]


def test_the_node_gets_parameters_of_the_types_that_it_declares():
    pytest.importorskip("rclpy")
    pytest.importorskip("vision_msgs")
    from ros_turns import node_command  # noqa: PLC0415 - needs ROS

    command = node_command(Turn("inline", settings=("gate.moves_from=1", "threads=2")))
    assert {"gate.moves_from:=1.0", "threads:=2", 'update.updater:="inline"'} <= set(command)


def test_a_node_that_does_not_hear_the_camera_yet_is_given_the_target_again(monkeypatch):
    pytest.importorskip("rclpy")
    pytest.importorskip("vision_msgs")
    from ros_turns import Listener  # noqa: PLC0415 - needs ROS

    listener, ended = object.__new__(Listener), []
    listener._process = SimpleNamespace(poll=lambda: 1 if ended else None)
    listener.boxes, given = {}, []
    for name in ("spin", "wait"):
        monkeypatch.setattr(listener, name, lambda *_: None)

    def give_target() -> None:
        given.append(1)
        if len(given) == 3:  # the first two were refused
            listener.boxes[0] = time.perf_counter(), None

    monkeypatch.setattr(listener, "_give_target", give_target)
    monkeypatch.setattr(listener, "heard", lambda condition, _: condition())
    assert abs(listener.first_answer_ms()) < 1e3
    assert len(given) == 3
    ended.append(1)
    with pytest.raises(SystemExit, match="waited in vain for an answer"):
        listener.first_answer_ms()
    assert len(given) == 3  # one that has ended is not asked
