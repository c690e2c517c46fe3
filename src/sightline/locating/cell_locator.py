"""Photos in, estimates out: a classifier says in which cell, and an atlas where in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from sightline.atlas.matches import SearchWay
from sightline.errors import AtlasEmptyError, EncoderError, SightlineError, UsageError
from sightline.imagery.photo import Photo
from sightline.locating.attempts import attempt_all
from sightline.locating.cell_beliefs import Beliefs, believe
from sightline.locating.cell_estimates import (
    cell_estimates,
    cells_of,
    levels_of,
    radii_with_doubt_m,
)
from sightline.locating.estimate import Estimate
from sightline.locating.evidence import Placement
from sightline.locating.judging import AbstainBelow, placed_estimates, require_abstain_below
from sightline.locating.kinds import require_photos
from sightline.locating.locator import check_exclusions, threshold_of
from sightline.locating.methods import CELL_METHODS, CellMethod, MethodSettings, check_method
from sightline.locating.queries import Query, prepare_query
from sightline.locating.searchable import Near, SearchableAtlas
from sightline.locating.within_cell import (
    WithinCellAnswers,
    WithinCellSettings,
    search_within_cells,
)
from sightline.models.protocol import CellEncoder, Encoder

_EXACT: tuple[SearchWay, ...] = ("auto", "exact")


class CellLocator:
    """Locates photos with an encoder that holds a classifier over cells.

    Args:
        atlas: Opened, of the encoder's vectors; ``classify`` needs none.
        encoder: Loaded; of a classifier, the one that built the atlas.
        method: ``within-cell`` searches the atlas in the most probable cells
            (:func:`~sightline.locating.search_within_cells`); ``classify`` answers without it.
        search: How to search within cells.
        levels: Give an answer for each level of detail too
            (:func:`~sightline.locating.answers_by_level`).
        mode: ``auto`` or ``exact``, which are the same here: a cell is always searched exactly.
        abstain_below: Of matches, the best score below which an estimate abstains; ``"atlas"``
            takes what the atlas measured, as :class:`Locator` does. Where no match answers, the
            probability of the best cell, see
            :func:`~sightline.locating.cell_estimates.cell_estimates`. None never abstains.
        settings: ``place_m`` and ``reach_m`` of the evidence in a cell.

    Raises:
        EncoderError: The model holds no classifier.
        FingerprintError: The atlas was built with another encoder, or is of aerial patches.
        AtlasEmptyError: The atlas has no references to search.
        UsageError: An argument that cannot be.
    """

    def __init__(
        self,
        atlas: SearchableAtlas | None,
        encoder: Encoder,
        *,
        method: CellMethod = "within-cell",
        search: WithinCellSettings | None = None,
        levels: bool = False,
        mode: SearchWay = "auto",
        abstain_below: AbstainBelow = "atlas",
        settings: MethodSettings | None = None,
    ) -> None:
        check_method(method, CELL_METHODS)
        require_abstain_below(abstain_below)
        if not isinstance(encoder, CellEncoder):
            raise EncoderError(
                f"The model {encoder.name!r} holds no classifier of places, which the method "
                f"{method!r} asks.",
                hint="Give the bundle of a classifier (docs/global-models.md), or use the method "
                "nearest, density or clusters.",
            )
        if mode not in _EXACT:
            raise UsageError(
                f"Within a cell every reference is compared. Got the search {mode!r}.",
                hint="Leave the search out, or use the method nearest.",
            )
        if atlas is not None:
            require_photos(atlas, encoder)
        if method == "within-cell":
            _require_references(atlas)
        self.atlas = atlas
        self.encoder: CellEncoder = encoder
        self.method: CellMethod = method
        self.search = search or WithinCellSettings()
        self.levels = levels
        self.mode: SearchWay = mode
        self.abstain_below = abstain_below
        self.settings = settings or MethodSettings()

    def prepare(self, photo: Photo) -> Query:
        """Make a photo ready; thread-safe. See :func:`~.queries.prepare_query`."""
        return prepare_query(photo, self.encoder)

    def locate(self, photo: Photo) -> Estimate:
        """Locate one photo; see :meth:`locate_many`."""
        return self.locate_many([photo])[0]

    def locate_many(
        self,
        photos: Sequence[Photo],
        *,
        exclude_within_m: tuple[ArrayLike, float] | None = None,
        exclude_sha256: Sequence[str | None] | None = None,
    ) -> list[Estimate]:
        """Locate photos together, which is faster than one by one.

        Args:
            photos: n of them. Only their pixels are used; a panorama asks with four views.
            exclude_within_m: As of :meth:`Locator.locate_many`.
            exclude_sha256: As of :meth:`Locator.locate_many`.

        Returns:
            n estimates; one too weak to be an answer says so in ``abstained`` and ``reason``, and
            one that no reference answered in ``notes``.

        Raises:
            VectorError: The encoder could not make a vector of one.
            UsageError: An exclusion does not fit the photos.
        """
        queries = [self.prepare(photo) for photo in photos]
        near = None
        if exclude_within_m is not None:
            near = (np.asarray(exclude_within_m[0], dtype=np.float64), exclude_within_m[1])
        return self._answers(queries, near, exclude_sha256)

    def attempt(self, queries: Sequence[Query]) -> list[Estimate | SightlineError]:
        """Locate prepared photos; the error of one is its own answer and stops no other.

        Args:
            queries: What :meth:`prepare` made of n photos.

        Returns:
            n estimates or errors.
        """
        return attempt_all(lambda some: list(self._answers(some)), queries)

    def estimates(
        self,
        beliefs: Beliefs,
        near: Near | None = None,
        hashes: Sequence[str | None] | None = None,
    ) -> list[Estimate]:
        """Answer for photos that were encoded and classified already.

        Args:
            beliefs: Of n photos.
            near: Places (n, 2) and metres; references nearer are left out.
            hashes: n hashes, or None; references of that file are left out.
        """
        if self.method == "within-cell" and self.atlas is not None:
            answers = self._within(self.atlas, beliefs, near, hashes)
        else:
            answers = cell_estimates(beliefs, self.method, self.abstain_below)
        if not self.levels:
            return answers
        return [
            replace(answer, levels=levels)
            for answer, levels in zip(answers, levels_of(beliefs), strict=True)
        ]

    def _answers(
        self,
        queries: Sequence[Query],
        near: Near | None = None,
        hashes: Sequence[str | None] | None = None,
    ) -> list[Estimate]:
        check_exclusions(near, hashes, len(queries))
        if not queries:
            return []
        return self.estimates(believe(queries, self.encoder), near, hashes)

    def _within(
        self,
        atlas: SearchableAtlas,
        beliefs: Beliefs,
        near: Near | None,
        hashes: Sequence[str | None] | None,
    ) -> list[Estimate]:
        """Answer with references of the cells, and with the classifier alone where they hold none.

        How far an answer reaches tells of the classifier's doubt too: references of a wrong cell
        may well agree with each other.
        """
        found = search_within_cells(
            beliefs.log_probabilities,
            beliefs.partition,
            atlas,
            beliefs.vectors,
            fingerprint=self.encoder.fingerprint,
            settings=self.search,
            owner=beliefs.owner,
            exclude_within_m=near,
            exclude_sha256=hashes,
        )
        threshold, unjudged = threshold_of(atlas, self.abstain_below)
        matched = placed_estimates(
            found.matches,
            Placement(found.points, found.weights),
            radii_with_doubt_m(beliefs, found),
            self.method,
            self.settings,
            threshold,
            unjudged,
        )
        missing = [photo for photo, answer in enumerate(matched) if answer is None]
        otherwise = cell_estimates(beliefs.of(missing), self.method, self.abstain_below)
        alone = dict(zip(missing, otherwise, strict=True))
        return [
            replace(
                answer or alone[photo],
                cells=cells,
                mass=float(found.mass[photo]),
                notes=(_searched(beliefs, found, photo),),
            )
            for photo, (answer, cells) in enumerate(zip(matched, cells_of(beliefs), strict=True))
        ]


def _require_references(atlas: SearchableAtlas | None) -> None:
    if atlas is None:
        raise UsageError(
            "The method 'within-cell' searches an atlas. Got none.",
            hint="Give an atlas that the model built, or use the method classify.",
        )
    if atlas.count == 0:
        raise AtlasEmptyError(
            "The atlas has no references, and so no cell holds any.",
            hint="Add photos with `sightline atlas add`, or use the method classify.",
            path=atlas.path,
        )


def _searched(beliefs: Beliefs, found: WithinCellAnswers, photo: int) -> str:
    """Say where references were searched, or why there were none."""
    mass = f"{found.mass[photo]:.0%}"
    reason = found.reasons[photo]
    if reason is not None:
        return f"{reason} The classifier gives what was searched a probability of {mass}."
    rows = found.cells[photo]
    rows = rows[rows >= 0]
    if len(rows) == 1:
        name = beliefs.partition.names[int(rows[0])]
        return f"Searched in the cell {name}, to which the classifier gives {mass}."
    return f"Searched in {len(rows):,} cells, to which the classifier gives {mass} together."
