"""A classifier of places as a bundle: what it is, what fixes it, its cells and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from torch import Tensor, nn

from sightline.errors import BundleError, PartitionError, TableError, UsageError
from sightline.geo.partition import Partition
from sightline.models.bundle_files import verified
from sightline.models.card import ModelCard
from sightline.models.cell_classifiers import CellClassifier, Head, HeadKind
from sightline.models.cell_heads import CellHead, HierarchicalHead, MultiHead, check_digest
from sightline.models.global_encoder import TorchGlobalEncoder
from sightline.models.global_network import GlobalNetwork
from sightline.models.global_settings import GlobalSettings, require_order
from sightline.models.mixture_head import MixtureHead
from sightline.models.residual_retrieval import ResidualRetrieval
from sightline.models.runtimes import Precision, RuntimeName
from sightline.models.settings import is_number, refusal
from sightline.models.weights import check_state
from sightline.partition_files import partition_bytes, partition_of_bytes

_KINDS: Mapping[type[nn.Module], HeadKind] = {
    CellHead: "single",
    MultiHead: "multi",
    HierarchicalHead: "hierarchical",
    MixtureHead: "mixture",
}


@dataclass(frozen=True, slots=True, eq=False)
class GlobalBundle:
    """A bundle of a classifier of places in memory.

    Args:
        card: For people.
        settings: The classifier without its weights. A normalisation that they leave open is the
            backbone's.
        classifier: What :meth:`GlobalSettings.build` made, trained or not.
        partitions: The cells, from coarse to fine.
        residual: What :meth:`GlobalSettings.build_residual` made, trained or not.

    Raises:
        PartitionError: The partitions are not those of the head.
        BundleError: Classifier or residual module are not what the settings say.
    """

    card: ModelCard
    settings: GlobalSettings
    classifier: CellClassifier
    partitions: tuple[Partition, ...]
    residual: ResidualRetrieval | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "partitions", tuple(self.partitions))
        self._check_head()
        hidden = 0 if self.residual is None else self.residual.hidden.out_features
        self._require("residual_hidden", self.settings.residual_hidden, hidden)
        # Its weights do not tell.
        skip = self.residual is None or self.residual.residual
        self._require("residual_skip", self.settings.residual_skip, skip)
        trunk = self.classifier.trunk
        self._require("backbone", self.settings.backbone, trunk.architecture)
        self._require("size", self.settings.size, tuple(trunk.input_size))
        self._require("pooling", self.settings.pooling, self.classifier.pooling.method)
        mean, std = trunk.normalisation
        given = self.settings.preprocessing
        for name, said, found in (("mean", given.mean, mean), ("std", given.std, std)):
            fits = said is None or np.allclose(said, found, rtol=1e-6)
            self._require(name, said, said if fits else found)
        preprocessing = replace(given, mean=given.mean or mean, std=given.std or std)
        object.__setattr__(self, "settings", replace(self.settings, preprocessing=preprocessing))

    def encoder(
        self,
        *,
        device: str = "cpu",
        precision: Precision = "auto",
        runtime: RuntimeName = "auto",
        threads: int | None = None,  # noqa: ARG002 - torch's own setting is left alone
    ) -> TorchGlobalEncoder:
        """The encoder that this bundle holds, which takes the network over."""
        return TorchGlobalEncoder(
            self.network(),
            self.settings,
            self.partitions,
            name=self.card.name,
            about=self.card.about(),
            device=device,
            precision=precision,
            runtime=runtime,
        )

    def network(self) -> GlobalNetwork:
        """Classifier and residual module as one, whose weights are what is stored."""
        return GlobalNetwork(self.classifier, self.residual)

    def to_json(self) -> dict[str, Any]:
        """What stands under ``global`` in ``model.json``."""
        return {
            **self.settings.to_json(),
            "dimension": self.classifier.dimension,
            "partitions": [partition.fingerprint for partition in self.partitions],
        }

    def partition_files(self) -> dict[str, bytes]:
        """The contents of the partitions' files, by name."""
        return {
            partition_file(number): partition_bytes(partition)
            for number, partition in enumerate(self.partitions)
        }

    def _check_head(self) -> None:
        head = self.classifier.head
        kind = _KINDS.get(type(head))
        self._require("head", self.settings.head, kind)
        require_order(self.partitions)
        own = heads_of(head)
        if len(own) != len(self.partitions):
            raise PartitionError(
                f"The head is over {len(own)} partitions. Got {len(self.partitions)}.",
                hint="Give the partitions that it was built with.",
            )
        for one, partition in zip(own, self.partitions, strict=True):
            one.require_partition(partition)

    def _require(self, name: str, said: object, found: object) -> None:
        if said != found:
            raise BundleError(
                f"The settings say that the {name} is {said!r}, and the network's is {found!r}.",
                hint="Save a classifier with the settings that it was built with.",
            )


def heads_of(head: Head) -> tuple[CellHead, ...]:
    """The layers of a head, one for each partition from coarse to fine."""
    if isinstance(head, MixtureHead):
        return (head.weights,)
    return (head,) if isinstance(head, CellHead) else tuple(head)


def partition_file(number: int) -> str:
    """The name of the file of one partition of a bundle, from 0."""
    return f"partition-{number}.parquet"


def partition_names(document: object) -> tuple[str, ...]:
    """The names of the partitions' files of a bundle whose ``global`` is ``document``.

    Raises:
        BundleError: It names no partitions.
    """
    prints = document.get("partitions") if isinstance(document, dict) else None
    sound = isinstance(prints, list) and all(isinstance(one, str) for one in prints)
    if not sound or not prints:
        raise refusal("global.partitions", "name the fingerprints of partitions", prints)
    return tuple(partition_file(number) for number in range(len(prints)))


def read_global(
    card: ModelCard,
    document: object,
    state: dict[str, Tensor],
    folder: Path,
    files: Mapping[str, object],
) -> GlobalBundle:
    """Build the network of a document and load its weights, every key and shape checked.

    Args:
        card: For people.
        document: What :meth:`GlobalBundle.to_json` wrote.
        state: The network's weights, in float32.
        folder: Of the bundle.
        files: Sizes and hashes of the bundle's files, by name.

    Raises:
        BundleError: A setting that cannot be, a partition that is not the one that was saved, or
            weights that do not fit.
    """
    names = partition_names(document)
    values = dict(cast("dict[str, Any]", document))
    prints, dimension = values.pop("partitions"), values.pop("dimension", None)
    settings = GlobalSettings.from_json(values)
    partitions = tuple(
        _read_partition(folder, name, files[name], fingerprint)
        for name, fingerprint in zip(names, prints, strict=True)
    )
    try:
        classifier = settings.build(partitions)
        network = GlobalNetwork(classifier, settings.build_residual(classifier.dimension))
        _check_digests(network.classifier.head, state)
    except (UsageError, PartitionError) as cause:
        raise BundleError(
            f"The classifier of places cannot be built: {cause.message}",
            hint=f"A newer Sightline may know it. {cause.hint}",
        ) from cause
    if not is_number(dimension) or dimension != network.dimension:
        raise BundleError(
            f"The bundle says that its vectors have the dimension {dimension!r}, and its network "
            f"makes {network.dimension}.",
            hint="Copy the bundle again, or save it with this version.",
        )
    check_state(network, state)
    network.load_state_dict(state, strict=True)
    network.eval()
    return GlobalBundle(card, settings, network.classifier, partitions, network.residual)


def _read_partition(folder: Path, name: str, entry: object, fingerprint: str) -> Partition:
    content = verified(folder, name, entry)
    try:
        partition = partition_of_bytes(content, folder / name)
    except TableError as cause:
        raise BundleError(cause.message, hint="Save the bundle again.", path=cause.path) from cause
    if partition.fingerprint != fingerprint:
        raise BundleError(
            f"The bundle's {name} holds the partition {partition.fingerprint[:12]}, and model.json "
            f"names {fingerprint[:12]}.",
            hint="Copy the bundle again, all of its files.",
            path=folder / name,
        )
    return partition


def _check_digests(head: Head, state: Mapping[str, Tensor]) -> None:
    """Refuse weights of a head over other cells, before their shapes are compared."""
    named = {module: name for name, module in head.named_modules()}
    for one in heads_of(head):
        prefix = ".".join(part for part in ("classifier.head", named[one]) if part)
        digest = state.get(f"{prefix}.digest")
        if digest is not None:
            weight = state.get(f"{prefix}.linear.weight")
            check_digest(digest, weight, one.digest, one.classes)
