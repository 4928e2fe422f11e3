"""``recip-tracker`` from end to end, and what it says when it is asked for what it cannot do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from recip_tracker_core import TrackerConfig
from recip_tracker_core.cli import app
from recip_tracker_core.commands.parsing import parsed_box
from recip_tracker_core.errors import BoxError, ConfigError, SourceError
from recip_tracker_core.geometry import iou
from recip_tracker_core.parameter_files import read_config, read_parameters
from recip_tracker_core.parameters import replaced
from recip_tracker_core.presets import PRESETS
from recip_tracker_core.types import BoundingBox

pytestmark = pytest.mark.slow

FRAMES = 6
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
PARAMETERS = """\
recip_tracker:
  ros__parameters:
    autostart: false
    seed: 5
    update:
      interval: 3
"""


@pytest.fixture(scope="module")
def truth(rendered_clip: Callable[..., list]) -> np.ndarray:
    """(N, 4) where the target is."""
    return np.array([box for _, box in rendered_clip(frames=FRAMES, seed=1)], np.float32)


@pytest.fixture(scope="module")
def folder(rendered_clip: Callable[..., list], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the images of a rendered clip."""
    path = tmp_path_factory.mktemp("clip")
    for index, (image, _) in enumerate(rendered_clip(frames=FRAMES, seed=1)):
        cv2.imwrite(str(path / f"{index}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return path


@pytest.fixture
def run(folder: Path, truth: np.ndarray, device) -> Callable[..., Result]:
    """``run(*arguments)``: track the folder; arguments come last, so they win."""
    init = ",".join(f"{value:g}" for value in truth[0])
    quick = [part for assignment in QUICK for part in ("--set", assignment)]

    def invoked(*arguments: str, source: Path = folder) -> Result:
        everything = ["track", str(source), "--init", init, "--device", str(device), *quick, *arguments]
        return CliRunner().invoke(app, everything, env={"COLUMNS": "200"})

    return invoked


def test_it_writes_a_box_a_frame_and_a_video_and_says_how_it_went(
    run: Callable[..., Result], truth: np.ndarray, tmp_path: Path
) -> None:
    boxes, video = tmp_path / "boxes.txt", tmp_path / "overlay.mp4"
    result = run("--boxes", str(boxes), "--output", str(video))
    assert result.exit_code == 0, result.output
    rows = np.loadtxt(boxes, delimiter=",", dtype=np.float32)
    assert rows.shape == (FRAMES, 4)
    assert iou(rows, truth).min() > 0.5
    with av.open(str(video)) as container:
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    assert len(pictures) == FRAMES
    assert pictures[0].shape == (120, 160 + 120, 3)  # the frame, and the attention beside it
    for word in ("frames per second", "latency p99", "tracked", "lost"):
        assert word in result.output


def test_a_seed_repeats_and_wins_over_the_file(run: Callable[..., Result], tmp_path: Path) -> None:
    config = tmp_path / "tracker.yaml"
    config.write_text(PARAMETERS)
    cases = {
        "values": ("--seed", "5", "--set", "update.interval=3"),
        "file": ("--config", str(config)),
        "both": ("--config", str(config), "--seed", "6"),
    }
    for name, arguments in cases.items():
        assert run("--boxes", str(tmp_path / name), *arguments).exit_code == 0
    values, file, both = ((tmp_path / name).read_text() for name in cases)
    assert values == file
    assert file != both


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(("--init", "1,2,3"), "'1,2,3'", id="three-numbers"),
        pytest.param(("--init", "a,b,c,d"), "'a,b,c,d'", id="no-numbers"),
        pytest.param(("--init", "1,2,0,4"), "0.0 x 4.0", id="no-area"),
        pytest.param(("--init", "900,900,10,10"), "900,900,10,10", id="box-outside"),
        pytest.param(("--init", "nan,2,3,4"), "nan", id="not-finite"),
        pytest.param(("--init", "[a],[/b],c"), "'[a],[/b],c'", id="text-with-brackets"),
        pytest.param(("--set", "update.intervall=3"), "'update.intervall'", id="unknown-name"),
        pytest.param(("--set", "update.interval=0"), "'update.interval'", id="out-of-bounds"),
        pytest.param(("--set", "update.interval=soon"), "'soon'", id="wrong-type"),
        pytest.param(("--set", "seed"), "'seed'", id="no-assignment"),
        pytest.param(("--config", "/no/such.yaml"), "/no/such.yaml", id="absent-config"),
        pytest.param(("--device", "gpu"), "'gpu'", id="unknown-device"),
        pytest.param(("--topic", "/camera"), "'/camera'", id="topic-of-a-folder"),
        pytest.param(("--seed", "-1"), "-1", id="negative-seed"),
        pytest.param(("--output", "tracked.xyz"), "'tracked.xyz'", id="no-mp4"),
        pytest.param(("--boxes", "/"), "'/' is a folder", id="folder-for-boxes"),
        pytest.param(("--boxes", "/no/such/b.txt"), "'/no/such' does not exist", id="absent-folder"),
    ],
)
def test_what_cannot_be_done_ends_with_code_2_and_names_the_value(
    run: Callable[..., Result], arguments: tuple[str, ...], named: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert named in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", ["nowhere", "clip [final]"])
def test_an_absent_source_ends_with_code_2_and_its_path(
    run: Callable[..., Result], tmp_path: Path, name: str
) -> None:
    result = run(source=tmp_path / name)
    assert result.exit_code == 2
    assert str(tmp_path / name) in result.output


def without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``recip-tracker`` where a module is not installed."""
    script = f"import sys; sys.modules['{module}'] = None; from recip_tracker_core.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )


COMMANDS = ("track", "trax", "evaluate", "ablate", "explain", "doctor", "weights")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_asks_for_none_of_the_libraries_that_compute(command: str) -> None:
    done = without("torch", command, "--help")
    assert done.returncode == 0, done.stderr
    assert f"recip-tracker {command}" in done.stdout.replace("-c ", "recip-tracker ")


def test_the_commands_are_those_that_are_known_by_name() -> None:
    listed = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    assert [word for word in COMMANDS if f" {word} " in listed] == list(COMMANDS)


@pytest.mark.parametrize("option", ["--rerun=a.rrd", "--view"])
def test_without_its_extra_the_log_says_what_to_install_before_anything_is_read(option: str) -> None:
    done = without("rerun", "track", "/no/such/clip", "--init", "1,2,30,40", option)
    assert done.returncode == 1
    assert f"track {option.partition('=')[0]} needs the 'viz' extra" in done.stderr
    assert "pip install 'recip_tracker_ros[cli,viz]'" in done.stderr


def test_without_the_libraries_of_the_command_line_itself_it_says_what_to_install() -> None:
    done = without("av", "track", "/no/such/clip", "--init", "1,2,30,40")
    assert done.returncode == 1
    assert "pip install 'recip_tracker_ros[cli]'" in done.stderr


def test_a_box_is_four_numbers() -> None:
    assert parsed_box("1,2.5, 30,40") == BoundingBox(1, 2.5, 30, 40)
    with pytest.raises(ConfigError, match="'1,2,3,4,5'"):
        parsed_box("1,2,3,4,5")
    with pytest.raises(BoxError):
        parsed_box("1,2,inf,4")


def test_the_command_line_learns_inline_unless_it_is_told_otherwise() -> None:
    assert read_config(None, [], None, None) == replaced(TrackerConfig(), {"update.updater": "inline"})
    assert read_config(None, ["update.updater=background"], None, None).update.updater == "background"


def test_a_parameter_file_does_not_take_learning_into_the_background(tmp_path: Path) -> None:
    path = tmp_path / "tracker.yaml"
    path.write_text("/**:\n  ros__parameters:\n    update:\n      updater: background\n")
    assert read_config(path, [], None, None).update.updater == "inline"
    assert read_config(path, ["update.updater=background"], None, None).update.updater == "background"


def test_single_values_win_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "tracker.yaml"
    path.write_text(PARAMETERS)
    config = read_config(path, ["update.interval=9"], None, None)
    assert (config.seed, config.update.interval) == (5, 9)
    assert read_config(path, ["seed=6"], None, 7).seed == 7
    assert read_config(path, [], "cpu", None).device == "cpu"


def test_a_parameter_file_is_read_past_what_belongs_to_the_node(tmp_path: Path) -> None:
    path = tmp_path / "tracker.yaml"
    path.write_text(PARAMETERS)
    assert read_parameters(path) == {"seed": 5, "update.interval": 3}


def test_a_preset_is_named_where_a_file_could_be() -> None:
    assert read_config("paper", [], None, None) == replaced(PRESETS["paper"], {"update.updater": "inline"})
    with pytest.raises(SourceError, match=r"'papre' cannot be read, and it is no preset \(default, paper\)"):
        read_config("papre", [], None, None)


def test_a_file_may_name_the_preset_that_its_values_change(tmp_path: Path) -> None:
    path = tmp_path / "tracker.yaml"
    path.write_text("/**:\n  ros__parameters:\n    preset: paper\n    update:\n      interval: 3\n")
    config = read_config(path, [], None, None)
    assert (config.backbone.name, config.update.interval) == ("vgg_m", 3)
    path.write_text("/**:\n  ros__parameters:\n    preset: papre\n")
    with pytest.raises(ConfigError, match="'papre'"):
        read_config(path, [], None, None)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: [", id="no-yaml"),
        pytest.param("- 1\n- 2\n", id="a-list"),
        pytest.param("seed: 5\n", id="no-node"),
        pytest.param("a:\n  ros__parameters: {}\nb:\n  ros__parameters: {}\n", id="two-nodes"),
        pytest.param("a:\n  ros__parameters:\n    - 1\n", id="parameters-in-a-list"),
        pytest.param("", id="empty"),
        pytest.param("\x00", id="binary"),
    ],
)
def test_a_file_that_holds_no_parameters_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tracker.yaml"
    path.write_text(text)
    with pytest.raises(SourceError) as refusal:
        read_parameters(path)
    assert str(path) in str(refusal.value)


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "tracker.yaml"
    path.write_bytes(b"\xff\xfe\x80\x81")
    with pytest.raises(SourceError) as refusal:
        read_parameters(path)
    assert str(path) in str(refusal.value)
