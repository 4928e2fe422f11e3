"""Follows a run from the first process to the last picture, and shows where it stands."""

from __future__ import annotations

import time
from typing import Any

from plan import DETECTIONS, STATUS, LineReader, Plan
from processes import Children, DemoError
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

TRACKING_WITHIN_S = 180.0  # importing torch and the first fit, on a slow machine
LAST_ANSWER_WITHIN_S = 3.0
POLL_S = 0.05
TENTHS = 10  # lines where the output is no terminal


class Watch:
    """What the lines of player and recorder have said so far."""

    def __init__(self, plan: Plan, children: Children, console: Console) -> None:
        self._plan, self._children, self._console = plan, children, console
        self._player, self._recorder = LineReader(plan.player_lines), LineReader(plan.recorder_lines)
        self.state, self.reason = "", ""
        self.played, self.is_finished = 0, False
        self.last_played_ns, self.last_answered_ns = 0, 0
        self.confidence: float | None = None

    def follow(self) -> None:
        """Return when the last picture was answered, or will not be.

        Raises:
            DemoError: a process died, the tracker refused the target, or nothing went on for too long.
        """
        with self._progress() as progress:
            task = progress.add_task("starting", total=None, note="three processes")
            self._wait_for_target(progress, task)
            self._say(progress, "playing")
            progress.update(task, description="playing", total=self._plan.frame_count)
            self._wait_for_end(progress, task)

    def _progress(self) -> Progress:
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
        )
        return Progress(*columns, console=self._console)

    def _wait_for_target(self, progress: Progress, task: Any) -> None:
        deadline, said = time.monotonic() + TRACKING_WITHIN_S, ""
        while self.played == 0:
            self._read()
            if self.state == "refused":
                raise DemoError(f"the tracker refused: {self.reason}\n{self._children.tail('tracker')}")
            if time.monotonic() > deadline:
                raise DemoError(
                    f"nothing was tracked within {TRACKING_WITHIN_S:.0f} s; the tracker's last state was "
                    f"'{self.state or 'none'}' ({self.reason}):\n{self._children.tail('tracker')}"
                )
            step = "loading the tracker" if self.state in {"", "idle"} else "learning the target"
            if step != said:
                self._say(progress, step)
                said = step
            progress.update(task, description=step, note=self.reason)

    def _wait_for_end(self, progress: Progress, task: Any) -> None:
        total = self._plan.frame_count
        deadline = time.monotonic() + 3 * self._plan.seconds + 30
        answer_deadline = float("inf")
        tenth = 0
        while self.last_answered_ns < self.last_played_ns or not self.is_finished:
            self._read()
            now = time.monotonic()
            if self.is_finished:
                answer_deadline = min(answer_deadline, now + LAST_ANSWER_WITHIN_S)
            if now > answer_deadline:
                return
            if now > deadline:
                raise DemoError(
                    f"only {self.played} of {total} frames were played:\n{self._children.tail('player')}"
                )
            confidence = "" if self.confidence is None else f" {self.confidence:.2f}"
            note = f"frame {self.played}/{total}  {self.state}{confidence}"
            progress.update(task, completed=self.played, note=note)
            if self.played * TENTHS // total > tenth:
                tenth = self.played * TENTHS // total
                self._say(progress, note)

    def _say(self, progress: Progress, text: str) -> None:
        """A line where nobody sees the bar."""
        if not self._console.is_terminal:
            progress.console.print(text, highlight=False)

    def _read(self) -> None:
        time.sleep(POLL_S)
        self._children.check()
        for line in self._player.new():
            if line["event"] == "played":
                self.played += 1
                self.last_played_ns = line["stamp_ns"]
            self.is_finished = self.is_finished or line["event"] == "finished"
        for line in self._recorder.new():
            if line["event"] == STATUS:
                self.state, self.reason = line["state"], line["values"].get("reason", "")
            if line["event"] == DETECTIONS:
                self.last_answered_ns, self.confidence = line["stamp_ns"], line["confidence"]
