"""What fixes the training of a classifier of places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sightline.training.cells.partition_spec import PartitionSpec, read_partition_spec
from sightline.training.photos.recipe import PhotoRecipe, refuse_wrong
from sightline.training.recipe import setting

HeadName = Literal["single", "multi", "hierarchical", "mixture"]
PoolingName = Literal["average", "max", "gem"]


@dataclass(frozen=True, kw_only=True)
class GlobalRecipe(PhotoRecipe):
    """The keys of ``recipes/global/*.toml`` that train classifiers, besides those of photos.

    Args:
        task: ``global``.
        backbone: timm's name.
        weights: Local safetensors file that the backbone starts from; empty: random.
        start: Bundle of a trained classifier to start from: its backbone, which must be the
            recipe's, and its head where that is over the same cells. A ``single`` head becomes the
            weights of a ``mixture``.
        trained: The whole ``network``; the ``head`` alone, on a backbone that stays as it is; or
            the head on vectors of whole photos that are computed once (``head-on-vectors``).
        model_args: Arguments of timm's constructor.
        without: Modules of the backbone that are left out.
        pooling: Of the backbone's last map.
        head: Which.
        partitions: Files, or ways to make them of the training photos' places, from coarse to fine;
            see :mod:`sightline.training.cells.partition_spec`.
        size: (height, width) of photos in pixels.
        label_smoothing: Share of a label that all cells are given alike.
        distance_km: Temperature of distance-smoothed labels; 0: none.
        sampled_classes: Cells besides those of the batch that a step computes; 0: all.
        sharded_head: Each process holds a slice of the head's cells, with its gradient and the
            optimiser's averages, and the softmax is over all; alone a process holds all of them.
        sampler: ``shuffled``: every photo once in an epoch; ``cells``, ``photographers``: one photo
            of each.
    """

    task: Literal["global"] = "global"

    backbone: str = "test_resnet"
    weights: str = ""
    start: str = ""
    trained: Literal["network", "head", "head-on-vectors"] = "network"
    model_args: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    pooling: PoolingName = "average"
    head: HeadName = "single"
    partitions: tuple[str, ...] = ("s2:cells=64",)
    size: tuple[int, int] = setting((64, 64), at_least=8, at_most=4_096)

    label_smoothing: float = setting(0.0, at_least=0, below=1)
    distance_km: float = setting(0.0, at_least=0)
    sampled_classes: int = setting(0, at_least=0)
    sharded_head: bool = False
    sampler: Literal["shuffled", "cells", "photographers"] = "shuffled"

    @property
    def stored_size(self) -> tuple[int, int]:
        """(height, width) that photos to train on are decoded at."""
        return self.stored_at(self.size)

    @property
    def on_vectors(self) -> bool:
        """Whether what is trained sees stored vectors, not pixels."""
        return self.trained == "head-on-vectors"

    @property
    def partition_specs(self) -> tuple[PartitionSpec, ...]:
        """Which partitions, read."""
        return tuple(read_partition_spec(text) for text in self.partitions)

    def check(self) -> None:
        """Refuse what cannot go together.

        Raises:
            RecipeError: Naming the keys and what to change.
        """
        super().check()
        specs = self.partition_specs
        several = self.head in ("multi", "hierarchical")
        smoothed = bool(self.label_smoothing or self.distance_km)
        refuse_wrong(
            (not specs, "partitions must name one or more", "Write ['s2:cells=1000']."),
            (
                several != (len(specs) > 1),
                f"head = {self.head!r} cannot go with {len(specs)} partitions",
                "multi and hierarchical have two or more, single and mixture one.",
            ),
            (
                bool(self.weights and self.start),
                "weights and start are given, and a network starts once",
                "Leave one of them out.",
            ),
            (
                self.on_vectors and self.augments,
                "crops, mirrors and changes of light cannot go with trained = 'head-on-vectors'",
                "Stored vectors are those of whole photos; trained = 'head' computes them anew.",
            ),
            (
                self.sampled_classes > 0 and self.head != "single",
                f"sampled_classes cannot go with head = {self.head!r}",
                "Only a head over one partition computes some classes alone.",
            ),
            (
                self.sampled_classes > 0 and smoothed,
                "sampled_classes cannot go with label_smoothing or distance_km",
                "Most of the cells that such labels speak of are not there.",
            ),
            (
                self.sharded_head and self.head != "single",
                f"sharded_head cannot go with head = {self.head!r}",
                "Only a head over one partition is cut into slices.",
            ),
            (
                self.sharded_head and self.sampled_classes > 0,
                "sharded_head cannot go with sampled_classes",
                "A sharded softmax is over all cells: leave one of the two out.",
            ),
            (
                self.sharded_head and self.precision == "float16",
                "sharded_head cannot go with precision = 'float16'",
                "One slice could overflow, and its process leave out a step: take bfloat16.",
            ),
            (
                self.head == "mixture" and smoothed,
                "label_smoothing and distance_km cannot go with head = 'mixture'",
                "A density knows places, not labels.",
            ),
        )
