"""A writer that is run as a process of its own, to be killed: says what it is about to commit.

Lines on standard output: ``ready`` once it begins, ``try REMOVED ADDED`` before and ``done`` after
each transaction (ids, comma-separated), ``end`` when nothing is left to do.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sightline.atlas.build import build_atlas
from sightline.atlas.derived import build_derived
from sightline.atlas.lock import writer_lock
from sightline.atlas.store import Store
from sightline.datasets.folder import scan_folder
from sightline.datasets.records import PhotoRecord

from .encoders import ColourGrid
from .photos import record


class SlowGrid(ColourGrid):
    """Takes a moment per batch, as a network does."""

    def encode_prepared(self, batch: NDArray[np.uint8], view: str = "ground") -> Any:
        time.sleep(0.002)
        return super().encode_prepared(batch, view)


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def announce_transactions() -> None:
    """Make every transaction say what it does before and after."""
    replace = Store.replace

    def announced(store: Store, ids: NDArray[np.int64], rows: pa.Table) -> Store:
        added = rows.column("id").to_pylist()
        say(f"try {','.join(map(str, ids.tolist()))} {','.join(map(str, added))}")
        after = replace(store, ids, rows)
        say("done")
        return after

    Store.replace = announced  # type: ignore[method-assign]


def records_in(folder: Path) -> list[PhotoRecord]:
    """Records of a folder; the number in a name is the place, which twins share."""
    found = [r for r in scan_folder(folder) if isinstance(r, PhotoRecord)]
    return [record(Path(r.uri), int(Path(r.uri).stem.split("-")[0])) for r in found]


def derive_once(atlas: Path, settings: dict[str, Any]) -> None:
    say("ready")
    build_derived(atlas, **settings)


def main(mode: str, atlas: Path, photos: Path) -> None:
    announce_transactions()
    records = records_in(photos) if mode == "build" else []
    say("ready")
    if mode == "build":
        build_atlas(atlas, records, SlowGrid(), batch=2, commit_rows=2, workers=2)
    elif mode == "compact":
        with writer_lock(atlas):
            while True:
                Store.open(atlas).compact().clean(timedelta(0))
    elif mode == "derive":
        with writer_lock(atlas):
            while True:
                build_derived(atlas, index_from_rows=50, exact_rows=10)
    elif mode == "read":
        while os.getppid() != 1 and not (photos / "stop").exists():
            store = Store.open(atlas)
            ids, seen = store.ids(), [i for i, v in store.vectors() if np.isfinite(v).all()]
            assert np.array_equal(np.concatenate([ids[:0], *seen]), ids)
            say(f"{store.version} {store.count} {len(np.unique(ids))}")
    say("end")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
