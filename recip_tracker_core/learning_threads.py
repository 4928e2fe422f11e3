"""The threads that learn, for all who learn in them. Knows work only as something to call, and no torch."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

LEARNING_NICENESS = 10  # on two busy cores 87 % of a 10 Hz stream were answered without it, all with it
# Of a processor that updating takes at most: on two, 3 % more frames where the stream waits, and 14 of the 15
# updates a second that a stream of 30 Hz asks for; a half: 9 % more frames, and 12 of 15.
UPDATING_SHARE = 0.75


class LearningThread:
    """One thread for all who learn in it, behind all others in line for a processor where it can say so.

    It ends with the last of them.

    Args:
        name: of the thread.
        share: of a processor that work takes at most, above 0 and up to 1; after each piece it rests.
    """

    def __init__(self, name: str = "learning", share: float = UPDATING_SHARE) -> None:
        self._name, self._share = name, share
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._users = 0
        self._executor: ThreadPoolExecutor | None = None

    def join(self) -> None:
        """One more uses it."""
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        """One uses it no more; when that was the last, the thread has ended on return."""
        with self._lock:
            self._users -= 1
            ending, self._executor = (None, self._executor) if self._users else (self._executor, None)
            if ending is not None:
                self._ending.set()
        if ending is not None:
            ending.shutdown(wait=True)

    def submit(self, work: Callable[[], None]) -> None:
        """Do some work after what has been submitted before."""
        with self._lock:
            if self._executor is None:
                self._ending = threading.Event()
                self._executor = ThreadPoolExecutor(
                    max_workers=1, thread_name_prefix=self._name, initializer=_give_way
                )
            self._executor.submit(self._do, work, self._ending)

    def _do(self, work: Callable[[], None], ending: threading.Event) -> None:
        began_s = time.thread_time()  # not the time in which others had the processor
        work()
        ending.wait((time.thread_time() - began_s) * (1 / self._share - 1))


@dataclass(frozen=True, slots=True)
class Threads:
    """Where all that are made of one updater learn: updates in one, the rests of first fits in another."""

    updates: LearningThread = field(default_factory=LearningThread)
    rests: LearningThread = field(default_factory=lambda: LearningThread("rests", share=1.0))

    @property
    def both(self) -> tuple[LearningThread, LearningThread]:
        """Each of them."""
        return self.updates, self.rests


def _give_way() -> None:
    if sys.platform == "linux":  # where niceness is a thread's own, and cannot be taken back
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEARNING_NICENESS)
