"""One turn of one run, in a process of its own; ``realtime.py`` starts it and pools what it prints.

``python bench/turns.py '{"run": "background", "seconds": 15}'``: a line of JSON on standard output, see
:func:`played`. The stream does not wait in the first two thirds of the time (*paced*), and does in the last
(*flat out*).
"""

from __future__ import annotations

import functools
import json
import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from streams import Camera, Pixels, Scene

OURS = {
    "off": {"update.updater": "background"},  # the same threads as background, with nothing to learn
    "inline": {"update.updater": "inline"},
    "background": {"update.updater": "background"},
    "before": {"update.updater": "background"},
}
OPENCV = ("csrt", "kcf", "nanotrack")
WARM_S = 1.0  # of the paced phase, not counted: the first frames fill caches, and all are learned from
PACED = 2 / 3  # share of a turn's seconds
GPU_PERIOD_S = 0.2
REST_PERIOD_S = 0.02  # between two looks whether a first fit is whole
MB = 1e6


@dataclass(frozen=True)
class Turn:
    """What is asked of a worker.

    Attributes:
        run: a name of :data:`OURS` or :data:`OPENCV`.
        size: width and height of the images, pixels.
        rate_hz: of the paced phase.
        seconds: of both phases, beside start, first fit and warm-up.
        device: of our tracker.
        settings: its parameters, ``name=value``.
        nanotrack: folder of NanoTrack's networks.
        root: checkout that the core must come from; empty for whichever is installed.
        minutes: of the long mode, which replaces both phases.
    """

    run: str
    size: tuple[int, int] = (640, 480)
    rate_hz: float = 30.0
    seconds: float = 15.0
    device: str = "auto"
    settings: tuple[str, ...] = ()
    nanotrack: str = ""
    root: str = ""
    minutes: float = 0.0


class Follower(Protocol):
    """What our trackers and the evaluation's contestants have in common; an answer has a ``box``."""

    def init(self, frame: Any, box: Any) -> Any: ...
    def update(self, frame: Any) -> Any: ...
    def close(self) -> None: ...


class Player:
    """A tracker and the stream that it is played.

    Args:
        follower: the tracker.
        scene: that is seen.
        loop: its frames, see :meth:`Scene.rendered`.
        rate_hz: by which frames are stamped.
    """

    def __init__(self, follower: Follower, scene: Scene, loop: Pixels, rate_hz: float) -> None:
        self.follower, self.scene, self.loop, self.rate_hz = follower, scene, loop, rate_hz

    def init(self, index: int) -> float:
        """Give it the target as it is in a frame; milliseconds that this takes."""
        from recip_tracker_core import BoundingBox  # noqa: PLC0415 - see builder

        began = time.perf_counter()
        self.follower.init(self._frame(index), BoundingBox(*self.scene.box(index)))
        return 1e3 * (time.perf_counter() - began)

    def answer(self, index: int, released_s: float | None = None) -> dict[str, Any]:
        """What became of a frame: processing time, age (since its release), and the time when both ended."""
        frame = self._frame(index)
        began = time.perf_counter()
        box = self.follower.update(frame).box
        done = time.perf_counter()
        age_ms = None if released_s is None else 1e3 * (done - released_s)
        told = {"index": index, "box": (box.x, box.y, box.w, box.h), "at_s": done}
        return told | {"took_ms": 1e3 * (done - began), "age_ms": age_ms}

    def paced(self, first: int, frames: int) -> list[dict[str, Any]]:
        """Answers to a stream that does not wait, of so many frames; the newest wins."""
        camera, answers = Camera(self.rate_hz, first), []
        index, released_s = camera.newest(first - 1)
        while index < first + frames:
            answers.append(self.answer(index, released_s))
            index, released_s = camera.newest(index)
        return answers

    def flat_out(self, first: int, seconds: float) -> list[dict[str, Any]]:
        """Answers to a stream of which the next frame comes when the last is answered."""
        answers: list[dict[str, Any]] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            answers.append(self.answer(first + len(answers)))
        return answers

    def _frame(self, index: int) -> Any:
        from recip_tracker_core import Frame  # noqa: PLC0415 - see builder

        return Frame(self.loop[index % len(self.loop)], round(1e9 * index / self.rate_hz), index)


def builder(turn: Turn) -> Callable[[], Follower]:
    """What builds the tracker of a run, with all modules imported, so that memory can be read in between."""
    import recip_tracker_core as core  # noqa: PLC0415 - of the checkout that the turn names

    if turn.root and not Path(core.__file__).resolve().is_relative_to(Path(turn.root).resolve()):
        raise SystemExit(f"the core was to come from '{turn.root}', and comes from '{core.__file__}'")
    if turn.run in OPENCV:
        from recip_tracker_core.evaluation.entries import entries  # noqa: PLC0415

        entry = entries([turn.run], Path(turn.nanotrack) if turn.nanotrack else None, lambda _: False)[0]
        return lambda: entry.build(seed=0, is_realtime=True)
    from recip_tracker_core.parameters import replaced  # noqa: PLC0415

    config = core.TrackerConfig()
    values = dict(known_settings(config, turn.settings, is_strict=not turn.root))
    config = replaced(config, values | {"device": turn.device} | OURS[turn.run])
    return functools.partial(core.build_tracker, config)


def known_settings(config: Any, settings: tuple[str, ...], *, is_strict: bool) -> list[tuple[str, Any]]:
    """Parameters by name; an older core's leave out what it does not know, and say so on standard error.

    Raises:
        ConfigError: one is wrong, and must be right.
    """
    from recip_tracker_core.errors import ConfigError  # noqa: PLC0415
    from recip_tracker_core.parameters import parsed  # noqa: PLC0415

    found = []
    for text in settings:
        try:
            found.append(parsed(config, text))
        except ConfigError as error:
            if is_strict:
                raise
            print(f"left out: {error}", file=sys.stderr)
    return found


def played(turn: Turn) -> dict[str, Any]:
    """One turn: answers of both phases, and what they cost.

    ``cpu_s`` and ``wall_s`` are those of the paced phase. ``peak_rss_mb`` is the largest resident set without
    the rendered frames; ``grown_rss_mb`` is what of it has come since the core was imported, with torch that
    is there beside OpenCV's trackers, too. ``first_fit_ms`` is that of a fresh process.
    """
    scene = Scene(*turn.size)
    loop = scene.rendered()
    build = builder(turn)
    before_mb = status_mb("VmRSS")
    follower = build()
    player = Player(follower, scene, loop, turn.rate_hz)
    first_fit_ms = player.init(0)
    if turn.run == "off":
        follower.learns = False  # type: ignore[attr-defined]
    while getattr(follower, "is_learning", False):  # the rest of the first fit
        time.sleep(REST_PERIOD_S)
    begun = update_counts(follower)
    warm, frames = round(WARM_S * turn.rate_hz), round(PACED * turn.seconds * turn.rate_hz)
    player.paced(1, warm)
    with GpuMeter() as meter:
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        paced = player.paced(1 + warm, frames)
        cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    flat = player.flat_out(1 + warm + frames, (1 - PACED) * turn.seconds)
    peak_mb = status_mb("VmHWM")
    found = {
        "paced": paced,
        "flat": flat,
        "released": frames,
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "first_fit_ms": first_fit_ms,
        "peak_rss_mb": peak_mb - loop.nbytes / MB,
        "grown_rss_mb": peak_mb - before_mb,
        "gpu_share": meter.share,
        "peak_gpu_mb": peak_gpu_mb(),
        **{name: count and count - (begun[name] or 0) for name, count in update_counts(follower).items()},
    }
    follower.close()
    return found


def update_counts(follower: Follower) -> dict[str, int | None]:
    """Fits and updates that were completed, and those replaced; None where nothing learns."""
    statistics = getattr(follower, "statistics", None)
    if statistics is None:
        return {"updates": None, "replaced": None}
    return {"updates": statistics.completed, "replaced": statistics.replaced}


def status_mb(name: str, process: int | str = "self") -> float:
    """A figure of a process's memory, as Linux knows it: ``VmRSS`` is resident, ``VmHWM`` its peak."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    found = re.search(rf"^{name}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None, f"/proc/{process}/status has no {name}"
    return int(found[1]) * 1024 / MB


def peak_gpu_mb() -> float | None:
    """That torch has had in use on its GPU; None without one."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    return float(torch.cuda.max_memory_allocated()) / MB


class GpuMeter:
    """Samples how busy the GPU is while it is entered; ``share`` stays None without GPU or NVML."""

    def __init__(self) -> None:
        self._samples: list[float] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    @property
    def share(self) -> float | None:
        """Mean share of the time in which the GPU did anything."""
        return sum(self._samples) / len(self._samples) if self._samples else None

    def __enter__(self) -> GpuMeter:
        if peak_gpu_mb() is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _sample(self) -> None:
        torch = sys.modules["torch"]
        while not self._is_over.wait(GPU_PERIOD_S):
            try:
                self._samples.append(torch.cuda.utilization() / 100)
            except (ModuleNotFoundError, RuntimeError):  # no NVML, or none that speaks
                return


def asked(text: str) -> Turn:
    """A turn written as JSON."""
    values = json.loads(text)
    lists = {name: tuple(values[name]) for name in ("size", "settings") if name in values}
    return Turn(**values | lists)


def main() -> None:
    """Play what the first argument asks for."""
    turn = asked(sys.argv[1])
    if turn.minutes > 0:
        from endurance import endured  # noqa: PLC0415 - it imports this module

        for window in endured(turn):
            print(json.dumps(window), flush=True)
    else:
        print(json.dumps(played(turn)), flush=True)


if __name__ == "__main__":
    main()
