"""Does the test know what training saw? Looked at before anything long begins."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sightline.datasets.splits import check
from sightline.errors import SplitLeakError
from sightline.training.cross_view.pair_data import Images, PairData, Rows
from sightline.training.cross_view.recipe import CrossViewRecipe


def refuse_leaks(data: PairData, recipe: CrossViewRecipe) -> None:
    """Refuse splits that share images, contents or places.

    Args:
        data: The splits.
        recipe: What to look for: ``leak_check`` and ``leak_radius_m``.

    Raises:
        SplitLeakError: Naming how many, and the first.
    """
    if recipe.leak_check == "off":
        return
    photos = {name: np.unique(split.pairs[:, 0]) for name, split in data.splits.items()}
    refuse_shared("photos", data.photos, photos, recipe.leak_radius_m)
    if recipe.leak_check == "all":
        patches = {name: split.gallery for name, split in data.splits.items()}
        refuse_shared("patches", data.patches, patches, 0.0)


def unhashed(data: PairData) -> str | None:
    """Say that contents could not be compared; None if all could."""
    return unhashed_images(
        (data.photos, np.unique(np.concatenate([s.pairs[:, 0] for s in data.splits.values()]))),
        (data.patches, np.unique(np.concatenate([s.gallery for s in data.splits.values()]))),
    )


def unhashed_images(*numbers: tuple[Images, Rows]) -> str | None:
    """Say that contents of some images could not be compared; None if all could.

    Args:
        numbers: Images, and which of them are used.
    """
    count = sum(len(rows) for _, rows in numbers)
    without = sum(images.sha256[row] is None for images, rows in numbers for row in rows.tolist())
    if not without:
        return None
    return (
        f"{without} of {count} images have no hash in the manifest: whether one of them is in two "
        "splits under two names could not be looked up."
    )


def refuse_shared(what: str, images: Images, rows: Mapping[str, Rows], radius_m: float) -> None:
    """Refuse images that are in two splits, by id or content, and places that are too near.

    Args:
        what: They are, in the plural.
        images: All of them.
        rows: Numbers of those in each split.
        radius_m: How near places of different splits must not be; 0 checks no places.

    Raises:
        SplitLeakError: Naming how many, and the first.
    """
    split = [name for name, own in rows.items() for _ in own]
    numbers = np.concatenate(list(rows.values()))
    ids = [images.ids[row] for row in numbers.tolist()]
    for shared, by_content in (
        (ids, False),
        ([images.sha256[row] for row in numbers], True),
    ):
        report = check(
            split,
            ids=ids,
            sha256=shared,
            latlon=images.latlon[numbers] if by_content else None,
            radius_m=radius_m if by_content else 0.0,
        )
        if report.clean:
            continue
        crossing = report.crossings[0]
        first = crossing.offenders[0]
        how = {
            "content": "have the content of" if by_content else "are also",
            "place": f"lie within {radius_m:g} m of",
        }.get(crossing.kind, "belong with")
        raise SplitLeakError(
            f"{crossing.rows} {what} {how} {what} of another split, such as {first.first!r} "
            f"({first.first_split}) and {first.second!r} ({first.second_split}).",
            hint="Split the data again (`sightline dataset split`), or say with leak_check and "
            "leak_radius_m what this protocol allows.",
        )
