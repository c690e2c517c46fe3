"""Where was this photo taken? Geolocation against references with known places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.version import __version__

if TYPE_CHECKING:
    from sightline.api import locate, open_atlas, open_model


__all__ = ["__version__", "locate", "open_atlas", "open_model"]


def __getattr__(name: str) -> object:
    # Importing torch and faiss takes seconds; `sightline.geo` and `--help` need neither.
    if name in {"locate", "open_atlas", "open_model"}:
        from sightline import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
