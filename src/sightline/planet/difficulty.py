"""Named settings of cross-view pairs: each opens one axis on which methods differ.

Every setting changes a few things of the plain one (:data:`PLAIN`: a 360° panorama aligned with
north, at the centre of its tile, a day like that of the aerial image, test places in the country
that was learnt). Several can be asked for at once, as long as they do not contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from sightline.errors import UsageError

Heading = Literal["north", "known", "unknown"]
Unseen = Literal["place", "country"]
Span = Literal["town", "country", "world"]


@dataclass(frozen=True)
class Difficulty:
    """What the pairs of a data set are like.

    Args:
        name: Its name; of several, joined by "+".
        summary: What is hard about it, one sentence.
        panorama: The photo is a 360° equirectangular panorama.
        fov_degrees: Horizontal field of view of a photo that is no panorama.
        heading: ``north``: the photo looks north (a panorama's centre column does). ``known``: it
            looks along the street or across it, and the heading is given. ``unknown``: it looks
            anywhere, and the heading is not given.
        offset_m: The photo is taken up to this far from the tile's centre, east and north each.
        season_gap: The aerial image is of another season than the photo.
        year_gap: The aerial image is older than the photo by this many years.
        bad_weather: Photos are taken by night and in rain, fog or snow too.
        unseen: What the test split holds that training never saw: other ``place``s of the same
            kind, or another ``country`` altogether.
        span: Where the pairs lie: in one ``town``, in one ``country``, or over the ``world``.
        distractors: Aerial tiles without a photo for each pair of the test split.
    """

    name: str
    summary: str
    panorama: bool = True
    fov_degrees: float = 90.0
    heading: Heading = "north"
    offset_m: float = 0.0
    season_gap: bool = False
    year_gap: int = 0
    bad_weather: bool = False
    unseen: Unseen = "place"
    span: Span = "town"
    distractors: int = 0


PLAIN = Difficulty("plain", "Panoramas aligned with north, at the centre of their tile.")

_NAMED = (
    replace(
        PLAIN,
        name="aligned-panorama",
        summary="A north-aligned panorama at the tile's centre: the easiest, too easy to report.",
    ),
    replace(
        PLAIN,
        name="known-heading",
        summary="One photo of 90° whose compass heading is known.",
        panorama=False,
        heading="known",
    ),
    replace(
        PLAIN,
        name="unknown-heading",
        summary="One photo of 90° that looks anywhere, and nobody knows where.",
        panorama=False,
        heading="unknown",
    ),
    replace(
        PLAIN,
        name="unknown-panorama",
        summary="A panorama turned by an unknown angle.",
        heading="unknown",
    ),
    replace(
        PLAIN,
        name="narrow",
        summary="One photo of 70° whose compass heading is known.",
        panorama=False,
        heading="known",
        fov_degrees=70.0,
    ),
    replace(
        PLAIN,
        name="offset",
        summary="The photo is taken anywhere in the middle quarter of its tile, as in VIGOR.",
        offset_m=28.0,
    ),
    replace(
        PLAIN,
        name="dense-tiles",
        summary="The photo is taken up to an eighth of its tile from the centre, as where tiles "
        "overlap by three quarters.",
        offset_m=14.0,
    ),
    replace(
        PLAIN,
        name="season-gap",
        summary="The aerial image is of the opposite season.",
        season_gap=True,
    ),
    replace(
        PLAIN,
        name="year-gap",
        summary="The aerial image is eight years older: buildings are missing, trees are smaller.",
        year_gap=8,
    ),
    replace(
        PLAIN,
        name="bad-weather",
        summary="Photos by night and in rain, fog and snow too.",
        bad_weather=True,
    ),
    replace(
        PLAIN,
        name="unseen-country",
        summary="The test split lies in a country, and a climate, that training never saw.",
        unseen="country",
    ),
    replace(PLAIN, name="country", summary="Towns and villages of one country.", span="country"),
    replace(PLAIN, name="world", summary="Places all over the planet.", span="world"),
    replace(
        PLAIN,
        name="large-gallery",
        summary="Ten aerial tiles without a photo for each one that has one.",
        distractors=10,
    ),
)

DIFFICULTIES: dict[str, Difficulty] = {setting.name: setting for setting in _NAMED}
"""Every named setting, by name."""

_AXES = tuple(f.name for f in fields(Difficulty) if f.name not in ("name", "summary"))


def difficulty(names: Sequence[str] | str) -> Difficulty:
    """Put named settings together.

    Args:
        names: One name or several of :data:`DIFFICULTIES`; none is ``aligned-panorama``.

    Raises:
        UsageError: There is no such name, or two of them want the same thing differently.
    """
    wanted = [names] if isinstance(names, str) else list(names) or ["aligned-panorama"]
    for name in wanted:
        if name not in DIFFICULTIES:
            raise UsageError(
                f"The difficulty must be one of {', '.join(DIFFICULTIES)}. Got {name!r}.",
                hint="Choose one of them; several can be given.",
            )
    unique = list(dict.fromkeys(wanted))
    changes: dict[str, tuple[Any, str]] = {}
    for name in unique:
        for axis in _AXES:
            value = getattr(DIFFICULTIES[name], axis)
            if value == getattr(PLAIN, axis):
                continue
            if axis in changes and changes[axis][0] != value:
                raise UsageError(
                    f"{changes[axis][1]!r} and {name!r} contradict each other in {axis}: "
                    f"{changes[axis][0]!r} and {value!r}.",
                    hint="Give one of them.",
                )
            changes[axis] = (value, name)
    _refuse_aligned(unique, changes)
    settings = {axis: value for axis, (value, _) in changes.items()}
    summary = " ".join(DIFFICULTIES[name].summary for name in unique)
    return replace(PLAIN, name="+".join(unique), summary=summary, **settings)


def _refuse_aligned(names: Sequence[str], changes: dict[str, tuple[Any, str]]) -> None:
    """``aligned-panorama`` changes nothing, but it says what the photo is."""
    for axis in ("panorama", "heading"):
        if "aligned-panorama" in names and axis in changes:
            raise UsageError(
                f"'aligned-panorama' and {changes[axis][1]!r} contradict each other in {axis}.",
                hint="Give one of them.",
            )
