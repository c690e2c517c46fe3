"""Classifiers of photos over the cells of the Earth: a backbone, global pooling, and a head.

The published ones stand in one table; every one takes any backbone of timm and any partition.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from torch import Tensor, nn

from sightline.errors import PartitionError, UsageError
from sightline.geo.partition import Hierarchy, Partition
from sightline.models.cell_heads import CellHead, HierarchicalHead, MultiHead
from sightline.models.heads import GlobalPooling, GlobalPoolingMethod
from sightline.models.mixture_head import MixtureHead
from sightline.models.trunk import Trunk

HeadKind = Literal["single", "multi", "hierarchical", "mixture"]
Head = CellHead | MultiHead | HierarchicalHead | MixtureHead

_IM2GPS = "Vo, Jacobs and Hays, Revisiting IM2GPS (ICCV 2017)"
_VISLOC = "Kordopatis-Zilos et al., Leveraging EfficientNet (ICMR 2021)"
# The last pooling of VGG16: under global max pooling it only drops a border of odd maps.
_LAST_POOLING = ("features.30",)


class CellClassifier(nn.Module):
    """A backbone, global pooling to one vector, and a head over cells.

    Args:
        trunk: The backbone.
        pooling: From its map to vectors (n, d).
        head: From vectors to cells.

    Raises:
        UsageError: A head for vectors of another length.
    """

    def __init__(self, trunk: Trunk, pooling: GlobalPooling, head: Head) -> None:
        super().__init__()
        if head.dimension != pooling.dimension:
            raise UsageError(
                f"The head is for vectors of {head.dimension} numbers, and the backbone's have "
                f"{pooling.dimension}.",
                hint="Make the head with the channels of the backbone's last map.",
            )
        self.trunk = trunk
        self.pooling = pooling
        self.head = head
        self.dimension = pooling.dimension

    def forward(self, pixels: Tensor, classes: Tensor | None = None) -> Tensor | tuple[Tensor, ...]:
        """Return the head's logits, what losses take.

        Args:
            pixels: (n, 3, height, width), uint8 or floats in [0, 1].
            classes: (c,) cells to compute alone, for a head over one partition.

        Returns:
            (n, m), or one (n, cells) for each partition of a head over several.

        Raises:
            UsageError: Pixels of another shape, or some classes asked of another head.
        """
        vectors = self.vectors(pixels)
        logits: Tensor | tuple[Tensor, ...]
        if classes is None:
            logits = self.head(vectors)
        elif isinstance(self.head, CellHead):
            logits = self.head(vectors, classes)
        else:
            raise UsageError(
                f"Only a head over one partition computes some classes alone. "
                f"Got {type(self.head).__name__}.",
                hint="Leave out the sampled classes.",
            )
        return logits

    def vectors(self, pixels: Tensor) -> Tensor:
        """Return the pooled vectors (n, d), float32, not of unit length: for heads and retrieval.

        Args:
            pixels: (n, 3, height, width), uint8 or floats in [0, 1].
        """
        features, _ = self.trunk(pixels)
        pooled: Tensor = self.pooling(features)
        return pooled

    def log_probabilities(self, pixels: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Return what :mod:`sightline.locating` takes, in float32 at least.

        Args:
            pixels: (n, 3, height, width), uint8 or floats in [0, 1].

        Returns:
            (n, m): log-probabilities of cells, in the finest partition of a hierarchy, or the
            log-weights of a mixture; one for each partition of a head over several.
        """
        return self.head.log_probabilities(self.vectors(pixels))


@dataclass(frozen=True, slots=True)
class PublishedClassifier:
    """A row of the table.

    Args:
        name: What recipes call it.
        backbone: timm's name of the published backbone.
        pooling: Global pooling of its last map.
        dimension: d of the pooled vectors.
        size: Pixels of a side of training images.
        head: Its kind.
        cells: Of the published partitions, from coarse to fine.
        source: Who published it, and where its numbers stand.
        without: Modules of the published backbone that are left out.
    """

    name: str
    backbone: str
    pooling: GlobalPoolingMethod
    dimension: int
    size: int
    head: HeadKind
    cells: tuple[int, ...]
    source: str
    without: tuple[str, ...] = ()


def _im2gps(name: str, head: HeadKind, cells: tuple[int, ...], where: str) -> PublishedClassifier:
    source = f"{_IM2GPS}, {where}; figure 3; 512 dimensions: section 4.4; 224 pixels: their code"
    return PublishedClassifier(
        name, "vgg16", "max", 512, 224, head, cells, source, without=_LAST_POOLING
    )


def _visloc(name: str, head: HeadKind, cells: tuple[int, ...], where: str) -> PublishedClassifier:
    # The padding of their backbone's weights is that of TensorFlow.
    source = f"{_VISLOC}, {where}; 300 pixels: section 4.2; average pooling: section 3.3.1"
    return PublishedClassifier(
        name, "tf_efficientnet_b4", "average", 1792, 300, head, cells, source
    )


# "32K cells" (section 4.2); the list in their code has 31,145.
_CELLS_32K = (32_768,)
_HIERARCHY = "section 3.2.2; cells of Müller-Budack, Pustu-Iren and Ewerth (ECCV 2018)"

PUBLISHED_CLASSIFIERS: Mapping[str, PublishedClassifier] = MappingProxyType(
    {
        row.name: row
        for row in (
            _im2gps("im2gps-l", "single", (7011,), "section 4, Lone"),
            _im2gps("im2gps-l2", "single", (359,), "section 4, L2"),
            _im2gps(
                "im2gps-m", "multi", (10, 80, 359, 1060, 1693, 7011), "section 3.1 and figure 2"
            ),
            _visloc("efficientnet-b4-planet", "single", _CELLS_32K, "section 3.2.1"),
            _visloc("efficientnet-b4-hc", "hierarchical", (3298, 7202, 12_893), _HIERARCHY),
            _visloc("efficientnet-b4-mvmf", "mixture", _CELLS_32K, "section 3.2.3"),
        )
    }
)


def build_classifier(
    name: str,
    partitions: Partition | Sequence[Partition],
    *,
    backbone: str | None = None,
    size: int | None = None,
    model_args: Mapping[str, Any] | None = None,
    weights: str | Path | None = None,
) -> CellClassifier:
    """Build a classifier as published, over one's own partitions.

    Args:
        name: Of :data:`PUBLISHED_CLASSIFIERS`.
        partitions: One, or as many as the head needs, from coarse to fine.
        backbone: timm's name of another backbone.
        size: Pixels of a side of the images; the published one if None.
        model_args: Arguments of timm's constructor.
        weights: Local safetensors file for the backbone; random weights without.

    Raises:
        UsageError: No such name; the nearest one is named.
        PartitionError: Partitions that do not fit the head.
        BundleError: No such backbone, size or weights.
    """
    row = published_classifier(name)
    given = (partitions,) if isinstance(partitions, Partition) else tuple(partitions)
    _check_count(row, given)
    trunk = Trunk(
        backbone or row.backbone,
        (size or row.size, size or row.size),
        model_args=model_args,
        weights=weights,
        without=row.without if backbone in (None, row.backbone) else (),
    )
    head = build_head(row.head, trunk.channels, given)
    return CellClassifier(trunk, GlobalPooling(trunk.channels, row.pooling), head)


def build_head(kind: HeadKind, dimension: int, partitions: Sequence[Partition]) -> Head:
    """Build a head of a kind.

    Args:
        kind: ``single``, ``multi``, ``hierarchical`` or ``mixture``.
        dimension: d of the pooled vectors.
        partitions: One, or several from coarse to fine.

    Raises:
        UsageError: No such kind, or a dimension below 1.
        PartitionError: Partitions that do not fit the head.
    """
    if kind == "multi":
        return MultiHead(dimension, partitions)
    if kind == "hierarchical":
        return HierarchicalHead(dimension, Hierarchy(partitions))
    if kind not in ("single", "mixture"):
        raise UsageError(
            f"A head must be single, multi, hierarchical or mixture. Got {kind!r}.",
            hint="single is PlaNet's.",
        )
    if len(partitions) != 1:
        raise PartitionError(
            f"A {kind} head must have one partition. Got {len(partitions)}.",
            hint="Give one, or use a multi or hierarchical head.",
        )
    if kind == "mixture":
        return MixtureHead(dimension, partitions[0])
    return CellHead(dimension, partitions[0])


def _check_count(row: PublishedClassifier, partitions: Sequence[Partition]) -> None:
    if len(partitions) != len(row.cells):
        wanted = ", ".join(f"{cells:,}" for cells in row.cells)
        raise PartitionError(
            f"{row.name} has {len(row.cells)} partitions ({wanted} cells as published). "
            f"Got {len(partitions)}.",
            hint="Give one for each, of any number of cells; build_head makes other heads.",
        )


def published_classifier(name: str) -> PublishedClassifier:
    """A row of :data:`PUBLISHED_CLASSIFIERS`.

    Raises:
        UsageError: No such name; the nearest one is named.
    """
    if name not in PUBLISHED_CLASSIFIERS:
        near = difflib.get_close_matches(name, list(PUBLISHED_CLASSIFIERS), n=1, cutoff=0.0)[0]
        raise UsageError(
            f"There is no published classifier {name!r}.",
            hint=f"Did you mean {near!r}? There are {', '.join(PUBLISHED_CLASSIFIERS)}.",
        )
    return PUBLISHED_CLASSIFIERS[name]
