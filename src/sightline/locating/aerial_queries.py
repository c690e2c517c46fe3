"""Photos as a cross-view encoder wants to see them: its field of view, and where they look.

As in :mod:`.queries`, what a file says of its place has no way through here. Where the photo looks
and how wide its lens is do, because a model may need them; every use is told in a note.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from sightline.datasets.preparation.panorama_views import cut_columns
from sightline.errors import EncoderError, UsageError
from sightline.imagery.panorama import VIEW_HEADINGS, perspective_views, whole_sphere
from sightline.imagery.photo import Photo
from sightline.models.protocol import CrossViewEncoder, Pixels

HeadingChoice: TypeAlias = float | Literal["unknown"] | None

# Half the diagonal of a frame of 35 mm film (36 x 24 mm): equal diagonals are what makes a focal
# length equivalent (CIPA DCG-001).
_HALF_DIAGONAL_MM = math.hypot(36.0, 24.0) / 2
# A lens this much wider or narrower in the picture than the model's is another view.
_MUCH = 1.1
_AROUND_DEGREES = 360.0


@dataclass(frozen=True, slots=True, eq=False)
class AerialQuery:
    """A photo made ready for a cross-view encoder.

    Attributes:
        name: What errors call it.
        views: What :meth:`CrossViewEncoder.prepare` returned, uint8 (1, h, w, 3), for each view.
        turns: How far each view looks to the right of the photo's centre column, in degrees.
        heading_degrees: Bearing of the photo's centre column; None to find it out.
        notes: What was done or taken for granted, for people.
    """

    name: str
    views: tuple[Pixels, ...]
    turns: tuple[float, ...]
    heading_degrees: float | None
    notes: tuple[str, ...] = ()


def prepare_aerial_query(
    photo: Photo,
    encoder: CrossViewEncoder,
    *,
    heading: HeadingChoice = None,
    as_declared: bool = False,
) -> AerialQuery:
    """Cut a photo to what the model's photos show; thread-safe.

    A panorama is cut into four views for a model of part of the circle. A photo of a wider lens
    than the model's, by its 35 mm focal length, loses its margins.

    Args:
        photo: Opened.
        encoder: Whose photos it shall look like.
        heading: Bearing of the photo's centre column, degrees clockwise from north; ``"unknown"``
            to find it out; None to take what the file says where the model needs one.
        as_declared: Take the picture for what the model's photos show, whatever its file says.

    Raises:
        EncoderError: A photo of part of the circle for a model of panoramas.
        UsageError: A heading that is none.
    """
    bearing, notes = _bearing(photo, encoder, heading)
    panorama = encoder.geometry == "panorama"
    if as_declared or photo.metadata.panorama == panorama:
        if photo.metadata.panorama and not as_declared:
            pictures, turns = [_sphere(photo)], [0.0]
        else:
            pictures, turns = [photo.pixels], [0.0]
            if not as_declared:
                pictures[0], told = _as_wide(photo, encoder.fov_degrees)
                notes += told
    elif panorama:
        raise EncoderError(
            f"{encoder.name} was trained with panoramas, and {photo.name!r} is none.",
            hint="Give a 360° photo; or use a model for photos of a field of view. If it is a "
            "panorama whose file does not say so, take it as declared (--as-declared).",
            path=photo.name,
        )
    else:
        turns = [*VIEW_HEADINGS]
        if encoder.heading == "aligned" and bearing is not None:
            turns = [-bearing % _AROUND_DEGREES]
        pictures = _views(_sphere(photo), encoder, turns)
        notes += (f"The panorama was cut into {len(turns)} views of {encoder.fov_degrees:g}°.",)
    views = tuple(encoder.prepare(picture, "ground") for picture in pictures)
    return AerialQuery(photo.name, views, tuple(turns), bearing, notes)


def checked_heading(heading: HeadingChoice) -> HeadingChoice:
    """Return a heading from 0 to 360 degrees, or the word; raises UsageError if it is neither."""
    if heading is None or heading == "unknown":
        return heading
    if not (isinstance(heading, int | float | np.number) and math.isfinite(heading)):
        raise UsageError(
            f"A heading must be degrees, or 'unknown'. Got {heading!r}.",
            hint="0 is north, 90 is east.",
        )
    return float(heading) % _AROUND_DEGREES


def _bearing(
    photo: Photo, encoder: CrossViewEncoder, heading: HeadingChoice
) -> tuple[float | None, tuple[str, ...]]:
    heading = checked_heading(heading)
    if heading == "unknown":
        return None, ()
    if heading is not None:
        return heading, ()
    if encoder.heading == "unknown":
        return None, ()
    stated = photo.metadata.heading_degrees
    if stated is not None:
        note = f"The heading of {stated:.0f}° is the file's own; a compass may be wrong."
        return stated % _AROUND_DEGREES, (note,)
    return None, ("The file states no heading, which the model was trained with: all are tried.",)


def _sphere(photo: Photo) -> Pixels:
    crop = photo.metadata.sphere_crop
    return photo.pixels if crop is None else whole_sphere(photo.pixels, crop)


def _views(sphere: Pixels, encoder: CrossViewEncoder, turns: Sequence[float]) -> list[Pixels]:
    if encoder.geometry.startswith("crop:"):
        return [cut_columns(sphere, encoder.fov_degrees, turn) for turn in turns]
    return perspective_views(sphere, fov_degrees=encoder.fov_degrees, headings=turns)


def _as_wide(photo: Photo, fov_degrees: float) -> tuple[Pixels, tuple[str, ...]]:
    """The photo without what lies beyond the model's field of view, and what to say of it."""
    found = field_of_view(photo)
    if found is None:
        return photo.pixels, (
            f"The file states no field of view; it is taken to be the model's {fov_degrees:g}°.",
        )
    # Columns of a crop of a panorama are spread by angle, those of a lens by its tangent.
    if fov_degrees < 180.0:
        share = math.tan(math.radians(fov_degrees / 2)) / math.tan(math.radians(found / 2))
    else:
        share = fov_degrees / found
    if share > _MUCH:
        return photo.pixels, (
            f"The photo shows {found:.0f}°, the model's photos {fov_degrees:g}°: less certain.",
        )
    if share > 1 / _MUCH:
        return photo.pixels, ()
    height, width = photo.pixels.shape[:2]
    rows, columns = max(1, round(height * share)), max(1, round(width * share))
    top, left = (height - rows) // 2, (width - columns) // 2
    kept = np.ascontiguousarray(photo.pixels[top : top + rows, left : left + columns])
    return kept, (f"The photo shows {found:.0f}° and was cut to the model's {fov_degrees:g}°.",)


def field_of_view(photo: Photo) -> float | None:
    """Horizontal field of view in degrees, by the file's 35 mm focal length; None if unstated.

    The diagonal of the picture is that of 35 mm film, so a picture w by h pixels shows
    2 atan(w / hypot(w, h) · 21.6 mm / f).
    """
    focal = photo.metadata.focal_length_35mm
    if focal is None:
        return None
    height, width = photo.size
    half_width_mm = _HALF_DIAGONAL_MM * width / math.hypot(width, height)
    return 2 * math.degrees(math.atan(half_width_mm / focal))
