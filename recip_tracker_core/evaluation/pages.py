"""How pages are made: a template of ours, with its pictures inside."""

from __future__ import annotations

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def rendered(template: Path, **values: object) -> str:
    """A page that needs nothing else.

    Args:
        template: may include what lies beside it, and what lies here: ``style.css.j2``. The filter
            ``embedded`` writes a picture, bytes of a file, into the page.
        values: what the template names; one that is missing is an error.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,  # for every template: select_autoescape would pass over .j2
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["embedded"] = _embedded
    return environment.get_template(template.name).render(**values)


def _embedded(picture: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(picture).decode('ascii')}"
