"""Who takes photos, and on which outing each photo is taken.

A photographer lives where people are, takes one photo or many (a power law: three in five take a
single one, one in a hundred thirty or more), and takes them on outings: at home, in the region, in
the country, or anywhere, where fame leads. Photos of one outing are near each other and minutes
apart. So photos of one photographer know each other, as in real collections, and splits must mind
it.

Photos are numbered through, photographer by photographer: the first thousand of a sample are the
first thousand of a larger one, and any of them can be made without the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M, normalise_longitude
from sightline.planet.draws import mixed_keys, units_of
from sightline.planet.places import FINEST, UNITS, Floats, Geography, Integers, Places, Squares
from sightline.planet.unlocatable import SHARES, Subject
from sightline.planet.world.trigonometry import PI, sine_cosine

MOST_PHOTOS = 300
"""No photographer takes more."""
OUTING_STARTS = 0.6
"""How often a photo begins a new outing."""
OUTING_LEVEL = 11
"""Photos of one outing lie in one square of this level (5 km), or at a sight near it."""
DESTINATIONS = ((9, 0.42), (6, 0.22), (4, 0.14), (None, 0.22))
"""Where outings lead: the level of the square around home that holds them, and how often."""
UNLOCATABLE_SHARE = 0.15
"""The share of pictures that say nothing about a place."""
SIGHT_SHARE = 0.75
"""How often a photo shows a sight, where the most famous one is near."""
SIGHTS_WITHIN_M = 4000.0
"""How far from the middle of an outing a sight may stand."""

FIRST_DAY = datetime(2012, 1, 1, tzinfo=UTC)
DAYS = 14 * 365

_HOME, _OUTING, _PHOTO, _COUNT, _START = range(0x50480, 0x50485)
METRES_PER_DEGREE = EARTH_RADIUS_M * PI / 180.0
_BLOCK = 1 << 15
_PHOTO_UNITS = 12


@dataclass(frozen=True)
class PhotoPlan:
    """What one photo of a collection shall be; it is taken by :mod:`sightline.planet.sample`.

    Args:
        number: Its number in the collection.
        key: Its key for everything that is left to chance when it is taken.
        photographer: The number of who takes it.
        outing: The number of the outing among the photographer's.
        latlng: About where it is taken, degrees; the street is a few hundred metres away at most.
        sight: Where the thing stands that it shows, or None for a photo of no thing in particular.
        side_degrees: From which side of the sight it is taken, clockwise from north.
        when: When, UTC.
        fov_degrees: Horizontal field of view of the photographer's camera.
        tilt_degrees: How far the camera looks up.
        subject: What it shows if it says nothing about a place; None for a photo that does.
    """

    number: int
    key: int
    photographer: int
    outing: int
    latlng: tuple[float, float]
    sight: tuple[float, float] | None
    side_degrees: float
    when: datetime
    fov_degrees: float
    tilt_degrees: float
    subject: Subject | None


class Photographers:
    """The photographers of a planet and their photos.

    Args:
        planet_seed: Seed of the planet, which decides what is famous.
        geography: Its land and people.
        seed: Seed of the collection: another one has other photographers.
    """

    def __init__(self, planet_seed: int, geography: Geography, seed: int = 0) -> None:
        self._places = Places(planet_seed, geography)
        self._geography = geography
        self._seed = seed
        self._ends = np.zeros(0, np.int64)

    def counts(self, photographers: Integers) -> Integers:
        """How many photos each photographer takes, (n,)."""
        units = units_of(mixed_keys(_COUNT, self._seed, photographers), 1)[:, 0]
        units = np.maximum(units, 1e-9)
        # To the power of -3/4 by square roots, which every machine rounds alike.
        heavy = 1.0 / np.sqrt(units * np.sqrt(units))
        return np.minimum(heavy, MOST_PHOTOS).astype(np.int64)

    def photos(self, first: int, count: int) -> list[PhotoPlan]:
        """Plan the photos with the numbers ``first`` to ``first + count - 1``.

        Raises:
            UsageError: ``first`` or ``count`` is negative, or nobody lives on the planet.
        """
        if first < 0 or count < 0:
            raise UsageError(
                f"Numbers of photos must not be negative. Got {first!r} and {count!r}.",
                hint="Photos are numbered from 0.",
            )
        if count == 0:
            return []
        self._know(first + count)
        who_first = int(np.searchsorted(self._ends, first, side="right"))
        who_last = int(np.searchsorted(self._ends, first + count - 1, side="right"))
        who = np.arange(who_first, who_last + 1)
        begin = int(self._ends[who_first - 1]) if who_first else 0
        numbers = slice(first - begin, first - begin + count)
        return self._planned(who, numbers, first)

    def coordinates(self, count: int) -> Floats:
        """About where the first ``count`` photos are taken, (count, 2) degrees."""
        parts = []
        for first in range(0, count, _BLOCK):
            plans = self.photos(first, min(_BLOCK, count - first))
            parts.append(np.array([plan.latlng for plan in plans]))
        return np.concatenate(parts) if parts else np.zeros((0, 2))

    def _know(self, photos: int) -> None:
        """Count photographers until they have taken this many photos."""
        while not len(self._ends) or self._ends[-1] < photos:
            known = len(self._ends)
            counts = self.counts(np.arange(known, known + _BLOCK))
            before = int(self._ends[-1]) if known else 0
            self._ends = np.concatenate([self._ends, before + np.cumsum(counts)])

    def _planned(self, who: Integers, wanted: slice, first: int) -> list[PhotoPlan]:
        counts = self.counts(who)
        row = np.repeat(np.arange(len(who)), counts)
        nth = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        starts = units_of(mixed_keys(_START, self._seed, who[row], nth), 1)[:, 0] < OUTING_STARTS
        starts |= nth == 0
        outing_row = np.cumsum(starts) - 1
        outing = outing_row - outing_row[np.flatnonzero(nth == 0)][row]
        row, nth, outing, outing_row = (a[wanted] for a in (row, nth, outing, outing_row))
        # Outings of photos that are not wanted are not looked up.
        _, at, outing_of = np.unique(outing_row, return_index=True, return_inverse=True)
        squares, days, begins = self._outings(who[row[at]], outing[at])
        keys = mixed_keys(_PHOTO, self._seed, who[row], nth)
        units = units_of(keys, UNITS + _PHOTO_UNITS)
        around = squares.take(outing_of).ancestors(OUTING_LEVEL)
        _, places = self._places.draw(units, around)
        details = units[:, UNITS:]
        # Minutes between two photos of an outing add up; here they are drawn from its length.
        minutes = begins[outing_of] + 150.0 * details[:, 0]
        sights = self._sights(around, details[:, 1], details[:, 8])
        aside = _beside(sights, details[:, 2], details[:, 9])
        places = np.where(np.isnan(sights), places, aside)
        cameras = units_of(mixed_keys(_HOME, self._seed, who[row], 1), 2)
        return [
            PhotoPlan(
                number=first + k,
                key=int(keys[k] >> np.uint64(33)),
                photographer=int(who[row[k]]),
                outing=int(outing[k]),
                latlng=(float(places[k, 0]), float(places[k, 1])),
                sight=None
                if np.isnan(sights[k, 0])
                else (float(sights[k, 0]), float(sights[k, 1])),
                side_degrees=360.0 * float(details[k, 2]),
                when=_local_time(int(days[outing_of[k]]), float(minutes[k]), float(places[k, 1])),
                fov_degrees=_field_of_view(cameras[k], float(details[k, 3])),
                tilt_degrees=round(8.0 * float(details[k, 4] + details[k, 5] - 0.9), 2),
                subject=_subject(float(details[k, 6]), float(details[k, 7])),
            )
            for k in range(len(row))
        ]

    def _outings(self, who: Integers, outing: Integers) -> tuple[Squares, Integers, Floats]:
        """The square, the day and the local minute of each outing."""
        home_units = units_of(mixed_keys(_HOME, self._seed, who), UNITS)
        homes, _ = self._places.draw(home_units)
        units = units_of(mixed_keys(_OUTING, self._seed, who, outing), UNITS + 4)
        kind = np.searchsorted(np.cumsum([share for _, share in DESTINATIONS]), units[:, UNITS])
        face, i, j = homes.face.copy(), homes.i.copy(), homes.j.copy()
        for number, (level, _) in enumerate(DESTINATIONS):
            mine = np.flatnonzero(np.minimum(kind, len(DESTINATIONS) - 1) == number)
            if not len(mine):
                continue
            within = None if level is None else homes.take(mine).ancestors(level)
            found, _ = self._places.draw(units[mine], within)
            face[mine], i[mine], j[mine] = found.face, found.i, found.j
        days = (units[:, UNITS + 1] * DAYS).astype(np.int64)
        # Most outings lie in the middle of the day, few begin at night.
        middle = (units[:, UNITS + 2] + units[:, UNITS + 3]) / 2.0
        return Squares(FINEST, face, i, j), days, 60.0 * (6.5 + 13.5 * middle)

    def _sights(self, around: Squares, shown: Floats, which: Floats) -> Floats:
        """The sight that each photo shows, (n, 2) degrees; NaN for those that show none."""
        found = np.full((len(around), 2), np.nan)
        _, first, row = np.unique(around.names(), return_index=True, return_inverse=True)
        middles = around.take(first).directions(np.full(len(first), 0.5), np.full(len(first), 0.5))
        # Where no photo could show a sight, however famous, none is looked for.
        wanted = np.unique(row[shown < SIGHT_SHARE])
        for spot in wanted:
            sights = self._geography.sights(middles[spot], SIGHTS_WITHIN_M)
            if not len(sights.fame):
                continue
            share = SIGHT_SHARE * np.sqrt(np.sqrt(sights.fame.max()))
            mine = np.flatnonzero((row == spot) & (shown < share))
            sums = np.cumsum(sights.fame)
            taken = np.searchsorted(sums, which[mine] * sums[-1], side="right")
            found[mine] = sights.places[np.minimum(taken, len(sums) - 1)]
        return found


def _beside(sights: Floats, side: Floats, away: Floats) -> Floats:
    """Points 45 to 120 m from the sights, on a side of each (a share of the full circle)."""
    sine, cosine = sine_cosine(360.0 * side)
    distance = (45.0 + 75.0 * away) / METRES_PER_DEGREE
    _, north = sine_cosine(np.where(np.isnan(sights[:, 0]), 0.0, sights[:, 0]))
    latitude = sights[:, 0] + distance * cosine
    longitude = sights[:, 1] + distance * sine / np.maximum(north, 1e-3)
    degrees: Floats = np.stack([np.clip(latitude, -90.0, 90.0), normalise_longitude(longitude)], 1)
    rounded: Floats = np.round(degrees, 7)
    return rounded


def _local_time(day: int, minutes: float, longitude: float) -> datetime:
    """UTC of a local solar minute of a day."""
    return FIRST_DAY + timedelta(days=day, minutes=int(minutes - 4.0 * longitude))


def _field_of_view(camera: Floats, chance: float) -> float:
    """Degrees: every photographer has one lens, most of them a phone's; one in three zooms."""
    if camera[0] < 0.6:
        base = 62.0 + 12.0 * float(camera[1])
    elif camera[0] < 0.85:
        base = 46.0 + 14.0 * float(camera[1])
    else:
        base = 80.0 + 16.0 * float(camera[1])
    return round(base * (0.55 + 0.45 * chance * 3.0) if chance < 1 / 3 else base, 1)


def _subject(chance: float, which: float) -> Subject | None:
    if chance >= UNLOCATABLE_SHARE:
        return None
    return list(Subject)[min(int(np.searchsorted(np.cumsum(SHARES), which)), len(SHARES) - 1)]
