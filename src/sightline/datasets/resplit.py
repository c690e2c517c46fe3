"""A manifest with new splits: by place, by cell or by photographer, and checked."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.dataset import Dataset
from sightline.datasets.manifest import Information, Manifest, write_manifest
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.datasets.splits import (
    SplitReport,
    by_cell,
    by_photographer,
    by_place,
    check,
    leave_out_near,
)
from sightline.errors import UsageError

By = Literal["place", "cell", "photographer"]
Unknown = Literal["refuse", "each", "one"]


@dataclass(frozen=True, slots=True)
class Resplit:
    """What came of splitting anew.

    Args:
        information: What the new manifest says of itself.
        check: Whether anything crosses the splits.
        pairs: Pairs in each split.
    """

    information: Information
    check: SplitReport
    pairs: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "manifest": asdict(self.information),
            "check": self.check.to_json(),
            "pairs": self.pairs,
        }


def shares_of(text: str) -> dict[str, float]:
    """Read ``train=0.8,val=0.1,test=0.1``.

    Raises:
        UsageError: It is spelt otherwise.
    """
    shares: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not name.strip() or not 0 < value < math.inf or name.strip() in shares:
            raise UsageError(
                f"shares must be names with sizes. Got {text!r}.",
                hint="Write train=0.8,val=0.1,test=0.1.",
            )
        shares[name.strip()] = value
    return shares


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How to split.

    Args:
        by: What stays on one side.
        shares: The splits and their relative sizes.
        radius_m: By place: photos nearer than this are one place.
        buffer_m: How near photos of different splits may be; ``radius_m`` by place, else 0.
        level: By cell: the S2 level.
        unknown: By photographer: what becomes of photos by nobody known.
        seed: Decides what goes where.
    """

    by: By
    shares: Mapping[str, float]
    radius_m: float = 100.0
    buffer_m: float | None = None
    level: int = 10
    unknown: Unknown = "refuse"
    seed: int = 0

    @property
    def reach_m(self) -> float:
        """How near photos of different splits may be."""
        if self.buffer_m is not None:
            return self.buffer_m
        return self.radius_m if self.by == "place" else 0.0


def resplit(manifest: Manifest, out: str | os.PathLike[str], rule: SplitRule) -> Resplit:
    """Write a manifest anew with other splits.

    Pairs take the split of their photo; patches that of their pairs, or none where pairs of several
    splits share one. Photos without a place (by place and by cell) are in no split.

    Args:
        manifest: The rows.
        out: The new manifest's folder.
        rule: How to split.

    Raises:
        UsageError: The shares are impossible, a split would be empty, or what to split by is
            unknown.
        OutputError: The folder cannot be written.
    """
    names = ["id", "lat", "lon", "photographer", "sha256"]
    columns = manifest.table("photos", columns=names).to_pydict()
    places = np.column_stack([_floats(columns["lat"]), _floats(columns["lon"])]).reshape(-1, 2)
    splits = _assigned(manifest.name, places, columns["photographer"], rule)
    information = _written(manifest, Path(out), splits, columns["id"])
    told = check(
        splits,
        ids=columns["id"],
        latlon=places if rule.reach_m > 0 else None,
        photographers=columns["photographer"] if any(columns["photographer"]) else None,
        sha256=columns["sha256"] if any(columns["sha256"]) else None,
        radius_m=rule.reach_m,
        expected=tuple(rule.shares),
    )
    return Resplit(information, told, _pair_counts(Manifest.open(out)))


def _assigned(
    name: str, places: NDArray[np.float64], people: list[str | None], rule: SplitRule
) -> list[str | None]:
    """Return the split of each photo, None for those in none."""
    usable = np.flatnonzero(~np.isnan(places).any(axis=1))
    if rule.by == "photographer":
        dealt = by_photographer(people, rule.shares, unknown=rule.unknown, seed=rule.seed)
        located = leave_out_near(
            replace(dealt, codes=dealt.codes[usable]), places[usable], rule.reach_m
        )
        codes = dealt.codes.copy()
        codes[usable] = located.codes
        return replace(dealt, codes=codes).labels
    if not len(usable):
        raise UsageError(f"No photo of {name} has a place.", hint="Split by photographer instead.")
    known = places[usable]
    if rule.by == "place":
        found = by_place(
            known, rule.shares, radius_m=rule.radius_m, buffer_m=rule.buffer_m, seed=rule.seed
        )
    else:
        found = by_cell(known, rule.shares, level=rule.level, buffer_m=rule.reach_m, seed=rule.seed)
    splits: list[str | None] = [None] * len(places)
    for row, label in zip(usable.tolist(), found.labels, strict=True):
        splits[row] = label
    return splits


def _written(
    manifest: Manifest, out: Path, splits: list[str | None], ids: list[str]
) -> Information:
    split_of = dict(zip(ids, splits, strict=True))
    of_patch: dict[str, str | None] = {}
    for batch in manifest.batches("pairs", columns=["photo_id", "patch_id"]):
        rows = batch.to_pydict()
        for photo, patch in zip(rows["photo_id"], rows["patch_id"], strict=True):
            mine = split_of.get(photo)
            of_patch[patch] = mine if of_patch.get(patch, mine) == mine else None

    def photos() -> Iterator[Photo]:
        for row, split in zip(manifest.photos(), splits, strict=True):
            yield replace(row, split=split)

    def patches() -> Iterator[AerialPatch]:
        for row in manifest.patches():
            yield replace(row, split=of_patch.get(row.id))

    def pairs() -> Iterator[Pair]:
        for row in manifest.pairs():
            yield replace(row, split=split_of.get(row.photo_id))

    dataset = Dataset(manifest.name, manifest.version, manifest.root, photos, patches, pairs)
    return write_manifest(out, dataset).information


def _pair_counts(manifest: Manifest) -> dict[str, int]:
    counts: dict[str, int] = {}
    for batch in manifest.batches("pairs", columns=["split"]):
        for name in batch.column(0).to_pylist():
            if name is not None:
                counts[name] = counts.get(name, 0) + 1
    return counts


def _floats(values: list[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
