"""Runs through Dask: on this machine's cores, or on a scheduler that somebody else has started."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

distributed = pytest.importorskip("distributed")

from recip_tracker_core.errors import SourceError
from recip_tracker_core.evaluation.contestants import Contestant
from recip_tracker_core.evaluation.entries import Entry
from recip_tracker_core.evaluation.jobs import performed
from recip_tracker_core.evaluation.records import Record
from recip_tracker_core.evaluation.running import Job, perform
from recip_tracker_core.evaluation.sequences import Sequence

pytestmark = pytest.mark.slow

NULL = Entry("null", "null")


def test_a_scheduler_of_somebody_elses_is_used_and_left_running(
    rendered_sequence: Callable[..., Sequence],
) -> None:
    good, broken = rendered_sequence("good", frames=4), rendered_sequence("broken", frames=4)
    broken.files[2].unlink()
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        jobs = [Job(NULL, good, 0), Job(NULL, broken, 0)]
        done = {
            job.sequence.name: record
            for job, record in performed(jobs, workers=7, scheduler=cluster.scheduler_address)
        }
        assert len(cluster.workers) == 1
    assert isinstance(done["broken"], SourceError)
    assert str(broken.files[2]) in str(done["broken"])
    assert isinstance(done["good"], Record)
    assert (done["good"].boxes == perform(jobs[0]).boxes).all()


def test_nothing_to_do_starts_nothing() -> None:
    assert list(performed([], workers=1, scheduler="tcp://127.0.0.1:9")) == []


def test_workers_keep_the_allocators_own_thresholds(
    rendered_sequence: Callable[..., Sequence], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask's halve the speed of a tracker that allocates large arrays in every frame."""

    class Teller(Entry):  # of a function, so that it travels as code to a worker that has no tests
        def build(self, seed: int, is_realtime: bool = False) -> Contestant:
            raise KeyError(*(name for name in os.environ if name.startswith("MALLOC_")))

    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    job = Job(Teller("teller", "null"), rendered_sequence(frames=2), 0)
    ((_, record),) = performed([job], workers=1, scheduler=None)
    assert isinstance(record, KeyError)
    assert "MALLOC_TRIM_THRESHOLD_" not in record.args
