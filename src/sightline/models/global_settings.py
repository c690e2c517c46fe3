"""What fixes a classifier of places besides its weights and its cells; its reading from JSON."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self, cast, get_args

from sightline.errors import PartitionError
from sightline.geo.partition import Partition
from sightline.models.cell_classifiers import (
    CellClassifier,
    HeadKind,
    build_head,
    published_classifier,
)
from sightline.models.config import read_config
from sightline.models.heads import GlobalPooling, GlobalPoolingMethod
from sightline.models.photo_preprocessing import PhotoPreprocessing, Size, require
from sightline.models.residual_retrieval import ResidualRetrieval
from sightline.models.settings import LARGEST_SIDE, are_numbers, read_keys
from sightline.models.trunk import Triple, Trunk


@dataclass(frozen=True, slots=True)
class GlobalSettings:
    """A classifier of places, and what makes its vectors fit for retrieval, without their weights.

    Args:
        backbone: timm's name.
        head: ``single``, ``multi``, ``hierarchical`` or ``mixture``.
        size: (height, width) of photos in pixels.
        pooling: Global pooling of the backbone's last map.
        model_args: Arguments of timm's constructor.
        without: Modules of the backbone that are left out, such as ``features.30`` of vgg16.
        preprocessing: From a photo to the backbone's input.
        residual_hidden: Width of a Residual Retrieval Module that refines the pooled vectors for
            retrieval (4,096 in its paper); 0 for none.
        residual_skip: Whether that module adds its input, its residual connection; without is the
            ablation of its paper's table 3.

    Raises:
        BundleError: A value cannot be.
    """

    backbone: str
    head: HeadKind
    size: Size
    pooling: GlobalPoolingMethod
    model_args: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    preprocessing: PhotoPreprocessing = field(default_factory=PhotoPreprocessing)
    residual_hidden: int = 0
    residual_skip: bool = True

    def __post_init__(self) -> None:
        ok = isinstance(self.backbone, str) and bool(self.backbone)
        require("backbone", "be a name", self.backbone, ok=ok)
        for name, choices in (("head", HeadKind), ("pooling", GlobalPoolingMethod)):
            known, value = get_args(choices), getattr(self, name)
            require(name, f"be one of {', '.join(known)}", value, ok=value in known)
        rule = f"be a height and a width from 1 to {LARGEST_SIDE} pixels"
        require("size", rule, self.size, ok=_is_size(self.size))
        object.__setattr__(self, "size", tuple(self.size))
        ok = isinstance(self.model_args, Mapping)
        require("model_args", "be a mapping", self.model_args, ok=ok)
        object.__setattr__(self, "model_args", dict(self.model_args))
        names = self.without
        ok = isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
        require("without", "be names of modules", names, ok=ok)
        object.__setattr__(self, "without", tuple(names))
        width = self.residual_hidden
        whole = isinstance(width, int) and not isinstance(width, bool) and width >= 0
        require("residual_hidden", "be a whole number of at least 0", width, ok=whole)
        skip = self.residual_skip
        require("residual_skip", "be true or false", skip, ok=isinstance(skip, bool))
        rule = "be true where residual_hidden is 0: there is no module to leave it out of"
        require("residual_skip", rule, skip, ok=skip or width > 0)

    @classmethod
    def of(cls, name: str, **changes: Any) -> Self:
        """A published classifier, with the published value of everything that is left out.

        Args:
            name: Of :data:`~sightline.models.cell_classifiers.PUBLISHED_CLASSIFIERS`.
            **changes: Fields of this class.

        Raises:
            UsageError: No such name.
            BundleError: A value cannot be.
        """
        row = published_classifier(name)
        own = changes.get("backbone", row.backbone) == row.backbone
        values: dict[str, Any] = {
            "backbone": row.backbone,
            "head": row.head,
            "size": (row.size, row.size),
            "pooling": row.pooling,
            "without": row.without if own else (),
        }
        return cls(**{**values, **changes})

    def started_from(self, weights: str | Path) -> Self:
        """The same, as it has to be for a backbone's weights in a local file.

        Args:
            weights: A safetensors file with its ``config.json`` beside it, whose arguments and
                normalisation are taken over.

        Raises:
            BundleError: No such config.
        """
        config = read_config(Path(weights).parent / "config.json")
        return replace(
            self,
            model_args={**config.model_args, **self.model_args},
            preprocessing=replace(
                self.preprocessing,
                mean=cast("Triple", tuple(config.preprocessing.mean)),
                std=cast("Triple", tuple(config.preprocessing.std)),
            ),
        )

    def build(
        self, partitions: Sequence[Partition], weights: str | Path | None = None
    ) -> CellClassifier:
        """The classifier: random weights, or a backbone from a local file.

        Args:
            partitions: One, or as many as the head needs, from coarse to fine.
            weights: A safetensors file with its ``config.json`` beside it, for the backbone. The
                settings must be those of :meth:`started_from` to be saved with the classifier.

        Raises:
            PartitionError: Partitions that do not fit the head, or are not from coarse to fine.
            BundleError: No such backbone, size or weights.
            UsageError: No such module to leave out.
        """
        require_order(partitions)
        trunk = Trunk(
            self.backbone,
            self.size,
            model_args=self.model_args,
            weights=weights,
            without=self.without,
        )
        if weights is None:
            trunk.normalise_as(self.preprocessing.mean, self.preprocessing.std)
        head = build_head(self.head, trunk.channels, partitions)
        return CellClassifier(trunk, GlobalPooling(trunk.channels, self.pooling), head)

    def build_residual(self, dimension: int | None = None) -> ResidualRetrieval | None:
        """The Residual Retrieval Module with random weights; None where the settings have none.

        Args:
            dimension: d of the pooled vectors, the classifier's ``dimension``; if None it is found
                by building the backbone.

        Raises:
            BundleError: No such backbone or size.
        """
        if not self.residual_hidden:
            return None
        if dimension is None:
            trunk = Trunk(
                self.backbone, self.size, model_args=self.model_args, without=self.without
            )
            dimension = trunk.channels
        return ResidualRetrieval(dimension, self.residual_hidden, residual=self.residual_skip)

    def to_json(self) -> dict[str, Any]:
        """A mapping of plain values that :meth:`from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: object) -> Self:
        """Check and read what :meth:`to_json` wrote.

        Raises:
            BundleError: A key is unknown or missing, or a value cannot be.
        """
        values = read_keys(document, cls, "global")
        if "preprocessing" in values:
            inner = read_keys(values["preprocessing"], PhotoPreprocessing, "global.preprocessing")
            values["preprocessing"] = PhotoPreprocessing(**inner)
        return cls(**values)


def require_order(partitions: Sequence[Partition]) -> None:
    """Refuse several partitions that are not from coarse to fine: the last one answers.

    Raises:
        PartitionError: Naming their numbers of cells.
    """
    sizes = [len(partition) for partition in partitions]
    if any(a > b for a, b in itertools.pairwise(sizes)):
        raise PartitionError(
            f"The partitions of a classifier must go from coarse to fine. Got {sizes} cells.",
            hint="Give them in order: the last one is where the classifier answers.",
        )


def _is_size(value: object) -> bool:
    return are_numbers(value, 2) and all(
        isinstance(x, int) and 1 <= x <= LARGEST_SIDE for x in cast("tuple[object, ...]", value)
    )
