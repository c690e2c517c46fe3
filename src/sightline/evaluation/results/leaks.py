"""Whether queries and references share what they must not, in one evaluation."""

from __future__ import annotations

from sightline.evaluation.results.context import Context, RetrievalSettings
from sightline.evaluation.retrieval.relevance import Relevance
from sightline.evaluation.sanity import (
    Collapse,
    Leak,
    alarm,
    leakage_warnings,
    places_look_swapped,
    same_content,
    same_place,
    swapped_warnings,
)


def leaks(
    collapse: tuple[Collapse, Collapse], context: Context, settings: RetrievalSettings
) -> tuple[Leak, Leak | None]:
    """Return what queries share with references: content (or vectors), and places if known."""
    asked, given = context.query_hashes, context.reference_hashes
    if asked is None or given is None:
        asked, given = (side.digests for side in collapse)
    place = None
    if context.query_latlon is not None and context.reference_latlon is not None:
        place = same_place(context.query_latlon, context.reference_latlon, same_place_m(settings))
    return same_content(asked, given), place


def same_place_m(settings: RetrievalSettings) -> float:
    """Return how near a reference is at the same place, in metres."""
    return 5.0 if settings.same_place_m is None else settings.same_place_m


def leak_warnings(
    collapse: tuple[Collapse, Collapse],
    content: Leak,
    place: Leak | None,
    relevance: Relevance,
    context: Context,
    settings: RetrievalSettings,
) -> list[str]:
    """Say in words what queries and references share."""
    return leakage_warnings(
        relevance.queries,
        content=content if context.hashed else None,
        # Where everything is one vector, that a query has it says nothing of the photos.
        vectors=None if alarm(*collapse) else content,
        place=None if settings.same_place_m is None else place,
        radius_m=settings.same_place_m,
    )


def swap_warnings(context: Context) -> list[str]:
    """Say if latitude and longitude of one side look exchanged."""
    if context.query_latlon is None or context.reference_latlon is None:
        return []
    return swapped_warnings(places_look_swapped(context.query_latlon, context.reference_latlon))
