"""Tree and hash tables beside an atlas's accelerator, in files made on demand.

``ATLAS/derived/<current>/tree`` and ``…/lsh`` belong to the folder they stand in: their positions
are those of its segment, and they go when it is replaced. What they find is measured when they are
made, against the exact search, and stated with every answer.
"""

from __future__ import annotations

import difflib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from sightline.atlas.arrays import save_array
from sightline.atlas.calibration import perturbed_rows, recall
from sightline.atlas.derived import (
    FOLDER_NAME,
    REBUILD,
    Derived,
    current_manifest,
    current_name,
    open_current,
)
from sightline.atlas.exact import exact_top, rank
from sightline.atlas.hashing import HashSettings, HashTables, fill_tables
from sightline.atlas.segment import Progress, Segment
from sightline.atlas.store import Store
from sightline.atlas.structure import MeasuredStructure, SearchStructure, StructureKind, array_path
from sightline.atlas.tree import SearchTree, TreeSettings
from sightline.atlas.tree_growth import grow_tree
from sightline.durable import output_error, sync_file, sync_folder
from sightline.errors import AtlasDamagedError, AtlasError, UsageError

SCHEMA = "sightline.structure/1"
MANIFEST_NAME = "structure.json"
DEPTHS = (1, 20, 100)
"""How many nearest rows recall is measured for."""

# Of the measured queries with the row they were made of, as for the accelerator.
_SIMILARITIES = (0.97, 0.8, 0.6, 0.4)
# What files that are missing, cut or of another kind raise.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)

Settings = TreeSettings | HashSettings
_SETTINGS: dict[StructureKind, type[TreeSettings | HashSettings]] = {
    "tree": TreeSettings,
    "lsh": HashSettings,
}
_EXAMPLES: dict[StructureKind, str] = {"tree": "k=8,leaf=256", "lsh": "tables=16,bits=12"}


def read_settings(kind: StructureKind, text: str) -> Settings:
    """Read settings such as ``k=8,leaf=256,beam=4`` or ``tables=16,bits=12``.

    Args:
        kind: ``tree`` or ``lsh``.
        text: Names and whole numbers; what is left out has its default, so it may be empty.

    Raises:
        UsageError: An unknown name, no number, or one out of range.
    """
    names = [field.name for field in fields(_SETTINGS[kind])]
    values: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
            raise UsageError(
                f"A {kind} has no setting {name!r}.",
                hint=f"Did you mean {near!r}? There are {', '.join(names)}.",
            )
        try:
            values[name] = int(value)
        except ValueError:
            raise UsageError(
                f"{name} must be a whole number. Got {value!r}.",
                hint=f"Write it as {name}=8, settings parted by commas.",
            ) from None
    return _SETTINGS[kind](**values)


def build_structure(
    path: str | os.PathLike[str], settings: Settings, *, progress: Progress | None = None
) -> Path:
    """Build a tree or hash tables over the current derived half of an atlas, and measure it.

    The caller holds the writer lock. An older structure of the same kind is replaced.

    Args:
        path: The atlas.
        settings: Of what is to be built.
        progress: Called with what is being done, rows done, rows in all.

    Returns:
        The folder with its files.

    Raises:
        AtlasError: The atlas has no derived half yet.
        AtlasDamagedError: It cannot be read.
        OutputError: The disk is full or may not be written; an older structure stays.
    """
    store = Store.open(Path(path))
    derived = open_current(store.path, store.card)
    if derived is None:
        raise AtlasError(
            f"The atlas {str(store.path)!r} has no derived half to build a {settings.kind} on.",
            hint="Build it with `sightline atlas index`.",
            path=store.path,
        )
    target = derived.folder / settings.kind
    work = derived.folder / f".unfinished-{settings.kind}-{os.getpid()}"
    try:
        for leftover in derived.folder.glob(f".unfinished-{settings.kind}-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        work.mkdir()
        _write(work, derived.segment, settings, progress)
        if target.exists():
            # Readers that hold the old one's maps keep reading them.
            shutil.rmtree(target)
        work.rename(target)
        sync_folder(derived.folder)
    except OSError as error:
        raise output_error(work, error) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def open_structure(derived: Derived, kind: StructureKind) -> MeasuredStructure | None:
    """Open what :func:`build_structure` wrote; None if it was never built.

    Raises:
        AtlasDamagedError: It cannot be read, or does not fit the segment.
    """
    folder = derived.folder / kind
    document = _read_manifest(folder)
    if document is None:
        return None
    try:
        opener = SearchTree if kind == "tree" else HashTables
        structure: SearchStructure = opener.open(folder, document["settings"])
    except _UNREADABLE as error:
        raise _damaged(folder, f"cannot be read: {error}") from error
    if structure.rows != len(derived.segment):
        raise _damaged(folder, f"has {structure.rows} rows, not {len(derived.segment)}")
    dimension = derived.segment.vectors.shape[1]
    if structure.dimension != dimension:
        raise _damaged(folder, f"is of {structure.dimension} dimensions, not {dimension}")
    return MeasuredStructure(structure, document["recall"], document["comparisons"])


def require_structure(
    atlas: Path, derived: Derived | None, kind: StructureKind
) -> MeasuredStructure:
    """Open a structure that is asked for.

    Raises:
        AtlasError: It was never built, or not since the atlas was indexed.
        AtlasDamagedError: As :func:`open_structure`.
    """
    found = None if derived is None else open_structure(derived, kind)
    if found is None:
        raise AtlasError(
            f"The atlas {str(atlas)!r} has no {kind} to search with.",
            hint=f"Build it with `sightline atlas index --{kind} {_EXAMPLES[kind]}`; indexing anew "
            "removes it.",
            path=atlas,
        )
    return found


def structures_json(atlas: Path, store_version: int) -> dict[str, Any]:
    """Say which structures there are, by kind, as plain values; none of them is opened.

    Args:
        atlas: The atlas.
        store_version: Of its rows, which the structures may not know all of.

    Raises:
        AtlasDamagedError: What was recorded of one cannot be read.
    """
    index = current_manifest(atlas)
    if index is None:
        return {}
    home = atlas / FOLDER_NAME / str(current_name(atlas))
    found: dict[str, Any] = {}
    for kind in _SETTINGS:
        document = _read_manifest(home / kind)
        if document is not None:
            size = sum(file.stat().st_size for file in (home / kind).iterdir())
            whole = index["store_version"] == store_version
            found[kind] = {**document, "size_bytes": size, "knows_all_rows": whole}
    return found


def settings_text(settings: Mapping[str, int | None]) -> str:
    """Settings as :func:`read_settings` reads them."""
    return ",".join(f"{name}={value}" for name, value in settings.items() if value is not None)


def _write(work: Path, segment: Segment, settings: Settings, progress: Progress | None) -> None:
    structure: SearchStructure
    if isinstance(settings, TreeSettings):
        structure = grow_tree(segment.vectors, settings, progress=progress)
    else:
        structure = fill_tables(segment.vectors, settings, progress=progress)
    for name, array in structure.arrays().items():
        save_array(array_path(work, name), array)
    measured = measure_structure(segment, structure)
    document = {
        "schema": SCHEMA,
        "kind": settings.kind,
        "rows": structure.rows,
        "settings": structure.settings_json(),
        "recall": measured.recalls,
        "comparisons": measured.comparisons,
    }
    manifest = work / MANIFEST_NAME
    manifest.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    for file in work.iterdir():
        sync_file(file)
    sync_folder(work)


def measure_structure(
    segment: Segment, structure: SearchStructure, *, seed: int = 0
) -> MeasuredStructure:
    """Measure recall against the exact search, and the distances that it took.

    The queries are rows moved by noise to the cosines 0.97, 0.8, 0.6 and 0.4 with themselves.

    Args:
        segment: The rows.
        structure: Built of them.
        seed: Of the queries.
    """
    queries = perturbed_rows(segment, np.random.default_rng(seed), _SIMILARITIES)
    kinds = min(len(_SIMILARITIES), len(queries))
    recalls, comparisons = {}, {}
    for depth in (d for d in DEPTHS if d <= len(segment)):
        truth, _ = exact_top(segment, queries, depth)
        chosen = structure.candidates(queries, depth)
        found, _ = rank(segment, queries, chosen.positions, depth)
        recalls[depth] = min(recall(found[i::kinds], truth[i::kinds]) for i in range(kinds))
        comparisons[depth] = round(float(chosen.comparisons.mean()), 1)
    return MeasuredStructure(structure, recalls, comparisons)


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    """Rows, settings and measurements of a structure; None if it was never built."""
    try:
        document = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        if document["schema"] == SCHEMA:
            return {
                "rows": int(document["rows"]),
                "settings": dict(document["settings"]),
                **{
                    name: {int(depth): float(value) for depth, value in document[name].items()}
                    for name in ("recall", "comparisons")
                },
            }
    except FileNotFoundError:
        return None
    except _UNREADABLE as error:
        raise _damaged(folder, f"cannot be read: {error}") from error
    raise _damaged(folder, f"has the schema {document['schema']!r}, not {SCHEMA!r}")


def _damaged(folder: Path, reason: str) -> AtlasDamagedError:
    return AtlasDamagedError(
        f"The structure {str(folder)!r} {reason}.",
        hint=f"Build it again with `sightline atlas index --{folder.name}`. {REBUILD}",
        path=folder,
    )
