"""Training a cross-view network: the task that the loop is given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.errors import TrainingDataError
from sightline.losses import gather_rows
from sightline.models.cross_view import CrossViewNetwork
from sightline.training.cross_view.batches import Rows
from sightline.training.cross_view.embedding import Embedder
from sightline.training.cross_view.epochs import EpochBatches, require_batches
from sightline.training.cross_view.objective import PairObjective, loss_names
from sightline.training.cross_view.pair_data import PairData, places_of_patches
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.cross_view.scores import retrieve, validation_of
from sightline.training.cross_view.views import Views, numbers_of, recoloured
from sightline.training.data.loading import BatchLoader, LoadedPairs, PairPixels
from sightline.training.data.pixels import PixelSource
from sightline.training.loops.faults import too_many_broken
from sightline.training.loops.loop import step_seed
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes
from sightline.training.loops.task import Outputs, Stage, TaskBatch, Validation
from sightline.training.loops.watching import Watcher

_MINING, _NOISE = 0x314, 0x271
_EMBEDDED_AT_ONCE = 64


class PairEncoder(nn.Module):
    """Both branches in one call, as processes that share gradients need it.

    Args:
        network: The network.
        channels_last: Order of pixels in memory.
    """

    def __init__(self, network: CrossViewNetwork, *, channels_last: bool) -> None:
        super().__init__()
        self.network = network
        self._format = torch.channels_last if channels_last else torch.contiguous_format
        network.to(memory_format=self._format)

    def forward(
        self, ground: Tensor, aerial: Tensor, headings: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Photos (n, 3, h, w), patches (n, 3, s, s) and bearings (n,) -> (n, d) and (n, d)."""
        found: tuple[Tensor, Tensor] = self.network(
            ground.contiguous(memory_format=self._format),
            aerial.contiguous(memory_format=self._format),
            headings,
        )
        return found


class CrossViewTask:
    """Pairs, batches, loss and validation of a recipe.

    Args:
        recipe: What is trained, and how.
        data: The pairs.
        network: Is trained in place.
        photos: Pixels of all photos.
        patches: Pixels of all patches.
        processes: All that train together.
        folder: The run's, for the records of super-batches.
        watcher: Is told what is skipped and found anew.
    """

    def __init__(
        self,
        recipe: CrossViewRecipe,
        data: PairData,
        network: CrossViewNetwork,
        photos: PixelSource,
        patches: PixelSource,
        processes: Processes,
        folder: Path,
        watcher: Watcher,
    ) -> None:
        self.recipe, self.data, self.processes = recipe, data, processes
        self._watcher = watcher
        self.model: nn.Module = PairEncoder(network, channels_last=recipe.channels_last)
        self.loss_module: nn.Module = nn.Identity()
        self._network = network
        self._views = Views(recipe)
        self.embedder = Embedder(
            self._views,
            photos,
            patches,
            batch_size=recipe.chunk_size or max(recipe.batch_size, _EMBEDDED_AT_ONCE),
            precision=MixedPrecision(recipe.precision, processes.device),
            processes=processes,
        )
        pairs = data.train.pairs
        self._ids = [data.photos.ids[row] for row in pairs[:, 0].tolist()]
        self._headings = data.photos.headings[pairs[:, 0]]
        places = places_of_patches(pairs, len(data.patches))[pairs[:, 1]]
        self._place_of = torch.from_numpy(places)
        self._semi = np.unique(data.train.semi @ np.array([len(data.patches), 1]))
        self._loader = BatchLoader(
            PairPixels(pairs, photos, patches),
            workers=recipe.workers,
            pin=processes.device.type == "cuda",
            note=watcher.note,
        )
        self._stage = self._epoch = 0
        self._batches = EpochBatches(
            recipe, data, places, self._embedded, folder, processes, watcher
        )
        self._broken: set[int] = set()
        self._fresh: dict[int, tuple[Tensor, Tensor, Tensor]] = {}
        require_batches(recipe, data, processes)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One stage, or two."""
        recipe = self.recipe
        rates: dict[str, Any] = {
            "schedule": recipe.schedule,
            "final_rate": recipe.final_rate,
            "step_epochs": recipe.step_epochs,
            "step_factor": recipe.step_factor,
        }
        first = Stage(
            name="one",
            epochs=recipe.epochs,
            patience=recipe.patience,
            learning_rate=recipe.learning_rate,
            warmup_epochs=recipe.warmup_epochs,
            **rates,
        )
        if not recipe.second_epochs:
            return (first,)
        second = Stage(
            name="two",
            epochs=recipe.second_epochs,
            patience=recipe.second_patience,
            learning_rate=recipe.second_learning_rate or recipe.learning_rate,
            **rates,
        )
        return first, second

    def backbone_parameters(self) -> list[nn.Parameter]:
        """Those of the trunks."""
        return list(self._network.trunks.parameters())

    def begin_stage(self, stage: int) -> None:
        """Use the stage's loss; a stage of the same loss goes on with its temperature."""
        self._stage = stage
        if getattr(self.loss_module, "names", None) != loss_names(self.recipe, stage):
            self.loss_module = PairObjective(
                self.recipe, stage, self._network.dimension, self.processes.device
            )

    def begin_epoch(self, stage: int, epoch: int) -> None:
        """Choose the epoch's batches; neighbours and clusters are found anew where it is due."""
        self._stage, self._epoch = stage, epoch
        self._batches.begin(stage, epoch)

    def batches_in_epoch(self) -> int:
        """How many batches the epoch has."""
        return len(self._batches.of_epoch)

    def batches(self, first: int) -> Iterator[TaskBatch]:
        """This process's rows of the batches from a number on."""
        count, rank = self.processes.count, self.processes.rank
        own = [np.array_split(rows, count)[rank] for rows in self._batches.of_epoch[first:]]
        for number, loaded in enumerate(self._loader.load(own), start=first):
            yield self._batch(loaded, number)

    def loss(self, outputs: Outputs, batch: TaskBatch, step: int) -> Tensor:
        """The loss over the rows of all processes."""
        ground, aerial = (gather_rows(rows) for rows in outputs)
        rows = gather_rows(batch.about.to(ground.device))
        labels = self._place_of[rows.cpu()].to(ground.device)
        # A step that is taken from the sharpest point nearby asks twice; the first vectors count.
        self._fresh.setdefault(id(batch), (ground.detach(), aerial.detach(), labels))
        found: Tensor = self.loss_module(
            ground,
            aerial,
            labels=labels,
            neither=self._neither(rows),
            seed=step_seed(self.recipe.seed, step, _MINING),
        )
        return found

    def after_step(self) -> None:
        """Keep the vectors of the step's batches in the memory, if there is one."""
        memory = cast("PairObjective", self.loss_module).memory
        if memory is not None:
            for ground, aerial, labels in self._fresh.values():
                memory.enqueue(ground, aerial, labels=labels)
        self._fresh.clear()

    def validate(self, model: nn.Module) -> Validation:
        """Score on the validation split."""
        network = cast("PairEncoder", model).network
        split = self.data.splits["validation"]
        found = retrieve(network, self.embedder, self.data, split, self.recipe)
        return validation_of(found, self.recipe.select_by)

    def tensors(self) -> dict[str, Tensor]:
        """Neighbours and clusters."""
        return self._batches.tensors()

    def state(self) -> dict[str, Any]:
        """Which epoch it is, and which pairs are broken."""
        return {
            "stage": self._stage,
            "epoch": self._epoch,
            "broken": sorted(self._broken),
        }

    def load(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Go on within the epoch of a checkpoint."""
        self._stage, self._epoch = int(state["stage"]), int(state["epoch"])
        self._broken = set(state["broken"])
        self._batches.load(tensors, self._stage, self._epoch)

    def _batch(self, loaded: LoadedPairs, number: int) -> TaskBatch:
        rows, ground, aerial = loaded.rows, loaded.ground, loaded.aerial
        if loaded.broken.any():
            self._skip(rows[loaded.broken])
            kept = torch.from_numpy(~loaded.broken)
            rows, ground, aerial = rows[~loaded.broken], ground[kept], aerial[kept]
            if len(rows) < (2 if self.processes.count == 1 else 1):
                raise TrainingDataError(
                    f"Of the {len(loaded.rows)} pairs of a batch {len(rows)} can be read.",
                    hint="Take a larger batch_size, or leave out the broken files "
                    "(`sightline dataset doctor` lists them).",
                )
        device, recipe = self.processes.device, self.recipe
        epoch = self._epoch + (recipe.epochs if self._stage else 0)
        ids = [self._ids[row] for row in rows.tolist()]
        changes = self._views.draw(ids, self._headings[rows], epoch=epoch)
        generator = torch.Generator(device)
        generator.manual_seed(
            step_seed(recipe.seed, (epoch << 32) + number, _NOISE + self.processes.rank)
        )
        given = []
        for view, pixels, change in (
            ("ground", ground, self._views.ground),
            ("aerial", aerial, self._views.aerial),
        ):
            given.append(
                recoloured(
                    change(pixels.to(device, non_blocking=True), changes),
                    numbers_of(ids, view, seed=recipe.seed, epoch=epoch),
                    jitter=recipe.colour_jitter,
                    noise=recipe.noise,
                    erase=recipe.erase,
                    generator=generator,
                )
            )
        told = None if changes.headings is None else torch.from_numpy(changes.headings)
        return TaskBatch((given[0], given[1], told), len(rows), torch.from_numpy(rows))

    def _skip(self, rows: Rows) -> None:
        """Count pairs that cannot be used; too many are an error."""
        new = set(rows.tolist()) - self._broken
        self._broken |= new
        allowed = self.recipe.bad_images * len(self._ids)
        files = self.data.files_of(min(self._broken))
        if len(self._broken) > allowed:
            raise too_many_broken(len(self._broken), len(self._ids), self.recipe.bad_images, files)
        if new:
            self._watcher.note(f"{len(self._broken)} pairs are skipped so far: {files} is broken.")

    def _neither(self, rows: Tensor) -> Tensor | None:
        """Photos and patches of a batch that show one place without being a pair."""
        if not len(self._semi):
            return None
        pairs = self.data.train.pairs[rows.cpu().numpy()]
        codes = pairs[:, :1] * len(self.data.patches) + pairs[:, 1]
        return torch.from_numpy(np.isin(codes, self._semi)).to(rows.device)

    def _embedded(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Vectors of both views of all training pairs, under the network as it is."""
        pairs = self.data.train.pairs
        self._network.eval()
        photos = self.embedder.photos(
            self._network, pairs[:, 0], self._ids, self._headings, reveal=True
        ).vectors
        patches, place = np.unique(pairs[:, 1], return_inverse=True)
        aerial = self.embedder.patches(self._network, patches).vectors
        self._network.train()
        return photos.numpy(), aerial.numpy()[place.ravel()]
