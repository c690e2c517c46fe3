"""What a locator needs of an atlas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias

from sightline.atlas.matches import Matches, SearchWay
from sightline.locating.evidence import Floats
from sightline.models.protocol import Vectors

if TYPE_CHECKING:
    from sightline.geo.region import Region

Near: TypeAlias = tuple[Floats, float]


class SearchableAtlas(Protocol):
    """References that answer vectors with matches."""

    @property
    def encoder_fingerprint(self) -> str:
        """Fingerprint of the encoder its vectors are from."""

    @property
    def null_similarity(self) -> float | None:
        """95 % quantile of the best score to unrelated references; None if never measured."""

    @property
    def path(self) -> object:
        """Where it lies; for reports."""

    @property
    def version(self) -> int:
        """Version of its store; for reports."""

    @property
    def count(self) -> int:
        """How many references it has."""

    def search(
        self,
        vectors: Vectors,
        k: int = 10,
        *,
        mode: SearchWay = "auto",
        region: Region | None = None,
        cell: int | None = None,
        rerank: int = 20,
        pool_m: float = 15.0,
        fingerprint: str,
        exclude_within_m: Near | None = None,
        exclude_sha256: Sequence[str | None] | None = None,
    ) -> Matches:
        """Return the best k references for vectors (q, cells, d) as the encoder made them.

        ``exclude_within_m``, places (q, 2) and metres, and ``exclude_sha256``, q hashes, leave
        out references that would make an evaluation flatter itself.
        """


class AerialAtlas(SearchableAtlas, Protocol):
    """References that are north-up squares of aerial imagery on a grid.

    A patch has one row for each turn of its encoder, told apart by ``Matches.views``.
    """

    @property
    def kind(self) -> str:
        """``aerial``."""

    @property
    def patch_m(self) -> float | None:
        """Side of a patch, metres on the ground; never None where the kind is ``aerial``."""

    @property
    def stride_m(self) -> float | None:
        """Step of the grid, metres on the ground; never None where the kind is ``aerial``."""
