"""A model bundle: a folder that holds an encoder, and nothing that can run code.

``model.json`` says what it is, ``weights.safetensors`` holds the network, an optional
``sample.safetensors`` the statistics of a sample of photos, and ``partition-0.parquet`` and those
that follow it the cells of a classifier. The hash of each file stands in ``model.json`` and is
verified when it is read. There are three kinds: an encoder of photos, which is a cut network
(:class:`Bundle`), a cross-view network (:class:`CrossViewBundle`), and a classifier of places
(:class:`GlobalBundle`).
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save as save_tensors

from sightline.errors import BundleError, UsageError
from sightline.models.backbone import CutBackbone, build_backbone, set_input_size
from sightline.models.bundle_files import (
    SAMPLE,
    WEIGHTS,
    read_document,
    verified,
    write_folder,
)
from sightline.models.card import ModelCard
from sightline.models.compact_weights import WeightsForm, check_form, compact, widened
from sightline.models.cross_view_bundle import CrossViewBundle, read_cross_view
from sightline.models.cross_view_encoder import TorchCrossViewEncoder
from sightline.models.cross_view_settings import CrossViewSettings
from sightline.models.encoder import TorchEncoder
from sightline.models.global_bundle import GlobalBundle, partition_names, read_global
from sightline.models.global_encoder import TorchGlobalEncoder
from sightline.models.global_settings import GlobalSettings
from sightline.models.runtimes import Precision, RuntimeName
from sightline.models.sample import statistics_from_bytes, statistics_to_bytes
from sightline.models.settings import EncoderSettings, check_keys, read_keys, refusal
from sightline.models.shipped import find_bundle
from sightline.models.weights import load_exactly, read_weights
from sightline.models.whitening import FeatureStatistics, WhiteningSettings

__all__ = [
    "Bundle",
    "CrossViewBundle",
    "CrossViewSettings",
    "GlobalBundle",
    "GlobalSettings",
    "ModelCard",
    "check_pooling",
    "load_model",
    "read_bundle",
    "read_document",
    "save_bundle",
]


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle of an encoder of photos in memory.

    Args:
        card: For people.
        settings: The encoder without its weights.
        backbone: The cut network.
        whitening: How an atlas should whiten, or None.
        sample: Statistics of a sample of photos, or None.
    """

    card: ModelCard
    settings: EncoderSettings
    backbone: CutBackbone
    whitening: WhiteningSettings | None = None
    sample: FeatureStatistics | None = None

    def encoder(
        self,
        *,
        device: str = "cpu",
        precision: Precision = "auto",
        runtime: RuntimeName = "auto",
        threads: int | None = None,
    ) -> TorchEncoder:
        """The encoder that this bundle holds; see :class:`TorchEncoder` for the arguments."""
        return TorchEncoder(
            self.backbone,
            self.settings,
            name=self.card.name,
            whitening=self.whitening,
            sample=self.sample,
            about=self.card.about(),
            device=device,
            precision=precision,
            runtime=runtime,
            threads=threads,
        )


AnyBundle = Bundle | CrossViewBundle | GlobalBundle


def load_model(
    path: str | os.PathLike[str],
    *,
    device: str = "cpu",
    precision: Precision = "auto",
    runtime: RuntimeName = "auto",
    threads: int | None = None,
) -> TorchEncoder | TorchCrossViewEncoder | TorchGlobalEncoder:
    """Open a bundle of any kind as an encoder.

    Args:
        path: The bundle's folder, or the name of one that comes with Sightline.
        device: Where torch computes.
        precision: ``auto``, ``float32`` or ``bfloat16``.
        runtime: ``auto``, ``torch`` or ``openvino``, which runs encoders of photos only.
        threads: Threads of one OpenVINO inference, all if None.

    Raises:
        BundleError: No bundle, damaged, from a newer version, or weights that do not fit.
    """
    bundle = read_bundle(path)
    return bundle.encoder(device=device, precision=precision, runtime=runtime, threads=threads)


def read_bundle(path: str | os.PathLike[str]) -> AnyBundle:
    """Read and verify a bundle of any kind, by its folder or a shipped one's name.

    Raises:
        BundleError: No bundle, damaged, from a newer version, or weights that do not fit.
    """
    folder = find_bundle(path)
    document = read_document(folder)
    try:
        cells = partition_names(document["global"]) if "global" in document else ()
        required = (WEIGHTS, *cells)
        files = check_keys(document["files"], (*required, SAMPLE), required, "files")
        card = _read_card(document)
        _require_form(document.get("weights", "float32"))
        state = widened(read_weights(verified(folder, WEIGHTS, files[WEIGHTS])))
        if "cross_view" in document:
            return read_cross_view(card, document["cross_view"], state)
        if "global" in document:
            return read_global(card, document["global"], state, folder, files)
        settings = EncoderSettings.from_json(document["encoder"])
        whitening = _read_whitening(document.get("whitening"))
        sample = None
        if SAMPLE in files:
            sample = statistics_from_bytes(verified(folder, SAMPLE, files[SAMPLE]))
        network = build_backbone(settings.architecture, settings.model_args)
        size = settings.preprocessing.size
        set_input_size(network, size)
        backbone = CutBackbone(network, settings.feature, size, settings.layout)
        check_pooling(settings, backbone)
        load_exactly(backbone, state)
    except BundleError as error:
        error.path = error.path or str(folder)
        raise
    return Bundle(card, settings, backbone, whitening, sample)


def save_bundle(
    path: str | os.PathLike[str],
    bundle: AnyBundle,
    *,
    replace: bool = False,
    weights: WeightsForm = "float32",
) -> Path:
    """Write a bundle, whole or not at all.

    Args:
        path: The folder to make.
        bundle: What to write.
        replace: Replace a bundle that is there; anything else is never replaced.
        weights: How they are stored: ``float32``, ``float16`` (half the bytes) or ``int8`` (a
            quarter), see :func:`~sightline.models.compact_weights.compact`. The fingerprint is that
            of what is loaded again, so each form has its own.

    Returns:
        The folder.

    Raises:
        OutputError: It exists, or cannot be written.
        UsageError: No such form of weights.
    """
    target = Path(path)
    form = check_form(weights)
    document: dict[str, Any] = asdict(bundle.card)
    if isinstance(bundle, CrossViewBundle):
        state = bundle.network.state_dict()
        document["cross_view"] = bundle.to_json()
    elif isinstance(bundle, GlobalBundle):
        state = bundle.network().state_dict()
        document["global"] = bundle.to_json()
    else:
        state = bundle.backbone.network.state_dict()
        document["encoder"] = bundle.settings.to_json()
        document["whitening"] = None if bundle.whitening is None else asdict(bundle.whitening)
    if form != "float32":
        document["weights"] = form
    contents = {WEIGHTS: save_tensors(compact(state, form))}
    if isinstance(bundle, Bundle) and bundle.sample is not None:
        contents[SAMPLE] = statistics_to_bytes(bundle.sample)
    if isinstance(bundle, GlobalBundle):
        contents |= bundle.partition_files()
    write_folder(target, document, contents, replace=replace)
    return target


def check_pooling(settings: EncoderSettings, backbone: CutBackbone) -> None:
    """Refuse settings that the cut network cannot serve.

    Raises:
        BundleError: The class token is asked for and there is none.
    """
    if settings.pooling == "class" and backbone.prefix_tokens < 1:
        raise BundleError(
            f"The feature {settings.feature!r} of {settings.architecture} has no class token.",
            hint="Use the pooling average, max or gem.",
        )


def _read_card(document: dict[str, Any]) -> ModelCard:
    values = {
        key: document[key]
        for key in ("name", "licence", "provenance", "intended_use")
        if key in document
    }
    for key, value in values.items():
        if not isinstance(value, str):
            raise refusal(key, "be text", value)
    return ModelCard(**values)


def _require_form(value: object) -> None:
    try:
        check_form(value)
    except UsageError as cause:
        raise BundleError(
            f"The bundle's weights cannot be read: {cause.message}",
            hint="Upgrade Sightline, or save the bundle with this version.",
        ) from cause


def _read_whitening(document: object) -> WhiteningSettings | None:
    if document is None:
        return None
    values = read_keys(document, WhiteningSettings, "whitening")
    try:
        return WhiteningSettings(**values)
    except (UsageError, TypeError) as cause:
        raise refusal("whitening", "hold numbers that can be", values) from cause
