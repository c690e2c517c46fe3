"""Feature recombination: one vector for each quarter of the circle, in one order for both views.

Zhang and Zhu, *Aligning Geometric Spatial Layout in Cross-View Geo-Localization via Feature
Recombination* (FRGeo, AAAI 2024), equations 2 to 11, and beyond them a generalisation to views of
part of the circle, to any heading, and to any number of regions.

The generalisation: a region's vector is the mean of the map where the region is seen, cells and
columns on a border counting by their share; it is normalised as in the paper and then scaled by the
share of the region's angle that is in view. A region out of view is zero. With regions of unit
length the inner product of a ground and an aerial vector is then the mean cosine of the regions,
weighted by what the photo shows of each, times a number that is the same for all references: any
index for inner products ranks by it. :mod:`sightline.models.region_shifts` compares views whose
heading is unknown.

Beyond the paper too: rings. The mean over a region forgets how far away things are, which the
photo shows by their height in it and the aerial image by their distance from its centre. With k
rings a region keeps k means, over rings of the aerial sector or bands of the photo's rows, the
nearest first, and a linear layer of each view makes one vector of them. Of an unrolled patch
(:mod:`.polar_view`) sectors and rings are columns and rows, as those of a panorama that looks
north.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import UsageError
from sightline.models.precision import layer_norm, wide, without_autocast
from sightline.models.view_geometry import (
    CIRCLE_DEGREES,
    Aerial,
    AerialGeometry,
    Geometry,
    Panorama,
    Polar,
    aerial_region_weights,
    ground_band_weights,
    ground_region_weights,
    require_geometry,
)

Split = Literal["published", "area"]

# Of the LayerNorm of ConvNeXt, which FRGeo applies to every region.
_EPSILON = 1e-6


class FeatureRecombination(nn.Module):
    """Pools a feature map by the regions of the circle, in the same order for both views.

    Args:
        channels: c of the map.
        regions: r equal parts of the circle; four in the paper.
        split: ``published`` cuts maps at whole cells, as the paper's integer division does: width
            quarters of every ground map whatever its field of view (the last takes the remainder),
            quadrants of an aerial one. ``area`` gives cells on a border to both sides by their
            share, and knows fields of view and headings.
        unit_regions: Whether each region's vector is scaled to unit length.
        normalise: Whether the LayerNorm of the paper's network is applied to every region, or to
            every ring of it.
        rings: k rings that a region is made of; 1 as in the paper.
        region_channels: Length of a region's vector where there are rings; c if 0.

    Raises:
        UsageError: A setting cannot be.
    """

    def __init__(
        self,
        channels: int,
        *,
        regions: int = 4,
        split: Split = "published",
        unit_regions: bool = False,
        normalise: bool = True,
        rings: int = 1,
        region_channels: int = 0,
    ) -> None:
        super().__init__()
        if split not in get_args(Split):
            raise UsageError(
                f"The split must be published or area. Got {split!r}.",
                hint="Use area for fields of view below 360 degrees and for headings.",
            )
        if regions < 1 or (split == "published" and regions != 4):
            raise UsageError(
                f"The regions must be {'4' if split == 'published' else 'at least 1'} for the "
                f"{split} split. Got {regions}.",
                hint="Use split='area' for other numbers than the paper's.",
            )
        if rings < 1 or region_channels < 0 or (rings == 1 and region_channels):
            raise UsageError(
                "The rings must be at least 1, and region_channels 0 without rings. Got rings = "
                f"{rings} and region_channels = {region_channels}.",
                hint="For example rings = 4 and region_channels = 24.",
            )
        if rings > 1 and split == "published":
            raise UsageError(
                f"The published split of a feature recombination knows no rings. Got {rings}.",
                hint="Use split='area'.",
            )
        self.channels = region_channels or channels
        self.regions = regions
        self.rings = rings
        self.split = split
        self.unit_regions = unit_regions
        self.norm = nn.LayerNorm(channels, eps=_EPSILON) if normalise else nn.Identity()
        self.join = nn.Linear(rings * channels, self.channels) if rings > 1 else None

    @property
    def dimension(self) -> int:
        """Length of a vector: r times the length of a region's."""
        return self.regions * self.channels

    def forward(
        self, features: Tensor, geometry: Geometry, heading_degrees: Tensor | None = None
    ) -> Tensor:
        """Recombine.

        Args:
            features: (n, c, h, w).
            geometry: What the map shows.
            heading_degrees: (n,) bearing of the centre column of a ground map; None if it is
                unknown, and the regions are then the view's own, from its left edge. On the CPU it
            costs a GPU no waiting.

        Returns:
            (n, r * c), region by region; computed in float32 at least.

        Raises:
            UsageError: The map is narrower than its regions, or the heading cannot be used.
        """
        with without_autocast(features):
            means, coverage = self._means(
                _map(features), require_geometry(geometry), heading_degrees
            )
            regions = self._finish(means)
            if coverage is not None:
                regions = regions * coverage[..., None].to(regions)
            return regions.flatten(1)

    def turned(
        self, features: Tensor, phases: int, geometry: AerialGeometry | None = None
    ) -> Tensor:
        """Regions of an aerial map under p turns of less than a region.

        Args:
            features: (n, c, h, w), of an aerial image.
            phases: p; phase j has every region begin j / p of a region later.
            geometry: Of the map; north up if None.

        Returns:
            (n, p, r, c). Phase 0 is what ``forward`` gives, for the ``area`` split.

        Raises:
            UsageError: The split is the published one, or the map is too small.
        """
        self._require_area("turns")
        if phases < 1:
            raise UsageError(
                f"The phases must be at least 1. Got {phases}.",
                hint="Four regions in four phases try headings 22.5 degrees apart.",
            )
        features, shown = _map(features), geometry or Aerial()
        self._require_cells(features, shown)
        with without_autocast(features):
            return self._finish(self._sectors(features, phases, shown))

    def _finish(self, means: Tensor) -> Tensor:
        """Means (..., k, c) of rings -> (..., c') of regions."""
        normalised = layer_norm(self.norm, means).flatten(-2)
        joined = normalised if self.join is None else self.join(normalised)
        return functional.normalize(joined, dim=-1) if self.unit_regions else joined

    def _means(
        self, features: Tensor, geometry: Geometry, heading_degrees: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """(n, r, k, c), and the coverage (n or 1, r) of a ground view under the ``area`` split."""
        self._require_cells(features, geometry)
        if isinstance(geometry, (Aerial, Polar)):
            if heading_degrees is not None:
                raise UsageError(
                    "An aerial branch has no heading: its images are north up.",
                    hint="Give headings to the ground branch only.",
                )
            if self.split == "published":
                quarters = _quadrants if isinstance(geometry, Aerial) else _width_quarters
                return quarters(features)[:, :, None], None
            return self._sectors(features, 1, geometry)[:, 0], None
        if self.split == "published":
            if heading_degrees is not None:
                self._require_area("headings")
            return _width_quarters(features)[:, :, None], None
        _require_headings(heading_degrees, len(features))
        weights, coverage = ground_region_weights(
            features.shape[3], geometry, self.regions, heading_degrees
        )
        columns = self._bands(features)
        weights = weights.to(columns).expand(len(columns), -1, -1)
        return torch.einsum("nkcw,nrw->nrkc", columns, weights), coverage

    def _bands(self, features: Tensor) -> Tensor:
        """(n, k, c, w): the means over bands of rows."""
        bands = ground_band_weights(features.shape[2], self.rings).to(features)
        return torch.einsum("nchw,kh->nkcw", features, bands)

    def _sectors(self, features: Tensor, phases: int, geometry: AerialGeometry) -> Tensor:
        """(n, p, r, k, c) of an aerial map (n, c, h, w)."""
        height, width = features.shape[2:]
        if isinstance(geometry, Polar):
            # Regions that begin later are those of a panorama that looks as much to the left.
            later = torch.arange(phases) * (CIRCLE_DEGREES / self.regions / phases)
            weights, _ = ground_region_weights(width, Panorama(), self.regions, -later)
            return torch.einsum("nkcw,prw->nprkc", self._bands(features), weights.to(features))
        weights = aerial_region_weights(height, width, self.regions, phases, self.rings)
        return torch.einsum("nchw,prkhw->nprkc", features, weights.to(features))

    def _require_area(self, what: str) -> None:
        if self.split != "area":
            raise UsageError(
                f"The published split of a feature recombination knows no {what}.",
                hint="Build it with split='area'.",
            )

    def _require_cells(self, features: Tensor, geometry: Geometry) -> None:
        height, width = features.shape[2:]
        if isinstance(geometry, Aerial):
            if min(height, width) < 2:
                raise UsageError(
                    "An aerial feature map must have at least 2 x 2 cells to be cut into regions. "
                    f"Got {height} x {width}.",
                    hint="Use larger images or a backbone of smaller stride.",
                )
            return
        fov = CIRCLE_DEGREES if isinstance(geometry, Polar) else geometry.fov_degrees
        seen = self.regions * fov / CIRCLE_DEGREES
        least = self.regions if self.split == "published" else max(1, math.ceil(seen))
        if height < 1 or width < least:
            raise UsageError(
                f"A feature map of {geometry} must be at least {least} columns wide for "
                f"{self.regions} regions. Got {height} x {width}.",
                hint="Use wider images, a backbone of smaller stride, or fewer regions.",
            )


def _map(features: Tensor) -> Tensor:
    if features.ndim != 4:
        raise UsageError(
            "A feature map to recombine must have shape (n, channels, height, width). "
            f"Got {tuple(features.shape)}.",
            hint="Tokens of a transformer are laid out on their grid first.",
        )
    return wide(features)


def _quadrants(features: Tensor) -> Tensor:
    """Equations 6 to 9 and 11: (n, c, h, w) -> (n, 4, c), south-west first, then clockwise."""
    row, column = features.shape[2] // 2, features.shape[3] // 2
    north, south = features[:, :, :row], features[:, :, row:]
    parts = (south[..., :column], north[..., :column], north[..., column:], south[..., column:])
    return torch.stack([part.mean(dim=(2, 3)) for part in parts], dim=1)


def _width_quarters(features: Tensor) -> Tensor:
    """Equations 2 to 5 and 10: (n, c, h, w) -> (n, 4, c), the last quarter with the remainder."""
    quarter = features.shape[3] // 4
    parts = (
        features[..., :quarter],
        features[..., quarter : 2 * quarter],
        features[..., 2 * quarter : 3 * quarter],
        features[..., 3 * quarter :],
    )
    return torch.stack([part.mean(dim=(2, 3)) for part in parts], dim=1)


def _require_headings(heading_degrees: Tensor | None, count: int) -> None:
    if heading_degrees is None:
        return
    if heading_degrees.shape != (count,) or not bool(torch.isfinite(heading_degrees).all()):
        raise UsageError(
            f"heading_degrees must hold {count} finite bearings. Got "
            f"{tuple(heading_degrees.shape)} with "
            f"{int((~torch.isfinite(heading_degrees)).sum())} not finite.",
            hint="Give one heading per photo, or None for photos of unknown heading.",
        )
