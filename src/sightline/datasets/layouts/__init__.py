"""How public datasets are laid out: recognised, read, and for some, written."""

from __future__ import annotations

import os
from pathlib import Path

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts import (
    cvact,
    cvusa_workman,
    cvusa_zhai,
    daejeon520,
    osv5m,
    own_photos,
    photo_lists,
    plain,
    university1652,
    vigor,
    witw,
)
from sightline.datasets.layouts.layout import Layout, PlannedFile, Recognition, Writer
from sightline.datasets.layouts.sample import PatchSample, PhotoSample, Picture, Render, Sample
from sightline.datasets.layouts.writing import WriteReport, write
from sightline.errors import PhotoNotFoundError, UsageError

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        cvusa_workman.LAYOUT,
        cvusa_zhai.LAYOUT,
        cvact.LAYOUT,
        vigor.LAYOUT,
        university1652.LAYOUT,
        photo_lists.IM2GPS,
        photo_lists.IM2GPS3K,
        photo_lists.YFCC4K,
        photo_lists.YFCC25K,
        photo_lists.MP16,
        osv5m.LAYOUT,
        witw.LAYOUT,
        daejeon520.LAYOUT,
        plain.LAYOUT,
        own_photos.TABLE,
        own_photos.FOLDER,
    )
}
"""Every layout by its name; the order decides between equally good recognitions."""

WRITABLE = tuple(name for name, layout in LAYOUTS.items() if layout.writer is not None)


def layout_named(name: str) -> Layout:
    """Return a layout.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in LAYOUTS:
        raise UsageError(
            f"There is no layout {name!r}.", hint=f"There are {', '.join(sorted(LAYOUTS))}."
        )
    return LAYOUTS[name]


def recognise(root: str | os.PathLike[str]) -> list[Recognition]:
    """Say what a folder or file may be, the likeliest first; lists and images are not read.

    Raises:
        PhotoNotFoundError: Nothing is there.
    """
    path = Path(root)
    if not path.exists():
        raise PhotoNotFoundError(
            f"There is no folder or table {str(path)!r}.", hint="Check the path.", path=path
        )
    found = [layout.recognise(path) for layout in LAYOUTS.values()]
    told = [recognition for recognition in found if recognition is not None]
    return sorted(told, key=lambda recognition: -recognition.confidence)


def read(
    root: str | os.PathLike[str], layout: str | None = None, variant: str | None = None
) -> Dataset:
    """Read a dataset, of the named layout or of the one it looks like most.

    Args:
        root: Its folder, or a table.
        layout: A name of :data:`LAYOUTS`; recognised if None.
        variant: One of the layout's variants; what the folder holds if None.

    Raises:
        PhotoNotFoundError: Nothing is there, or nothing that is known.
        UsageError: There is no such layout or variant.
        TableError: A list cannot be read.
    """
    path = Path(root)
    if layout is None:
        told = recognise(path)
        if not told:
            raise PhotoNotFoundError(
                f"{str(path)!r} looks like no dataset that is known, and holds no photos.",
                hint=f"Say which it is: --layout {' | '.join(LAYOUTS)}.",
                path=path,
            )
        layout = told[0].name
    chosen = layout_named(layout)
    if variant is not None and not chosen.variants:
        raise UsageError(
            f"The layout {layout!r} has no variants. Got {variant!r}.", hint="Leave it out."
        )
    return chosen.read(path, variant)


__all__ = [
    "LAYOUTS",
    "WRITABLE",
    "Layout",
    "PatchSample",
    "PhotoSample",
    "Picture",
    "PlannedFile",
    "Recognition",
    "Render",
    "Sample",
    "WriteReport",
    "Writer",
    "layout_named",
    "read",
    "recognise",
    "write",
]
