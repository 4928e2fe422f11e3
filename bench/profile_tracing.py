"""Shares what a program costs among its stages, in calls as they really are.

Functions are replaced, wherever they are known, by ones that tell a :class:`Tracer`. What its counter counts
is the innermost stage's; a function that isn't listed counts for the one that called it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from recip_tracker_core.appearance import Appearance
from recip_tracker_core.learning import LearningRequest

PACKAGE = "recip_tracker_core"
OPAQUE = (Appearance, LearningRequest)  # more than any stage reads of them
REST = "rest"  # of a part of the program, in no other stage

Array = Tensor | NDArray[Any]
Arrays = dict[tuple[int, int], Array]
"""By address and bytes; kept while a lap lasts, so that no address is used twice."""


@dataclasses.dataclass(frozen=True)
class Traced:
    """One function of a stage.

    Attributes:
        stage: its name.
        where: ``module:function`` or ``module:Class.method``, in the core.
        reads: what it needs of its arguments; None: all arrays that are found in them.
        begins: the part of the program that each call of it is a lap of, if it is one.
    """

    stage: str
    where: str
    reads: Callable[..., Any] | None = None
    begins: str = ""


class Lap:
    """One call of a part of the program.

    Attributes:
        counts: what was counted, by stage.
    """

    def __init__(self) -> None:
        self.counts: dict[str, float] = defaultdict(float)
        self._given: dict[str, Arrays] = defaultdict(dict)
        self._made: dict[str, Arrays] = defaultdict(dict)
        self._moved: dict[str, dict[str, int]] = {}

    def gives(self, stage: str, values: Any) -> None:
        """Note the arrays that go into a stage."""
        self._given[stage] |= _by_address(values)

    def makes(self, stage: str, values: Any) -> None:
        """Note the arrays that come out of it."""
        self._made[stage] |= _by_address(values)

    def end(self) -> None:
        """Let go of the arrays; bytes are known from now on."""
        for stage in self.counts:
            given, made = self._given[stage], self._made[stage]
            self._moved[stage] = defaultdict(int)
            # What comes out and goes in again need not leave the stage, nor what is only handed on enter it.
            for (_, size), array in ((key, (given | made)[key]) for key in given.keys() ^ made.keys()):
                self._moved[stage][_device(array)] += size
        self._given.clear()
        self._made.clear()

    def moved(self, stage: str) -> dict[str, int]:
        """Bytes that a stage has to move at least once, by the kind of device that they are on."""
        return self._moved.get(stage, {})


class Tracer:
    """Shares counts among stages.

    Args:
        read: the counter, which only grows.
        sees_arrays: whether arrays are noted, too, which takes time.

    Attributes:
        laps: of each part of the program, in order.
    """

    def __init__(self, read: Callable[[], float], *, sees_arrays: bool = False) -> None:
        self.laps: dict[str, list[Lap]] = defaultdict(list)
        self._read, self._sees_arrays = read, sees_arrays
        self._stack: list[tuple[str, Lap]] = []
        self._last = 0.0

    @contextlib.contextmanager
    def installed(self, traced: Iterable[Traced]) -> Iterator[None]:
        """Be told of the calls of these functions.

        Raises:
            LookupError: one of them isn't there.
        """
        with contextlib.ExitStack() as stack:
            for one in traced:
                for owner, name, new in self._replacements(one):
                    stack.enter_context(mock.patch.object(owner, name, new))
            yield

    def _replacements(self, traced: Traced) -> Iterator[tuple[Any, str, Any]]:
        owner, name, function = _found(traced.where)
        if inspect.isclass(owner):
            is_static = isinstance(function, staticmethod)
            told = self._told(traced, function.__func__ if is_static else function, is_method=not is_static)
            yield owner, name, staticmethod(told) if is_static else told
            return
        told = self._told(traced, function, is_method=False)
        modules = [module for name, module in sys.modules.items() if name.split(".")[0] == PACKAGE]
        for module in modules:
            yield from ((module, known, told) for known, value in vars(module).items() if value is function)

    def _told(self, traced: Traced, function: Callable[..., Any], *, is_method: bool) -> Callable[..., Any]:
        """A function that tells of its calls."""

        @functools.wraps(function)
        def told(*args: Any, **kwargs: Any) -> Any:
            if not (self._stack or traced.begins):
                return function(*args, **kwargs)
            with self._entered(traced) as (caller, lap):
                if self._sees_arrays:
                    given = traced.reads(*args, **kwargs) if traced.reads else (args[is_method:], kwargs)
                    lap.gives(traced.stage, args[:1] if is_method else ())
                    _flow(lap, caller, traced.stage, given)
                result = function(*args, **kwargs)
                if self._sees_arrays:
                    _flow(lap, traced.stage, caller, result)
                return result

        return told

    @contextlib.contextmanager
    def _entered(self, traced: Traced) -> Iterator[tuple[str, Lap]]:
        self._count()
        caller, lap = (REST, Lap()) if traced.begins else self._stack[-1]
        self._stack.append((traced.stage, lap))
        try:
            yield caller, lap
        finally:
            self._count()
            self._stack.pop()
            if traced.begins:
                lap.end()
                self.laps[traced.begins].append(lap)

    def _count(self) -> None:
        """What has been counted since the last time is the innermost stage's."""
        now = self._read()
        if self._stack:
            stage, lap = self._stack[-1]
            lap.counts[stage] += now - self._last
        self._last = now


def _flow(lap: Lap, source: str, target: str, values: Any) -> None:
    """Note what one stage hands to another; within one it is that one's own matter."""
    if source != target:
        lap.makes(source, values)
        lap.gives(target, values)


def _found(where: str) -> tuple[Any, str, Any]:
    """The module or class, the name in it, and what is there, as it is stored."""
    module_name, _, path = where.partition(":")
    *classes, name = path.split(".")
    try:
        owner: Any = importlib.import_module(f"{PACKAGE}.{module_name}")
        for one in classes:
            owner = getattr(owner, one)
        return owner, name, vars(owner)[name]
    except (ImportError, AttributeError, KeyError) as error:
        raise LookupError(f"'{where}' is not in {PACKAGE}: what is traced must be told anew") from error


def arrays_in(value: Any) -> Iterator[Array]:
    """Those in lists, mappings, modules and dataclasses, at any depth."""
    if isinstance(value, Tensor | np.ndarray):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.parameters()
    elif isinstance(value, dict):
        yield from arrays_in(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from arrays_in(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, (type, *OPAQUE)):
        yield from arrays_in([getattr(value, field.name) for field in dataclasses.fields(value)])


def _by_address(values: Any) -> Arrays:
    return {(_address(array), array.nbytes): array for array in arrays_in(values)}


def _address(array: Array) -> int:
    return array.data_ptr() if isinstance(array, Tensor) else int(array.ctypes.data)


def _device(array: Array) -> str:
    return array.device.type if isinstance(array, Tensor) else "cpu"
