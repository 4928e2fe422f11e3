"""Questions that are asked of another process, as importing what they import may end it.

Run as a program, it answers one question, as JSON behind :data:`ANSWER` on a line of its own. Before that it
imports nothing but the standard library, and not this package either.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from typing import Any

Values = dict[str, Any]
ANSWER = "answer: "  # the line with it: libraries may print, too


def numpy() -> Values:
    """Its version."""
    return {"version": importlib.import_module("numpy").__version__}


def cv2() -> Values:
    """Its version and file, and whether it has the contributed trackers, once it read an array of numpy."""
    library, np = importlib.import_module("cv2"), importlib.import_module("numpy")
    library.resize(np.zeros((4, 4, 3), np.uint8), (2, 2))
    has_trackers = hasattr(library, "TrackerCSRT_create") or hasattr(library, "TrackerCSRT")
    return {"version": library.__version__, "file": library.__file__, "has_trackers": has_trackers}


def torch() -> Values:
    """Its version, the CUDA that it is built for, and its devices, the CPU first, with what fails on each."""
    library = importlib.import_module("torch")
    built_for = library.version.cuda or getattr(library.version, "hip", None)
    count = library.cuda.device_count() if library.cuda.is_available() else 0
    names = ["cpu", *(f"cuda:{index}" for index in range(count))]
    return {
        "version": library.__version__,
        "cuda": built_for,
        "reason": _told(library.cuda.init) if built_for and not count else "",
        "devices": [_device(library, name) for name in names],
        "numpy": _told(lambda: library.from_numpy(library.ones(2).numpy())),
    }


def onnxruntime() -> Values:
    """Its version and what it can compute on."""
    library = importlib.import_module("onnxruntime")
    return {"version": library.__version__, "providers": library.get_available_providers()}


def onnx() -> Values:
    """Its version."""
    return {"version": importlib.import_module("onnx").__version__}


def rclpy() -> Values:
    """Its file, and the middleware that it loads."""
    library = importlib.import_module("rclpy")
    return {
        "file": library.__file__,
        "rmw": importlib.import_module("rclpy.utilities").get_rmw_implementation_identifier(),
    }


def vision_msgs() -> Values:
    """Its file, once a message could be made."""
    library = importlib.import_module("vision_msgs.msg")
    library.Detection2D()
    return {"file": library.__file__}


def cv_bridge() -> Values:
    """Its file, once a colour was converted: built for another numpy, it ends the process there."""
    library = importlib.import_module("cv_bridge")
    image = importlib.import_module("sensor_msgs.msg").Image(height=2, width=2, encoding="rgb8", step=6)
    image.data = bytes(12)
    library.CvBridge().imgmsg_to_cv2(image, "bgr8")
    return {"file": library.__file__}


def weights() -> Values:
    """Which there are, which the default needs, and the folder that fetched ones are kept in."""
    catalogue = importlib.import_module("recip_tracker_core.backbones.catalogue")
    files = importlib.import_module("recip_tracker_core.backbones.weight_files")
    config = importlib.import_module("recip_tracker_core.config").TrackerConfig()
    rows = [
        {
            "name": row.name,
            "backbone": row.backbone,
            "package": getattr(row, "package", ""),
            "state": finding.state,
            "reason": finding.reason,
        }
        for row, finding in ((row, files.verify(row)) for row in catalogue.WEIGHTS.values())
    ]
    return {"default": config.backbone.name, "folder": str(files.cache_folder()), "rows": rows}


# A library's question has its name.
QUESTIONS: dict[str, Callable[[], Values]] = {
    question.__name__: question
    for question in (numpy, cv2, torch, onnxruntime, onnx, rclpy, vision_msgs, cv_bridge, weights)
}


def answered(name: str) -> Values:
    """What is seen, or why nothing is: ``values``, ``failure`` in words, ``is_absent``."""
    try:
        return {"values": QUESTIONS[name](), "failure": "", "is_absent": False}
    except ModuleNotFoundError as error:
        return {"values": {}, "failure": str(error), "is_absent": error.name == name}
    except Exception as error:
        return {"values": {}, "failure": _first_line(error), "is_absent": False}


def _device(library: Any, name: str) -> Values:
    side = 64
    row: Values = {"name": name, "memory_bytes": 0}
    if name != "cpu":
        properties = library.cuda.get_device_properties(name)
        row = {"name": f"{properties.name} ({name})", "memory_bytes": properties.total_memory}

    def multiply() -> None:
        ones = library.ones(side, side, device=name)
        if float((ones @ ones).sum()) != side**3:
            raise ArithmeticError("a product of matrices has another value than it should")

    return {**row, "failure": _told(multiply)}


def _told(act: Callable[[], object]) -> str:
    """Why it fails; empty where it doesn't."""
    try:
        act()
    except Exception as error:
        return _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


if __name__ == "__main__":
    question, paths = sys.argv[1:]
    sys.path[:] = json.loads(paths)  # as the process that asks has them: this file's folder is none of them
    print(f"\n{ANSWER}{json.dumps(answered(question))}")
