"""What a branch of a cross-view network looks at, and which part of the circle each column shows.

Bearings are degrees clockwise from north. The circle around the camera is divided into regions of
equal angle; region 0 begins in the south and the others follow clockwise, so that four regions are
south-west, north-west, north-east and south-east, in the order of FRGeo (Zhang and Zhu, AAAI 2024,
equations 2 to 9). The geometry is declared, never found out from the shape of an image: a square
photo of 90 degrees is no aerial image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import UsageError

Projection = Literal["planar", "cylindrical"]

CIRCLE_DEGREES = 360.0
FIRST_REGION_DEGREES = 180.0

# Points per cell and axis that say in which sector a cell of an aerial map lies. Even, so that no
# point lies on the axes of the map.
_POINTS = 16


@dataclass(frozen=True, slots=True)
class Panorama:
    """A whole turn; columns are evenly spaced in bearing, and the centre column looks ahead."""

    @property
    def fov_degrees(self) -> float:
        """Horizontal field of view."""
        return CIRCLE_DEGREES

    def __str__(self) -> str:
        return "panorama"


@dataclass(frozen=True, slots=True)
class Perspective:
    """A photo that shows part of the circle.

    Args:
        fov_degrees: Horizontal field of view; below 180 for ``planar``, at most 360 otherwise.
        projection: ``planar`` for a camera, ``cylindrical`` for a crop of a panorama, whose columns
            are evenly spaced in bearing.
    """

    fov_degrees: float
    projection: Projection = "planar"

    def __post_init__(self) -> None:
        if self.projection not in get_args(Projection):
            raise UsageError(
                f"The projection must be planar or cylindrical. Got {self.projection!r}.",
                hint="A camera is planar; a crop of a panorama is cylindrical.",
            )
        fov = self.fov_degrees
        number = isinstance(fov, (int, float)) and not isinstance(fov, bool) and math.isfinite(fov)
        planar = self.projection == "planar"
        if not number or not 0 < fov <= CIRCLE_DEGREES or (planar and fov >= CIRCLE_DEGREES / 2):
            raise UsageError(
                "The field of view must be above 0 and "
                f"{'below 180' if planar else 'at most 360'} degrees for a {self.projection} "
                f"photo. Got {fov!r}.",
                hint="Give the horizontal field of view in degrees; a whole turn is 'panorama'.",
            )

    def __str__(self) -> str:
        kind = "perspective" if self.projection == "planar" else "crop"
        return f"{kind}:{self.fov_degrees:g}"


@dataclass(frozen=True, slots=True)
class Aerial:
    """Seen from above, north up, the camera's place at the centre."""

    def __str__(self) -> str:
        return "aerial"


@dataclass(frozen=True, slots=True)
class Polar:
    """Seen from above and unrolled around the camera's place.

    Columns are evenly spaced in bearing, from south over west, and the lowest row is the nearest.
    """

    def __str__(self) -> str:
        return "polar"


GroundGeometry = Panorama | Perspective
AerialGeometry = Aerial | Polar
Geometry = GroundGeometry | AerialGeometry


def read_geometry(text: str) -> Geometry:
    """A geometry from its name, as ``str`` writes it.

    Args:
        text: ``panorama``, ``aerial``, ``polar``, ``perspective:FOV`` (a camera) or ``crop:FOV``
            (of a panorama), with the field of view in degrees.

    Raises:
        UsageError: No such geometry, or a field of view that cannot be.
    """
    kind, colon, value = str(text).partition(":")
    if not colon and kind == "panorama":
        return Panorama()
    if not colon and kind == "aerial":
        return Aerial()
    if not colon and kind == "polar":
        return Polar()
    if kind in ("perspective", "crop") and colon:
        try:
            fov_degrees = float(value)
        except ValueError:
            fov_degrees = math.nan
        return Perspective(fov_degrees, "planar" if kind == "perspective" else "cylindrical")
    raise UsageError(
        f"A geometry must be panorama, perspective:FOV, crop:FOV, aerial or polar. Got {text!r}.",
        hint="Write perspective:90 for photos of a camera of 90 degrees, crop:90 for panoramas cut "
        "to 90 degrees.",
    )


def require_geometry(value: object) -> Geometry:
    """Refuse what is none, such as a bare name.

    Raises:
        UsageError: It is no geometry.
    """
    if isinstance(value, (Panorama, Perspective, Aerial, Polar)):
        return value
    raise UsageError(
        "A branch's geometry must be a Panorama, a Perspective, an Aerial or a Polar. Got "
        f"{value!r}.",
        hint="Declare it; it is not read off the shape of an image.",
    )


def ground_region_weights(
    width: int,
    geometry: GroundGeometry,
    regions: int,
    heading_degrees: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Which share of every column shows which region of the circle.

    With headings, regions are those of the compass. Without, they are the view's own: region 0
    begins at its left edge. A panorama that looks north has the same regions either way.

    Args:
        width: w columns.
        geometry: Of the view.
        regions: r.
        heading_degrees: (n,) bearing of the centre column, or None if it is unknown.

    Returns:
        Shares (n, r, w) of the columns, float64, each row summing to 1 or (a region out of view)
        to 0; and the coverage (n, r), the share of every region's angle that the view shows. n is
        1 without headings.
    """
    fov = geometry.fov_degrees
    step = CIRCLE_DEGREES / regions
    start = (
        torch.zeros(1, dtype=torch.float64)
        if heading_degrees is None
        else torch.remainder(
            heading_degrees.double() - fov / 2 - FIRST_REGION_DEGREES, CIRCLE_DEGREES
        )
    )
    device = start.device
    begins = torch.arange(regions, dtype=torch.float64, device=device) * step
    # A view that begins late in the circle goes on past its end: every region may be met twice.
    turns = torch.tensor([0.0, CIRCLE_DEGREES], dtype=torch.float64, device=device)
    left = begins[None, :, None] + turns - start[:, None, None]
    left, right = left.clamp(0, fov), (left + step).clamp(0, fov)
    edges = torch.arange(width + 1, dtype=torch.float64, device=device) / width
    from_x, to_x = _position(left, geometry), _position(right, geometry)
    overlap = torch.minimum(to_x[..., None], edges[1:]) - torch.maximum(
        from_x[..., None], edges[:-1]
    )
    shares = overlap.clamp(min=0).sum(dim=2)
    total = shares.sum(dim=2, keepdim=True)
    weights = torch.where(total > 0, shares / total.clamp(min=torch.finfo(total.dtype).tiny), 0.0)
    return weights, (right - left).sum(dim=2) / step


def _position(angle_degrees: Tensor, geometry: GroundGeometry) -> Tensor:
    """Angle from the left edge of the view -> position in its width, from 0 to 1."""
    fov = geometry.fov_degrees
    if isinstance(geometry, Panorama) or geometry.projection == "cylindrical":
        return angle_degrees / fov
    half = math.radians(fov / 2)
    return 0.5 + 0.5 * torch.tan(torch.deg2rad(angle_degrees) - half) / math.tan(half)


def aerial_region_weights(
    height: int, width: int, regions: int, phases: int = 1, rings: int = 1
) -> Tensor:
    """Which share of every cell of an aerial map lies in which sector and ring around its centre.

    Args:
        height: h rows.
        width: w columns.
        regions: r sectors; sector k begins at bearing 180 + k * 360 / r.
        phases: p; sectors of phase j begin j / p of a sector later.
        rings: k rings of equal width, the innermost first; the outermost holds the corners too.

    Returns:
        float64 (p, r, k, h, w), the shares of every sector and ring summing to 1; to 0 where a map
        has so few cells that none of its points lies there.
    """
    return torch.from_numpy(_aerial_shares(height, width, regions, phases, rings))


def ground_band_weights(height: int, bands: int) -> Tensor:
    """Which share of every row of a ground map lies in which of k equally high bands.

    Args:
        height: h rows.
        bands: k, the lowest first: it shows what is nearest.

    Returns:
        float64 (k, h), every band's shares summing to 1.
    """
    rows = torch.arange(height, dtype=torch.float64)
    ends = height * torch.arange(bands, 0, -1, dtype=torch.float64)[:, None] / bands
    begins = ends - height / bands
    overlap = torch.minimum(ends, rows + 1) - torch.maximum(begins, rows)
    return overlap.clamp(min=0) * bands / height


@lru_cache(maxsize=64)
def _aerial_shares(
    height: int, width: int, regions: int, phases: int, rings: int
) -> NDArray[np.float64]:
    south = (np.arange(height * _POINTS) + 0.5) / _POINTS - height / 2
    east = (np.arange(width * _POINTS) + 0.5) / _POINTS - width / 2
    bearing = np.degrees(np.arctan2(east[None, :] / width, -south[:, None] / height))
    away = 2 * np.hypot(east[None, :] / width, south[:, None] / height)
    ring = np.minimum((away * rings).astype(np.int64), rings - 1)
    angle = bearing - FIRST_REGION_DEGREES
    step = CIRCLE_DEGREES / regions
    shares = np.empty((phases, regions, rings, height, width))
    for phase in range(phases):
        sector = np.floor(np.mod(angle - phase * step / phases, CIRCLE_DEGREES) / step)
        for region in range(regions):
            for number in range(rings):
                inside = (sector == region) & (ring == number)
                points = inside.reshape(height, _POINTS, width, _POINTS)
                shares[phase, region, number] = points.mean(axis=(1, 3))
    total = shares.sum(axis=(3, 4), keepdims=True)
    return np.asarray(np.divide(shares, total, out=np.zeros_like(shares), where=total > 0))
