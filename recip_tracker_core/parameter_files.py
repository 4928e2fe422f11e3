"""A configuration from a ROS 2 parameter file and single assignments, as the front ends without ROS read it.

Used by them only: PyYAML comes with their extras.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .config import NodeConfig, TrackerConfig
from .errors import SourceError
from .parameters import describe, flatten, parsed, replaced
from .presets import PRESETS, preset


def read_config(
    source: str | Path | None,
    assignments: list[str],
    device: str | None,
    seed: int | None,
    base: TrackerConfig = PRESETS["default"],
) -> TrackerConfig:
    """A preset or a file's values, then inline learning, then single values.

    Args:
        source: the name of a preset, or the path of a parameter file; None for the base.
        assignments: ``name=value``.
        device, seed: where given, the parameters of these names.
        base: what a command starts from where it is given no source.

    Raises:
        ConfigError: an unknown name, a wrong type, or a value out of bounds.
        SourceError: a file that is absent or no parameter file.
    """
    if source is None:
        config = base
    elif str(source) in PRESETS:
        config = preset(str(source))
    else:
        values = read_parameters(Path(source))
        config = replaced(preset(str(values.pop("preset", "default"))), values)
    config = replaced(config, {"update.updater": "inline"})
    config = replaced(config, dict(parsed(config, text) for text in assignments))
    single = {"device": device, "seed": seed}
    return replaced(config, {name: value for name, value in single.items() if value is not None})


def read_parameters(path: Path) -> dict[str, Any]:
    """The tracker's parameters in a ROS 2 parameter file, by dotted name, and its preset where it names one.

    What else is the node's own is left out.

    Raises:
        SourceError: if it is absent, no YAML, or has no ``ros__parameters``.
    """
    known = ", ".join(sorted(PRESETS))
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SourceError(
            f"parameter file '{path}' cannot be read, and it is no preset ({known}): {error}"
        ) from error
    nodes = list(tree.values()) if isinstance(tree, dict) else []
    values = nodes[0].get("ros__parameters") if len(nodes) == 1 and isinstance(nodes[0], dict) else None
    if not isinstance(values, dict):
        raise SourceError(
            f"parameter file '{path}' must have one node with parameters under 'ros__parameters'"
        )
    of_the_node = {parameter.name for parameter in describe(NodeConfig())} - {"preset"}
    return {name: value for name, value in flatten(values).items() if name not in of_the_node}
