"""Vectors of queries and references, and what says which reference is right for which query."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import EvaluationError, SightlineError
from sightline.evaluation.retrieval.relevance import Relevance

Array = NDArray[Any]
Floats = NDArray[np.floating]


@dataclass(frozen=True, slots=True, eq=False)
class Archive:
    """What was saved of a retrieval model.

    Attributes:
        name: The file's or folder's name, without its ending.
        path: Where it lies.
        queries: (n, d), float16, float32 or float64 in either byte order, possibly mapped from the
            file and not aligned in memory.
        references: (m, d).
        positives: Integers (n,) or (n, p), padded with -1. For a square set without anything else,
            row i is the positive of query i.
        semi_positives: The same form.
        ignore: The same form.
        query_labels: (n,).
        reference_labels: (m,); -1 is junk.
        query_latlon: (n, 2) degrees, latitude first.
        reference_latlon: (m, 2) degrees.
        groups: (n,) numbers or text; queries with the same value belong together.
        query_hashes: (n,) or (n, bytes), hashes of the content.
        reference_hashes: (m,) or (m, bytes).
        notes: What was assumed or left out, one sentence each.
    """

    name: str
    path: Path
    queries: Floats
    references: Floats
    positives: Array | None = None
    semi_positives: Array | None = None
    ignore: Array | None = None
    query_labels: Array | None = None
    reference_labels: Array | None = None
    query_latlon: Array | None = None
    reference_latlon: Array | None = None
    groups: Array | None = None
    query_hashes: Array | None = None
    reference_hashes: Array | None = None
    notes: tuple[str, ...] = ()

    def relevance(self, radius_m: float | None = None) -> Relevance:
        """Say which references are right.

        Args:
            radius_m: For archives that say it by places alone: every reference within so many
                metres is right. Places beside positives or labels serve the check for leakage.

        Raises:
            EvaluationError: A radius is missing or contradicts positives or labels, or the arrays
                do not fit; names file, array, row and value.
            CoordinateError: A place is out of range.
        """
        if radius_m is not None:
            self._require_places_alone(radius_m)
        try:
            if self.positives is not None:
                return Relevance.from_indices(
                    self.positives,
                    len(self.references),
                    semi_positives=self.semi_positives,
                    ignore=self.ignore,
                )
            if self.query_labels is not None and self.reference_labels is not None:
                return Relevance.from_labels(self.query_labels, self.reference_labels)
            if (
                self.query_latlon is not None
                and self.reference_latlon is not None
                and radius_m is not None
            ):
                return Relevance.within_radius(self.query_latlon, self.reference_latlon, radius_m)
        except SightlineError as error:
            raise self.named(error) from error
        raise self._error(
            "says what is right by places alone, and no radius was given.",
            hint="Give --radius-m (radius_m); CVACT's test set takes 25.",
        )

    def named(self, error: SightlineError) -> SightlineError:
        """Return an error about the archive's arrays with the path they come from."""
        message = f"{str(self.path)!r}: {error.message}"
        return type(error)(message, hint=error.hint, path=self.path)

    def _require_places_alone(self, radius_m: float) -> None:
        if self.query_latlon is None:
            raise self._error(
                f"has no places, and a radius of {radius_m} m was given.",
                hint="Leave out the radius, or save query_latlon and reference_latlon.",
            )
        for given, array in (("positives", self.positives), ("labels", self.query_labels)):
            if array is not None:
                raise self._error(
                    f"holds {given}, and a radius of {radius_m} m was given: both say what is "
                    "right.",
                    hint=f"Leave out the radius, or the {given}.",
                )

    def _error(self, what: str, *, hint: str) -> EvaluationError:
        return EvaluationError(f"{str(self.path)!r} {what}", hint=hint, path=self.path)
