"""Configuration by dotted name (``update.interval``): described, read, checked, replaced.

Nothing is repaired silently: an unknown name, a wrong type or a value out of bounds is a
:class:`ConfigError` that names the value and what was expected.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

from .config import TrackerConfig
from .errors import ConfigError

Value = bool | int | float | str | tuple[str, ...]
Config = TypeVar("Config")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One tunable value as the outside sees it.

    Attributes:
        name: dotted, for instance ``update.interval``.
        value: its value in the configuration that was described.
        meaning: one sentence, with the unit.
        low, high: inclusive bounds of a number, or None.
        choices: the permitted strings, or empty.
        live: whether it may change while tracking.
    """

    name: str
    value: Value
    meaning: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    live: bool


def describe(config: object, prefix: str = "") -> list[Parameter]:
    """Every parameter of a configuration, in order of declaration."""
    found: list[Parameter] = []
    for item in fields(config):  # type: ignore[arg-type]
        value = getattr(config, item.name)
        if is_dataclass(value):
            found += describe(value, f"{prefix}{item.name}.")
        else:
            found.append(Parameter(name=prefix + item.name, value=value, **item.metadata))
    return found


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings, as a YAML file has them, as dotted names."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def replaced(config: Config, values: Mapping[str, Any]) -> Config:
    """A configuration with some values, by dotted name, replaced.

    Raises:
        ConfigError: for a name that does not exist (with a suggestion), a wrong type (1 is no
            float, as in ROS), or a value out of bounds.
    """
    known = {parameter.name: parameter for parameter in describe(config)}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise unknown_parameter(name, list(known))
        checked[name] = checked_value(known[name], value)
    return _rebuilt(config, checked, "")  # type: ignore[no-any-return]


def checked_value(parameter: Parameter, value: Value | list[str]) -> Value:
    """The value, if the parameter may have it; a list of strings becomes a tuple.

    Raises:
        ConfigError: otherwise, naming parameter, value and what was expected.
    """
    if isinstance(parameter.value, tuple) and isinstance(value, list | tuple):
        value = tuple(value)
        if not all(isinstance(item, str) for item in value):
            raise ConfigError(f"'{parameter.name}' expects a list of strings, got {value!r}")
    if type(value) is not type(parameter.value):
        raise ConfigError(
            f"'{parameter.name}' expects {type(parameter.value).__name__}, "
            f"got {value!r} ({type(value).__name__})"
        )
    if parameter.choices and value not in parameter.choices:
        raise ConfigError(f"'{parameter.name}' expects one of {list(parameter.choices)}, got {value!r}")
    # Written so that NaN, which fails every comparison, is out of bounds.
    if parameter.low is not None and not value >= parameter.low:  # type: ignore[operator]
        raise ConfigError(f"'{parameter.name}' expects at least {parameter.low:g}, got {value!r}")
    if parameter.high is not None and not value <= parameter.high:  # type: ignore[operator]
        raise ConfigError(f"'{parameter.name}' expects at most {parameter.high:g}, got {value!r}")
    return value


def parsed(config: TrackerConfig, assignment: str) -> tuple[str, Value]:
    """``name=value`` from a command line, read as the type that the parameter has.

    Raises:
        ConfigError: when it is no assignment, the name is unknown or the text is not of that type.
    """
    name, separator, text = assignment.partition("=")
    if not separator:
        raise ConfigError(f"expected name=value, got '{assignment}'")
    known = {parameter.name: parameter.value for parameter in describe(config)}
    if name not in known:
        raise unknown_parameter(name, list(known))
    kind = type(known[name])
    try:
        if kind is bool:
            return name, {"true": True, "false": False}[text.lower()]
        if kind is tuple:
            return name, tuple(part.strip() for part in text.split(","))
        return name, kind(text)
    except (ValueError, KeyError):
        raise ConfigError(f"'{name}' expects {kind.__name__}, got '{text}'") from None


def unknown_parameter(name: str, known: list[str]) -> ConfigError:
    """The error for a name that does not exist, with the nearest one that does."""
    close = difflib.get_close_matches(name, known, n=1)
    return ConfigError(f"unknown parameter '{name}'" + (f", did you mean '{close[0]}'?" if close else ""))


def _rebuilt(part: Any, values: Mapping[str, Any], prefix: str) -> Any:
    changes: dict[str, Any] = {}
    for item in fields(part):
        name, old = prefix + item.name, getattr(part, item.name)
        changes[item.name] = _rebuilt(old, values, f"{name}.") if is_dataclass(old) else values.get(name, old)
    return type(part)(**changes)
