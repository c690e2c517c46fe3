"""Pairs of a manifest as arrays: which images there are, and which split each pair is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.manifest import Manifest
from sightline.datasets.preparation import few_shot_rows
from sightline.datasets.seeding import uniform_of_ids
from sightline.errors import TrainingDataError
from sightline.training.cross_view.recipe import CrossViewRecipe

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

_HELD_OUT = "validation of a training set"


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """The images of one view.

    Attributes:
        ids: (n,) stable ids.
        paths: (n,) files.
        latlon: (n, 2) degrees; NaN where unknown.
        headings: (n,) degrees, the bearing of the centre column; NaN where unknown.
        sha256: (n,) hash of each file; None where it was not computed.
    """

    ids: Sequence[str]
    paths: Sequence[Path]
    latlon: Floats
    headings: Floats
    sha256: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class SplitPairs:
    """The pairs of one split, as numbers of images.

    Attributes:
        pairs: (n, 2) a photo and its patch.
        semi: (k, 2) a photo and a patch that shows its place off centre.
        gallery: (m,) ascending, the patches that a photo is looked for among.
    """

    pairs: Rows
    semi: Rows
    gallery: Rows

    def __len__(self) -> int:
        return len(self.pairs)

    def of(self, rows: Rows) -> SplitPairs:
        """Some of its pairs, with the same gallery."""
        return replace(self, pairs=self.pairs[rows])


@dataclass(frozen=True, slots=True, eq=False)
class PairData:
    """What a run trains, selects and is tested on.

    Attributes:
        photos: All photos that a split uses.
        patches: All patches.
        splits: ``train``, ``validation`` and, where there is one, ``test``.
        patch_m: Side of a patch on the ground in metres, the median; None if unknown.
        fingerprint: Of the manifest.
    """

    photos: Images
    patches: Images
    splits: Mapping[str, SplitPairs]
    patch_m: float | None
    fingerprint: str

    @property
    def train(self) -> SplitPairs:
        """The pairs that are trained on."""
        return self.splits["train"]

    def without(self, rows: Rows) -> PairData:
        """The same without some training pairs."""
        if not len(rows):
            return self
        kept = np.delete(np.arange(len(self.train)), rows)
        return replace(self, splits={**self.splits, "train": self.train.of(kept)})

    def files_of(self, row: int) -> str:
        """The files of a training pair, in words."""
        photo, patch = self.train.pairs[row]
        return f"{str(self.photos.paths[photo])!r} or {str(self.patches.paths[patch])!r}"


def read_pairs(manifest: Manifest, recipe: CrossViewRecipe) -> PairData:
    """Read the splits that a recipe names.

    Raises:
        TrainingDataError: No pairs, an empty split, photos of another kind than the recipe says,
            or headings that are needed and missing.
    """
    photos, splits_of_photos = _photos(manifest)
    patches, splits_of_patches, patch_m = _patches(manifest)
    names = {"train": recipe.train_split, "test": recipe.test_split}
    if recipe.validation_split:
        names["validation"] = recipe.validation_split
    pairs = _pairs(manifest, photos, patches, splits_of_photos)
    found = {part: _split(pairs, name, splits_of_patches) for part, name in names.items() if name}
    for part, split in found.items():
        hint = f"Set {part}_split"
        hint += ", or leave it empty." if part != "train" else " to the one to train on."
        _require_pairs(manifest, pairs, names[part], split, hint)
    if not recipe.validation_split:
        found |= _held_out(found["train"], photos, patches, recipe)
    if recipe.train_share < 1:
        ids = [photos.ids[row] for row in found["train"].pairs[:, 0].tolist()]
        share = recipe.train_share
        chosen = few_shot_rows(_numbered(ids), [share], seed=recipe.seed)[share]
        found["train"] = found["train"].of(chosen)
    parts = [part for part in ("train", "validation", "test") if part in found]
    splits: dict[str, SplitPairs] = {part: found[part] for part in parts}
    data = PairData(photos, patches, splits, patch_m, manifest.fingerprint)
    _require_kind(manifest, data, recipe)
    _require_headings(data, recipe)
    return data


def read_split(manifest: Manifest, recipe: CrossViewRecipe, name: str) -> PairData:
    """Read one split of data that a recipe's network was not trained on, as its ``test``.

    Raises:
        TrainingDataError: No such split, photos of another kind than the recipe says, or headings
            that are needed and missing.
    """
    photos, splits_of_photos = _photos(manifest)
    patches, splits_of_patches, patch_m = _patches(manifest)
    pairs = _pairs(manifest, photos, patches, splits_of_photos)
    split = _split(pairs, name, splits_of_patches)
    _require_pairs(manifest, pairs, name, split, "Name one of them with --split.")
    data = PairData(photos, patches, {"test": split}, patch_m, manifest.fingerprint)
    _require_kind(manifest, data, recipe)
    _require_headings(data, recipe)
    return data


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    numbers: Rows
    semi: NDArray[np.bool_]
    split: Sequence[str | None]


def _photos(manifest: Manifest) -> tuple[Images, list[str | None]]:
    table = manifest.table(
        "photos",
        columns=["id", "uri", "lat", "lon", "heading_degrees", "sha256", "split"],
    ).to_pydict()
    return _images(manifest, table, table["heading_degrees"]), table["split"]


def _patches(manifest: Manifest) -> tuple[Images, list[str | None], float | None]:
    table = manifest.table(
        "patches",
        columns=[
            "id",
            "uri",
            "lat",
            "lon",
            "metres_per_pixel",
            "size_px",
            "sha256",
            "split",
        ],
    ).to_pydict()
    sides = [
        scale * size
        for scale, size in zip(table["metres_per_pixel"], table["size_px"], strict=True)
        if scale is not None and size is not None
    ]
    patch_m = float(np.median(sides)) if sides else None
    return _images(manifest, table, [None] * len(table["id"])), table["split"], patch_m


def _images(
    manifest: Manifest, table: Mapping[str, list[object]], headings: Sequence[object]
) -> Images:
    latlon = np.array([table["lat"], table["lon"]], dtype=np.float64).T.reshape(-1, 2)
    return Images(
        [str(one) for one in table["id"]],
        [manifest.resolve(str(uri)) for uri in table["uri"]],
        latlon,
        np.array(headings, dtype=np.float64),
        [None if one is None else str(one) for one in table["sha256"]],
    )


def _pairs(
    manifest: Manifest, photos: Images, patches: Images, splits: Sequence[str | None]
) -> _Pairs:
    number_of_photo = {key: number for number, key in enumerate(photos.ids)}
    number_of_patch = {key: number for number, key in enumerate(patches.ids)}
    numbers, semi, names = [], [], []
    columns = ["photo_id", "patch_id", "relation", "split"]
    for batch in manifest.batches("pairs", columns=columns):
        for row in batch.to_pylist():
            # A manifest holds no pair of an image that is not in it.
            photo = number_of_photo[row["photo_id"]]
            numbers.append((photo, number_of_patch[row["patch_id"]]))
            semi.append(row["relation"] != "positive")
            names.append(row["split"] or splits[photo])
    return _Pairs(np.array(numbers, np.int64).reshape(-1, 2), np.array(semi, bool), names)


def _split(pairs: _Pairs, name: str, splits_of_patches: Sequence[str | None]) -> SplitPairs:
    within = np.array([split == name for split in pairs.split], bool)
    chosen, semi = (
        pairs.numbers[within & ~pairs.semi],
        pairs.numbers[within & pairs.semi],
    )
    alone = [row for row, split in enumerate(splits_of_patches) if split == name]
    gallery = np.unique(np.concatenate([chosen[:, 1], semi[:, 1], np.array(alone, np.int64)]))
    return SplitPairs(chosen, semi, gallery)


def _require_pairs(
    manifest: Manifest, pairs: _Pairs, name: str, split: SplitPairs, hint: str
) -> None:
    if not len(split):
        known = ", ".join(sorted({name for name in pairs.split if name})) or "none"
        raise TrainingDataError(
            f"There are no pairs in the split {name!r}. The manifest's splits: {known}.",
            hint=hint,
            path=manifest.path,
        )


def _held_out(
    train: SplitPairs, photos: Images, patches: Images, recipe: CrossViewRecipe
) -> dict[str, SplitPairs]:
    """Training and validation from training alone; all that shows one place stays together."""
    draws = uniform_of_ids(patches.ids, _HELD_OUT, seed=recipe.seed)[:, 0]
    # A patch that is another's semi-positive shows the same place, and an image that comes twice
    # must not be held out from itself.
    shown = np.concatenate([train.pairs, train.semi])
    hashes = [photos.sha256[row] for row in shown[:, 0].tolist()]
    twins = [
        _twins(shown[:, 1], hashes),
        _twins(train.gallery, [patches.sha256[row] for row in train.gallery.tolist()]),
    ]
    group = places_of_patches(shown, len(patches), np.concatenate(twins))
    out = draws[group] < recipe.validation_share
    parts = {}
    for name, chosen in (("train", ~out), ("validation", out)):
        pairs, semi = (
            train.pairs[chosen[train.pairs[:, 1]]],
            train.semi[chosen[train.semi[:, 1]]],
        )
        gallery = train.gallery[chosen[train.gallery]]
        if not len(pairs):
            raise TrainingDataError(
                f"validation_share = {recipe.validation_share} of {len(train)} pairs leaves none "
                f"for {name}.",
                hint="Take another share, or name a validation_split.",
            )
        parts[name] = SplitPairs(pairs, semi, gallery)
    return parts


def places_of_patches(pairs: Rows, patches: int, twins: Rows | None = None) -> Rows:
    """For each patch the first patch of its place: those that share photos, also through others.

    Args:
        pairs: (n, 2) photo and patch that show one place.
        patches: How many patches there are.
        twins: (k, 2) patches of one place besides.

    Returns:
        int64 (patches,).
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    photos = int(pairs[:, 0].max(initial=-1)) + 1
    size = photos + patches
    links = pairs + np.array([0, photos])
    if twins is not None:
        links = np.concatenate([links, twins + photos])
    graph = coo_array((np.ones(len(links), bool), links.T), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    _, first, inverse = np.unique(label[photos:], return_index=True, return_inverse=True)
    return np.asarray(first[inverse.ravel()], np.int64)


def _twins(patch_of: Rows, contents: Sequence[str | None]) -> Rows:
    """Pairs of patches (k, 2) that belong to images of the same content."""
    first: dict[str, int] = {}
    found = [
        (patch, first.setdefault(content, patch))
        for patch, content in zip(patch_of.tolist(), contents, strict=True)
        if content
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def _numbered(ids: Sequence[str]) -> list[str]:
    """Ids, each once: a photo with several patches has several pairs."""
    seen: dict[str, int] = {}
    made = []
    for one in ids:
        count = seen.get(one, 0)
        seen[one] = count + 1
        made.append(one if not count else f"{one}\0{count}")
    return made


def _require_kind(manifest: Manifest, data: PairData, recipe: CrossViewRecipe) -> None:
    """Refuse photos of another projection or field of view than the recipe's."""
    wanted = "equirectangular" if recipe.from_panoramas else "perspective"
    table = manifest.table("photos", columns=["projection", "fov_degrees"]).to_pydict()
    used = np.unique(np.concatenate([split.pairs[:, 0] for split in data.splits.values()]))
    for row in used.tolist():
        projection, fov = table["projection"][row], table["fov_degrees"][row]
        other = projection != wanted or (
            wanted == "perspective"
            and fov is not None
            and abs(fov - recipe.geometry.fov_degrees) > 1
        )
        if other:
            shown = projection if fov is None else f"{projection} of {fov:g} degrees"
            raise TrainingDataError(
                f"ground = {recipe.ground!r} does not fit the photos: {data.photos.ids[row]!r} is "
                f"{shown}.",
                hint="Write panorama or crop:FOV for panoramas, perspective:FOV for others.",
                path=data.photos.paths[row],
            )


def _require_headings(data: PairData, recipe: CrossViewRecipe) -> None:
    """Refuse photos without a heading where they are turned to north, or the network is told."""
    if not recipe.needs_headings:
        return
    parts = ["train"] if recipe.heading == "unknown" else list(data.splits)
    for part in (part for part in parts if part in data.splits):
        rows = data.splits[part].pairs[:, 0]
        missing = rows[np.isnan(data.photos.headings[rows])]
        if len(missing):
            raise TrainingDataError(
                f"{len(missing)} of {len(rows)} photos of {part} have no heading, such as "
                f"{data.photos.ids[int(missing[0])]!r}, and heading = {recipe.heading!r} with "
                f"ground = {recipe.ground!r} and architecture = {recipe.architecture!r} needs "
                "them.",
                hint="Give heading_degrees in the manifest, 0 for panoramas whose centre looks "
                "north; or take heading = 'unknown' and an architecture without regions.",
            )
