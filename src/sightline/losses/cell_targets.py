"""What a photo's label says of each cell: all for its own, or shares for others too."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sightline.errors import UsageError
from sightline.geo.coordinates import EARTH_RADIUS_M
from sightline.geo.partition import OUTSIDE, Partition
from sightline.losses.arguments import fraction, positive_number
from sightline.losses.cell_labels import check_cell_rows
from sightline.losses.mixture import half_chords, unit_vectors


class CellTargets(nn.Module):
    """The probabilities that a photo's label gives to the cells of a partition.

    Args:
        partition: Of m cells.
        label_smoothing: Share that all cells are given alike (Szegedy et al., *Rethinking the
            Inception architecture for computer vision*, 2016, section 7).
        distance_km: The temperature τ of distance-smoothed labels,
            y_i ∝ exp(-(d(g_i, x) - d(g_c, x)) / τ), with great-circle distances from the photo's
            place x to the representatives g, c its own cell: Haas, Skreta, Alberti and Finn,
            *PIGEON: Predicting Image Geolocations* (CVPR 2024), haversine smoothing, with 75 km
            for street views and 65 km for other photos in their code. Theirs do not sum to 1, so
            that a photo counts more where cells are dense; here they do. None for hard labels.

    Raises:
        UsageError: A share or a temperature that cannot be.
    """

    representatives: Tensor

    def __init__(
        self,
        partition: Partition,
        *,
        label_smoothing: float = 0.0,
        distance_km: float | None = None,
    ) -> None:
        super().__init__()
        self.classes = len(partition)
        self.label_smoothing = fraction("label_smoothing", label_smoothing)
        self.distance_km = (
            None if distance_km is None else positive_number("distance_km", distance_km)
        )
        places = unit_vectors(torch.from_numpy(partition.representatives))
        self.register_buffer("representatives", places, persistent=False)

    def _apply(self, fn: object, recurse: bool = True) -> CellTargets:
        # `module.bfloat16()` would move the representatives by tens of kilometres.
        kept = self.representatives
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.representatives = kept.to(self.representatives.device)
        return self

    @torch.no_grad()
    def forward(
        self, rows: Tensor, places: Tensor | None = None, own: slice = slice(None)
    ) -> Tensor:
        """Return the labels' probabilities, float64 (n, m); all 0 for photos in no cell.

        Args:
            rows: (n,) the photos' cells, -1 for none.
            places: (n, 2) where they were taken, latitude first, in degrees; needed for distances.
            own: Of the m cells, those that are returned.

        Raises:
            VectorError: Rows that are not one whole number for each photo.
            PartitionError: A row that the partition does not have.
            CoordinateError: Places that are none.
            UsageError: Distance-smoothed labels without places, or not one for each photo.
        """
        check_cell_rows(rows, len(rows), self.classes)
        rows = rows.to(self.representatives.device)
        if self.distance_km is None:
            cells = torch.arange(self.classes, device=rows.device)[own]
            labels = (rows[:, None] == cells).double()
        else:
            labels = self._by_distance(rows, places, self.distance_km)[:, own]
        if self.label_smoothing:
            labels = labels.mul_(1 - self.label_smoothing).add_(self.label_smoothing / self.classes)
        return labels.masked_fill_((rows == OUTSIDE)[:, None], 0.0)

    def _by_distance(self, rows: Tensor, places: Tensor | None, distance_km: float) -> Tensor:
        if places is None or len(places) != len(rows):
            count = "none" if places is None else str(len(places))
            raise UsageError(
                f"Distance-smoothed labels must have a place for each of {len(rows)} photos. "
                f"Got {count}.",
                hint="Give the coordinates of the batch, or leave out distance_km.",
            )
        x = unit_vectors(places).to(self.representatives.device)
        # sin²(angle / 2) is half of 1 - cos.
        sines = (half_chords(x, self.representatives) / 2).clamp_(max=1).sqrt_()
        angles = sines.asin_().mul_(2)
        temperature = distance_km * 1000 / EARTH_RADIUS_M
        return angles.div_(-temperature).softmax(dim=1)
