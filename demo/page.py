"""The page: everything that a run has shown, in one file that needs nothing else."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from chart import STATE_COLORS, chart_svg
from hidings import hidings
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plan import Plan
from recording import Recording
from report import Bound


def write_page(plan: Plan, recording: Recording, report: dict[str, Any], kept: list[Bound]) -> Path:
    """``index.html`` in the folder of the run."""
    out = Path(plan.out)
    attention = out / "attention.png"
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # for every template: select_autoescape would pass over .j2
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("page.html.j2").render(
        plan=plan,
        report=report,
        bounds=kept,
        is_good=all(bound.is_kept for bound in kept),
        rows=table_rows(report),
        states=[(state, color) for state, color in STATE_COLORS.items()],
        video=_embedded(out / "tracked.mp4", "video/mp4"),
        chart=Markup(chart_svg(recording, hidings(plan, recording))),  # noqa: S704 - made here, from numbers
        attention=_embedded(attention, "image/png") if attention.exists() else None,
    )
    path = out / "index.html"
    path.write_text(html, encoding="utf-8")
    return path


def table_rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """The figures in words, for the page and the terminal."""
    latency, hidden = report["latency_ms"], report["hidden"]
    return [
        ("clip", str(report["clip"])),
        ("frames published", str(report["frames_published"])),
        ("frames received", str(report["frames_received"])),
        ("frames with a detection", str(report["frames_detected"])),
        ("frames uncertain", str(report["frames_uncertain"])),
        ("frames lost", str(report["frames_lost"])),
        ("frames dropped", str(report["frames_dropped"])),
        *(_hidden_rows(hidden) if hidden else []),
        ("latency, median", _ms(latency["median"])),
        ("latency, 99th percentile", _ms(latency["p99"])),
        ("confidence, median", _number(report["confidence_median"])),
        ("model updates", str(report["updates"])),
        ("pictures", f"{report['width']} x {report['height']} at {report['rate_hz']:g} Hz"),
        ("duration", f"{report['duration_s']:g} s"),
        ("computed on", str(report["device"])),
        ("middleware", str(report["rmw"])),
    ]


def _hidden_rows(hidden: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("frames hidden", str(hidden["frames"])),
        ("hidden frames called tracking", str(hidden["frames_called_tracking"])),
        ("lost after hiding, s", _each(hidden["lost_after_s"])),
        ("tracked after coming back, s", _each(hidden["found_after_s"])),
        ("overlap with the truth, median", _number(hidden["overlap_median"])),
    ]


def _each(values: list[float | None]) -> str:
    return ", ".join("never" if value is None else f"{value:.1f}" for value in values) or "none"


def _ms(value: float | None) -> str:
    return "none" if value is None else f"{value:.0f} ms"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _embedded(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"
