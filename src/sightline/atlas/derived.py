"""The derived half of an atlas: whitened rows and their index, rebuilt from the store at any time.

``ATLAS/derived/CURRENT`` names one folder of ``ATLAS/derived``. A new one is written beside it,
flushed and renamed before the pointer changes, so that a process that dies at any moment leaves
the old one valid; readers that hold the old one's maps keep reading them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from sightline.atlas.accelerator import INDEX_FROM_ROWS, Accelerator, train
from sightline.atlas.calibration import TARGET_RECALL, Calibration, calibrate
from sightline.atlas.card import AtlasCard
from sightline.atlas.references import References
from sightline.atlas.search import EXACT_ROWS, Searcher
from sightline.atlas.segment import Progress, Segment, write_segment
from sightline.atlas.store import Store
from sightline.atlas.unrelated import UnrelatedScores, measure_unrelated
from sightline.atlas.whiten import fit_store_whitening
from sightline.durable import make_folder, output_error, sync_file, sync_folder, write_bytes
from sightline.errors import AtlasDamagedError, AtlasEmptyError, SightlineError
from sightline.models.whitening import Whitening

FOLDER_NAME = "derived"
CURRENT_NAME = "CURRENT"
MANIFEST_NAME = "manifest.json"
WHITENING_NAME = "whitening.safetensors"
INDEX_NAME = "index.faiss"
SCHEMA = "sightline.derived/1"
REBUILD = "Rebuild it with `sightline atlas compact`; the rows themselves are not affected."

_UNFINISHED = ".unfinished-"
_TRIES = 5
# What files that are missing, cut or of another kind raise; FAISS says RuntimeError.
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, RuntimeError)


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """One derived folder, opened.

    Attributes:
        folder: Where it is.
        manifest: What was measured and written when it was built.
        whitening: How its vectors were whitened.
        segment: Its rows.
        accelerator: Its index; None for small atlases.
        calibration: Measured efforts of the index; None without one.
    """

    folder: Path
    manifest: Mapping[str, Any]
    whitening: Whitening
    segment: Segment
    accelerator: Accelerator | None
    calibration: Calibration | None

    @property
    def store_version(self) -> int:
        """The store's version that it was built from."""
        return int(self.manifest["store_version"])

    @property
    def last_id(self) -> int:
        """The largest row id in it."""
        return int(self.manifest["last_id"])

    @property
    def exact_rows(self) -> int:
        """Parts of the atlas up to this size are scanned exactly."""
        return int(self.manifest["exact_rows"])

    @property
    def unrelated(self) -> UnrelatedScores | None:
        """Scores of unrelated places, as measured."""
        found = self.manifest["unrelated"]
        return None if found is None else UnrelatedScores(**found)


def build_derived(
    path: str | os.PathLike[str],
    *,
    progress: Progress | None = None,
    index_from_rows: int = INDEX_FROM_ROWS,
    exact_rows: int = EXACT_ROWS,
    target_recall: float = TARGET_RECALL,
) -> Path:
    """Whiten and index the newest version of an atlas's rows, and make the result current.

    The caller holds the writer lock, so that two of them do not remove each other's files.

    Args:
        path: The atlas.
        progress: Called with what is being done, rows done, rows in all.
        index_from_rows: Smaller atlases get no index and are scanned exactly.
        exact_rows: Parts of the atlas up to this size are scanned exactly.
        target_recall: What the index has to reach, measured.

    Returns:
        The new derived folder.

    Raises:
        AtlasEmptyError: The atlas has no rows.
        OutputError: The disk is full or may not be written; the old derived half stays.
    """
    store = Store.open(Path(path))
    if store.count == 0:
        raise AtlasEmptyError(
            f"The atlas {str(store.path)!r} has no rows to whiten and index.",
            hint="Add photos with `sightline atlas add` first.",
            path=store.path,
        )
    home = store.path / FOLDER_NAME
    make_folder(home)
    _remove_unfinished(home)
    work = home / f"{_UNFINISHED}{os.getpid()}"
    try:
        work.mkdir()
        _write_parts(work, store, index_from_rows, progress)
        _write_manifest(work, store, exact_rows, target_recall)
        return _publish(home, work, store.version)
    except (OSError, RuntimeError) as error:
        # FAISS tells of a full disk with a RuntimeError.
        if isinstance(error, SightlineError):
            raise
        cause = error if isinstance(error, OSError) else OSError(str(error))
        raise output_error(work, cause) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def open_current(path: Path, card: AtlasCard) -> Derived | None:
    """Open the current derived folder of an atlas; None if it was never built.

    Raises:
        AtlasDamagedError: It cannot be read, or it belongs to another encoder.
    """
    home = path / FOLDER_NAME
    for attempt in range(_TRIES):
        name = current_name(path)
        if name is None:
            return None
        try:
            return _open(home / name, card)
        except (AtlasDamagedError, *_UNREADABLE) as error:
            # A builder may have removed it since its name was read: then the name has changed.
            if attempt + 1 < _TRIES and current_name(path) != name:
                continue
            if isinstance(error, AtlasDamagedError):
                raise
            raise _damaged(home / name, f"cannot be read: {error}") from error
    return None  # pragma: no cover - the loop returns or raises


def current_name(path: Path) -> str | None:
    """Return the name of an atlas's current derived folder; None if there is none yet.

    Raises:
        AtlasDamagedError: The file with the name cannot be read.
    """
    file = path / FOLDER_NAME / CURRENT_NAME
    try:
        return file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(file, f"cannot be read: {error}") from error


def current_manifest(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return what was recorded when an atlas's derived half was built; None if it never was.

    Raises:
        AtlasDamagedError: It cannot be read.
    """
    name = current_name(Path(path))
    if name is None:
        return None
    folder = Path(path) / FOLDER_NAME / name
    try:
        return read_manifest(folder)
    except (OSError, ValueError) as error:
        raise _damaged(folder, f"cannot be read: {error}") from error


def _write_parts(work: Path, store: Store, index_from_rows: int, progress: Progress | None) -> None:
    whitening = fit_store_whitening(store)
    whitening.save(work / WHITENING_NAME)
    write_segment(work, store, whitening, progress=progress)
    segment = Segment.open(work)
    if len(segment) >= index_from_rows:
        index = train(segment, turning=whitening.turns_nothing, progress=progress)
        faiss.write_index(index, str(work / INDEX_NAME))


def _write_manifest(work: Path, store: Store, exact_rows: int, target_recall: float) -> None:
    segment, whitening = Segment.open(work), Whitening.load(work / WHITENING_NAME)
    accelerator, calibration = None, None
    if (work / INDEX_NAME).exists():
        accelerator = Accelerator.open(work / INDEX_NAME)
        calibration = calibrate(segment, accelerator, exact_rows=exact_rows, target=target_recall)
    searcher = Searcher(
        References((segment,), (np.empty(0, np.int64),)),
        whitening,
        accelerator,
        calibration,
        exact_rows,
    )
    unrelated = measure_unrelated(store, searcher)
    files = sorted(p for p in work.iterdir() if p.is_file())
    manifest = {
        "schema": SCHEMA,
        "fingerprint": store.card.fingerprint,
        "store_version": store.version,
        "rows": len(segment),
        "last_id": int(segment.ids.max()),
        "dimension": whitening.dimension,
        "whitening": whitening.name,
        "lists": None if accelerator is None else accelerator.lists,
        "exact_rows": exact_rows,
        "target_recall": target_recall,
        "calibration": None if calibration is None else calibration.to_json(),
        "unrelated": None if unrelated is None else unrelated.to_json(),
        "files": {p.name: {"bytes": p.stat().st_size, "sha256": _sha256(p)} for p in files},
    }
    text = json.dumps(manifest, indent=1, allow_nan=False)
    (work / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def _publish(home: Path, work: Path, version: int) -> Path:
    for file in work.iterdir():
        sync_file(file)
    sync_folder(work)
    name = f"{version}-{_sha256(work / MANIFEST_NAME)[:12]}"
    while (home / name).exists():
        # The same rows gave the same bytes. The old folder may be damaged and is in use until
        # the pointer changes, so the new one stands beside it.
        name += "-again"
    target = home / name
    work.rename(target)
    sync_folder(home)
    write_bytes(home / CURRENT_NAME, f"{name}\n".encode())
    for other in home.iterdir():
        if other.is_dir() and other.name != name:
            shutil.rmtree(other, ignore_errors=True)
    return target


def _remove_unfinished(home: Path) -> None:
    for leftover in home.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _open(folder: Path, card: AtlasCard) -> Derived:
    manifest = read_manifest(folder)
    if manifest["fingerprint"] != card.fingerprint:
        raise _damaged(
            folder,
            f"belongs to the encoder {manifest['fingerprint']!r}, "
            f"the atlas to {card.fingerprint!r}",
        )
    accelerator, calibration = None, None
    if manifest["lists"] is not None:
        accelerator = Accelerator.open(folder / INDEX_NAME)
        calibration = Calibration.from_json(manifest["calibration"])
    return Derived(
        folder,
        manifest,
        Whitening.load(folder / WHITENING_NAME),
        Segment.open(folder),
        accelerator,
        calibration,
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what was recorded when a derived folder was built; raises OSError or ValueError."""
    manifest: dict[str, Any] = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    if manifest.get("schema") != SCHEMA:
        raise _damaged(folder, f"has the schema {manifest.get('schema')!r}, not {SCHEMA!r}")
    return manifest


def check(path: str | os.PathLike[str]) -> list[str]:
    """Compare the current derived folder with its own manifest and with the store.

    Returns:
        What is wrong, one sentence each; empty if all is well, or if there is none yet.
    """
    home = folder = Path(path)
    try:
        name = current_name(home)
        if name is None:
            return []
        folder = home / FOLDER_NAME / name
        manifest = read_manifest(folder)
        problems = _changed_files(folder, manifest["files"])
        if problems:
            return problems
        store = Store.open(home)
        derived = _open(folder, store.card)
    except AtlasDamagedError as error:
        return [error.message]
    except _UNREADABLE as error:
        return [f"The derived folder {str(folder)!r} cannot be read: {error}."]
    return _mismatches(folder, derived, store)


def _changed_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> list[str]:
    problems = []
    for name, expected in files.items():
        file = folder / name
        if not file.is_file():
            problems.append(f"{str(file)!r} is missing.")
        elif file.stat().st_size != expected["bytes"]:
            problems.append(
                f"{str(file)!r} has {file.stat().st_size} bytes, not {expected['bytes']}."
            )
        elif _sha256(file) != expected["sha256"]:
            problems.append(f"{str(file)!r} does not have the hash in its manifest.")
    return problems


def _mismatches(folder: Path, derived: Derived, store: Store) -> list[str]:
    problems = []
    rows = len(derived.segment)
    if rows != derived.manifest["rows"]:
        problems.append(f"{str(folder)!r} has {rows} rows, not {derived.manifest['rows']}.")
    if derived.accelerator is not None and derived.accelerator.rows != rows:
        problems.append(
            f"The index of {str(folder)!r} has {derived.accelerator.rows} rows, not {rows}."
        )
    if derived.store_version > store.version:
        problems.append(
            f"{str(folder)!r} was built from version {derived.store_version} of the rows, and "
            f"the newest is {store.version}."
        )
    if derived.store_version == store.version and rows != store.count:
        problems.append(f"{str(folder)!r} has {rows} rows, and the store has {store.count}.")
    return problems


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(folder: Path, reason: str) -> AtlasDamagedError:
    return AtlasDamagedError(
        f"The derived folder {str(folder)!r} {reason}.", hint=REBUILD, path=folder
    )
