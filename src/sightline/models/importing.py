"""Make a bundle from weights on this machine."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sightline.errors import PhotoError, UsageError
from sightline.imagery.photo import open_photo
from sightline.models.backbone import CutBackbone, set_input_size
from sightline.models.bundle import Bundle, ModelCard, check_pooling, save_bundle
from sightline.models.config import TimmConfig, read_config, read_network
from sightline.models.encoder import TorchEncoder
from sightline.models.families import default_feature, family_of
from sightline.models.protocol import Pixels
from sightline.models.recolour import recolour
from sightline.models.settings import EncoderSettings, PoolingMethod, ResizeMode, Views
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import WhiteningSettings

RECOLOURINGS = 2
_SEED = 20_240_501
_BATCH = 16

PhotoSource = Pixels | str | os.PathLike[str]


@dataclass(frozen=True, slots=True, eq=False)
class ImportReport:
    """What an import made.

    Args:
        path: The bundle's folder.
        bundle: Its content.
        fingerprint: Of its encoder.
        basis: What the choice of feature, size and pooling rests on.
        sampled: How many photos the sample holds.
        skipped: Why photos of the sample were left out.
    """

    path: Path
    bundle: Bundle
    fingerprint: str
    basis: str
    sampled: int
    skipped: tuple[PhotoError, ...]


def import_model(
    out: str | os.PathLike[str],
    config: str | os.PathLike[str],
    weights: str | os.PathLike[str],
    *,
    name: str | None = None,
    feature: str | None = None,
    size: int | tuple[int, int] | None = None,
    resize: ResizeMode | None = None,
    pooling: PoolingMethod | None = None,
    regions: int | None = None,
    views: Views | None = None,
    whitening: WhiteningSettings | None = None,
    whiten_photos: Iterable[PhotoSource] | None = None,
    sample_limit: int = 1000,
    card: ModelCard | None = None,
    replace_existing: bool = False,
) -> ImportReport:
    """Make a bundle from a timm config and safetensors weights.

    What is left out comes from the backbone's entry in :mod:`sightline.models.families`.

    Args:
        out: The folder to make.
        config: timm's ``config.json``.
        weights: A safetensors file.
        name: A short name; the architecture's if None.
        feature: Module path of the feature map.
        size: Side, or (height, width), of the input in pixels.
        resize: ``squeeze`` or ``crop``.
        pooling: ``average``, ``max``, ``gem`` or ``class``.
        regions: r of the r x r cells.
        views: ``whole``, ``four`` or ``five``.
        whitening: How an atlas should whiten.
        whiten_photos: Photos (arrays or paths) of the bundle's sample.
        sample_limit: How many of them at most.
        card: Licence, provenance and use; from the config if None.
        replace_existing: Replace a bundle that is there.

    Raises:
        BundleError: The config, the weights or a setting cannot be, or do not fit each other.
        UsageError: None of ``whiten_photos`` can be read.
        OutputError: ``out`` cannot be written.
    """
    described = read_config(config)
    network, content = read_network(described, weights)
    family = family_of(described.architecture)
    sides = size if size is not None else family.size or described.preprocessing.size
    sides = (sides, sides) if isinstance(sides, int) else sides
    preprocessing = replace(
        described.preprocessing, size=sides, resize=resize if resize is not None else "squeeze"
    )
    set_input_size(network, preprocessing.size)
    path = feature or family.feature or default_feature(network, preprocessing.size)
    backbone = CutBackbone(network, path, preprocessing.size)
    one_vector = pooling == "class" or backbone.layout == "NC"
    settings = EncoderSettings(
        architecture=described.architecture,
        feature=path,
        layout=backbone.layout,
        model_args=dict(described.model_args),
        pooling=pooling or family.pooling,
        regions=regions if regions is not None else (1 if one_vector else family.regions),
        views=views or "whole",
        preprocessing=preprocessing,
    )
    check_pooling(settings, backbone)
    bundle = Bundle(
        card=card or _card(name or described.architecture, described, weights, content),
        settings=settings,
        backbone=backbone,
        whitening=whitening or family.whitening,
    )
    skipped: list[PhotoError] = []
    if whiten_photos is not None:
        encoder = bundle.encoder(precision="float32", runtime="torch")
        bundle = replace(
            bundle, sample=gather_sample(encoder, whiten_photos, skipped, limit=sample_limit)
        )
    return ImportReport(
        path=save_bundle(out, bundle, replace=replace_existing),
        bundle=bundle,
        fingerprint=bundle.encoder().fingerprint,
        basis="given" if feature else family.basis,
        sampled=0 if bundle.sample is None else bundle.sample.count,
        skipped=tuple(skipped),
    )


def _card(
    name: str, described: TimmConfig, weights: str | os.PathLike[str], content: bytes
) -> ModelCard:
    digest = hashlib.sha256(content).hexdigest()
    origin = f"{described.source}; imported from {Path(weights).name} (sha256 {digest})"
    return ModelCard(name=name, licence=described.licence, provenance=origin)


def gather_sample(
    encoder: TorchEncoder,
    photos: Iterable[PhotoSource],
    skipped: list[PhotoError],
    *,
    limit: int = 1000,
) -> FeatureStatistics:
    """Statistics of photos and of how re-colouring changes their vectors.

    Args:
        encoder: Encodes them.
        photos: uint8 RGB (h, w, 3) arrays, or paths.
        skipped: Receives the errors of photos that cannot be read.
        limit: How many photos at most.

    Raises:
        UsageError: There is no photo that can be read.
    """
    generator = np.random.default_rng(_SEED)
    gathered = FeatureStatistics.empty(encoder.dimension)
    for block in _blocks(encoder, photos, skipped, limit):
        changed = [
            encoder.encode_prepared(np.stack([recolour(photo, generator) for photo in block]))
            for _ in range(RECOLOURINGS)
        ]
        gathered = gathered.merge(
            FeatureStatistics.from_regions(encoder.encode_prepared(block), np.stack(changed))
        )
    if gathered.count == 0:
        raise UsageError(
            f"No photo to whiten with can be read; {len(skipped)} were refused.",
            hint="Give a folder of ordinary photos; the first reason: "
            + (str(skipped[0]) if skipped else "there are none."),
        )
    return gathered


def _blocks(
    encoder: TorchEncoder, photos: Iterable[PhotoSource], skipped: list[PhotoError], limit: int
) -> Iterator[Pixels]:
    block: list[Pixels] = []
    taken = 0
    for photo in photos:
        if taken == limit:
            break
        try:
            pixels = (
                photo
                if isinstance(photo, np.ndarray)
                else open_photo(photo, at_least=encoder.decode_size).pixels
            )
        except PhotoError as error:
            skipped.append(error)
            continue
        block.append(encoder.prepare(pixels))
        taken += 1
        if len(block) == _BATCH:
            yield np.stack(block)
            block = []
    if block:
        yield np.stack(block)
