"""An evaluation in figures: plain values, ready for JSON, and the same whatever the order of its runs.

A figure of a tracker is the mean over the seeds of each sequence, then over the sequences. What is not
known is None.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .honesty import Honesty, Reliability, honesty
from .metrics import (
    ERROR_THRESHOLDS,
    OVERLAP_THRESHOLDS,
    Accuracy,
    Curve,
    accuracy,
    known_mean,
    protocol_of,
)
from .records import ALONE, Evaluation, Run
from .sequences import Sequence

Accuracies = Mapping[str, tuple[Accuracy, ...]]
"""Of each tracker, by its name, in the order of its runs."""

FIGURES: dict[str, Callable[[Accuracy], float]] = {
    "auc": lambda score: score.auc,
    "dp20": lambda score: score.dp20,
    "os50": lambda score: score.os50,
    "norm_precision": lambda score: score.norm_precision,
    "average_overlap": lambda score: score.average_overlap,
    "center_error_px": lambda score: score.center_error_px,
    "auc_present": lambda score: score.auc_present,
}


@dataclass(frozen=True)
class _Scored:
    run: Run
    score: Accuracy


def accuracies(evaluation: Evaluation) -> Accuracies:
    """Judge every run by the protocol of the evaluation's format.

    Raises:
        ConfigError: if the format is unknown.
        SourceError: if the format clips boxes to the image, and an image cannot be read.
    """
    return _judged(evaluation.runs, evaluation.format)


def summarise(evaluation: Evaluation, scores: Accuracies | None = None) -> dict[str, Any]:
    """Everything that is known of the trackers, as plain values.

    Args:
        evaluation: what they said.
        scores: its :func:`accuracies`, where these are known already.

    Raises:
        ConfigError: if the format is unknown.
        SourceError: if the format clips boxes to the image, and an image cannot be read.
    """
    scored = _scored(evaluation.runs, accuracies(evaluation) if scores is None else scores)
    realtime = _scored(evaluation.realtime, _judged(evaluation.realtime, evaluation.format))
    return {
        "dataset": evaluation.dataset,
        "format": evaluation.format,
        "conditions": dict(sorted(evaluation.conditions.items())),
        "trackers": {
            name: _tracker(scored[name]) | {"realtime": _realtime(realtime.get(name, []), evaluation.rate_hz)}
            for name in sorted(scored)
        },
    }


def _judged(runs: Mapping[str, tuple[Run, ...]], benchmark: str) -> Accuracies:
    protocol = protocol_of(benchmark)
    sizes: dict[str, tuple[int, int]] = {}

    def size_of(sequence: Sequence) -> tuple[int, int]:
        if sequence.name not in sizes:
            frame = sequence.frame(0)
            sizes[sequence.name] = (frame.width, frame.height)
        return sizes[sequence.name]

    return {
        name: tuple(
            accuracy(
                run.record,
                run.sequence.truth,
                protocol,
                size_of(run.sequence) if protocol.clips_to_image else None,
            )
            for run in passes
        )
        for name, passes in runs.items()
    }


def _scored(runs: Mapping[str, tuple[Run, ...]], scores: Accuracies) -> dict[str, list[_Scored]]:
    return {
        name: sorted(
            map(_Scored, passes, scores[name]), key=lambda item: (item.run.sequence.name, item.run.seed)
        )
        for name, passes in runs.items()
    }


def _tracker(scored: list[_Scored]) -> dict[str, Any]:
    sequences = _grouped(scored, lambda item: item.run.sequence.name)
    runs = [item.run for item in scored]
    return {
        **{name: _over_sequences(sequences, figure) for name, figure in FIGURES.items()},
        "auc_std": _spread(scored),
        "fps": _fps(runs),
        **_honesty(honesty(runs)),
        "seeds": len({run.seed for run in runs}),
        "success": _curve(sequences, lambda score: score.success, OVERLAP_THRESHOLDS),
        "precision": _curve(sequences, lambda score: score.precision, ERROR_THRESHOLDS),
        "attributes": _attributes(sequences),
        "sequences": {name: _sequence(group) for name, group in sequences.items()},
    }


def _grouped(scored: list[_Scored], key: Callable[[_Scored], Any]) -> dict[Any, list[_Scored]]:
    groups: dict[Any, list[_Scored]] = {}
    for item in scored:
        groups.setdefault(key(item), []).append(item)
    return groups


def _over_sequences(
    sequences: Mapping[str, list[_Scored]], figure: Callable[[Accuracy], float]
) -> float | None:
    return known_mean(_over_seeds(group, figure) for group in sequences.values())


def _over_seeds(group: Iterable[_Scored], figure: Callable[[Accuracy], float]) -> float | None:
    return known_mean(figure(item.score) for item in group)


def _curve(
    sequences: Mapping[str, list[_Scored]], curve: Callable[[Accuracy], Curve], thresholds: Curve
) -> list[float | None]:
    groups = [np.stack([curve(item.score) for item in group]) for group in sequences.values()]  # (seeds, T)
    return [
        known_mean(known_mean(group[:, at].tolist()) for group in groups) for at in range(len(thresholds))
    ]


def _spread(scored: list[_Scored]) -> float | None:
    """Standard deviation over the seeds of the mean AUC; None with a single seed."""
    seeds = _grouped(scored, lambda item: item.run.seed).values()
    means = [known_mean(item.score.auc for item in group) for group in seeds]
    known = [mean for mean in means if mean is not None]
    return statistics.stdev(known) if len(known) > 1 else None


def _attributes(sequences: Mapping[str, list[_Scored]]) -> dict[str, float | None]:
    names = {name for group in sequences.values() for name in group[0].run.sequence.attributes}
    return {
        name: _over_sequences(
            {key: group for key, group in sequences.items() if name in group[0].run.sequence.attributes},
            FIGURES["auc"],
        )
        for name in sorted(names)
    }


def _sequence(group: list[_Scored]) -> dict[str, Any]:
    return {
        "auc": _over_seeds(group, FIGURES["auc"]),
        "auc_present": _over_seeds(group, FIGURES["auc_present"]),
        "auc_std": _spread(group),
        "dp20": _over_seeds(group, FIGURES["dp20"]),
        "fps": known_mean(_fps([item.run]) for item in group),
        "frames": len(group[0].run.sequence),
    }


def _fps(runs: Iterable[Run]) -> float | None:
    """Frames after the first a second of computing, where the tracker had a core to itself."""
    alone = [run.record.seconds[1:] for run in runs if run.record.core_share >= ALONE]
    seconds = np.concatenate([np.empty(0), *alone])
    seconds = seconds[np.isfinite(seconds)]
    return float(len(seconds) / seconds.sum()) if seconds.sum() > 0 else None


def _honesty(said: Honesty) -> dict[str, Any]:
    return {
        "auroc": said.auroc,
        "average_precision": said.average_precision,
        "ece": said.calibration_error,
        "absent_called_tracked": said.absent_called_tracked,
        "absent_frames": said.absent_frames,
        "refound": said.refound,
        "returns": said.returns,
        "refound_frames": said.refound_frames,
        "false_recoveries": said.false_recoveries,
        "told_apart": said.told_apart,
        "switched": said.switched,
        "look_alikes": said.look_alikes,
        "f_score": said.f_score,
        "reliability": None if said.reliability is None else _reliability(said.reliability),
    }


def _reliability(reliability: Reliability) -> dict[str, Any]:
    return {
        "confidence": [known_mean([value]) for value in reliability.confidence.tolist()],
        "good": [known_mean([value]) for value in reliability.good.tolist()],
        "count": reliability.count.tolist(),
    }


def _realtime(scored: list[_Scored], rate_hz: float | None) -> dict[str, Any] | None:
    if not scored:
        return None
    sequences = _grouped(scored, lambda item: item.run.sequence.name)
    looked_at = np.concatenate([np.isfinite(item.run.record.seconds[1:]) for item in scored])
    return {
        "rate_hz": rate_hz,
        **{name: _over_sequences(sequences, FIGURES[name]) for name in ("auc", "dp20", "os50")},
        "looked_at": float(looked_at.mean()) if looked_at.size else None,
    }
