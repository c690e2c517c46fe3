"""Photos in, estimates out: an encoder and an atlas, handed over by whoever owns them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.atlas.matches import SearchWay
from sightline.errors import AtlasEmptyError, SightlineError, UsageError
from sightline.imagery.photo import Photo
from sightline.imagery.place import ExifPlace
from sightline.locating.attempts import attempt_all
from sightline.locating.estimate import Estimate
from sightline.locating.evidence import require_number
from sightline.locating.judging import (
    NOT_JUDGED,
    AbstainBelow,
    estimates_of,
    require_abstain_below,
)
from sightline.locating.kinds import require_photos
from sightline.locating.methods import DEFAULT_K, Method, MethodSettings, check_method
from sightline.locating.queries import Query, encode_queries, merge_views, prepare_query
from sightline.locating.searchable import Near, SearchableAtlas
from sightline.models.protocol import Encoder, Vectors

if TYPE_CHECKING:
    from sightline.geo.region import Region

UNMEASURED_THRESHOLD = 0.15
"""Score below which an estimate abstains where an atlas holds nothing unrelated to measure one by:
about what an atlas of the real sample measures."""


@dataclass(frozen=True, slots=True)
class LocatedPhoto:
    """What became of one photo.

    Attributes:
        path: As it was given; thumbnails are made from it.
        sha256: Of the file's bytes; None if it could not be read.
        photo_place: What the file itself says. It is reported and compared, never mixed in.
        exif_to_estimate_m: Geodesic distance between that and the estimate.
        estimate: None if there is an error.
        error: Why there is no estimate.
        place_problem: Why a place in the file was refused.
    """

    path: str
    sha256: str | None
    photo_place: ExifPlace | None
    exif_to_estimate_m: float | None
    estimate: Estimate | None
    error: SightlineError | None
    place_problem: str | None = None


class AnyLocator(Protocol):
    """What opens photos, reports and command lines need of a locator, of photos or of patches."""

    @property
    def atlas(self) -> SearchableAtlas | None:
        """What is asked; None where a classifier alone answers."""

    @property
    def encoder(self) -> Encoder:
        """Who asks."""

    @property
    def mode(self) -> SearchWay:
        """How it is searched."""

    def prepare(self, photo: Photo) -> Any:
        """Make a photo ready; thread-safe."""

    def attempt(self, queries: Sequence[Any]) -> list[Estimate | SightlineError]:
        """Locate what :meth:`prepare` made; the error of one is its own answer."""


class Locator:
    """Locates photos against an atlas with the atlas's encoder.

    Args:
        atlas: Opened.
        encoder: Loaded; it must be the one that built the atlas.
        method: ``nearest``, ``density`` or ``clusters``.
        k: Matches to use; by default 10, 100 for density.
        region: Only references inside it.
        cell: Only references inside this S2 cell.
        mode: How to search; see :meth:`sightline.atlas.Atlas.search`.
        rerank: How many of the best to re-rank by regional vectors.
        pool_m: References this near to each other may speak as one place; 0 for each alone.
        abstain_below: Best score below which an estimate abstains. ``"atlas"`` takes what the
            atlas measured: the score that the best of unrelated references stays under 95 times
            in 100, with the atlas's own ``rerank`` and ``pool_m``. None never abstains on that
            ground, and the estimate says so.
        settings: What the methods are tuned by.

    Raises:
        FingerprintError: The atlas was built with another encoder, or is of aerial patches.
        UsageError: An argument that cannot be.
    """

    def __init__(
        self,
        atlas: SearchableAtlas,
        encoder: Encoder,
        *,
        method: Method = "nearest",
        k: int | None = None,
        region: Region | None = None,
        cell: int | None = None,
        mode: SearchWay = "auto",
        rerank: int = 20,
        pool_m: float = 15.0,
        abstain_below: AbstainBelow = "atlas",
        settings: MethodSettings | None = None,
    ) -> None:
        check_method(method)
        if k is not None:
            require_number("k", k, at_least=1)
        require_abstain_below(abstain_below)
        require_photos(atlas, encoder)
        self.atlas = atlas
        self.encoder = encoder
        self.method: Method = method
        self.k = DEFAULT_K[method] if k is None else k
        self.region = region
        self.cell = cell
        self.mode: SearchWay = mode
        self.rerank = rerank
        self.pool_m = pool_m
        self.abstain_below = abstain_below
        self.settings = settings or MethodSettings()

    def prepare(self, photo: Photo) -> Query:
        """Make a photo ready; thread-safe. See :func:`~.queries.prepare_query`."""
        return prepare_query(photo, self.encoder)

    def locate(
        self,
        photo: Photo,
        *,
        exclude_within_m: tuple[ArrayLike, float] | None = None,
        exclude_sha256: str | None = None,
    ) -> Estimate:
        """Locate one photo.

        Args:
            photo: Only its pixels are used. A panorama asks with four views.
            exclude_within_m: A place (2,) in degrees and metres; references nearer are left out.
            exclude_sha256: References of this content hash are left out.

        Returns:
            The estimate; one too weak to be an answer says so in ``abstained`` and ``reason``.

        Raises:
            AtlasEmptyError: There is no reference to compare with.
            VectorError: The encoder could not make a vector of it.
        """
        near = None
        if exclude_within_m is not None:
            near = (np.asarray(exclude_within_m[0], dtype=np.float64)[None], exclude_within_m[1])
        hashes = None if exclude_sha256 is None else [exclude_sha256]
        return self.locate_many([photo], exclude_within_m=near, exclude_sha256=hashes)[0]

    def locate_many(
        self,
        photos: Sequence[Photo],
        *,
        exclude_within_m: tuple[ArrayLike, float] | None = None,
        exclude_sha256: Sequence[str | None] | None = None,
    ) -> list[Estimate]:
        """Locate photos together, which is faster than one by one.

        Args:
            photos: n of them.
            exclude_within_m: Places (n, 2) in degrees and metres; references nearer than that to a
                photo's place are left out for it; NaN where there is none. For honest evaluation:
                it takes evidence away and adds none.
            exclude_sha256: n content hashes, or None; references of that hash are left out for
                that photo.

        Returns:
            n estimates.

        Raises:
            AtlasEmptyError: There is no reference to compare a photo with.
            VectorError: The encoder could not make a vector of one.
            UsageError: An exclusion does not fit the photos.
        """
        queries = [self.prepare(photo) for photo in photos]
        near = None
        if exclude_within_m is not None:
            near = (np.asarray(exclude_within_m[0], dtype=np.float64), exclude_within_m[1])
        found = self._answers(queries, near, exclude_sha256)
        estimates = []
        for estimate in found:
            if isinstance(estimate, SightlineError):
                raise estimate
            estimates.append(estimate)
        return estimates

    def attempt(self, queries: Sequence[Query]) -> list[Estimate | SightlineError]:
        """Locate prepared photos; the error of one is its own answer and stops no other.

        Args:
            queries: What :meth:`prepare` made of n photos.

        Returns:
            n estimates or errors.
        """
        return attempt_all(self._answers, queries)

    def _answers(
        self,
        queries: Sequence[Query],
        near: Near | None = None,
        hashes: Sequence[str | None] | None = None,
    ) -> list[Estimate | SightlineError]:
        check_exclusions(near, hashes, len(queries))
        if not queries:
            return []
        vectors, owner = encode_queries(queries, self.encoder)
        return self.answers(queries, vectors, owner, near, hashes)

    def answers(
        self,
        queries: Sequence[Query],
        vectors: Vectors,
        owner: NDArray[np.intp],
        near: Near | None = None,
        hashes: Sequence[str | None] | None = None,
    ) -> list[Estimate | SightlineError]:
        """Answer for photos that were encoded already.

        Args:
            queries: n of them, for their names.
            vectors: float32 (v, cells, d), as :func:`~.queries.encode_queries` returns them.
            owner: Which query each vector is of, (v,), ascending.
            near: Places (n, 2) and metres; references nearer are left out.
            hashes: n hashes, or None; references of that file are left out.
        """
        matches = self.atlas.search(
            vectors,
            self.k,
            mode=self.mode,
            region=self.region,
            cell=self.cell,
            rerank=self.rerank,
            pool_m=self.pool_m,
            fingerprint=self.encoder.fingerprint,
            exclude_within_m=None if near is None else (near[0][owner], near[1]),
            exclude_sha256=None if hashes is None else [hashes[query] for query in owner],
        )
        if len(owner) != len(queries):
            matches = merge_views(matches, owner, len(queries))
        threshold, otherwise = threshold_of(self.atlas, self.abstain_below)
        found = estimates_of(matches, self.method, self.settings, threshold, otherwise)
        return [
            _nothing_left(query) if estimate is None else estimate
            for query, estimate in zip(queries, found, strict=True)
        ]


def threshold_of(atlas: SearchableAtlas, abstain_below: AbstainBelow) -> tuple[float | None, str]:
    """Return the score below which matches of an atlas are no answer, and what to say without."""
    if abstain_below != "atlas":
        return abstain_below, NOT_JUDGED
    measured = atlas.null_similarity
    # An atlas too small to measure it gets no benefit of the doubt.
    return UNMEASURED_THRESHOLD if measured is None else measured, ""


def check_exclusions(near: Near | None, hashes: Sequence[str | None] | None, photos: int) -> None:
    """Raise a UsageError unless every photo has one; the atlas checks what they hold."""
    for name, count in (
        ("exclude_within_m", photos if near is None else len(near[0])),
        ("exclude_sha256", photos if hashes is None else len(hashes)),
    ):
        if count != photos:
            raise UsageError(
                f"{name} must have one entry for each photo. Got {count} for {photos}.",
                hint="Pass them in the order of the photos.",
            )


def _nothing_left(query: Query) -> AtlasEmptyError:
    return AtlasEmptyError(
        f"No reference is left to compare {query.name!r} with.",
        hint="Widen the region, or exclude fewer references.",
    )
