"""Which pairs make the batches of an epoch, and what is found out about them for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.datasets.samplers import NearOnGround, ResumableBatches
from sightline.errors import TrainingDataError
from sightline.training.cross_view.batches import (
    Rows,
    Shuffled,
    WithHardPartners,
    WithinClusters,
    nearest_rows,
)
from sightline.training.cross_view.pair_data import PairData
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.cross_view.super_batches import cluster, save_super_batches
from sightline.training.loops.processes import Processes
from sightline.training.loops.watching import Watcher

SUPER_BATCHES = "super_batches.parquet"

_Vectors = tuple[NDArray[np.float32], NDArray[np.float32]]


class EpochBatches:
    """Draws the batches of each epoch; neighbours and clusters are found anew where it is due.

    Args:
        recipe: How batches are drawn.
        data: The pairs.
        places: (n,) place of each training pair; pairs of one place are no neighbours.
        embed: Vectors (n, d) of both views of all training pairs, under the network as it is.
        folder: The run's, for the records of super-batches.
        processes: All that train together; what the first one finds holds for all.
        watcher: Is told what is found anew.
    """

    def __init__(
        self,
        recipe: CrossViewRecipe,
        data: PairData,
        places: Rows,
        embed: Callable[[], _Vectors],
        folder: Path,
        processes: Processes,
        watcher: Watcher,
    ) -> None:
        self._recipe, self._data, self._places, self._embed = recipe, data, places, embed
        self._folder, self._processes, self._watcher = folder, processes, watcher
        self._neighbours: NDArray[np.int32] | None = None
        self._clusters: NDArray[np.int32] | None = None
        self.of_epoch: Sequence[Rows] = ()

    def begin(self, stage: int, epoch: int) -> None:
        """Choose the batches of an epoch."""
        recipe, name = self._recipe, self._sampler_name(stage)
        if name == "similar":
            since = epoch - (0 if stage else recipe.similar_from_epoch)
            if since >= 0 and since % recipe.similar_every_epochs == 0:
                self._find_neighbours()
        elif name == "super-batches" and epoch == 0:
            self._find_clusters()
        self._draw(stage, epoch)

    def tensors(self) -> dict[str, Tensor]:
        """Neighbours and clusters, for a checkpoint."""
        tables = {"neighbours": self._neighbours, "clusters": self._clusters}
        return {
            name: torch.from_numpy(table) for name, table in tables.items() if table is not None
        }

    def load(self, tensors: dict[str, Tensor], stage: int, epoch: int) -> None:
        """Go on within the epoch of a checkpoint."""
        self._neighbours = tensors["neighbours"].numpy() if "neighbours" in tensors else None
        self._clusters = tensors["clusters"].numpy() if "clusters" in tensors else None
        self._draw(stage, epoch)

    def _draw(self, stage: int, epoch: int) -> None:
        self.of_epoch = self._sampler(stage).batches_of(epoch)

    def _sampler_name(self, stage: int) -> str:
        second = self._recipe.second_sampler
        return second if stage and second != "same" else self._recipe.sampler

    def _sampler(self, stage: int) -> ResumableBatches:
        recipe, name = self._recipe, self._sampler_name(stage)
        # Stages draw other batches, though their epochs have the same numbers.
        seed = recipe.seed + stage
        if name == "near":
            return NearOnGround(
                self._data.photos.latlon[self._data.train.pairs[:, 0]],
                recipe.batch_size,
                cluster=recipe.near_cluster,
                apart_m=recipe.near_apart_m,
                seed=seed,
            )
        if name == "similar" and self._neighbours is not None:
            return WithHardPartners(
                self._neighbours, recipe.batch_size, share=recipe.similar_share, seed=seed
            )
        if name == "super-batches" and self._clusters is not None:
            return WithinClusters(self._clusters, recipe.batch_size, seed=seed)
        return Shuffled(len(self._data.train), recipe.batch_size, seed=seed)

    def _find_neighbours(self) -> None:
        count = self._recipe.similar_neighbours
        vectors = self._embed()
        found = np.empty((len(self._places), count), np.int32)
        if self._processes.first:
            found = nearest_rows(*vectors, count, same=self._places)
        self._neighbours = self._shared(found)
        self._watcher.note("Hard partners were found anew.")

    def _find_clusters(self) -> None:
        recipe, data = self._recipe, self._data
        pairs = data.train.pairs
        ground, aerial = self._embed()
        clusters = np.empty(len(pairs), np.int32)
        if self._processes.first:
            found = cluster(
                aerial if recipe.super_batch_view == "aerial" else ground,
                recipe.super_batches,
                sample=recipe.super_batch_sample,
                seed=recipe.seed,
            )
            clusters = found.clusters
            save_super_batches(
                self._folder / SUPER_BATCHES,
                found,
                photo_ids=[data.photos.ids[row] for row in pairs[:, 0].tolist()],
                patch_ids=[data.patches.ids[row] for row in pairs[:, 1].tolist()],
                latlon=data.photos.latlon[pairs[:, 0]],
                seed=recipe.seed,
            )
        self._clusters = self._shared(clusters)
        sizes = np.bincount(self._clusters, minlength=recipe.super_batches)
        unseen = int(sizes[sizes < self._recipe.batch_size].sum())
        left = f" {unseen} are in clusters smaller than a batch, and not seen." if unseen else ""
        self._watcher.note(f"Super-batches of {', '.join(map(str, sizes.tolist()))} pairs.{left}")

    def _shared(self, table: NDArray[np.int32]) -> NDArray[np.int32]:
        """The first process's table: rounding differs between machines, and batches must not."""
        given = torch.from_numpy(table).to(self._processes.device)
        self._processes.share_([given])
        return given.cpu().numpy()


def require_batches(recipe: CrossViewRecipe, data: PairData, processes: Processes) -> None:
    """Refuse pairs that make no batches, before anything long begins.

    Raises:
        TrainingDataError: Too few pairs, or pairs without a place where places are needed.
    """
    count, size = len(data.train), recipe.batch_size
    if count < size:
        raise TrainingDataError(
            f"{count} training pairs make no batch of {size}.",
            hint=f"Run again with --set batch_size={max(2, count // 2)}, or with more pairs.",
        )
    if size < processes.count:
        raise TrainingDataError(
            f"A batch of {size} pairs cannot be shared by {processes.count} processes.",
            hint="batch_size counts the pairs of all processes together: give a larger one.",
        )
    # However uneven k clusters are, one of them then has a batch.
    needed = recipe.super_batches * size
    if recipe.second_sampler == "super-batches" and count < needed:
        raise TrainingDataError(
            f"{count} training pairs are too few for {recipe.super_batches} super-batches of "
            f"batches of {size}: {needed} are needed.",
            hint=f"Run again with --set batch_size={max(2, count // recipe.super_batches)}, or "
            "with more pairs.",
        )
    rows = data.train.pairs[:, 0]
    unknown = rows[np.isnan(data.photos.latlon[rows]).any(axis=1)]
    if "near" in {recipe.sampler, recipe.second_sampler} and len(unknown):
        raise TrainingDataError(
            f"{len(unknown)} training photos have no place, and sampler = 'near' needs all places; "
            f"{data.photos.ids[int(unknown[0])]!r} is one.",
            hint="Use sampler = 'similar' or 'shuffled'.",
        )
