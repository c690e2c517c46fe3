"""Training vectors for retrieval: the task that the loop is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.datasets.samplers import ResumableBatches
from sightline.losses import gather_rows
from sightline.training.cross_view.pair_data import Floats, Rows
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes
from sightline.training.loops.task import Outputs, Stage, TaskBatch, Validation
from sightline.training.photos.photo_data import PhotoData
from sightline.training.retrieval.batches import (
    apart_km,
    most_alike,
    neighbours_of,
    pair_batches,
)
from sightline.training.retrieval.network import PairOfVectors, RetrievalObjective
from sightline.training.retrieval.recipe import RetrievalRecipe
from sightline.training.retrieval.scores import Embedder, Take, nearest_places, validation_of

_EMBEDDED_AT_ONCE = 256


class PairInputs(Protocol):
    """Gives what the model takes: stored vectors, or pixels that were changed at random."""

    def load(
        self, batches: Sequence[Rows], *, epoch: int, first: int
    ) -> Iterator[tuple[Rows, Tensor, Tensor]]:
        """Yield the pairs (n, 2) of each batch that can be used, and both photos of them.

        Args:
            batches: (n, 2) training rows.
            epoch: Of training.
            first: Number of the first batch in its epoch.
        """
        ...


class RetrievalTask:
    """Pairs, batches, loss and validation of a recipe.

    Args:
        recipe: What is trained, and how.
        data: The photos.
        cells: (n,) cell of each training photo; -1 for none.
        encode: Is trained in place; see :class:`PairOfVectors`.
        backbone: Which parameters of it were trained before.
        dimension: Of its vectors.
        inputs: What it takes of training pairs.
        take: What it takes of photos in tests.
        processes: All that train together.
    """

    def __init__(
        self,
        recipe: RetrievalRecipe,
        data: PhotoData,
        cells: Rows,
        encode: nn.Module,
        backbone: Sequence[nn.Parameter],
        dimension: int,
        inputs: PairInputs,
        take: Take,
        processes: Processes,
    ) -> None:
        self.recipe, self.data, self.processes = recipe, data, processes
        self.model: nn.Module = PairOfVectors(encode)
        self.loss_module: nn.Module = RetrievalObjective(recipe, dimension)
        self._encode, self._backbone, self._inputs = encode, list(backbone), inputs
        self.embedder = Embedder(
            take,
            batch_size=recipe.chunk_size or max(recipe.batch_size, _EMBEDDED_AT_ONCE),
            precision=MixedPrecision(recipe.precision, processes.device),
            processes=processes,
        )
        self._cells, self._places = torch.from_numpy(cells), data.places("train")
        self._neighbours = neighbours_of(recipe, self._places)
        self._chosen: NDArray[np.int32] | None = None
        self._epoch = 0
        self._of_epoch: Sequence[Rows] = ()
        self._fresh: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    @property
    def references(self) -> Rows:
        """Numbers of the training photos that are searched in validation and test."""
        return some_references(self.data, self.recipe)

    @property
    def stages(self) -> tuple[Stage, ...]:
        """One stage."""
        rates: dict[str, Any] = self.recipe.stage_rates
        return (Stage(name="one", **rates),)

    def backbone_parameters(self) -> list[nn.Parameter]:
        """Those that were trained before."""
        return self._backbone

    def begin_stage(self, stage: int) -> None:
        """Nothing changes: there is one stage."""

    def begin_epoch(self, stage: int, epoch: int) -> None:  # noqa: ARG002 - there is one stage
        """Draw the epoch's pairs, from what the vectors are now where they decide."""
        self._epoch = epoch
        if self.recipe.positives == "place-and-vector":
            self._choose()
        self._of_epoch = self._sampler().batches_of(epoch)

    def batches_in_epoch(self) -> int:
        """How many batches the epoch has."""
        return len(self._of_epoch)

    def batches(self, first: int) -> Iterator[TaskBatch]:
        """This process's pairs of the batches from a number on."""
        count, rank = self.processes.count, self.processes.rank
        own = [np.array_split(pairs, count)[rank] for pairs in self._of_epoch[first:]]
        for pairs, one, other in self._inputs.load(own, epoch=self._epoch, first=first):
            yield TaskBatch((one, other), len(pairs), torch.from_numpy(pairs))

    def loss(self, outputs: Outputs, batch: TaskBatch, step: int) -> Tensor:  # noqa: ARG002 - not random
        """The loss over the pairs of all processes."""
        first, second = (gather_rows(rows) for rows in outputs)
        pairs = gather_rows(batch.about.to(first.device)).cpu()
        labels = self._cells[pairs[:, 0]].to(first.device)
        # A step that is taken from the sharpest point nearby asks twice; the first vectors count.
        self._fresh.setdefault(id(batch), (first.detach(), second.detach(), labels))
        by_cell = self.recipe.positives == "cell"
        found: Tensor = self.loss_module(
            first,
            second,
            labels=labels if by_cell else None,
            neither=None if by_cell else self._near(pairs.numpy()).to(first.device),
        )
        return found

    def after_step(self) -> None:
        """Keep the vectors of the step's batches in the memory, if there is one."""
        memory = cast("RetrievalObjective", self.loss_module).memory
        if memory is not None:
            for first, second, labels in self._fresh.values():
                memory.enqueue(first, second, labels=labels)
        self._fresh.clear()

    def validate(self, model: nn.Module) -> Validation:
        """Score the nearest neighbours of the validation split among training photos."""
        encode = cast("PairOfVectors", model).encode
        points, queries = self.answered(encode, "validation")
        places = self.data.places("validation")
        return validation_of(points, queries, places, self.recipe.select_km)

    def answered(self, encode: nn.Module, part: str) -> tuple[Floats, Tensor]:
        """Where the nearest training photo of each photo of a split lies, and the vectors asked.

        Args:
            encode: In evaluation mode.
            part: Of the data.

        Returns:
            Degrees (n, 2), NaN for photos that could not be read, and float32 (n, d).
        """
        references, unusable = self.embedder.vectors(encode, self.references)
        queries, broken = self.embedder.vectors(encode, self.data.splits[part])
        places = self.data.photos.latlon[self.references[~unusable]]
        kept = references[torch.from_numpy(~unusable)]
        points = nearest_places(queries, kept, places, self.processes.device)
        points[broken] = np.nan
        return points, queries

    def tensors(self) -> dict[str, Tensor]:
        """The positives that were chosen by vectors."""
        return {} if self._chosen is None else {"chosen": torch.from_numpy(self._chosen)}

    def state(self) -> dict[str, Any]:
        """Which epoch it is."""
        return {"epoch": self._epoch}

    def load(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Go on within the epoch of a checkpoint."""
        self._chosen = tensors["chosen"].numpy() if "chosen" in tensors else None
        self._epoch = int(state["epoch"])
        self._of_epoch = self._sampler().batches_of(self._epoch)

    def _sampler(self) -> ResumableBatches:
        return pair_batches(self.recipe, self._cells.numpy(), self._neighbours, self._chosen)

    def _choose(self) -> None:
        """Of each photo's neighbours take the one that the network finds most alike now."""
        assert self._neighbours is not None  # noqa: S101 - positives are by place here
        self._encode.eval()
        vectors, _ = self.embedder.vectors(self._encode, self.data.train)
        self._encode.train()
        chosen = torch.from_numpy(most_alike(vectors.numpy(), self._neighbours))
        given = chosen.to(self.processes.device)
        # The first process's: rounding differs between machines, and batches must not.
        self.processes.share_([given])
        self._chosen = given.cpu().numpy()

    def _near(self, pairs: Rows) -> Tensor:
        """First and second photos of a batch that are too near to be negatives, (n, n)."""
        apart = apart_km(self._places[pairs[:, 0]], self._places[pairs[:, 1]])
        return torch.from_numpy(apart <= self.recipe.negative_km)


def some_references(data: PhotoData, recipe: RetrievalRecipe) -> Rows:
    """Numbers of the training photos that are searched in validation and test, ascending."""
    if len(data.train) <= recipe.references:
        return data.train
    drawn = np.random.default_rng(recipe.seed).choice(
        len(data.train), recipe.references, replace=False
    )
    return np.asarray(data.train[np.sort(drawn)])
