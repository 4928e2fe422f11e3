"""``recip-tracker doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from ..doctor import report, surroundings
from ..doctor.file_probes import MODULES
from .options import console


def doctor(
    json: Annotated[bool, typer.Option("--json", help="All findings, for a request for help.")] = False,
) -> None:
    """Look at what is installed and set, and tell what does not fit together, and what to do.

    Ends with code 1 if anything is a problem, and with 0 otherwise.
    """
    findings = report.examine(surroundings.here(MODULES))
    if json:
        typer.echo(report.as_json(findings))
    else:
        report.show(findings, console)
    if not report.is_well(findings):
        raise typer.Exit(1)
