"""``sightline atlas index --tree --lsh``: the papers' structures beside an index."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sightline.cli.console import ProgressLike, note, printable, progress_bar, say


def index_structures(
    folder: Path, tree: str | None, lsh: str | None, index: Callable[[Path, Collection[str]], None]
) -> None:
    """Build what is asked for over the index of an atlas, after it if that is out of date.

    Args:
        folder: The atlas.
        tree: Settings of a tree, such as ``k=8,leaf=256``; no tree if None.
        lsh: Settings of hash tables, such as ``tables=16``; none if None.
        index: Makes the index anew, given the kinds that are built again over it.
    """
    from sightline.atlas.derived import current_manifest
    from sightline.atlas.lock import writer_lock
    from sightline.atlas.store import Store
    from sightline.atlas.structures import build_structure, read_settings, structures_json

    wanted = [read_settings("tree", tree)] if tree is not None else []
    wanted += [read_settings("lsh", lsh)] if lsh is not None else []
    manifest = current_manifest(folder)
    version = Store.open(folder).version
    if manifest is None or manifest["store_version"] != version:
        index(folder, {settings.kind for settings in wanted})
    for settings in wanted:
        with progress_bar(settings.kind, unit="rows") as bar, writer_lock(folder):
            found = build_structure(folder, settings, progress=partial(_rows_done, bar))
        say(f"{settings.kind} in {printable(str(found))}")
        _tell(structures_json(folder, version)[settings.kind])


def show_structures(structures: Mapping[str, Mapping[str, Any]]) -> None:
    """Say of each structure how it was built, how large it is, and what was measured of it.

    Args:
        structures: From :func:`sightline.atlas.structures.structures_json`.
    """
    from sightline.atlas.structures import settings_text

    for kind, told in structures.items():
        known = "all rows" if told["knows_all_rows"] else "newer rows are scanned beside it"
        say(
            f"{kind:<14} {settings_text(told['settings'])}; {told['rows']:,} rows, "
            f"{told['size_bytes'] / 1e6:,.1f} MB; {known}"
        )
        _tell(told)


def tell_lost(folder: Path, structures: Mapping[str, Mapping[str, Any]]) -> None:
    """Say which structures went with the index they were built on, and how to have them again."""
    from sightline.atlas.structures import settings_text

    if structures:
        again = [f"--{kind} {settings_text(told['settings'])}" for kind, told in structures.items()]
        note(
            f"The old index is gone, and its {' and '.join(structures)} with it. Build again: "
            f"sightline atlas index {printable(str(folder))} {' '.join(again)}",
            style="yellow",
        )


def _tell(told: Mapping[str, Any]) -> None:
    """Say what was measured: it is why one would, or would not, search with it."""
    for depth, recall in told["recall"].items():
        say(
            f"  finds {recall:.0%} of the {depth} nearest, by {told['comparisons'][depth]:,.0f} "
            f"distances where a scan takes {told['rows']:,}"
        )


def _rows_done(bar: ProgressLike, _what: str, done: int, total: int) -> None:
    bar(done, total)
