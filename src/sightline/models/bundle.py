"""A model bundle: a folder that holds an encoder, and nothing that can run code.

``model.json`` says what it is, ``weights.safetensors`` holds the cut network, and an optional
``sample.safetensors`` the statistics of a sample of photos. The hash of each file stands in
``model.json`` and is verified when it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save as save_tensors
from torch import Tensor

from sightline.durable import output_error, sync_folder, write_bytes
from sightline.errors import BundleError, OutputError, UsageError
from sightline.models.backbone import CutBackbone, build_backbone, set_input_size
from sightline.models.encoder import TorchEncoder
from sightline.models.runtimes import Precision, RuntimeName
from sightline.models.sample import statistics_from_bytes, statistics_to_bytes
from sightline.models.settings import EncoderSettings, check_keys, read_keys, refusal
from sightline.models.weights import load_exactly, read_weights
from sightline.models.whitening import FeatureStatistics, WhiteningSettings

SCHEMA_NAME = "sightline.model"
SCHEMA_VERSION = 1
DOCUMENT = "model.json"
WEIGHTS = "weights.safetensors"
SAMPLE = "sample.safetensors"

_LARGEST_DOCUMENT_BYTES = 1 << 20
_KEYS = (
    "schema",
    "name",
    "encoder",
    "whitening",
    "licence",
    "provenance",
    "intended_use",
    "files",
)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What people need to know of a bundle.

    Args:
        name: A short name.
        licence: Of the weights, as an SPDX identifier where there is one; "unknown" if unknown.
        provenance: Where the weights come from.
        intended_use: What the bundle is for, and what it is not for.
    """

    name: str
    licence: str = "unknown"
    provenance: str = "unknown"
    intended_use: str = (
        "Finding photos of the same place among references with known coordinates. "
        "Not for locating people without their consent."
    )


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A bundle in memory.

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
        about = {
            "licence": self.card.licence,
            "provenance": self.card.provenance,
            "intended_use": self.card.intended_use,
        }
        return TorchEncoder(
            self.backbone,
            self.settings,
            name=self.card.name,
            whitening=self.whitening,
            sample=self.sample,
            about=about,
            device=device,
            precision=precision,
            runtime=runtime,
            threads=threads,
        )


def load_model(
    path: str | os.PathLike[str],
    *,
    device: str = "cpu",
    precision: Precision = "auto",
    runtime: RuntimeName = "auto",
    threads: int | None = None,
) -> TorchEncoder:
    """Open a bundle as an encoder.

    Args:
        path: The bundle's folder.
        device: Where torch computes.
        precision: ``auto``, ``float32`` or ``bfloat16``.
        runtime: ``auto``, ``torch`` or ``openvino``.
        threads: Threads of one OpenVINO inference, all if None.

    Raises:
        BundleError: No bundle, damaged, from a newer version, or weights that do not fit.
    """
    bundle = read_bundle(path)
    return bundle.encoder(device=device, precision=precision, runtime=runtime, threads=threads)


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The checked ``model.json`` of a bundle, without touching its weights.

    Raises:
        BundleError: No bundle, damaged, or from a newer version.
    """
    folder = Path(path)
    document_path = folder / DOCUMENT
    if not document_path.is_file():
        what = "holds no model.json" if folder.is_dir() else "is no folder"
        raise BundleError(
            f"{str(folder)!r} {what}, so it is no model bundle.",
            hint="Make one with `sightline model import OUT --config FILE --weights FILE`.",
            path=folder,
        )
    try:
        if document_path.stat().st_size > _LARGEST_DOCUMENT_BYTES:
            raise BundleError(
                f"{DOCUMENT} is larger than {_LARGEST_DOCUMENT_BYTES} bytes.",
                hint="This is no model bundle; import the model again.",
                path=document_path,
            )
        document = json.loads(document_path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as cause:
        raise BundleError(
            f"{DOCUMENT} cannot be read: {cause}.",
            hint="Import the model again, or copy the bundle again.",
            path=document_path,
        ) from cause
    try:
        _check_schema(document)
        return check_keys(document, _KEYS, ("name", "encoder", "files"), DOCUMENT)
    except BundleError as error:
        error.path = str(document_path)
        raise


def _check_schema(document: object) -> None:
    schema = document.get("schema") if isinstance(document, dict) else None
    name, _, version = str(schema).partition("/")
    if name != SCHEMA_NAME or not version.isdigit():
        raise BundleError(
            f"{DOCUMENT} must have the schema '{SCHEMA_NAME}/{SCHEMA_VERSION}'. Got {schema!r}.",
            hint="This is no model bundle; make one with `sightline model import`.",
        )
    if int(version) > SCHEMA_VERSION:
        raise BundleError(
            f"The bundle has the schema version {version}; this Sightline reads up to "
            f"{SCHEMA_VERSION}.",
            hint="Upgrade Sightline, or import the model with this version.",
        )


def read_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Read and verify a bundle.

    Raises:
        BundleError: No bundle, damaged, from a newer version, or weights that do not fit.
    """
    folder = Path(path)
    document = read_document(folder)
    try:
        files = check_keys(document["files"], (WEIGHTS, SAMPLE), (WEIGHTS,), "files")
        settings = EncoderSettings.from_json(document["encoder"])
        card = _read_card(document)
        whitening = _read_whitening(document.get("whitening"))
        tensors = read_weights(_verified(folder, WEIGHTS, files[WEIGHTS]))
        sample = None
        if SAMPLE in files:
            sample = statistics_from_bytes(_verified(folder, SAMPLE, files[SAMPLE]))
        network = build_backbone(settings.architecture, settings.model_args)
        size = settings.preprocessing.size
        set_input_size(network, size)
        backbone = CutBackbone(network, settings.feature, size, settings.layout)
        check_pooling(settings, backbone)
        load_exactly(backbone, tensors)
    except BundleError as error:
        error.path = error.path or str(folder)
        raise
    return Bundle(card, settings, backbone, whitening, sample)


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


def _read_whitening(document: object) -> WhiteningSettings | None:
    if document is None:
        return None
    values = read_keys(document, WhiteningSettings, "whitening")
    try:
        return WhiteningSettings(**values)
    except (UsageError, TypeError) as cause:
        raise refusal("whitening", "hold numbers that can be", values) from cause


def _verified(folder: Path, name: str, entry: object) -> bytes:
    """The content of one file, if its hash is the recorded one."""
    expected = check_keys(entry, ("sha256", "bytes"), ("sha256", "bytes"), f"files.{name}")
    path = folder / name
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise BundleError(
            f"The bundle's {name} cannot be read: {cause.strerror or cause}.",
            hint="Copy the bundle again, all of its files.",
            path=path,
        ) from cause
    found = hashlib.sha256(content).hexdigest()
    if found != expected["sha256"]:
        raise BundleError(
            f"The bundle's {name} ({len(content)} bytes, sha256 {found[:12]}) is not the file "
            f"that model.json names ({expected['bytes']} bytes, sha256 "
            f"{str(expected['sha256'])[:12]}).",
            hint="Copy the bundle again; if it was changed on purpose, import it again.",
            path=path,
        )
    return content


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


def save_bundle(path: str | os.PathLike[str], bundle: Bundle, *, replace: bool = False) -> Path:
    """Write a bundle, whole or not at all.

    Args:
        path: The folder to make.
        bundle: What to write.
        replace: Replace a bundle that is there; anything else is never replaced.

    Returns:
        The folder.

    Raises:
        OutputError: It exists, or cannot be written.
    """
    target = Path(path)
    contents = {WEIGHTS: save_tensors(_contiguous(bundle.backbone.network.state_dict()))}
    if bundle.sample is not None:
        contents[SAMPLE] = statistics_to_bytes(bundle.sample)
    document = {
        "schema": f"{SCHEMA_NAME}/{SCHEMA_VERSION}",
        **asdict(bundle.card),
        "encoder": bundle.settings.to_json(),
        "whitening": None if bundle.whitening is None else asdict(bundle.whitening),
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in contents.items()
        },
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, default=list) + "\n"
    contents[DOCUMENT] = text.encode()
    try:
        _refuse_to_overwrite(target, replace=replace)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as partial:
            made = Path(partial) / "bundle"
            made.mkdir()
            for name, content in contents.items():
                write_bytes(made / name, content)
            if target.exists():
                # Moved aside first: at no moment is half a bundle under this name.
                target.rename(Path(partial) / "old")
            made.rename(target)
            sync_folder(target.parent)
    except OSError as cause:
        raise output_error(target, cause) from cause
    return target


def _refuse_to_overwrite(target: Path, *, replace: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if replace and (target / DOCUMENT).is_file():
        return
    raise OutputError(
        f"{str(target)!r} exists and is not empty.",
        hint="Choose another folder, or replace a bundle with replace=True (--replace).",
        path=target,
    )


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # Tied weights share memory, which safetensors refuses: each key gets its own copy.
    return {key: tensor.detach().cpu().clone().contiguous() for key, tensor in tensors.items()}
