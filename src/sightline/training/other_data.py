"""Other data than a run's own, such as another country: is it really new to the network?"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from sightline.datasets import Manifest
from sightline.datasets.splits import check
from sightline.errors import SplitLeakError, TrainingDataError
from sightline.training.cross_view.pair_data import Images, PairData, read_split
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.leaks import unhashed
from sightline.training.loops.watching import Watcher

_View = Literal["photos", "patches"]

_SIDE_TOLERANCE = 0.05


def open_other(
    place: Path, split: str, recipe: CrossViewRecipe, own: PairData, watcher: Watcher
) -> PairData:
    """Open one split of another manifest, for a network that was trained on ``own``.

    Args:
        place: The manifest.
        split: Name of a split there.
        recipe: Of the run.
        own: The run's data.
        watcher: Is told what may mislead: contents that cannot be compared, patches of another
            size on the ground.

    Returns:
        The split as ``test``, alone.

    Raises:
        TrainingDataError: There is no manifest, no such split, or photos of another kind.
        SplitLeakError: It holds files, contents or (with ``leak_radius_m``) places that the run
            was trained or selected on.
    """
    if not (place.suffix == ".parquet" or (place / "pairs.parquet").is_file()):
        raise TrainingDataError(
            f"{str(place)!r} is no manifest of pairs.",
            hint="Make one of a dataset's folder with `sightline dataset manifest FOLDER OUT`.",
            path=place,
        )
    other = read_split(Manifest.open(place), recipe, split)
    _refuse_known("photos", own, other, recipe.leak_radius_m)
    # A protocol whose splits share their patches cannot be held to more elsewhere.
    if recipe.leak_check != "photos":
        _refuse_known("patches", own, other, 0.0)
    for data in (own, other):
        if missing := unhashed(data):
            watcher.note(missing)
    if own.patch_m and other.patch_m and abs(other.patch_m / own.patch_m - 1) > _SIDE_TOLERANCE:
        watcher.note(
            f"These patches show {other.patch_m:g} m, and the network was trained on "
            f"{own.patch_m:g} m."
        )
    return other


def _refuse_known(view: _View, own: PairData, other: PairData, radius_m: float) -> None:
    asked = _used(view, other, ["test"])
    known = _used(view, own, ["train", "validation"])
    split = ["asked"] * len(asked) + ["known"] * len(known)
    ids = [*asked.ids, *known.ids]
    places = np.concatenate([asked.latlon, known.latlon])
    for shared, latlon in ((ids, None), ([*asked.sha256, *known.sha256], places)):
        radius = 0.0 if latlon is None else radius_m
        report = check(split, ids=ids, sha256=shared, latlon=latlon, radius_m=radius)
        if not report.clean:
            crossing = report.crossings[0]
            how = f"lie within {radius_m:g} m of" if crossing.kind == "place" else "are"
            first = crossing.offenders[0]
            raise SplitLeakError(
                f"Some {view} of this split {how} {view} that the run was trained or selected on, "
                f"such as {first.first!r} ({first.second!r}).",
                hint="Give data that it has not seen, or leave out --on for its own test split.",
            )


def _used(view: _View, data: PairData, parts: list[str]) -> Images:
    """Images of some splits, named by their files: ids of two manifests do not compare."""
    images: Images = getattr(data, view)
    splits = [data.splits[part] for part in parts]
    rows = [split.pairs[:, 0] if view == "photos" else split.gallery for split in splits]
    chosen = np.unique(np.concatenate(rows))
    paths = [images.paths[row] for row in chosen.tolist()]
    return Images(
        [str(path.resolve()) for path in paths],
        paths,
        images.latlon[chosen],
        images.headings[chosen],
        [images.sha256[row] for row in chosen.tolist()],
    )
