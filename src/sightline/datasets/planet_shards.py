"""Samples of the planet as the files of WebDataset shards."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Any

from sightline.datasets.layouts.sample import Sample
from sightline.datasets.layouts.writing import encoded
from sightline.datasets.reading.shard_index import index_shard
from sightline.datasets.reading.shards import ShardSummary
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import TableError


def finished_shard(path: Path, samples: int) -> ShardSummary | None:
    """The summary of a shard that is there and whole, with as many samples as it shall have.

    None where it is to be written: there is none, it is cut off or damaged, or shorter.
    """
    if not path.exists() or path.stat().st_size % tarfile.RECORDSIZE:
        return None
    try:
        index = index_shard(path)
    except TableError:
        return None
    if len(index) != samples:
        return None
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return ShardSummary(path.name, samples, path.stat().st_size, digest.hexdigest())


def key_of(sample: Sample) -> str:
    """The sample's key in a shard."""
    return sample.photos[0].row.id.rsplit("/", 1)[-1]


def members_of(sample: Sample) -> dict[str, Any]:
    """The files of a sample in a shard: pictures as JPEG, and one JSON document with the rows."""
    rows: dict[str, Any] = {"photo": _document(sample.photos[0].row)}
    members: dict[str, Any] = {"photo.jpg": _jpeg(sample.photos[0].picture)}
    for nth, patch in enumerate(sample.patches):
        kind = "aerial" if nth == 0 else f"distractor{nth}"
        members[f"{kind}.jpg"] = _jpeg(patch.picture)
        rows[kind] = _document(patch.row)
    if sample.pairs:
        rows["pair"] = _document(sample.pairs[0])
    return {**members, "json": rows}


def _jpeg(picture: Any) -> bytes:
    return encoded(picture() if callable(picture) else picture, ".jpg")


def _document(row: Photo | AerialPatch | Pair) -> dict[str, Any]:
    fields = {name: getattr(row, name) for name in row.__dataclass_fields__}
    kept = {k: v for k, v in fields.items() if v is not None and k not in ("uri", "origin")}
    return {k: dict(v) if k == "labels" else v for k, v in kept.items() if k != "labels" or v}
