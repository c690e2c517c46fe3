"""The lists of photos that a viability filter kept and dropped."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from sightline.datasets.viability.filter import FilteredPhotos
from sightline.durable import make_folder, whole_file


def write_lists(photos: FilteredPhotos, folder: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write ``kept.csv`` and ``dropped.csv``: id and probability of each photo, in their order.

    Args:
        photos: What the filter said.
        folder: Where to; it is made.

    Returns:
        Both paths.

    Raises:
        OutputError: They cannot be written.
    """
    target = Path(folder)
    make_folder(target)
    rows = list(zip(photos.ids, photos.probability.tolist(), photos.keep.tolist(), strict=True))
    paths = (target / "kept.csv", target / "dropped.csv")
    for path, wanted in zip(paths, (True, False), strict=True):
        with (
            whole_file(path) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["id", "probability"])
            writer.writerows([one, repr(value)] for one, value, keep in rows if keep is wanted)
    return paths
