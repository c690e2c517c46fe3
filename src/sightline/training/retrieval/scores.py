"""How far the nearest photo by vectors lies from the truth: for selection, and for the record."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.errors import VectorError
from sightline.evaluation.localization import errors_m
from sightline.evaluation.localization.metrics import (
    THRESHOLDS_KM,
    accuracy_name,
    localization_values,
)
from sightline.evaluation.sanity import alarm, collapse_of, collapse_warnings
from sightline.training.cross_view.pair_data import Floats, Rows
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes
from sightline.training.loops.sharing import computed_together
from sightline.training.loops.task import Validation

Take = Callable[[Rows], tuple[Tensor, NDArray[np.bool_]]]
"""What ``encode`` takes of photos by their numbers, and which (n,) could not be read."""

_QUERIES_AT_ONCE = 256


class Embedder:
    """Turns photos into vectors as they are seen in tests, each process its part.

    Args:
        take: Pixels or stored vectors of photos.
        batch_size: Photos at once.
        precision: Of the computation.
        processes: All that share the work.
    """

    def __init__(
        self, take: Take, *, batch_size: int, precision: MixedPrecision, processes: Processes
    ) -> None:
        self._take, self._batch_size = take, batch_size
        self._precision, self._processes = precision, processes

    def vectors(self, encode: nn.Module, photos: Rows) -> tuple[Tensor, NDArray[np.bool_]]:
        """Vectors float32 (n, d) of photos, and which (n,) could not be read.

        Args:
            encode: In evaluation mode.
            photos: (n,) their numbers.

        Raises:
            VectorError: One is not finite.
        """
        vectors, broken = computed_together(
            photos,
            lambda part: self._batch(encode, part),
            batch_size=self._batch_size,
            processes=self._processes,
        )
        if not bool(torch.isfinite(vectors).all()):
            raise VectorError(
                "Vectors of photos must be finite. Got NaN or infinity.",
                hint="The network has diverged: train it with a lower learning_rate.",
            )
        return vectors, broken.bool().numpy()

    def _batch(self, encode: nn.Module, photos: Rows) -> tuple[Tensor, Tensor]:
        given, broken = self._take(photos)
        given = given.to(self._processes.device)
        with torch.inference_mode(), self._precision.autocast():
            vectors = encode(given).float()
        bad = torch.from_numpy(broken).to(vectors.device)
        return vectors.masked_fill(bad[:, None], 0.0), bad.to(torch.int64)


def nearest_places(
    queries: Tensor, references: Tensor, places: Floats, device: torch.device
) -> Floats:
    """Where the reference with the nearest vector was taken, (q, 2) degrees.

    Args:
        queries: (q, d) of unit length.
        references: (r, d).
        places: (r, 2) degrees of the references.
        device: Where to compute.
    """
    given = references.to(device)
    best = [
        (part.to(device) @ given.T).argmax(dim=1).cpu()
        for part in torch.split(queries, _QUERIES_AT_ONCE)
    ]
    return np.asarray(places[torch.cat(best).numpy()])


def validation_of(points: Floats, queries: Tensor, places: Floats, select_km: float) -> Validation:
    """The numbers of a validation, without intervals.

    Args:
        points: (n, 2) that were answered; NaN for photos that could not be read.
        queries: (n, d) their vectors, for collapse.
        places: (n, 2) where they were taken.
        select_km: Decides.
    """
    errors = errors_m(points, places)
    values = localization_values(errors, sorted({*THRESHOLDS_KM, select_km}))
    found = {k: v for k, v in values.items() if v is not None and np.isfinite(v)}
    side = collapse_of(queries.numpy(), rng=np.random.default_rng(0), name="photos")
    found["collapse_alarm"] = float(bool(alarm(side, side)))
    found["effective_rank"] = 0.0 if side.effective_rank is None else side.effective_rank
    return Validation(
        found[accuracy_name(select_km)], found, tuple(dict.fromkeys(collapse_warnings(side, side)))
    )
