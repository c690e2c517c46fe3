"""The report: one HTML file that holds everything and asks no network for anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from os import PathLike
from typing import TYPE_CHECKING, Any

import shapely
from markupsafe import Markup

from sightline.durable import write_text
from sightline.geo.distance import great_circle_m
from sightline.report.circles import circle_polygon
from sightline.report.document import locate_document
from sightline.report.map_svg import map_svg
from sightline.report.outlines import outlines_json
from sightline.report.page import asset_text, moment_text, security_policy
from sightline.report.squares import patch_polygon
from sightline.report.templating import environment
from sightline.report.text import distance_text, embedded_json
from sightline.report.thumbnails import Thumbnail, patch_thumbnail, thumbnail

if TYPE_CHECKING:
    from sightline.locating.locator import AnyLocator, LocatedPhoto


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How large pictures may be, so that a report of many photos stays one that opens."""

    photo: int
    photo_bytes: int
    match: int
    match_bytes: int
    matches: int


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Pictures of matches, each made once."""

    atlas: str | None
    seen: dict[str, Thumbnail | None]

    def of(self, match: dict[str, Any], sizes: _Sizes) -> Thumbnail | None:
        uri = match["uri"]
        if uri not in self.seen:
            if match.get("patch_m") is None:
                made = thumbnail(uri, sizes.match, sizes.match_bytes)
            elif self.atlas is None:
                made = None
            else:
                place = (match["lat"], match["lon"])
                made = patch_thumbnail(self.atlas, uri, place, sizes.match, sizes.match_bytes)
            self.seen[uri] = made
        return self.seen[uri]


# By the largest number of photos each row serves.
_SIZES = (
    (5, _Sizes(photo=960, photo_bytes=160_000, match=480, match_bytes=36_000, matches=10)),
    (40, _Sizes(photo=720, photo_bytes=90_000, match=320, match_bytes=20_000, matches=8)),
)
_SMALLEST = _Sizes(photo=480, photo_bytes=32_000, match=200, match_bytes=9_000, matches=6)


def write_report(
    path: str | PathLike[str],
    results: Sequence[LocatedPhoto],
    locator: AnyLocator | None = None,
    *,
    created: datetime | None = None,
) -> None:
    """Write an HTML report of results.

    Args:
        path: The file to write.
        results: What a locator said of each photo.
        locator: The locator that said it, for versions and hashes.
        created: The time that the report states; now by default.

    Raises:
        OutputError: The file cannot be written.
    """
    write_text(path, report_html(results, locator, created=created))


def report_html(
    results: Sequence[LocatedPhoto],
    locator: AnyLocator | None = None,
    *,
    created: datetime | None = None,
) -> str:
    """Return the report as text; see :func:`write_report`."""
    document = locate_document(results, locator)
    sizes = next((sizes for limit, sizes in _SIZES if len(results) <= limit), _SMALLEST)
    seen: dict[str, Thumbnail | None] = {}
    photos = [
        _photo(number, photo, _picture_of(result), sizes, _Pictures(document["atlas_path"], seen))
        for number, (photo, result) in enumerate(zip(document["photos"], results, strict=True), 1)
    ]
    style = asset_text("leaflet/leaflet.css", "page.css", "report.css")
    script = asset_text("leaflet/leaflet.js", "report.js")
    return (
        environment()
        .get_template("report.html.jinja")
        .render(
            photos=photos,
            document=document,
            created=moment_text(created),
            tally=_tally(photos),
            policy=security_policy(style, script),
            style=Markup(style),  # noqa: S704 - our own files
            script=Markup(script),  # noqa: S704 - our own files
            maps=Markup(embedded_json([p["map"] for p in photos])),  # noqa: S704 - escaped there
            world=Markup(outlines_json()),  # noqa: S704 - our own file
        )
    )


def _photo(
    number: int,
    photo: dict[str, Any],
    picture: str,
    sizes: _Sizes,
    pictures: _Pictures,
) -> dict[str, Any]:
    """What the template shows of one photo: the document's words, pictures, and both maps."""
    estimate, exif, candidates = photo["estimate"], photo["exif"], photo["candidates"]
    return {
        **photo,
        "number": number,
        "status": _status(photo),
        "picture": thumbnail(picture, sizes.photo, sizes.photo_bytes),
        "matches": [
            _match(rank, candidate, photo, sizes, pictures)
            for rank, candidate in enumerate(candidates[: sizes.matches], 1)
        ],
        "more_matches": max(0, len(candidates) - sizes.matches),
        "still": Markup(map_svg(estimate, candidates, exif)) if estimate else None,  # noqa: S704
        "map": _map(estimate, candidates, exif, sizes.matches) if estimate else None,
    }


def _status(photo: dict[str, Any]) -> str:
    if photo["estimate"] is None:
        return "failed"
    return "unsure" if photo["estimate"]["abstained"] else "located"


def _match(
    rank: int,
    candidate: dict[str, Any],
    photo: dict[str, Any],
    sizes: _Sizes,
    pictures: _Pictures,
) -> dict[str, Any]:
    return {
        **candidate,
        "rank": rank,
        "picture": pictures.of(candidate, sizes),
        "to_estimate_m": _metres_between(candidate, photo["estimate"]),
        "to_exif_m": _metres_between(candidate, photo["exif"]) if photo["exif"] else None,
    }


def _metres_between(a: dict[str, Any], b: dict[str, Any]) -> float:
    return float(great_circle_m((a["lat"], a["lon"]), (b["lat"], b["lon"])))


def _map(
    estimate: dict[str, Any],
    candidates: Sequence[dict[str, Any]],
    exif: dict[str, Any] | None,
    shown: int,
) -> dict[str, Any]:
    """Numbers only: names never reach the script."""
    lat, lon = estimate["lat"], estimate["lon"]
    circles = [
        {"share": share, "text": distance_text(radius_m), "rings": _rings(lat, lon, radius_m)}
        for share in (90, 50)
        if (radius_m := estimate[f"radius_{share}_m"])
    ]
    # All matches are patches, or none is.
    squares = [patch_polygon(match, lon) for match in candidates]
    return {
        "lat": lat,
        "lon": lon,
        "circles": circles,
        "matches": [[match["lat"], match["lon"]] for match in candidates],
        "squares": [_points(square.exterior) for square in squares if square is not None],
        "shown": shown,
        "exif": [exif["lat"], exif["lon"]] if exif else None,
    }


def _rings(lat: float, lon: float, radius_m: float) -> list[list[list[float]]]:
    """Rings of the circle, outer ones and holes, as (lat, lon) with longitudes that run on."""
    polygon = circle_polygon(lat, lon, radius_m)
    rings = [] if polygon is None else [polygon.exterior, *polygon.interiors]
    return [_points(ring) for ring in rings]


def _points(ring: shapely.LinearRing) -> list[list[float]]:
    points: list[list[float]] = shapely.get_coordinates(ring)[:, ::-1].round(7).tolist()
    return points


def _tally(photos: Sequence[dict[str, Any]]) -> dict[str, int]:
    counts = dict.fromkeys(("located", "unsure", "failed"), 0)
    for photo in photos:
        counts[photo["status"]] += 1
    return counts


def _picture_of(result: LocatedPhoto) -> str:
    return str(result.path)
