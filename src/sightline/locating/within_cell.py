"""Search within cell: a classifier says in which cell, and the atlas where in it.

Kordopatis-Zilos, Galopoulos, Papadopoulos, Kompatsiaris, *Leveraging EfficientNet and Contrastive
Learning for Accurate Global-scale Location Estimation* (2021), section 3.4: the K = 10 references
of the most probable cell that resemble the photo most, DBSCAN over their places (1 km, at least
one), the mean of the largest cluster. The search in a cell is always exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.atlas.matches import Matches
from sightline.errors import AtlasEmptyError, UsageError
from sightline.geo.partition import Partition
from sightline.geo.partition.s2_cells import S2Cells
from sightline.locating.classification import Rows, choose_cells, require_mass
from sightline.locating.clusters import largest_cluster
from sightline.locating.evidence import Floats, require_number
from sightline.locating.queries import merge_views
from sightline.locating.searchable import Near, SearchableAtlas
from sightline.models.protocol import Vectors

WhenEmpty = Literal["classify", "error"]


@dataclass(frozen=True, slots=True)
class WithinCellSettings:
    """How to search within cells.

    Attributes:
        cells: How many of the most probable cells to search, at most; if None one, or with a
            ``mass`` as many as it takes.
        mass: Search only so many of them as hold this much probability.
        k: References to retrieve.
        epsilon_m: References at most this far apart are neighbours.
        min_samples: Neighbours, itself included, that make a core of a cluster.
        mean_exponent: a of the weights ``max(score, 0) ** a`` in the cluster's mean.
        exponent: m of the evidence weights ``max(score, 0) ** m``.
        rerank: As of :meth:`sightline.atlas.Atlas.search`; 0 for plain similarity, the paper's way.
        pool_m: As of :meth:`sightline.atlas.Atlas.search`; 0 for none, the paper's way.
        empty: What becomes of a photo whose cells hold no reference: ``classify`` answers with
            the representative of the most probable cell, and says so; ``error`` raises.
    """

    cells: int | None = None
    mass: float | None = None
    k: int = 10
    epsilon_m: float = 1000.0
    min_samples: int = 1
    mean_exponent: float = 0.0
    exponent: float = 10.0
    rerank: int = 20
    pool_m: float = 15.0
    empty: WhenEmpty = "classify"

    def __post_init__(self) -> None:
        if self.cells is not None:
            require_number("cells", self.cells, at_least=1)
        require_mass(self.mass)
        require_number("k", self.k, at_least=1)
        if self.empty not in ("classify", "error"):
            raise UsageError(
                f"empty must be 'classify' or 'error'. Got {self.empty!r}.",
                hint="Take classify to have an answer for every photo.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class WithinCellAnswers:
    """What became of n photos.

    Attributes:
        points: float64 (n, 2), degrees: the answers.
        cells: int64 (n, c), rows of the partition that were searched, most probable first; -1 for
            padding.
        mass: float64 (n,), the probability of those cells.
        matches: The references found in them, (n, k).
        weights: float64 (n, k), what share of the evidence each is; a row without any is all 0.
        reasons: Why the answer is the representative of the most probable cell; None where
            references answered.
    """

    points: Floats
    cells: Rows
    mass: Floats
    matches: Matches
    weights: Floats
    reasons: tuple[str | None, ...]

    @property
    def fell_back(self) -> NDArray[np.bool_]:
        """Which photos no reference answered, (n,)."""
        return np.array([reason is not None for reason in self.reasons], np.bool_)


def search_within_cells(
    log_probabilities: ArrayLike,
    partition: Partition,
    atlas: SearchableAtlas,
    vectors: Vectors,
    *,
    fingerprint: str,
    settings: WithinCellSettings | None = None,
    partition_fingerprint: str | None = None,
    owner: NDArray[np.intp] | None = None,
    exclude_within_m: Near | None = None,
    exclude_sha256: Sequence[str | None] | None = None,
) -> WithinCellAnswers:
    """Locate photos by a classifier and an atlas together.

    Args:
        log_probabilities: (n, m), the classifier's log-softmax over the partition's cells.
        partition: Of m cells.
        atlas: References, from anywhere.
        vectors: The photos as the atlas's encoder made them, (n, r², d); or v views of them.
        fingerprint: Of that encoder.
        settings: How to search.
        partition_fingerprint: Of the partition that the classifier was trained on, if it says so.
        owner: Which photo each view is of, (v,), ascending; None where each is one photo.
        exclude_within_m: Places (n, 2) and metres; references nearer are left out.
        exclude_sha256: n hashes, or None; references of that file are left out.

    Raises:
        PartitionError: The classifier is of another partition.
        UsageError: No log-probabilities, not one row for each photo, or a setting that cannot be.
        AtlasEmptyError: The atlas has no references at all, or none in a photo's cells where the
            settings make that an error.
        FingerprintError: The atlas belongs to another encoder.
        VectorError: Vectors that are none.
    """
    chosen = settings or WithinCellSettings()
    cells = choose_cells(log_probabilities, partition, cells=chosen.cells, mass=chosen.mass)
    partition.require_classes(len(partition), partition_fingerprint)
    photos = len(vectors) if owner is None else int(owner.max(initial=-1)) + 1
    if photos != len(cells.rows):
        raise UsageError(
            f"There must be one row of log-probabilities for each photo. Got {len(cells.rows)} for "
            f"{photos}.",
            hint="Give classifier and encoder the same photos in the same order.",
        )
    if atlas.count == 0:
        raise AtlasEmptyError(
            "The atlas has no references.",
            hint="Add photos with `sightline atlas add`.",
            path=atlas.path,
        )
    near, hashes, asked = exclude_within_m, exclude_sha256, cells.rows
    if owner is not None:
        near = None if near is None else (np.asarray(near[0])[owner], near[1])
        hashes = None if hashes is None else [hashes[photo] for photo in owner]
        asked = asked[owner]
    matches = _Search(partition, atlas, vectors, fingerprint, chosen, near, hashes).matches(asked)
    if owner is not None and len(owner) != photos:
        matches = merge_views(matches, owner, photos)
    found = matches.ids >= 0
    scores = np.where(found, matches.scores, np.nan).astype(np.float64)
    placement = largest_cluster(
        matches.coordinates,
        scores,
        epsilon_m=chosen.epsilon_m,
        min_samples=chosen.min_samples,
        mean_exponent=chosen.mean_exponent,
        exponent=chosen.exponent,
    )
    answered = np.asarray(found.any(axis=1))
    first = partition.representatives[cells.rows[:, 0]]
    return WithinCellAnswers(
        points=np.where(answered[:, None], placement.points, first),
        cells=cells.rows,
        mass=cells.mass,
        matches=matches,
        weights=placement.weights,
        reasons=tuple(
            None if some else _nothing_there(partition, rows)
            for some, rows in zip(answered, cells.rows, strict=True)
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """One call: views that share their cells are asked about together."""

    partition: Partition
    atlas: SearchableAtlas
    vectors: Vectors
    fingerprint: str
    settings: WithinCellSettings
    near: Near | None
    hashes: Sequence[str | None] | None

    def matches(self, cells: Rows) -> Matches:
        """Return the best references of each view's cells (v, c), -1 for padding: (v, k)."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for photo, rows in enumerate(cells):
            groups.setdefault(tuple(sorted(rows[rows >= 0].tolist())), []).append(photo)
        if len(groups) == 1:
            # A single photo, or photos of one place, need no putting together.
            (rows,) = groups
            return self._found(np.array(rows), np.arange(len(cells)))
        parts, order = [_none(0, self.settings.k)], []
        for rows, photos in groups.items():
            parts.append(self._found(np.array(rows), np.array(photos)))
            order += photos
        return _gathered(parts, np.argsort(order, kind="stable"))

    def _found(self, rows: Rows, photos: Rows) -> Matches:
        where: dict[str, Any]
        held = self.partition.cells
        if isinstance(held, S2Cells) and len(rows) == 1:
            where = {"cell": int(held.ids[rows[0]])}
        else:
            where = {"region": self.partition.region(rows)}
        near = None if self.near is None else (np.asarray(self.near[0])[photos], self.near[1])
        hashes = None if self.hashes is None else [self.hashes[photo] for photo in photos]
        try:
            return self.atlas.search(
                self.vectors[photos],
                self.settings.k,
                mode="exact",
                rerank=self.settings.rerank,
                pool_m=self.settings.pool_m,
                fingerprint=self.fingerprint,
                exclude_within_m=near,
                exclude_sha256=hashes,
                **where,
            )
        except AtlasEmptyError:
            if self.settings.empty == "error":
                raise
            return _none(len(photos), self.settings.k)


def _nothing_there(partition: Partition, rows: Rows) -> str:
    searched = [partition.names[row] for row in rows[rows >= 0].tolist()]
    where = f"cell {searched[0]}" if len(searched) == 1 else f"{len(searched)} most probable cells"
    return (
        f"The atlas has no reference to compare with in the {where}: the answer is the "
        f"representative of the cell {searched[0]}."
    )


def _none(photos: int, k: int) -> Matches:
    return Matches(
        ids=np.full((photos, k), -1, np.int64),
        scores=np.full((photos, k), np.nan, np.float32),
        coordinates=np.full((photos, k, 2), np.nan),
        uris=np.full((photos, k), None, np.object_),
        views=np.full((photos, k), -1, np.int16),
        headings=np.full((photos, k), np.nan, np.float32),
        mode="exact",
        recall_estimate=1.0,
    )


def _gathered(parts: Sequence[Matches], order: NDArray[np.intp]) -> Matches:
    """Put the matches of groups of photos into the order of the photos."""
    columns = {
        field.name: [getattr(part, field.name) for part in parts] for field in fields(Matches)
    }
    arrays = {
        name: np.concatenate(values)[order]
        for name, values in columns.items()
        if isinstance(values[0], np.ndarray)
    }
    return Matches(**arrays, mode="exact", recall_estimate=1.0)
