"""Runs are independent: Dask spreads them, one process a core here, or over a cluster."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import dask
from distributed import Client, LocalCluster, as_completed

from ..errors import ConfigError
from .records import Record
from .running import Job, perform

# Workers run trackers and nothing beside them. Dask's own environment has glibc's MALLOC_TRIM_THRESHOLD_ as
# well: every large array is then mapped and unmapped anew, and our tracker made 7 frames a second where it
# makes 15.
SETTINGS: dict[str, object] = {
    "distributed.nanny.pre-spawn-environ": dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), 1
    ),
    "distributed.worker.profile.enabled": False,
}


def performed(
    jobs: list[Job], workers: int, scheduler: str | None
) -> Iterator[tuple[Job, Record | Exception]]:
    """Every job with its record, or with what went wrong, as they end.

    Args:
        jobs: in any order; the longest begin first, so that none is left over at the end.
        workers: processes on this machine, one thread each.
        scheduler: address of a running Dask scheduler instead, for instance ``tcp://host:8786``; its workers
            need this package and see the images under the same paths.

    Raises:
        ConfigError: when the scheduler does not answer.
    """
    if not jobs:
        return
    ordered = sorted(jobs, key=lambda job: -len(job.sequence))
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(_client(min(workers, len(jobs)), scheduler, stack))
        waiting = {client.submit(perform, job, pure=False, retries=0): job for job in ordered}
        for future in as_completed(list(waiting)):
            job = waiting.pop(future)
            error = future.exception()
            yield job, future.result() if error is None else error


def _client(workers: int, scheduler: str | None, stack: contextlib.ExitStack) -> Client:
    if scheduler is not None:
        try:
            return Client(scheduler, timeout=5)
        except (OSError, ValueError, TimeoutError) as error:
            raise ConfigError(f"--scheduler: no Dask scheduler answers at '{scheduler}': {error}") from error
    stack.enter_context(dask.config.set(SETTINGS))
    cluster = stack.enter_context(
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",  # whoever reaches a scheduler can run code in it
            dashboard_address="127.0.0.1:0",  # any free port: another run may have the usual one
            memory_limit=0,
            silence_logs=logging.ERROR,
        )
    )
    return Client(cluster)
