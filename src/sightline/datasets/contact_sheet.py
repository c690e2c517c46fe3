"""A contact sheet: some of a dataset's pictures on one page, to see what it really holds."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.datasets.manifest import Manifest
from sightline.datasets.seeding import checked_seed, uniform_of_ids
from sightline.durable import write_bytes
from sightline.errors import PhotoError, TableError, UsageError
from sightline.imagery import open_picture

Pixels = NDArray[np.uint8]

MOST_SHOWN = 1000
_GAP = 4
_PAPER, _MISSING = 255, 128
_ACROSS_OVER_DOWN = 1.5
_FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}


@dataclass(frozen=True, slots=True, eq=False)
class ContactSheet:
    """A page of pictures.

    Attributes:
        pixels: uint8 RGB (h, w, 3).
        ids: Of the pairs shown, or of the photos where there are no pairs; row by row.
        problems: Pictures that could not be opened; they are grey on the sheet.
    """

    pixels: Pixels
    ids: tuple[str, ...]
    problems: tuple[PhotoError, ...]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it as JPEG or PNG, by the ending.

        Raises:
            UsageError: Another ending.
            OutputError: It cannot be written.
        """
        save_picture(path, self.pixels)


def picture_format(path: str | os.PathLike[str]) -> str:
    """Return the format of a picture by the ending of its name, or raise a UsageError."""
    name = Path(path).name
    kind = _FORMATS.get(Path(name).suffix.lower())
    if kind is None:
        raise UsageError(f"The picture must end in .jpg or .png. Got {name!r}.", hint="Rename it.")
    return kind


def save_picture(path: str | os.PathLike[str], pixels: Pixels) -> None:
    """Write uint8 RGB (h, w, 3) as JPEG or PNG, by the ending.

    Raises:
        UsageError: Another ending.
        OutputError: It cannot be written.
    """
    target = Path(path)
    kind = picture_format(target)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, quality=92)
    write_bytes(target, stream.getvalue())


def contact_sheet(
    manifest: Manifest,
    *,
    count: int = 24,
    split: str | None = None,
    seed: int = 0,
    height_px: int = 128,
) -> ContactSheet:
    """Show pairs, each photo beside its aerial patch, or photos where there are no pairs.

    Which ones are shown hangs on their ids and the seed: the same in every manifest that holds
    them.

    Args:
        manifest: What to show.
        count: How many, 1 to 1,000; fewer where there are not as many.
        split: Only of this split.
        seed: Another seed shows others.
        height_px: Of every picture; its width follows from its shape.

    Raises:
        UsageError: A number is out of range.
        TableError: There is nothing to show, or the manifest is damaged.
    """
    for name, value, most in (("count", count, MOST_SHOWN), ("height_px", height_px, 2048)):
        if not 1 <= value <= most:
            raise UsageError(
                f"{name} must be from 1 to {most}. Got {value!r}.", hint="24 pictures are usual."
            )
    table: Literal["pairs", "photos"] = "pairs" if manifest.n_pairs else "photos"
    batches = manifest.batches(table, split=split, columns=["id"])
    known = [name for batch in batches for name in batch.column(0).to_pylist()]
    if not known:
        where = "" if split is None else f" in the split {split!r}"
        raise TableError(
            f"The manifest {str(manifest.path)!r} holds no {table}{where}.",
            hint="`sightline dataset stats` says which splits there are.",
            path=manifest.path,
        )
    drawn = uniform_of_ids(known, "contact sheet", seed=checked_seed(seed))[:, 0]
    ids = [known[row] for row in np.argsort(drawn, kind="stable")[:count]]
    problems: list[PhotoError] = []
    pictures = [
        _side_by_side([_thumbnail(manifest.resolve(uri), height_px, problems) for uri in uris])
        for uris in _uris(manifest, table, ids)
    ]
    return ContactSheet(_page(pictures, height_px), tuple(ids), tuple(problems))


def _uris(manifest: Manifest, table: str, ids: list[str]) -> list[list[str]]:
    """Return the files that belong to each id, the photo first."""
    if table == "photos":
        photo_of = {name: [name] for name in ids}
    else:
        chosen = set(ids)
        photo_of = {
            pair.id: [pair.photo_id, pair.patch_id]
            for pair in manifest.pairs()
            if pair.id in chosen
        }
    wanted = [{parts[0] for parts in photo_of.values()}, {parts[-1] for parts in photo_of.values()}]
    files: dict[str, str] = {}
    for rows, names in ((manifest.photos, wanted[0]), (manifest.patches, wanted[1])):
        files |= {row.id: row.uri for row in rows() if row.id in names}
    return [[files[part] for part in photo_of[name]] for name in ids]


def _thumbnail(path: Path, height_px: int, problems: list[PhotoError]) -> Pixels:
    try:
        picture = open_picture(path, at_least=(height_px, height_px))
    except PhotoError as error:
        problems.append(error)
        return np.full((height_px, height_px, 3), _MISSING, np.uint8)
    width = max(1, round(picture.width * height_px / picture.height))
    return np.array(picture.resize((width, height_px), Image.Resampling.BOX))


def _side_by_side(pictures: list[Pixels]) -> Pixels:
    return np.concatenate(pictures, axis=1)


def _page(pictures: list[Pixels], height_px: int) -> Pixels:
    """Lay pictures of one height out in lines, on a page somewhat wider than high."""
    total = sum(picture.shape[1] + _GAP for picture in pictures)
    widest = max(picture.shape[1] for picture in pictures)
    wanted = int(np.sqrt(total * (height_px + _GAP) * _ACROSS_OVER_DOWN))
    lines: list[list[Pixels]] = [[]]
    used = 0
    for picture in pictures:
        if lines[-1] and used + picture.shape[1] > max(widest, wanted):
            lines.append([])
            used = 0
        lines[-1].append(picture)
        used += picture.shape[1] + _GAP
    width = max(sum(p.shape[1] + _GAP for p in line) for line in lines) - _GAP
    page = np.full((len(lines) * (height_px + _GAP) - _GAP, width, 3), _PAPER, np.uint8)
    for number, line in enumerate(lines):
        top, left = number * (height_px + _GAP), 0
        for picture in line:
            page[top : top + height_px, left : left + picture.shape[1]] = picture
            left += picture.shape[1] + _GAP
    return page
