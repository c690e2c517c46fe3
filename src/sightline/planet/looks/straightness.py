"""What a window's straight metres miss of the round planet.

It is millimetres, and differs from window to window. Pictures show it all the same, where an
outline falls on a pixel's middle or a grain of sand is as small, so the renderers allow for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sightline.planet.world.ground_raster import FacetedRaster
from sightline.planet.world.lattice import Frame, on_chart

if TYPE_CHECKING:
    from sightline.planet.world.neighbourhood import Neighbourhood

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Bend = tuple[float, float, float]

_AT_POLE = 1e-9
_FITTED_M = 200.0


def north_at(frame: Frame, east: float, north: float) -> float:
    """Return where north is at a place: radians clockwise from the frame's north.

    Meridians converge: 150 m east of the origin at 60° it is 0.002°, which moves an outline in a
    photo by a two-hundredth of a column.

    Args:
        frame: Of a window.
        east: Metres east of its origin.
        north: And north of it.

    Returns:
        0 at a pole, where north is undefined.
    """
    x, y, z = (float(part) for part in frame.vectors(np.array([[east, north]], np.float64))[0])
    if math.hypot(x, y) < _AT_POLE:
        return 0.0
    meridian = np.array([-x * z, -y * z, x * x + y * y])
    _, right, ahead = (float(part) for part in frame.axes @ meridian)
    return math.atan2(right, ahead)


@dataclass(frozen=True)
class Turn:
    """A picture's own metres beside its window's: turned about its middle until north is up.

    Attributes:
        east: The middle, metres east of the window's origin.
        north: And north of it; the same in both.
        sine: Of the angle from the window's north to north at the middle, clockwise.
        cosine: Of that.
    """

    east: float
    north: float
    sine: float
    cosine: float

    @classmethod
    def at(cls, frame: Frame, east: float, north: float) -> Turn:
        """The one of a picture about a place."""
        angle = north_at(frame, east, north)
        return cls(east, north, math.sin(angle), math.cos(angle))

    def directions(self, window: Doubles) -> Doubles:
        """Vectors (n, 2) of the window in the picture's metres."""
        turned = np.empty_like(window)
        turned[:, 0] = window[:, 0] * self.cosine - window[:, 1] * self.sine
        turned[:, 1] = window[:, 1] * self.cosine + window[:, 0] * self.sine
        return turned

    def places(self, window: Doubles) -> Doubles:
        """Places (n, 2) of the window in the picture's metres."""
        middle = np.array([self.east, self.north])
        turned = self.directions(window - middle)
        turned += middle
        return turned

    def back(self, east: Floats, north: Floats) -> tuple[Floats, Floats]:
        """The window's east and north of places in the picture's metres, as broadcast."""
        x, y = east - np.float32(self.east), north - np.float32(self.north)
        sine, cosine = np.float32(self.sine), np.float32(self.cosine)
        return (
            x * cosine + y * sine + np.float32(self.east),
            y * cosine - x * sine + np.float32(self.north),
        )


def bends_of(neighbourhood: Neighbourhood) -> tuple[tuple[Bend, Bend], ...]:
    """Return what :func:`bends_on` says of each face that a window shows, worked out once.

    Returns:
        In the order of the raster's ``facets``.
    """
    kept: dict[str, object] = neighbourhood.__dict__
    made = kept.get("_bends")
    if made is None:
        ground, frame = neighbourhood.ground, neighbourhood.frame
        faces = [frame.face]
        if isinstance(ground, FacetedRaster):
            faces = [facet.face for facet in ground.facets_of]
        made = kept["_bends"] = tuple(bends_on(frame.on(face)) for face in faces)
    return made  # type: ignore[return-value] # what was put there


def bends_on(chart: Frame) -> tuple[Bend, Bend]:
    """Return the second order of a chart's lattice coordinates, in cells per square metre.

    ``a = chart.a + linear + bend · (east², east · north, north²)``: 6 mm at 200 m from the origin
    near a cube edge, and nothing in the middle of a face.

    Args:
        chart: A window's metres on a face.

    Returns:
        The bend of a and of b.
    """
    steps = [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, -1]]
    places = np.array(steps, np.float64) * _FITTED_M
    found = []
    for values in on_chart(chart.face, chart.vectors(places)):
        _, *at = ((values - values[0]) / (2.0 * _FITTED_M * _FITTED_M)).tolist()
        east, north = at[0] + at[1], at[2] + at[3]
        found.append((east, at[4] + at[5] - east - north, north))
    return found[0], found[1]
