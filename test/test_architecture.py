"""The core keeps to itself: what it imports, in which direction, and where its chance comes from.

Read from the source of the package that is installed.
"""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import recip_tracker_core

ROOT = Path(recip_tracker_core.__file__).parent
PACKAGE = recip_tracker_core.__name__

# Highest first: a room imports only from rooms below its own.
ROOMS = (
    "cli",
    "commands",
    "doctor",
    "explaining",
    "evaluation",
    "rerun_log",
    "video",
    "sources",
    "parameter_files",
    "",  # the package itself, for those who import it
    "build",
    "multi_tracker",
    "gaussian_build",
    "shared_parts",
    "locating_tracker",
    "gaussian_tracker",
    "shared_looks",
    "located_target",
    "redetection",
    "turns",
    "tracker",
    "observing",
    "rivals",
    "drawing",
    "painting",
    "target_contents",
    "target_parts",
    "target_files",
    "updater",
    "learning_threads",
    "teaching",
    "first_views",
    "recorded_steps",
    "learning",
    "levels",
    "jacobian",
    "attention",
    "memory",
    "regression",
    "margin_judge",
    "homes",
    "confidence",
    "proposals",
    "appearance",
    "classifier",
    "refinement",
    "locator",
    "ridge",
    "encoding",
    "device_looks",
    "colors",
    "crops",
    "box_crops",
    "features",
    "backbones",
    "stories",
    "lanes",
    "cuda_graphs",
    "sampling",
    "quasirandom",
    "motion",
    "ranging",
    "pinhole",
    "presets",
    "parameters",
    "config",
    "compressed_images",
    "depth_images",
    "pointing",
    "images",
    "geometry",
    "types",
    "errors",
)
FRONT_ENDS = {
    "cli",
    "commands",
    "doctor",
    "explaining",
    "evaluation",
    "rerun_log",
    "video",
    "sources",
    "parameter_files",
}  # theirs are the extras
LIBRARIES = {"numpy", "cv2", "torch"}
OPTIONAL = {
    "backbones.onnx_backbone": {"onnxruntime"},
    "backbones.onnx_graph": {"onnx"},
    "backbones.openvino_backbone": {"openvino"},
    "backbones.matconvnet": {"scipy"},
    "backbones.weight_files": {"scipy", "safetensors"},
}
WITHOUT_TORCH = (
    "redetection",
    "updater",
    "learning_threads",
    "margin_judge",
    "confidence",
    "crops",
    "presets",
    "parameters",
    "config",
    "sampling",
    "quasirandom",
    "motion",
    "ranging",
    "pinhole",
    "geometry",
    "compressed_images",
    "depth_images",
    "pointing",
    "images",
    "types",
    "errors",
)


def module_name(path: Path) -> str:
    """``features``, ``backbones.base``; the empty name is the package itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}
every_module = pytest.mark.parametrize("name", TREES, ids=lambda name: name or PACKAGE)


def room(name: str) -> str:
    return name.partition(".")[0]


def imports(name: str) -> Iterator[str]:
    """Every module that a module imports, anywhere in it, by its full name."""
    is_package = FILES[name].name == "__init__.py"
    own = f"{PACKAGE}.{name}".rstrip(".").split(".")
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = own[: len(own) - node.level + is_package] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                inner = f"{source}.{alias.name}"
                yield inner if inner.removeprefix(f"{PACKAGE}.") in FILES else source


def own_imports(name: str) -> set[str]:
    """The modules of this package that a module imports, by their names in it."""
    full = (item for item in imports(name) if item.split(".")[0] == PACKAGE)
    return {item.removeprefix(PACKAGE).removeprefix(".") for item in full}


def foreign_imports(name: str) -> set[str]:
    """The top-level names that a module imports from elsewhere, the standard library left out."""
    tops = {item.split(".")[0] for item in imports(name)}
    return tops - {PACKAGE, "__future__"} - sys.stdlib_module_names


def test_the_walk_sees_what_is_there() -> None:
    assert {"gaussian_tracker", "backbones", "backbones.base", ""} <= set(TREES)
    assert "sampling" in own_imports("gaussian_tracker")  # from . import sampling
    assert "errors" in own_imports("backbones")  # from ..errors import ...
    assert foreign_imports("features") == {"cv2", "numpy", "torch"}


@every_module
def test_a_module_has_its_place_in_the_order(name: str) -> None:
    assert room(name) in ROOMS


@every_module
def test_imports_point_only_downward(name: str) -> None:
    below = ROOMS[ROOMS.index(room(name)) + 1 :]
    upward = {item for item in own_imports(name) if room(item) not in {room(name), *below}}
    assert not upward, f"{name} imports {sorted(upward)}, which are not below it"


def test_no_modules_import_each_other_in_a_circle() -> None:
    order = graphlib.TopologicalSorter({name: own_imports(name) - {name} for name in TREES})
    assert set(order.static_order()) == set(TREES)


@every_module
def test_only_front_ends_import_more_than_numpy_cv2_and_torch(name: str) -> None:
    if room(name) not in FRONT_ENDS:
        assert foreign_imports(name) <= LIBRARIES | OPTIONAL.get(name, set())


@every_module
def test_nothing_of_ros_is_imported(name: str) -> None:
    found = {item for item in foreign_imports(name) if item.startswith("rcl") or item.endswith("_msgs")}
    assert not found | (foreign_imports(name) & {"recip_tracker_ros", "cv_bridge", "launch", "launch_ros"})


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_what_needs_no_torch_does_not_import_it(name: str) -> None:
    assert "torch" not in foreign_imports(name)


def dotted(node: ast.expr) -> str:
    """``np.random.seed`` of such an expression; empty for any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


@every_module
def test_chance_comes_in_as_a_generator_and_never_from_a_global_seed(name: str) -> None:
    allowed = {"np.random.default_rng", "np.random.Generator"}
    forbidden = {
        "torch.manual_seed",
        "torch.seed",
        "torch.cuda.manual_seed",
        "torch.cuda.manual_seed_all",
        "cv2.setRNGSeed",
    }
    used = {dotted(node) for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute)}
    of_numpy = {item for item in used if item.startswith(("np.random.", "numpy.random."))}
    assert not of_numpy - allowed
    assert not used & forbidden
    assert "random" not in {item.split(".")[0] for item in imports(name)}


def test_importing_the_core_loads_no_extra_and_nothing_of_ros() -> None:
    unwanted = ("typer", "rich", "av", "rosbags", "yaml", "matplotlib", "rclpy", "sensor_msgs", "vision_msgs")
    unwanted += ("onnxruntime", "onnx", "scipy", "safetensors")
    script = f"import sys, {PACKAGE}; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
