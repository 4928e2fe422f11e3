"""Build the wheel in a temporary folder: generate, compile, put each file in its place."""

import platform
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import Distribution, setup
from setuptools.command.build_ext import build_ext

PROJECT_DIR = Path(__file__).resolve().parent
sys.path.insert(0, str(PROJECT_DIR))  # a build backend does not look there for our modules
sys.dont_write_bytecode = True  # or they would leave a __pycache__ in the source folder


class InterfaceDistribution(Distribution):
    """A distribution whose compiled part is not declared as extension modules."""

    def has_ext_modules(self) -> bool:
        """Always true: the wheel is for one platform and one Python version."""
        return True


class BuildInterfaces(build_ext):
    """Makes the Python package in ``build_lib``, and what belongs beside it as data files."""

    def run(self) -> None:
        """Generate, compile, lay out.

        Raises:
            CompileError: there is no g++, or Python's headers are not installed.
        """
        # Not at the top: these need the ros-* wheels, and refuse_other_machines comes before.
        from message_sources import (  # noqa: PLC0415
            GENERATORS,
            PACKAGE,
            write_definitions,
            write_sources,
        )
        from shared_libraries import build_libraries, find_compiler  # noqa: PLC0415

        compiler = find_compiler()
        scratch_dir = Path(self.build_temp).resolve()
        sources_dir, prefix = scratch_dir / "sources", scratch_dir / "prefix"
        share_dir = prefix / "share" / PACKAGE
        python_dir = Path(self.build_lib).resolve() / PACKAGE

        write_definitions(PROJECT_DIR, share_dir)
        write_sources(share_dir, sources_dir)
        libraries = {name: prefix / "lib" / f"lib{PACKAGE}__{name}.so" for name in GENERATORS}
        libraries["rosidl_generator_py"] = python_dir / f"{PACKAGE}_s__rosidl_typesupport_c.so"
        build_libraries(compiler, sources_dir, libraries)
        copy_python_modules(sources_dir / "rosidl_generator_py" / PACKAGE, python_dir)
        write_resource_index(share_dir)
        self.distribution.data_files = files_by_folder(prefix)


def copy_python_modules(generated_dir: Path, python_dir: Path) -> None:
    """Copy the generated modules without the C files beside them, and make them a package."""
    not_python = shutil.ignore_patterns("*.c", "*.o")
    shutil.copytree(generated_dir, python_dir, ignore=not_python, dirs_exist_ok=True)
    (python_dir / "__init__.py").touch()


def write_resource_index(share_dir: Path) -> None:
    """Complete ``share/PACKAGE`` so that ament's index finds the package and lists its messages."""
    shutil.copy(PROJECT_DIR / "package.xml", share_dir)
    definitions = sorted(f"msg/{p.name}" for p in share_dir.glob("msg/*") if p.suffix != ".json")
    entries = {"packages": "", "rosidl_interfaces": "\n".join(definitions)}
    for resource_type, content in entries.items():
        entry = share_dir.parent / "ament_index/resource_index" / resource_type / share_dir.name
        entry.parent.mkdir(parents=True)
        entry.write_text(content)


def files_by_folder(prefix: Path) -> list[tuple[str, list[str]]]:
    """Every file under a prefix as setuptools' ``data_files``: a folder in it, its own files."""
    files: dict[str, list[str]] = {}
    for path in sorted(prefix.rglob("*")):
        if path.is_file():
            files.setdefault(str(path.parent.relative_to(prefix)), []).append(str(path))
    return list(files.items())


def refuse_other_machines() -> None:
    """Stop before pip looks in vain for ros-* wheels.

    Raises:
        SystemExit: this is not Linux on x86-64.
    """
    machine = f"{platform.system()} {platform.machine()}"
    if machine != "Linux x86_64":
        raise SystemExit(
            f"the ROS 2 wheels that vision_msgs needs exist for Linux x86_64 alone, not {machine}: "
            "use the vision_msgs of a ROS 2 installation"
        )


refuse_other_machines()
with TemporaryDirectory(prefix="recip-vision-msgs-") as scratch:
    setup(
        distclass=InterfaceDistribution,
        cmdclass={"build_ext": BuildInterfaces},
        packages=[],
        py_modules=[],
        options={"build": {"build_base": scratch}, "egg_info": {"egg_base": scratch}},
    )
