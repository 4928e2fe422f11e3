"""Python and the libraries that the tracker computes with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .findings import Finding, ok, problem, warning
from .surroundings import Surroundings

PACKAGE = "recip_tracker_ros"
OPENCV = "opencv-contrib-python-headless"  # the one that this package names
OPENCV_WHEELS = ("opencv-python", "opencv-python-headless", "opencv-contrib-python", OPENCV)


def python(here: Surroundings) -> Iterator[Finding]:
    """Version and machine: the package itself cannot start on another Python than it supports."""
    version = here.packages.get("recip-tracker-ros", "not installed: run from its folder")
    yield ok("Python", f"{here.python}, {here.machine}; {PACKAGE} {version}")


def numpy(here: Surroundings) -> Iterator[Finding]:
    """Whether it can be imported."""
    answer = here.answers["numpy"]
    if answer.failure:
        yield problem("numpy", answer.failure, "pip install --force-reinstall numpy")
    else:
        yield ok("numpy", answer.values["version"])


def opencv(here: Surroundings) -> Iterator[Finding]:
    """Whether there is one, and not two that overwrite each other's files."""
    answer, wheels = here.answers["cv2"], [name for name in OPENCV_WHEELS if name in here.packages]
    named = ", ".join(f"{name} {here.packages[name]}" for name in wheels)
    # All go before one comes: each takes files of the others with it.
    uninstall = f"pip uninstall -y {' '.join(wheels)} && " if wheels else ""
    remedy = f"{uninstall}pip install {OPENCV}"
    if len(wheels) > 1:
        yield problem("OpenCV", f"{named}: each overwrites files of the others", remedy)
    elif answer.failure:
        yield problem("OpenCV", f"{named or 'no wheel'}: {answer.failure}", remedy)
    elif not answer.values["has_trackers"]:
        found = (
            f"{named or answer.values['file']}: no CSRT and KCF for recip-tracker evaluate to compare with"
        )
        yield warning("OpenCV", found, remedy)
    else:
        yield ok("OpenCV", named or f"{answer.values['version']}, {answer.values['file']}")


def torch(here: Surroundings) -> Iterator[Finding]:
    """Whether it computes on what is there, and gives numpy its results."""
    answer = here.answers["torch"]
    if answer.failure:
        yield problem("torch", answer.failure, "pip install --force-reinstall torch (a Jetson has its own)")
        return
    version, built_for = answer.values["version"], answer.values["cuda"]
    if answer.values["numpy"]:
        found = f"{version} cannot share arrays with this numpy: {answer.values['numpy']}"
        yield problem("torch", found, "pip install 'numpy<2', or a newer torch")
    else:
        yield ok("torch", f"{version}, built for {f'CUDA {built_for}' if built_for else 'the CPU'}")
    for device in answer.values["devices"]:
        yield _device(device)
    if here.has_nvidia and len(answer.values["devices"]) == 1:
        yield _unused_gpu(built_for, answer.values["reason"])


def onnx(here: Surroundings) -> Iterator[Finding]:
    """Whether the backbone can run on onnxruntime, which takes half of torch's time on a CPU."""
    answers = {name: here.answers[name] for name in ("onnxruntime", "onnx")}
    absent = [name for name, answer in answers.items() if answer.is_absent]
    broken = [name for name, answer in answers.items() if answer.failure and not answer.is_absent]
    has_gpu = len(here.answers["torch"].values.get("devices", ())) > 1
    if broken:
        found = "; ".join(f"{name}: {answers[name].failure}" for name in broken)
        yield problem("onnxruntime", found, f"pip install --force-reinstall {' '.join(broken)}")
    elif not absent:
        found = ", ".join(f"{name} {answer.values['version']}" for name, answer in answers.items())
        yield ok("onnxruntime", found)
    elif has_gpu:
        yield ok("onnxruntime", f"no {' and '.join(absent)}; on a GPU the backbone runs on torch")
    else:
        found = f"no {' and '.join(absent)}: on a CPU the backbone takes twice the time"
        yield warning("onnxruntime", found, f"pip install '{PACKAGE}[onnx]'")


def _device(device: dict[str, Any]) -> Finding:
    name, memory = device["name"], device["memory_bytes"]
    size = f"{memory / 2**30:.1f} GiB, " if memory else ""
    if not device["failure"]:
        return ok("device", f"{name}: {size}a product of matrices comes out right")
    remedy = "install a torch that is built for it (pytorch.org tells which); until then device:=cpu"
    return problem("device", f"{name}: {size}{device['failure']}", remedy)


def _unused_gpu(built_for: str | None, reason: str) -> Finding:
    if built_for is None:
        remedy = "install a torch with CUDA: pytorch.org gives the command, NVIDIA that of a Jetson"
        return warning("GPU", "there is an NVIDIA driver, but this torch is built for the CPU alone", remedy)
    found = f"there is an NVIDIA driver, but torch sees no device: {reason or 'none is visible'}"
    remedy = "the driver that this torch needs, or a torch for this driver; look at CUDA_VISIBLE_DEVICES, too"
    return warning("GPU", found, remedy)
