"""The evaluation of what was saved of a model: every error names the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sightline.errors import SightlineError
from sightline.evaluation.archives import Archive
from sightline.evaluation.conventions import PEERS
from sightline.evaluation.results.context import Context, RetrievalSettings
from sightline.evaluation.results.peers import wanted_peers
from sightline.evaluation.results.retrieval import RetrievalResult, evaluate_retrieval
from sightline.evaluation.retrieval.scan import Progress


def evaluate_archive(
    archive: Archive,
    settings: RetrievalSettings | None = None,
    *,
    radius_m: float | None = None,
    peers: Sequence[str] | Literal["all"] = (),
    progress: Progress | None = None,
) -> RetrievalResult:
    """Score what an archive holds, with all that it says of places, groups and content.

    Args:
        archive: As :func:`~sightline.evaluation.read_archive` reads it.
        settings: How to measure.
        radius_m: For archives that say by places alone what is right (:meth:`Archive.relevance`).
        peers: Whose conventions to apply too, by name, or ``"all"``.
        progress: Called with references done and all references, for each pass over them.

    Raises:
        SightlineError: As :meth:`Archive.relevance` and
            :func:`~sightline.evaluation.evaluate_retrieval` raise it, with the archive's path.
    """
    # A wrong name is nobody's archive's fault.
    wanted = wanted_peers(peers, PEERS, "retrieval")
    relevance = archive.relevance(radius_m)
    try:
        return evaluate_retrieval(
            archive.queries,
            archive.references,
            relevance,
            settings,
            name=archive.name,
            context=Context(
                groups=archive.groups,
                query_latlon=archive.query_latlon,
                reference_latlon=archive.reference_latlon,
                query_hashes=archive.query_hashes,
                reference_hashes=archive.reference_hashes,
                radius_m=radius_m,
                notes=archive.notes,
            ),
            peers=wanted,
            progress=progress,
        )
    except SightlineError as error:
        raise archive.named(error) from error
