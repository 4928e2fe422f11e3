"""Compile the generated sources into the shared libraries that ROS looks up by their names."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from message_sources import DEPENDENCIES, GENERATORS, ROS_PREFIX
from setuptools.errors import CompileError

RUNTIME_LIBRARIES = (
    "rosidl_runtime_c",
    "rosidl_typesupport_c",
    "rosidl_typesupport_fastrtps_c",
    "rosidl_typesupport_fastrtps_cpp",
    "rosidl_typesupport_introspection_c",
    "rcutils",
    "fastcdr",
)
LANGUAGE_FLAGS = {".c": ("-x", "c", "-std=gnu11"), ".cpp": ("-x", "c++", "-std=gnu++17")}


def find_compiler() -> str:
    """The path of g++, which also compiles the C sources.

    Raises:
        CompileError: there is no g++, or Python's own headers are not installed.
    """
    compiler = shutil.which("g++")
    if compiler is None:
        raise CompileError(
            "no g++ found: vision_msgs is compiled when it is installed; "
            "install a C++ compiler first (Debian, Ubuntu: apt install g++)"
        )
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not header.is_file():
        raise CompileError(
            f"no {header} found: vision_msgs is compiled when it is installed; "
            "install Python's headers first (Debian, Ubuntu: apt install python3-dev)"
        )
    return compiler


def build_libraries(compiler: str, sources_dir: Path, libraries: Mapping[str, Path]) -> None:
    """Compile the sources of every generator and link them, each into a library of its own.

    Args:
        compiler: a path from ``find_compiler``.
        sources_dir: one folder a generator, as ``write_sources`` leaves them.
        libraries: the file to make for each generator, one that others need before those others.
    """
    flags = _include_flags(sources_dir)
    units = [unit for generator in libraries for unit in _gather_units(sources_dir / generator)]
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        list(workers.map(lambda unit: _compile(compiler, flags, unit), units))
    linked: list[Path] = []
    for generator, library in libraries.items():
        library.parent.mkdir(parents=True, exist_ok=True)
        objects = sorted((sources_dir / generator).rglob("*.o"))
        _link(compiler, [*objects, *linked], library)
        linked.append(library)


def _gather_units(generated_dir: Path) -> list[Path]:
    """What to compile of one generator: a file that includes its sources, which halves the time.

    Sources that repeat each other's static names stay apart: the descriptions.
    """
    sources = sorted(path for path in generated_dir.rglob("*") if path.suffix in LANGUAGE_FLAGS)
    apart = [source for source in sources if source.stem.endswith("__description")]
    together = [source for source in sources if source not in apart]
    unit = generated_dir / f"together{together[0].suffix}"
    unit.write_text("".join(f'#include "{source}"\n' for source in together))
    return [unit, *apart]


def _include_flags(sources_dir: Path) -> list[str]:
    ros_include = ROS_PREFIX / "include"
    folders = [
        *(sources_dir / generator for generator in GENERATORS),
        ros_include,
        *(folder for folder in sorted(ros_include.iterdir()) if folder.is_dir()),
        Path(sysconfig.get_path("include")),
        Path(np.get_include()),
    ]
    return [f"-I{folder}" for folder in folders]


def _compile(compiler: str, flags: Sequence[str], source: Path) -> None:
    # -w: the sources are generated, so a warning in them helps nobody.
    command = [compiler, *LANGUAGE_FLAGS[source.suffix], "-O2", "-fPIC", "-w", *flags]
    command += ["-c", str(source), "-o", str(source.with_suffix(".o"))]
    subprocess.run(command, check=True)


def _link(compiler: str, inputs: Sequence[Path], library: Path) -> None:
    """Link without a search path: ROS finds its libraries by ``LD_LIBRARY_PATH``."""
    ros_libraries = [f"{name}__{generator}" for name in DEPENDENCIES for generator in GENERATORS]
    ros_libraries += RUNTIME_LIBRARIES
    command = [compiler, "-shared", "-s", "-o", str(library), f"-Wl,-soname,{library.name}"]
    command += ["-Wl,--as-needed", *map(str, inputs), f"-L{ROS_PREFIX / 'lib'}"]
    command += [f"-l{name}" for name in ros_libraries]
    subprocess.run(command, check=True)
