"""Where a camera stands and which way its columns look, in a neighbourhood's metres."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.camera import Camera, Projection

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Viewpoint:
    """A camera at its place.

    Attributes:
        east, north: Of the neighbourhood's origin, metres.
        eye_m: Elevation of the lens above sea level.
        foot: Height of the ground under the lens, from it (negative).
        heading: Radians clockwise from the neighbourhood's north.
        north_turned: Where north is, radians clockwise from the neighbourhood's.
        projection: The raster of rays.
        along_east, along_north: float32 (width,), the unit vector on which each column looks.
        pixels_per_radian: Of the picture's centre.
    """

    east: float
    north: float
    eye_m: float
    foot: float
    heading: float
    north_turned: float
    projection: Projection
    along_east: Floats
    along_north: Floats

    @classmethod
    def of(
        cls, camera: Camera, east: float, north: float, ground_m: float, north_turned: float = 0.0
    ) -> Viewpoint:
        """Place a camera over ground of a given elevation.

        Args:
            camera: How it looks.
            east: Metres east of the neighbourhood's origin.
            north: And north of it.
            ground_m: Elevation of the ground.
            north_turned: Where north is there, radians clockwise from the neighbourhood's, so that
                every neighbourhood shows the same in one direction.
        """
        projection = camera.projection()
        heading = math.radians(camera.heading_degrees % 360.0) + north_turned
        azimuths = projection.azimuths + heading
        return cls(
            east=float(east),
            north=float(north),
            eye_m=float(ground_m) + camera.height_m,
            foot=-camera.height_m,
            heading=heading,
            north_turned=north_turned,
            projection=projection,
            along_east=np.sin(azimuths).astype(np.float32),
            along_north=np.cos(azimuths).astype(np.float32),
        )

    @property
    def pixels_per_radian(self) -> float:
        """How many pixels an angle of one radian takes at the centre."""
        return self.projection.focal

    def from_north(self) -> tuple[Floats, Floats]:
        """Return ``along_east`` and ``along_north`` counted from north itself."""
        cosine = np.float32(math.cos(self.north_turned))
        sine = np.float32(math.sin(self.north_turned))
        return (
            self.along_east * cosine - self.along_north * sine,
            self.along_north * cosine + self.along_east * sine,
        )

    def relative(self, positions: NDArray[np.float64]) -> Floats:
        """Return float32 (2, n): metres east and north of the camera, of (n, 2) positions."""
        moved = np.empty((2, len(positions)), np.float32)
        # What is near the camera keeps the places' full precision, wherever the window's origin is.
        np.subtract(positions[:, 0], self.east, out=moved[0], casting="same_kind")
        np.subtract(positions[:, 1], self.north, out=moved[1], casting="same_kind")
        return moved

    def bearing(self, east: Floats, north: Floats) -> Floats:
        """Return radians clockwise from the heading, within ±π, of relative places."""
        cosine, sine = np.float32(math.cos(self.heading)), np.float32(math.sin(self.heading))
        ahead = east * sine + north * cosine
        right = east * cosine - north * sine
        return np.asarray(np.arctan2(right, ahead), dtype=np.float32)

    def spans(
        self, bearing: Floats, left: Floats, right: Floats
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return which columns see an angle.

        Args:
            bearing: (n,) radians from the heading.
            left: (n,) radians to the left of it, not negative.
            right: (n,) and to the right.

        Returns:
            The first column of each and how many; of a full circle the first may be negative or
            the last beyond the width, which means modulo the width.
        """
        projection = self.projection
        width = projection.width
        first = np.ceil(projection.columns_of(bearing - left) - np.float32(0.5))
        last = np.floor(projection.columns_of(bearing + right) - np.float32(0.5))
        if projection.circle:
            start, stop = first.astype(np.int32), last.astype(np.int32) + 1
            return start, np.clip(stop - start, 0, width).astype(np.int32)
        np.clip(first, 0, width, out=first)
        np.clip(last, -1, width - 1, out=last)
        start = first.astype(np.int32)
        return start, np.maximum(last.astype(np.int32) + 1 - start, 0).astype(np.int32)


def expanded(
    starts: NDArray[np.int32], counts: NDArray[np.int32]
) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Return every number of many ranges: which range it is of, and the number itself.

    Args:
        starts: (n,) first number of each range.
        counts: (n,) how many.
    """
    owner = np.repeat(np.arange(len(starts)), counts)
    offsets = starts - (np.cumsum(counts) - counts)
    numbers = np.arange(len(owner), dtype=np.int32)
    numbers += offsets.astype(np.int32).take(owner)
    return owner, numbers
