"""Write what ROS's own generators make of the message definitions: C, C++ and Python sources."""

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile

import rosidl_adapter
import rosidl_generator_c
import rosidl_generator_py
import rosidl_generator_type_description
import rosidl_typesupport_c
import rosidl_typesupport_introspection_c
from rosidl_typesupport_fastrtps_c import generate_typesupport_fastrtps_c

PACKAGE = "vision_msgs"
DEPENDENCIES = ("builtin_interfaces", "geometry_msgs", "std_msgs")

# Where the ros-* wheels put include/, lib/ and share/: above lib/python3.x/site-packages.
ROS_PREFIX = Path(rosidl_adapter.__file__).resolve().parents[4]

# With Fast DDS's type support alone, rcutils prints 15 lines on stderr at the second message type
# in use: rmw_fastrtps also asks for introspection.
TYPE_SUPPORTS = ["rosidl_typesupport_fastrtps_c", "rosidl_typesupport_introspection_c"]

GENERATORS: dict[str, Callable[[str], object]] = {
    "rosidl_generator_c": rosidl_generator_c.generate_c,
    "rosidl_typesupport_fastrtps_c": generate_typesupport_fastrtps_c,
    "rosidl_typesupport_introspection_c": rosidl_typesupport_introspection_c.generate_c,
    "rosidl_typesupport_c": partial(rosidl_typesupport_c.generate_c, type_supports=TYPE_SUPPORTS),
    "rosidl_generator_py": partial(
        rosidl_generator_py.generate_py, typesupport_impls=["rosidl_typesupport_c"]
    ),
}


def find_messages(package_dir: Path) -> list[Path]:
    """The message definitions of a package, as paths relative to it (``msg/Name.msg``), sorted."""
    return sorted(path.relative_to(package_dir) for path in package_dir.glob("msg/*.msg"))


def write_definitions(package_dir: Path, share_dir: Path) -> None:
    """Put each message into ``share_dir`` in three forms: .msg, .idl, and .json with the type hash.

    The comments of a definition do not enter its hash; the fields' names, types and order do.
    """
    messages = find_messages(package_dir)
    for message in messages:
        rosidl_adapter.convert_to_idl(package_dir, PACKAGE, message, share_dir)
        shutil.copy(package_dir / message, share_dir / message)
    _call(
        rosidl_generator_type_description.generate_type_hash,
        package_name=PACKAGE,
        output_dir=str(share_dir),
        idl_tuples=_idl_tuples(messages, share_dir),
        include_paths=[f"{name}:{ROS_PREFIX / 'share' / name}" for name in DEPENDENCIES],
    )


def write_sources(share_dir: Path, sources_dir: Path) -> None:
    """Run every generator over the definitions of ``write_definitions``.

    Each writes to a folder of its own, ``sources_dir/GENERATOR/vision_msgs``, because two of them
    use the same file names. ``sources_dir/GENERATOR`` is an include path.
    """
    messages = find_messages(share_dir)
    for generator, generate in GENERATORS.items():
        output_dir = sources_dir / generator / PACKAGE
        output_dir.mkdir(parents=True)
        template_dir = ROS_PREFIX / "share" / generator / "resource"
        _call(
            generate,
            package_name=PACKAGE,
            output_dir=str(output_dir),
            template_dir=str(template_dir),
            idl_tuples=_idl_tuples(messages, share_dir),
            ros_interface_files=[str(share_dir / message) for message in messages],
            type_description_tuples=[
                f"{message.with_suffix('.idl')}:{share_dir / message.with_suffix('.json')}"
                for message in messages
            ],
            target_dependencies=[],
        )
        _write_visibility_header(template_dir, output_dir / "msg")


def _call(generate: Callable[[str], object], **arguments: str | list[str]) -> None:
    """Call a generator, which reads its arguments from a JSON file."""
    with NamedTemporaryFile("w", suffix=".json") as arguments_file:
        json.dump(arguments, arguments_file)
        arguments_file.flush()
        generate(arguments_file.name)


def _idl_tuples(messages: Sequence[Path], share_dir: Path) -> list[str]:
    return [f"{share_dir}:{message.with_suffix('.idl')}" for message in messages]


def _write_visibility_header(template_dir: Path, output_dir: Path) -> None:
    """Fill in the one template that CMake, not the generator, fills in; some have none."""
    for template in template_dir.glob("*__visibility_control.h.in"):
        text = template.read_text()
        text = text.replace("@PROJECT_NAME@", PACKAGE)
        text = text.replace("@PROJECT_NAME_UPPER@", PACKAGE.upper())
        (output_dir / template.stem).write_text(text)
