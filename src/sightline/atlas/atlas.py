"""An atlas opened for searching: one consistent snapshot of rows, whitening and index."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sightline.atlas.card import Kind
from sightline.atlas.derived import Derived, open_current
from sightline.atlas.exact import Rows
from sightline.atlas.matches import Matches, SearchWay
from sightline.atlas.query import (
    checked_count,
    checked_vectors,
    exclusions,
    rows_of_cell,
    rows_of_region,
)
from sightline.atlas.references import References
from sightline.atlas.search import Request, Searcher
from sightline.atlas.segment import temporary_segment
from sightline.atlas.store import Store
from sightline.atlas.structure import MeasuredStructure, StructureKind
from sightline.atlas.structures import require_structure, structures_json
from sightline.atlas.unrelated import UnrelatedScores, measure_unrelated
from sightline.atlas.whiten import fit_store_whitening
from sightline.errors import AtlasEmptyError, FingerprintError
from sightline.geo.region import Region


@dataclass(eq=False)
class Atlas:
    """Reference photos that can be asked. Threads may share one; processes open their own.

    It is a snapshot: what is added later is seen by :meth:`refreshed`.
    """

    path: Path
    _store: Store
    _searcher: Searcher | None
    _derived: Derived | None
    _newer_rows: int
    _unrelated: UnrelatedScores | None = None
    _unrelated_known: bool = False
    _structures: dict[StructureKind, MeasuredStructure] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Atlas:
        """Open an atlas folder for reading.

        Rows added since its derived half was built are whitened now and scanned exactly with
        every search; rows removed since are left out. An atlas without a derived half is
        whitened as a whole now, into temporary files.

        Raises:
            AtlasNotFoundError: No such folder, or none with an atlas.
            AtlasDamagedError: Half-built, or files that contradict each other.
            AtlasVersionError: Written by a newer Sightline.
        """
        store = Store.open(Path(path))
        derived = open_current(store.path, store.card)
        if derived is not None and derived.store_version > store.version:
            # Both were replaced between the two statements.
            store = store.refreshed()
        if store.count == 0:
            return cls(store.path, store, None, derived, 0)
        if derived is None:
            whitening = fit_store_whitening(store)
            newer = temporary_segment(store, whitening, None)
            references = References((newer,), (np.empty(0, np.int64),))
            return cls(store.path, store, Searcher(references, whitening), None, len(newer))
        references = _references(store, derived)
        searcher = Searcher(
            references,
            derived.whitening,
            derived.accelerator,
            derived.calibration,
            derived.exact_rows,
        )
        newer_rows = sum(map(len, references.segments[1:]))
        return cls(store.path, store, searcher, derived, newer_rows)

    def refreshed(self) -> Atlas:
        """Return the atlas as it is now on disk."""
        return Atlas.open(self.path)

    @property
    def count(self) -> int:
        """References that can be found."""
        return 0 if self._searcher is None else self._searcher.references.count

    @property
    def version(self) -> int:
        """Version of the rows that are searched."""
        return self._store.version

    @property
    def encoder_fingerprint(self) -> str:
        """Fingerprint of the only encoder whose vectors may ask."""
        return self._store.card.fingerprint

    @property
    def kind(self) -> Kind:
        """``photos``, or ``aerial``: patches of aerial imagery."""
        return self._store.card.kind

    @property
    def patch_m(self) -> float | None:
        """Side of an aerial patch, metres on the ground; None for photos."""
        return self._store.card.patch_m

    @property
    def stride_m(self) -> float | None:
        """Metres between the middles of neighbouring aerial patches; None for photos."""
        return self._store.card.stride_m

    @property
    def null_similarity(self) -> float | None:
        """Score that one unrelated photo in twenty exceeds; None where nothing is unrelated.

        A best match below it is no better than what photos of other places find. See
        :func:`sightline.atlas.unrelated.measure_unrelated`.
        """
        found = self._unrelated_scores()
        return None if found is None else found.quantile

    def info(self) -> dict[str, Any]:
        """Return what the atlas is, as plain values: its encoder, its rows, its derived half."""
        card, derived = self._store.card, self._derived
        unrelated = self._unrelated_scores()
        return {
            "path": str(self.path),
            "kind": card.kind,
            "encoder": card.encoder,
            "fingerprint": card.fingerprint,
            "dimension": card.dimension,
            "regions": card.regions,
            "licence": card.licence,
            "references": self.count,
            "store_version": self._store.version,
            "whitening": None if self._searcher is None else self._searcher.whitening.name,
            "search": self._how(),
            "rows_newer_than_derived": self._newer_rows,
            "derived": None if derived is None else _without_files(derived),
            "structures": structures_json(self.path, self._store.version),
            "unrelated": None if unrelated is None else unrelated.to_json(),
        }

    def search(
        self,
        vectors: ArrayLike,
        k: int = 10,
        *,
        fingerprint: str,
        mode: SearchWay = "auto",
        region: Region | None = None,
        cell: int | None = None,
        rerank: int = 20,
        pool_m: float = 15.0,
        exclude_within_m: tuple[ArrayLike, float] | None = None,
        exclude_sha256: Sequence[str | None] | None = None,
    ) -> Matches:
        """Return the best k references of each query.

        Candidates are the nearest references by whitened global cosine g. The best
        max(``rerank``, k) of them are ordered by (g + 2 r) / 3, where r compares regions
        (:func:`sightline.atlas.rerank.regional_similarity`), or by g where vectors have no
        regions; then references of one place support each other
        (:func:`sightline.atlas.rerank.pool_places`). Equal scores are ordered by row id.

        Args:
            vectors: float (q, regions², d), what the encoder returned for q photos.
            k: References per query; more than there are gives fewer, padded.
            fingerprint: Fingerprint of the encoder that made ``vectors``.
            mode: "exact" scans every row; "approximate" and "auto" use the accelerator where
                there is one and its recall was measured, and scan small regions; "tree" and "lsh"
                use the structure of that kind, and scan regions.
            region: Only references inside it.
            cell: Only references inside this S2 cell (id, signed or unsigned); always exact.
            rerank: How many of the best candidates to compare by regions; 0 for none.
            pool_m: Radius in metres of what counts as one place; 0 for no pooling.
            exclude_within_m: Coordinates (q, 2) and metres: references nearer than that to a
                query's point are not returned. NaN coordinates exclude nothing.
            exclude_sha256: Per query the hash, in hex, of a file whose rows are not returned.

        Raises:
            FingerprintError: The atlas belongs to another encoder.
            AtlasError: The structure that ``mode`` names was not built.
            VectorError: Wrong shape, NaN, infinity or a zero vector; it names the row.
            AtlasEmptyError: No references, or none inside the region or cell.
            CellError: ``cell`` is no S2 cell id.
            UsageError: k, mode, rerank, pool_m or an exclusion that cannot be used.
        """
        if fingerprint != self.encoder_fingerprint:
            raise FingerprintError(
                f"The atlas {str(self.path)!r} was built with the encoder "
                f"{self.encoder_fingerprint!r}, and {fingerprint!r} asks.",
                hint="Use the model that the atlas was built with, or build another atlas.",
                path=self.path,
            )
        card = self._store.card
        queries = checked_vectors(vectors, card.regions**2, card.dimension)
        checked_count(k, rerank, pool_m, mode)
        if self._searcher is None:
            raise AtlasEmptyError(
                f"The atlas {str(self.path)!r} has no references.",
                hint="Add photos with `sightline atlas add`.",
                path=self.path,
            )
        references = self._searcher.references
        rows: tuple[Rows, ...] | None = None
        if region is not None:
            rows = rows_of_region(references, region)
        if cell is not None:
            rows = rows_of_cell(references, cell, rows)
        request = Request(
            k=k,
            mode=mode,
            rows=rows,
            always_exact=cell is not None,
            rerank=rerank,
            pool_m=pool_m,
            excluded=exclusions(references, len(queries), exclude_within_m, exclude_sha256),
            structure=self._structure(mode) if mode in ("tree", "lsh") else None,
        )
        return self._searcher.search(queries, request)

    def require(self, mode: SearchWay) -> None:
        """Open what a way to search needs, so that its absence is told before any work.

        Raises:
            AtlasError: The structure that ``mode`` names was not built.
            AtlasDamagedError: It cannot be read.
        """
        if mode in ("tree", "lsh"):
            self._structure(mode)

    def _structure(self, kind: StructureKind) -> MeasuredStructure:
        with self._lock:
            if kind not in self._structures:
                self._structures[kind] = require_structure(self.path, self._derived, kind)
            return self._structures[kind]

    def _unrelated_scores(self) -> UnrelatedScores | None:
        if self._derived is not None:
            return self._derived.unrelated
        with self._lock:
            if not self._unrelated_known and self._searcher is not None:
                self._unrelated = measure_unrelated(self._store, self._searcher)
                self._unrelated_known = True
        return self._unrelated

    def _how(self) -> str:
        if self._derived is None:
            return (
                "exact scan; whitened when opened, because there is no derived half yet: "
                "`sightline atlas compact` builds it"
            )
        newer = f", and an exact scan of {self._newer_rows} newer rows" if self._newer_rows else ""
        if self._derived.accelerator is None:
            return f"exact scan{newer}"
        return f"accelerator{newer}"


def _references(store: Store, derived: Derived) -> References:
    """The derived segment and what has changed in the store since."""
    none = np.empty(0, np.int64)
    if store.version == derived.store_version:
        return References((derived.segment,), (none,))
    newer = temporary_segment(store, derived.whitening, derived.last_id)
    removed = none
    if store.count - len(newer) != len(derived.segment):
        there = np.isin(derived.segment.ids, store.ids(), assume_unique=True)
        removed = np.flatnonzero(~there)
    if not len(newer):
        return References((derived.segment,), (removed,))
    return References((derived.segment, newer), (removed, none))


def _without_files(derived: Derived) -> dict[str, Any]:
    facts = {k: v for k, v in derived.manifest.items() if k not in ("files", "fingerprint")}
    return {"folder": str(derived.folder), **facts}
