"""Roofs as heights over a box: where a column of rays sees them begin and end.

In a box's own axes (``along`` its length, ``across`` it) every roof is the lower of a few planes,
so the height along a ray is concave and its highest slope from the eye is at a kink or at an end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.vehicle_shapes import POINTS, STEPS, vehicle_shapes
from sightline.planet.world.contents import RoofKind, plain

_ROOF_KIND = plain(RoofKind)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Chords:
    """Rays that cross boxes, each from its entry to its exit, in the box's own axes.

    Attributes:
        along, across: (n,) place of the eye.
        rate_along, rate_across: (n,) metres per metre of horizontal distance, not zero.
        enter, leave: (n,) horizontal distances.
        half_length, half_width: (n,) metres.
        eave: (n,) height of the walls, from the eye.
        rise: (n,) metres above it.
        roof: (n,) int8 `RoofKind`.
    """

    along: Floats
    across: Floats
    rate_along: Floats
    rate_across: Floats
    enter: Floats
    leave: Floats
    half_length: Floats
    half_width: Floats
    eave: Floats
    rise: Floats
    roof: NDArray[np.int8]

    def heights(self, distance: Floats) -> Floats:
        """Return the roof's height from the eye at a distance along each ray."""
        along = np.abs(self.along + distance * self.rate_along)
        across = self.across + distance * self.rate_across
        narrow = np.minimum(self.half_length, self.half_width)
        share = 1 - np.abs(across) / self.half_width
        hipped, shed = self.roof == _ROOF_KIND.HIP, self.roof == _ROOF_KIND.SHED
        if hipped.any():
            sides = np.minimum(self.half_length - along, self.half_width - np.abs(across))
            np.copyto(share, sides / narrow, where=hipped)
        if shed.any():
            slope = np.float32(0.5) + np.float32(0.5) * across / self.half_width
            np.copyto(share, slope, where=shed)
        np.maximum(share, 0, out=share)
        np.minimum(share, 1, out=share)
        return np.asarray(self.eave + self.rise * share, dtype=np.float32)

    def silhouette(self) -> tuple[Floats, Floats, Floats]:
        """Return where each ray plane sees the wall end and the roof end.

        Returns:
            The slope from the eye to the top of the wall where the ray enters; the highest slope
            to any point of the roof over the chord; the distance of that point.
        """
        wall = self.heights(self.enter) / self.enter
        top, peak = wall.copy(), self.enter.copy()
        for kink in self.kinks():
            place = np.minimum(np.maximum(kink, self.enter), self.leave)
            slope = self.heights(place) / place
            higher = slope > top
            np.copyto(top, slope, where=higher)
            np.copyto(peak, place, where=higher)
        return wall, top, peak

    def kinks(self) -> list[Floats]:
        """Return the distances at which the height may have its highest slope from the eye."""
        ridge = [self.leave, -self.across / self.rate_across]
        return ridge + (self._hip_kinks() if bool((self.roof == _ROOF_KIND.HIP).any()) else [])

    def _hip_kinks(self) -> list[Floats]:
        """Where the rays cross the middle of the length and the four hips."""
        kinks = [-self.along / self.rate_along]
        excess = self.half_length - self.half_width
        for long_side in (1, -1):
            for wide_side in (1, -1):
                # half_length - s·along = half_width - w·across
                rate = long_side * self.rate_along - wide_side * self.rate_across
                rate = np.where(np.abs(rate) < 1e-6, np.float32(1e-6), rate)
                start = long_side * self.along - wide_side * self.across
                kinks.append((excess - start) / rate)
        return kinks

    def normals(self, distance: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the roof's unit normal (along, across, up) under points of the rays."""
        along = self.along + distance * self.rate_along
        across = self.across + distance * self.rate_across
        narrow = np.minimum(self.half_length, self.half_width)
        hip_end = self.half_length - np.abs(along) < self.half_width - np.abs(across)
        hip_end &= self.roof == _ROOF_KIND.HIP
        pitch = self.rise / np.where(self.roof == _ROOF_KIND.HIP, narrow, self.half_width)
        slope_across = np.sign(across) * pitch
        shed = self.roof == _ROOF_KIND.SHED
        slope_across = np.where(shed, np.float32(-0.5) * pitch, slope_across)
        slope_across = np.where(hip_end | (self.roof == _ROOF_KIND.FLAT), 0, slope_across)
        slope_along = np.where(hip_end, np.sign(along) * pitch, 0)
        length = np.sqrt(1 + slope_along * slope_along + slope_across * slope_across)
        return (
            np.asarray(slope_along / length, np.float32),
            np.asarray(slope_across / length, np.float32),
            np.asarray(1 / length, np.float32),
        )


class OutlineChords(Chords):
    """Rays that cross vehicles: ``roof`` is a `vehicle_shapes.Shape`, ``eave`` the wheels' foot."""

    def heights(self, distance: Floats) -> Floats:
        """Return the outline's height from the eye at a distance along each ray."""
        share = self._share(distance)
        step = np.minimum(np.maximum(share, 0), np.float32(STEPS - 0.001))
        whole = step.astype(np.int32)
        step -= whole
        whole += self.roof.astype(np.int32) * np.int32(STEPS + 1)
        table = vehicle_shapes().heights.ravel()
        low = table.take(whole)
        low += (table.take(whole + 1) - low) * step
        return np.asarray(self.eave + self.rise * low, dtype=np.float32)

    def kinks(self) -> list[Floats]:
        """Return the distances of the outline's corners and of the exit."""
        corners = vehicle_shapes().corners.take(self.roof, axis=0) * self.half_length[:, None]
        places = [(corners[:, n] - self.along) / self.rate_along for n in range(1, POINTS - 1)]
        return [*places, self.leave]

    def normals(self, distance: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the outline's unit normal (along, across, up) under points of the rays."""
        step = np.clip(self._share(distance), 0, STEPS - 1).astype(np.int32)
        step += self.roof.astype(np.int32) * np.int32(STEPS + 1)
        table = vehicle_shapes().heights.ravel()
        slope = (table.take(step + 1) - table.take(step)) * self.rise * np.float32(STEPS / 2)
        slope /= self.half_length
        length = np.sqrt(1 + slope * slope)
        zero = np.zeros_like(slope)
        return -slope / length, zero, np.asarray(1 / length, np.float32)

    def _share(self, distance: Floats) -> Floats:
        along = self.along + distance * self.rate_along
        return np.asarray((along / self.half_length + 1) * np.float32(STEPS / 2), np.float32)
