"""The bundles that come with Sightline, by their names."""

from __future__ import annotations

import os
from pathlib import Path

_FOLDER = Path(__file__).with_name("shipped_bundles")


def shipped_bundles() -> dict[str, Path]:
    """The folders of the bundles that come with Sightline, by their names."""
    return {path.parent.name: path.parent for path in sorted(_FOLDER.glob("*/model.json"))}


def find_bundle(path: str | os.PathLike[str]) -> Path:
    """The folder of a bundle: a path, or a name such as ``planet-360``.

    What exists is taken as a path, whatever it is called. A path that is neither is returned as it
    is, for its reader to refuse.
    """
    given = Path(path)
    return given if given.exists() else shipped_bundles().get(os.fspath(path), given)


def shipped_hint() -> str:
    """What to say where no bundle of a name was found."""
    names = ", ".join(shipped_bundles())
    return f"Sightline comes with: {names}." if names else ""
