"""``sightline atlas index --tree --lsh``: the papers' structures beside an index."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sightline.cli.console import ProgressLike, printable, progress_bar, say


def index_structures(
    folder: Path, tree: str | None, lsh: str | None, index: Callable[[Path], None]
) -> None:
    """Build what is asked for over the index of an atlas, after it if that is out of date.

    Args:
        folder: The atlas.
        tree: Settings of a tree, such as ``k=8,leaf=256``; no tree if None.
        lsh: Settings of hash tables, such as ``tables=16``; none if None.
        index: Makes the index anew.
    """
    from sightline.atlas.derived import current_manifest
    from sightline.atlas.lock import writer_lock
    from sightline.atlas.store import Store
    from sightline.atlas.structures import build_structure, read_settings

    wanted = [read_settings("tree", tree)] if tree is not None else []
    wanted += [read_settings("lsh", lsh)] if lsh is not None else []
    manifest = current_manifest(folder)
    if manifest is None or manifest["store_version"] != Store.open(folder).version:
        index(folder)
    for settings in wanted:
        with progress_bar(settings.kind, unit="rows") as bar, writer_lock(folder):
            found = build_structure(folder, settings, progress=partial(_rows_done, bar))
        say(f"{settings.kind} in {printable(str(found))}")
        _tell(found)


def _tell(structure: Path) -> None:
    """Say what was measured: it is why one would, or would not, search with it."""
    from sightline.atlas.structures import MANIFEST_NAME

    told = json.loads((structure / MANIFEST_NAME).read_text(encoding="utf-8"))
    for depth, recall in told["recall"].items():
        say(
            f"  finds {recall:.0%} of the {depth} nearest, by {told['comparisons'][depth]:,.0f} "
            f"distances where a scan takes {told['rows']:,}"
        )


def _rows_done(bar: ProgressLike, _what: str, done: int, total: int) -> None:
    bar(done, total)
