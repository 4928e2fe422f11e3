"""ROS parameters, derived from the one declaration in ``recip_tracker_core.config``.

``python -m recip_tracker_ros.parameters`` prints ``config/tracker.yaml``; with ``paper`` it prints
``config/paper.yaml``, with ``table`` the README's table.
"""

from __future__ import annotations

import sys
import textwrap
from typing import Any

import yaml
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from recip_tracker_core.config import NodeConfig, TrackerConfig
from recip_tracker_core.errors import ConfigError
from recip_tracker_core.parameters import Parameter, checked_value, describe, replaced, unknown_parameter
from recip_tracker_core.presets import preset

NOT_OURS = ("use_sim_time", "start_type_description_service", "qos_overrides.", "diagnostic_updater.")


def all_parameters(name: str = "default") -> list[Parameter]:
    """Every parameter of the node, with its value in a preset: those of no section first.

    Raises:
        ConfigError: there is no such preset.
    """
    own_and_core = describe(NodeConfig(preset=name)) + describe(preset(name))
    return sorted(own_and_core, key=lambda parameter: "." in parameter.name)


def declare(node: Node) -> None:
    """Declare all parameters with description, type and range.

    Raises:
        ConfigError: for an override that names no parameter, or whose value it may not have.
    """
    overridden = getattr(node, "_parameter_overrides", {})
    chosen = str(overridden["preset"].value) if "preset" in overridden else "default"
    known = {parameter.name: parameter for parameter in all_parameters(chosen)}
    for name, override in overridden.items():
        if name in known:
            checked_value(known[name], override.value)
        elif not name.startswith(NOT_OURS):
            raise unknown_parameter(name, list(known))
    node.declare_parameters(
        "", [(name, _to_ros(parameter.value), _descriptor(parameter)) for name, parameter in known.items()]
    )


def read(node: Node) -> tuple[TrackerConfig, NodeConfig]:
    """The present values.

    Raises:
        ConfigError: never for declared parameters, whose values are checked when they are set.
    """
    values = {parameter.name: node.get_parameter(parameter.name).value for parameter in all_parameters()}
    own = {parameter.name: values.pop(parameter.name) for parameter in describe(NodeConfig())}
    return replaced(TrackerConfig(), values), replaced(NodeConfig(), own)


def check_change(parameters: list[RosParameter], *, is_configured: bool) -> None:
    """Whether parameters may be set to these values now.

    Raises:
        ConfigError: a value that is not permitted, or one that cannot change while configured.
    """
    known = {parameter.name: parameter for parameter in all_parameters()}
    for changed in parameters:
        if changed.name not in known:
            continue  # rclpy's own
        parameter = known[changed.name]
        checked_value(parameter, changed.value)
        if is_configured and not parameter.live:
            raise ConfigError(
                f"'{changed.name}' cannot change while the node is configured: clean up the node first, "
                f"or set it in the parameter file"
            )


def as_yaml(name: str = "default") -> str:
    """All parameters with their values in a preset and their meanings, as a ROS 2 parameter file."""
    source, file = ("config", "tracker") if name == "default" else ("presets", name)
    lines = [
        f"# Every parameter of the node, as the preset '{name}' has it.",
        f"# Derived from recip_tracker_core/{source}.py:",
        f"# python -m recip_tracker_ros.parameters {name} > config/{file}.yaml",
        "/**:",
        "  ros__parameters:",
    ]
    section = ""
    for parameter in all_parameters(name):
        head, _, key = parameter.name.rpartition(".")
        if head != section:
            section = head
            lines.append(f"    {section}:")
        indent = " " * (6 if head else 4)
        lines += textwrap.wrap(
            _comment(parameter), 96, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# "
        )
        lines.append(f"{indent}{key}: {_scalar(parameter.value)}")
    return "\n".join(lines) + "\n"


def as_table() -> str:
    """All parameters with defaults, bounds and meanings, as the README has them."""
    lines = ["| parameter | default | permitted | meaning |", "|---|---|---|---|"]
    for parameter in all_parameters():
        permitted = ", ".join(parameter.choices)
        if parameter.low is not None or parameter.high is not None:
            permitted = f"{_bound(parameter.low)} to {_bound(parameter.high)}"
        name = f"`{parameter.name}`" + (" (live)" if parameter.live else "")
        lines.append(f"| {name} | `{_scalar(parameter.value)}` | {permitted} | {parameter.meaning} |")
    return "\n".join(lines) + "\n"


def _comment(parameter: Parameter) -> str:
    notes = []
    if parameter.low is not None or parameter.high is not None:
        notes.append(f"{_bound(parameter.low)} to {_bound(parameter.high)}")
    if parameter.choices:
        notes.append("one of " + ", ".join(parameter.choices))
    if parameter.live:
        notes.append("may change while tracking")
    return parameter.meaning + (f" ({'; '.join(notes)})" if notes else "")


def _bound(value: float | None) -> str:
    return "any" if value is None else f"{value:.10g}"


def _scalar(value: Any) -> str:
    if isinstance(value, float):
        text = repr(value)
        return text if "e" not in text else f"{value:f}".rstrip("0")  # YAML 1.1 takes 5e-04 for a string
    return str(yaml.safe_dump(_to_ros(value), default_flow_style=True)).split("\n")[0]


def _to_ros(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=parameter.meaning)
    descriptor.read_only = parameter.name == "preset"  # the others' values have followed from it
    if parameter.choices:
        descriptor.additional_constraints = "one of " + ", ".join(parameter.choices)
    low, high = parameter.low, parameter.high
    if low is not None and high is not None:
        if isinstance(parameter.value, int):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high))
            ]
    return descriptor


if __name__ == "__main__":
    print(as_table() if sys.argv[1:] == ["table"] else as_yaml(*sys.argv[1:]), end="")
