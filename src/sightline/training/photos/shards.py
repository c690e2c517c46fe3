"""Photos in WebDataset shards: one pass for their rows, then any of them by a seek and a read.

A sample is a picture and ``KEY.json`` with what is known of it: the fields of a
:class:`~sightline.datasets.rows.Photo`, or a table ``photo`` of them. In the manifest that is made
of them a photo's path says where its bytes stand, ``SHARD.tar/OFFSET+SIZE/KEY.KIND``, so that no
index is kept in memory, however many there are.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

from sightline.datasets import Photo
from sightline.datasets.dataset import Dataset
from sightline.datasets.reading.shard_index import Member, ShardIndex, find_shards, index_shard
from sightline.datasets.records import RecordProblem
from sightline.errors import PhotoNotFoundError, PhotoUnreadableError, SightlineError, TableError
from sightline.imagery import Limits
from sightline.imagery.header import read_header

_PICTURES = ("jpg", "jpeg", "png", "webp")
_FIELDS = frozenset(one.name for one in fields(Photo)) - {"id", "uri", "origin"}
_LIMITS = Limits(min_side=1)


def lies_in_shards(place: Path) -> bool:
    """Whether a place is a shard, or a folder with some."""
    if place.is_file():
        return place.suffix == ".tar"
    return any(place.glob("*.tar"))


def shard_photos(place: Path, *, hashed: bool) -> Dataset:
    """The photos of shards, as a manifest is made of them.

    Args:
        place: A folder of ``.tar`` files.
        hashed: Whether all pictures are read for their hashes and sizes, to look for leaks.

    Raises:
        PhotoNotFoundError: There is no shard.
    """
    shards = find_shards(place)

    def photos() -> Iterator[Photo | RecordProblem]:
        for shard in shards:
            try:
                index = index_shard(shard)
            except SightlineError as error:
                yield RecordProblem(shard.name, None, error)
                continue
            with shard.open("rb") as stream:
                for number in range(len(index)):
                    yield _photo(stream, index, number, hashed=hashed)

    return Dataset(place.resolve().name, "1", place, photos)


def source_of(path: Path) -> Path | io.BytesIO:
    """A photo's path, or its bytes where the path lies in a shard.

    Raises:
        PhotoNotFoundError: There is no such shard.
        PhotoUnreadableError: It ends before the photo does.
    """
    shard = path.parent.parent
    if shard.suffix != ".tar":
        return path
    offset, _, size = path.parent.name.partition("+")
    member = Member(path.suffix, int(offset), int(size))
    try:
        with shard.open("rb") as stream:
            return io.BytesIO(_bytes(stream, member))
    except FileNotFoundError as cause:
        raise PhotoNotFoundError(
            f"There is no shard {str(shard)!r}.", hint="Check the path.", path=shard
        ) from cause
    except (OSError, EOFError) as cause:
        raise PhotoUnreadableError(
            f"{str(path)!r} cannot be read: {cause}.",
            hint="Copy or write the shard again.",
            path=shard,
        ) from cause


def _photo(
    stream: BinaryIO, index: ShardIndex, number: int, *, hashed: bool
) -> Photo | RecordProblem:
    key, members = index.keys[number], index.members[number]
    where = f"{index.path.name}/{key}"
    try:
        about = next((one for one in members if one.kind == "json"), None)
        picture = next((one for one in members if one.kind.split(".")[-1] in _PICTURES), None)
        if about is None or picture is None:
            raise TableError(
                f"The sample {where!r} has no {'json' if about is None else 'picture'}.",
                hint=f"Give every sample a json, and a picture ({', '.join(_PICTURES)}).",
                path=index.path,
            )
        uri = f"{index.path.name}/{picture.offset}+{picture.size}/{key}.{picture.kind}"
        known = _known(_bytes(stream, about), where)
        if hashed:
            data = _bytes(stream, picture)
            header = read_header(io.BytesIO(data), _LIMITS, where)
            known["sha256"] = hashlib.sha256(data).hexdigest()
            known |= {"width": header.width, "height": header.height}
        return Photo(where, uri, **known)
    except (SightlineError, EOFError, OSError, TypeError) as cause:
        error = (
            cause
            if isinstance(cause, SightlineError)
            else TableError(
                f"The sample {where!r} cannot be used: {cause}.",
                hint="Write the shard again, or leave the sample out.",
                path=index.path,
            )
        )
        return RecordProblem(where, number + 1, error)


def _known(data: bytes, where: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as cause:
        raise TableError(
            f"The json of {where!r} cannot be read: {cause}.", hint="Write it anew."
        ) from cause
    rows = document.get("photo", document) if isinstance(document, dict) else None
    if not isinstance(rows, dict):
        raise TableError(
            f"The json of {where!r} must hold a table of what is known of the photo. Got {rows!r}.",
            hint='Write {"lat": 51.5, "lon": -0.1, "photographer": "A", "split": "train"}.',
        )
    return {name: value for name, value in rows.items() if name in _FIELDS}


def _bytes(stream: BinaryIO, member: Member) -> bytes:
    stream.seek(member.offset)
    data = stream.read(member.size)
    if len(data) != member.size:
        raise EOFError(f"the shard ends after {len(data)} of {member.size} bytes")
    return data
