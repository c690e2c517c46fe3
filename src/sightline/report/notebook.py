"""How an answer shows itself in a notebook: a still map with its matches, no script, no network."""

from __future__ import annotations

from typing import Self

from markupsafe import Markup

from sightline.locating.estimate import Estimate
from sightline.locating.locator import LocatedPhoto
from sightline.report.document import locate_document
from sightline.report.map_svg import map_svg
from sightline.report.templating import environment
from sightline.report.thumbnails import thumbnail

_MATCHES = 5
_PHOTO_PIXELS, _PHOTO_BYTES = 320, 40_000
_MATCH_PIXELS, _MATCH_BYTES = 160, 12_000


class Located(LocatedPhoto):
    """A located photo that notebooks show as a map with its matches."""

    __slots__ = ()

    @classmethod
    def of(cls, result: LocatedPhoto) -> Self:
        """Return ``result`` in the form that shows itself; everything else stays the same."""
        return cls(
            path=result.path,
            sha256=result.sha256,
            photo_place=result.photo_place,
            exif_to_estimate_m=result.exif_to_estimate_m,
            estimate=result.estimate,
            error=result.error,
            place_problem=result.place_problem,
        )

    def _repr_html_(self) -> str:
        return photo_html(self)


def estimate_html(estimate: Estimate, path: str | None = None) -> str:
    """Return an estimate as a piece of HTML: place, map, matches.

    Args:
        estimate: The estimate.
        path: The photo it is of, which is shown beside the map if it can be read.
    """
    return photo_html(
        LocatedPhoto(
            path=path or "",
            sha256=None,
            photo_place=None,
            exif_to_estimate_m=None,
            estimate=estimate,
            error=None,
        )
    )


def photo_html(result: LocatedPhoto) -> str:
    """Return a located photo as a piece of HTML that stands alone; an error says itself."""
    (photo,) = locate_document([result])["photos"]
    candidates = photo["candidates"]
    still = map_svg(photo["estimate"], candidates, photo["exif"]) if photo["estimate"] else ""
    matches = [
        {**match, "rank": rank, "picture": thumbnail(match["uri"], _MATCH_PIXELS, _MATCH_BYTES)}
        for rank, match in enumerate(candidates[:_MATCHES], 1)
    ]
    picture = thumbnail(photo["path"], _PHOTO_PIXELS, _PHOTO_BYTES)
    return (
        environment()
        .get_template("notebook.html.jinja")
        .render(photo=photo, picture=picture, matches=matches, still=Markup(still))  # noqa: S704
    )
