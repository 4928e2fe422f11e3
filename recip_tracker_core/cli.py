"""``recip-tracker``: the tracker without ROS, from the command line."""

from __future__ import annotations

try:
    import typer

    from .commands import weights
    from .commands.ablate import ablate
    from .commands.doctor import doctor
    from .commands.evaluate import evaluate
    from .commands.explain import explain
    from .commands.track import track
    from .commands.trax import trax
except ImportError as error:  # pragma: no cover
    raise SystemExit(
        f"recip-tracker needs the 'cli' extra ({error}): pip install 'recip_tracker_ros[cli]'"
    ) from error

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Follow one target chosen at run time.")
for command in (track, trax, evaluate, ablate, explain, doctor):
    app.command()(command)
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Entry point."""
    app()
