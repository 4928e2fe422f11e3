"""``recip-tracker evaluate``: from a folder of sequences to scores, a page and files that others read."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from ..errors import ConfigError, SourceError
from .absences import stressed
from .datasets import Dataset, open_dataset
from .entries import Entry, entries
from .jobs import performed
from .records import Evaluation, Record, Run
from .report import write_report
from .result_files import Place, place, read, tracker_folder, write
from .running import Job
from .sequences import Sequence
from .summary import accuracies, summarise
from .terminal import bar, table_of


@dataclass(frozen=True)
class Request:
    """What the user asked for; the command line's options, checked where they are used.

    Attributes:
        dataset, format, sequences: see :func:`.datasets.open_dataset`.
        trackers: see :func:`.entries.entries`.
        nanotrack: folder of its networks.
        seeds: runs of a tracker that draws by chance, with seeds 0, 1, ...
        limit: frames of a sequence, or None for all.
        stress_seed: of made absences, or None for none.
        rate_hz: of a stream that does not wait, beside the offline runs; or None.
        results, report, json: where to write.
        workers, scheduler: see :func:`.jobs.performed`; None workers: by the number of cores.
    """

    dataset: Path
    format: str
    sequences: tuple[str, ...]
    trackers: tuple[str, ...]
    nanotrack: Path | None
    seeds: int
    limit: int | None
    stress_seed: int | None
    rate_hz: float | None
    results: Path
    report: Path | None
    json: Path | None
    workers: int | None
    scheduler: str | None


def evaluate(request: Request, console: Console) -> dict[str, Any]:
    """Make the runs that are missing, score all of them, write what was asked for.

    Raises:
        ConfigError: a bad request, or a run that failed; the others are kept, and made once only.
        SourceError: a dataset or result file that cannot be read.
    """
    check_outputs(request)
    dataset = open_dataset(request.dataset.absolute(), request.format, request.sequences)
    sequences = prepared(dataset, request.limit, request.stress_seed)
    offline = folder(request, dataset, None)
    field = entries(list(request.trackers), request.nanotrack, lambda name: holds(offline, name))
    jobs = jobs_of(
        field,
        sequences,
        request.seeds,
        None,
        lambda entry, sequence: repetitions_kept(offline, dataset.format, entry.name, sequence.name),
    )
    kept([job for job in jobs if job.entry.kind == "files"], dataset.format, offline)  # or say so at once
    make(request, jobs, dataset.format, offline, console)
    streamed: dict[str, tuple[Run, ...]] = {}
    if request.rate_hz is not None:
        live = [entry for entry in field if entry.kind != "files"]
        realtime = folder(request, dataset, request.rate_hz)
        live_jobs = jobs_of(live, sequences, request.seeds, request.rate_hz, lambda *_: 0)
        make(request, live_jobs, dataset.format, realtime, console)
        streamed = kept(live_jobs, dataset.format, realtime)
    evaluation = Evaluation(
        dataset=dataset.name,
        format=dataset.format,
        runs=kept(jobs, dataset.format, offline),
        realtime=streamed,
        rate_hz=request.rate_hz,
        conditions=conditions(request),
    )
    scores = accuracies(evaluation)
    summary = summarise(evaluation, scores)
    console.print(table_of(summary))
    if request.json is not None:
        text = json.dumps(summary, indent=2, sort_keys=True, allow_nan=False)
        request.json.write_text(text + "\n", encoding="utf-8")
    if request.report is not None:
        page = write_report(evaluation, summary, request.report, scores)
        console.print(f"report: {escape(str(page))}", soft_wrap=True)
    return summary


def check_outputs(request: Request) -> None:
    """Whether results can be written, before hours of running and not after them.

    Raises:
        ConfigError: otherwise.
    """
    for name, path in (("--results", request.results), ("--report", request.report)):
        if path is not None and path.exists() and not path.is_dir():
            raise ConfigError(f"{name} expects a folder, and '{path}' is a file")
    if request.json is not None and (request.json.is_dir() or not request.json.absolute().parent.is_dir()):
        raise ConfigError(f"--json expects a file in a folder that exists, got '{request.json}'")
    if request.report is not None:
        request.report.mkdir(parents=True, exist_ok=True)


def prepared(dataset: Dataset, limit: int | None, stress_seed: int | None) -> tuple[Sequence, ...]:
    """The sequences as they are run: cut first, then with made absences."""
    sequences = dataset.sequences
    if limit is not None:
        sequences = tuple(sequence.limited(limit) for sequence in sequences)
    return sequences if stress_seed is None else stressed(sequences, stress_seed)


def conditions(request: Request) -> dict[str, str]:
    """What makes these runs other than the benchmark's own, in words."""
    told: dict[str, str] = {}
    if request.limit is not None:
        told["limit"] = f"{request.limit} frames"
    if request.stress_seed is not None:
        told["stress"] = f"made absences, seed {request.stress_seed}"
    return told


def folder(request: Request, dataset: Dataset, rate_hz: float | None) -> Path:
    """Where the result files of these conditions lie: ``RESULTS/DATASET[-limitN][-stressN][-RATEhz]``."""
    name = dataset.name
    if request.limit is not None:
        name += f"-limit{request.limit}"
    if request.stress_seed is not None:
        name += f"-stress{request.stress_seed}"
    if rate_hz is not None:
        name += f"-{rate_hz:g}hz"
    return request.results / name


def holds(results: Path, tracker: str) -> bool:
    """Whether there are result files of a tracker; a name that leads elsewhere has none."""
    return tracker not in {"", ".", ".."} and (results / tracker_folder(tracker)).is_dir()


def jobs_of(
    field: list[Entry],
    sequences: tuple[Sequence, ...],
    seeds: int,
    rate_hz: float | None,
    counted: Callable[[Entry, Sequence], int],
) -> list[Job]:
    """Every run, whether made yet or not.

    Args:
        field: who runs.
        sequences: on what.
        seeds: of those that draw by chance.
        rate_hz: of a stream, or None.
        counted: how many repetitions another tool has left, for those that have files only.
    """

    def repetitions(entry: Entry, sequence: Sequence) -> int:
        if entry.kind == "files":
            return counted(entry, sequence)
        return seeds if entry.is_seeded else 1

    return [
        Job(entry, sequence, seed, rate_hz)
        for entry in field
        for sequence in sequences
        for seed in range(repetitions(entry, sequence))
    ]


def repetitions_kept(results: Path, format_: str, tracker: str, sequence: str) -> int:
    """Of a tracker with files only; 1 where there are none, so that they are missed."""
    known = (place(results, format_, tracker, sequence, seed).boxes.is_file() for seed in itertools.count())
    return max(1, sum(1 for _ in itertools.takewhile(bool, known)))


def make(request: Request, jobs: list[Job], format_: str, results: Path, console: Console) -> None:
    """Run what is missing and keep it.

    Raises:
        ConfigError: if a run failed; every other one has been kept by then.
    """
    missing = [
        job for job in jobs if job.entry.kind != "files" and kept_record(job, format_, results) is None
    ]
    if len(missing) < len(jobs):
        console.print(
            f"{len(jobs) - len(missing)} of {len(jobs)} runs are kept in {escape(str(results))}",
            soft_wrap=True,
        )
    if not missing:
        return
    failures: list[str] = []
    with bar(console) as progress:
        task = progress.add_task("", total=len(missing), last="")
        for job, record in performed(missing, worker_count(request, jobs), request.scheduler):
            if isinstance(record, Record):
                write(place_of(job, format_, results), record, identity(job))
            else:
                failures.append(f"{job.entry.name} on {job.sequence.name}: {type(record).__name__}: {record}")
            progress.update(task, advance=1, last=escape(f"{job.entry.name} {job.sequence.name} {job.seed}"))
    if failures:
        raise ConfigError(f"{len(failures)} of {len(missing)} runs failed:\n" + "\n".join(failures))


def worker_count(request: Request, jobs: list[Job]) -> int:
    """A core for each run; two where frames do not wait, as learning has a thread of its own there."""
    if request.workers is not None:
        return request.workers
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if all(job.rate_hz is None for job in jobs) else max(1, cores // 2)


def kept(jobs: list[Job], format_: str, results: Path) -> dict[str, tuple[Run, ...]]:
    """All runs, from their files alone: a run that was cut and went on gives what one in one go gives.

    Raises:
        SourceError: for a run that has no files.
    """
    runs: dict[str, list[Run]] = {}
    for job in jobs:
        record = kept_record(job, format_, results)
        if record is None:
            boxes = place_of(job, format_, results).boxes
            raise SourceError(
                f"'{boxes}' is absent: no result of '{job.entry.name}' on '{job.sequence.name}'"
            )
        runs.setdefault(job.entry.name, []).append(Run(job.sequence, job.seed, record))
    return {name: tuple(found) for name, found in runs.items()}


def kept_record(job: Job, format_: str, results: Path) -> Record | None:
    """The record of a run, if it was made with what it would be made with now."""
    expected = None if job.entry.kind == "files" else identity(job)
    return read(place_of(job, format_, results), job.sequence, expected)


def place_of(job: Job, format_: str, results: Path) -> Place:
    """See :func:`.result_files.place`."""
    return place(results, format_, job.entry.name, job.sequence.name, job.seed)


def identity(job: Job) -> Mapping[str, str]:
    """What the run's result depends on; see :meth:`.entries.Entry.identity`."""
    return (
        job.entry.identity(job.seed, job.rate_hz is not None)
        | seen(job.sequence)
        | {"rate_hz": str(job.rate_hz)}
    )


def seen(sequence: Sequence) -> dict[str, str]:
    """What of a sequence a result depends on; images are taken by name and size, not read."""
    images = [(file.name, file.stat().st_size if file.is_file() else None) for file in sequence.files]
    parts = {"images": images, "first_box": sequence.truth[0].tolist(), "edits": sequence.edits}
    return {name: hashlib.sha256(repr(part).encode()).hexdigest() for name, part in parts.items()}
