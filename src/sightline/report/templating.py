"""The templates of this room, with escaping on and our ways to write numbers and names."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sightline.report.text import coordinates_text, distance_text, file_name, visible


@cache
def environment() -> Environment:
    """Return the Jinja environment; an unknown name in a template is an error."""
    made = Environment(
        loader=PackageLoader("sightline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "visible": visible,
        "distance": distance_text,
        "coordinates": _coordinates,
        "file_name": file_name,
        "sentence": _sentence,
    }
    return made


def _coordinates(place: dict[str, Any]) -> str:
    return coordinates_text(place["lat"], place["lon"])


def _sentence(text: str) -> str:
    """``text`` with a full stop, if it has no mark of its own."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
