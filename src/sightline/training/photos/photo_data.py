"""Photos of a manifest as arrays: which there are, where they are, and which split each is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.manifest import Manifest
from sightline.datasets.preparation import few_shot_rows
from sightline.datasets.seeding import uniform_of_ids
from sightline.errors import TrainingDataError
from sightline.training.cross_view.pair_data import Floats, Images, Rows
from sightline.training.photos.recipe import PhotoRecipe

_HELD_OUT = "validation photographers of a training set"
_COLUMNS = ("id", "uri", "lat", "lon", "sha256", "split", "photographer", "width", "height")


@dataclass(frozen=True, slots=True, eq=False)
class PhotoData:
    """What a run trains, selects and is tested on.

    Attributes:
        photos: All photos of the manifest.
        photographers: (n,) who took each; None where nobody knows.
        proportions: (n,) width over height of each file; NaN where nobody looked.
        splits: Numbers of photos, ascending: ``train``, ``validation`` and, where there is one,
            ``test``.
        fingerprint: Of the manifest.
        removed: Training photos that were left out because their photographers are asked about.
        unlocatable: Training photos that were left out because they show no place.
    """

    photos: Images
    photographers: Sequence[str | None]
    proportions: Floats
    splits: Mapping[str, Rows]
    fingerprint: str
    removed: int = 0
    unlocatable: int = 0

    @property
    def train(self) -> Rows:
        """Numbers of the photos that are trained on."""
        return self.splits["train"]

    def places(self, part: str) -> Floats:
        """Where the photos of a split were taken, (n, 2) degrees."""
        return self.photos.latlon[self.splits[part]]

    def without(self, rows: Rows) -> PhotoData:
        """The same without some training photos, by their rows of :attr:`train`."""
        if not len(rows):
            return self
        return replace(self, splits={**self.splits, "train": np.delete(self.train, rows)})

    def file_of(self, row: int) -> str:
        """The file of a training photo, in words."""
        return repr(str(self.photos.paths[int(self.train[row])]))


def read_photos(manifest: Manifest, recipe: PhotoRecipe) -> PhotoData:
    """Read the splits that a recipe names.

    Raises:
        TrainingDataError: An empty split, photos without coordinates, photographers who are in
            training and asked about, or nothing that is left to train on.
    """
    table = manifest.table("photos", columns=[*_COLUMNS, "locatable"]).to_pydict()
    photos = _images(manifest, table)
    data = PhotoData(
        photos,
        table["photographer"],
        _proportions(table),
        _splits(manifest, table, recipe),
        manifest.fingerprint,
    )
    _require_places(data)
    data = _apart(data, recipe)
    if recipe.locatable_only:
        shown = np.array([one is not False for one in table["locatable"]], bool)
        kept = data.train[shown[data.train]]
        lost = len(data.train) - len(kept)
        data = replace(data, splits={**data.splits, "train": kept}, unlocatable=lost)
    if not len(data.train):
        raise TrainingDataError(
            "No training photo is said to show a place, and locatable_only = true.",
            hint="Leave locatable_only out.",
            path=manifest.path,
        )
    if recipe.train_share < 1:
        ids = [photos.ids[row] for row in data.train.tolist()]
        share = recipe.train_share
        chosen = few_shot_rows(ids, [share], seed=recipe.seed)[share]
        data = replace(data, splits={**data.splits, "train": data.train[chosen]})
    return data


def _images(manifest: Manifest, table: Mapping[str, list[object]]) -> Images:
    count = len(table["id"])
    return Images(
        [str(one) for one in table["id"]],
        [manifest.resolve(str(uri)) for uri in table["uri"]],
        np.array([table["lat"], table["lon"]], dtype=np.float64).T.reshape(-1, 2),
        np.full(count, np.nan),
        [None if one is None else str(one) for one in table["sha256"]],
    )


def _proportions(table: Mapping[str, list[object]]) -> Floats:
    sides = np.array([table["width"], table["height"]], dtype=np.float64)
    return np.asarray(sides[0] / sides[1])


def _splits(
    manifest: Manifest, table: Mapping[str, list[object]], recipe: PhotoRecipe
) -> dict[str, Rows]:
    names = {"train": recipe.train_split, "validation": recipe.validation_split}
    names["test"] = recipe.test_split
    known = sorted({str(name) for name in table["split"] if name})
    found: dict[str, Rows] = {}
    for part, name in names.items():
        if not name:
            continue
        found[part] = np.flatnonzero(np.array([split == name for split in table["split"]], bool))
        if not len(found[part]):
            more = ", or leave it empty." if part != "train" else " to the one to train on."
            raise TrainingDataError(
                f"There are no photos in the split {name!r}. The manifest's splits: "
                f"{', '.join(known) or 'none'}.",
                hint=f"Set {part}_split{more} `sightline dataset split` makes splits.",
                path=manifest.path,
            )
    if "validation" not in found:
        found |= _held_out(found["train"], table, recipe)
    parts = [part for part in ("train", "validation", "test") if part in found]
    return {part: found[part] for part in parts}


def _held_out(
    train: Rows, table: Mapping[str, list[object]], recipe: PhotoRecipe
) -> dict[str, Rows]:
    """Training and validation from training alone; a photographer's photos stay together."""
    people, ids = table["photographer"], table["id"]
    # Photos by nobody known stand each for itself, and under another name than any person's.
    groups = [f"by {people[row]}" if people[row] else f"photo {ids[row]}" for row in train.tolist()]
    out = uniform_of_ids(groups, _HELD_OUT, seed=recipe.seed)[:, 0] < recipe.validation_share
    for name, rows in (("train", train[~out]), ("validation", train[out])):
        if not len(rows):
            raise TrainingDataError(
                f"validation_share = {recipe.validation_share} of {len(train)} photos leaves none "
                f"for {name}.",
                hint="Take another share, or name a validation_split.",
            )
    return {"train": train[~out], "validation": train[out]}


def _require_places(data: PhotoData) -> None:
    for part, rows in data.splits.items():
        missing = rows[np.isnan(data.photos.latlon[rows]).any(axis=1)]
        if len(missing):
            raise TrainingDataError(
                f"{len(missing)} of {len(rows)} photos of {part} have no coordinates, such as "
                f"{data.photos.ids[int(missing[0])]!r}.",
                hint="A classifier learns from photos whose places are known: leave the others out "
                "of the manifest, or out of its splits.",
            )


def unknown_photographers(data: PhotoData, recipe: PhotoRecipe) -> str | None:
    """Say that some photos name no photographer; None if all do, or if nobody asked."""
    used = np.concatenate(list(data.splits.values())).tolist()
    nameless = sum(not data.photographers[row] for row in used)
    if recipe.shared_users == "allow" or not nameless:
        return None
    return (
        f"{nameless:,} of {len(used):,} photos name no photographer: whether somebody's photos are "
        "in training and in a test could not be looked up for them."
    )


def _apart(data: PhotoData, recipe: PhotoRecipe) -> PhotoData:
    """Training photos without those of photographers who are asked about."""
    if recipe.shared_users == "allow":
        return data
    asked = np.concatenate([rows for part, rows in data.splits.items() if part != "train"])
    people = {data.photographers[row] for row in asked.tolist()} - {None, ""}
    shared = np.array([data.photographers[row] in people for row in data.train.tolist()], bool)
    if not shared.any():
        return data
    first = int(data.train[shared][0])
    said = (
        f"{int(shared.sum())} of {len(data.train)} training photos are by photographers who are in "
        f"validation or test too, such as {data.photographers[first]!r} "
        f"({data.photos.ids[first]!r})"
    )
    if recipe.shared_users == "refuse":
        raise TrainingDataError(
            f"{said}.",
            hint="Split by photographer (`sightline dataset split --by photographer`), or leave "
            "those photos out with --set shared_users=remove.",
        )
    if shared.all():
        raise TrainingDataError(
            f"{said}: none is left to train on.",
            hint="Split by photographer (`sightline dataset split --by photographer`).",
        )
    kept: NDArray[np.int64] = data.train[~shared]
    return replace(data, splits={**data.splits, "train": kept}, removed=int(shared.sum()))
