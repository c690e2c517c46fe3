"""Embedding many images with the network as it is: for validation, mining and clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.errors import VectorError
from sightline.losses import gather_rows
from sightline.models.cross_view import CrossViewNetwork
from sightline.training.cross_view.views import Views
from sightline.training.data.pixels import PixelSource
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]
_Encode = Callable[[Tensor, slice], Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Vectors of images, and which images could not be used.

    Attributes:
        vectors: float32 (n, d) of photos, or (n, p, r, c) of patches under p turns; on the
            processor. Zeros where the image is broken.
        broken: (n,).
    """

    vectors: Tensor
    broken: NDArray[np.bool_]


class Embedder:
    """Encodes stored images of both views, each process its part.

    Args:
        views: How stored photos become what the network sees.
        photos: Their pixels.
        patches: Their pixels.
        batch_size: Images at once.
        precision: Of the computation.
        processes: All that share the work.
    """

    def __init__(
        self,
        views: Views,
        photos: PixelSource,
        patches: PixelSource,
        *,
        batch_size: int,
        precision: MixedPrecision,
        processes: Processes,
    ) -> None:
        self._views = views
        self._sources: dict[str, PixelSource] = {"ground": photos, "aerial": patches}
        self._batch_size, self._precision, self._processes = (
            batch_size,
            precision,
            processes,
        )

    def photos(
        self,
        network: CrossViewNetwork,
        rows: Rows,
        ids: Sequence[str],
        headings: Floats,
        *,
        reveal: bool = False,
    ) -> Embedded:
        """Encode photos, as they are seen in tests.

        Args:
            network: In evaluation mode.
            rows: (n,) which.
            ids: (n,) their ids.
            headings: (n,) bearings of the stored photos; NaN where unknown.
            reveal: Tell headings although they are unknown in tests.
        """

        def encode(pixels: Tensor, part: slice) -> Tensor:
            changes = self._views.draw(ids[part], headings[part], reveal=reveal)
            told = None if changes.headings is None else torch.from_numpy(changes.headings)
            return network.encode_ground(self._views.ground(pixels, changes), told)

        return self._run("ground", rows, encode)

    def patches(self, network: CrossViewNetwork, rows: Rows, *, phases: int = 0) -> Embedded:
        """Encode patches.

        Args:
            network: In evaluation mode.
            rows: (n,) which.
            phases: Turns of less than a region; 0: vectors, no regions.
        """

        def encode(pixels: Tensor, _: slice) -> Tensor:
            if phases:
                return network.encode_aerial_turned(pixels, phases)
            return network.encode_aerial(pixels)

        return self._run("aerial", rows, encode)

    def _run(self, view: Literal["ground", "aerial"], rows: Rows, encode: _Encode) -> Embedded:
        processes = self._processes
        # Of fewer images than processes some would have none: then each encodes all.
        alone = processes.count == 1 or len(rows) < processes.count
        own = range(len(rows))
        if not alone:
            edges = [len(rows) * rank // processes.count for rank in range(processes.count + 1)]
            own = range(edges[processes.rank], edges[processes.rank + 1])
        made, broken = [], []
        with torch.inference_mode():
            for start in range(own.start, own.stop, self._batch_size):
                part = slice(start, min(start + self._batch_size, own.stop))
                pixels, bad = self._sources[view].take(rows[part])
                given = torch.from_numpy(pixels).to(processes.device)
                with self._precision.autocast():
                    vectors = encode(given, part).float()
                vectors[torch.from_numpy(bad).to(vectors.device)] = 0
                made.append(vectors)
                broken.append(bad)
        if alone:
            found = Embedded(torch.cat(made).cpu().clone(), np.concatenate(broken))
        else:
            found = self._gathered(made, broken)
        wrong = ~torch.isfinite(found.vectors).flatten(1).all(dim=1)
        if bool(wrong.any()):
            raise VectorError(
                f"Vectors of {view} images must be finite. Got NaN or infinity in "
                f"{int(wrong.sum())} of {len(rows)}.",
                hint="The network has diverged: train it with a lower learning_rate.",
            )
        return found

    def _gathered(self, made: list[Tensor], broken: list[NDArray[np.bool_]]) -> Embedded:
        device = self._processes.device
        flags = torch.from_numpy(np.concatenate(broken)).to(device=device, dtype=torch.int64)
        with torch.no_grad():
            # gather_rows is no function of inference tensors.
            vectors = gather_rows(torch.cat(made).clone())
            bad = gather_rows(flags)
        return Embedded(vectors.cpu(), bad.cpu().numpy().astype(bool))
