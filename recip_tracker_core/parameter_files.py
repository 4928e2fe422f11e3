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


def read_config(
    path: Path | None, assignments: list[str], device: str | None, seed: int | None
) -> TrackerConfig:
    """Defaults, then the file, then inline learning, then single values.

    Raises:
        ConfigError: an unknown name, a wrong type, or a value out of bounds.
        SourceError: a file that is absent or no parameter file.
    """
    config = TrackerConfig()
    if path is not None:
        config = replaced(config, read_parameters(path))
    config = replaced(config, {"update.updater": "inline"})
    config = replaced(config, dict(parsed(config, text) for text in assignments))
    single = {"device": device, "seed": seed}
    return replaced(config, {name: value for name, value in single.items() if value is not None})


def read_parameters(path: Path) -> dict[str, Any]:
    """The tracker's parameters in a ROS 2 parameter file, by dotted name; the node's own are left out.

    Raises:
        SourceError: if it is absent, no YAML, or has no ``ros__parameters``.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SourceError(f"parameter file '{path}' cannot be read: {error}") from error
    nodes = list(tree.values()) if isinstance(tree, dict) else []
    values = nodes[0].get("ros__parameters") if len(nodes) == 1 and isinstance(nodes[0], dict) else None
    if not isinstance(values, dict):
        raise SourceError(
            f"parameter file '{path}' must have one node with parameters under 'ros__parameters'"
        )
    of_the_node = {parameter.name for parameter in describe(NodeConfig())}
    return {name: value for name, value in flatten(values).items() if name not in of_the_node}
