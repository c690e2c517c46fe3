"""The only door to a model hub; it asks before it opens."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm

from sightline.errors import BundleError, UsageError
from sightline.models.importing import ImportReport, import_model

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
_BYTES_PER_PARAMETER = 4


def fetch_model(
    name: str,
    out: str | os.PathLike[str],
    *,
    confirm: Callable[[str], bool],
    endpoint: str | None = None,
    **options: Any,
) -> ImportReport:
    """Download a timm model from its hub, after asking, and import it.

    Before anything is sent, ``confirm`` is shown what would be downloaded, from where, how large
    it is about and under which licence.

    Args:
        name: timm's name with its tag, such as ``mobilenetv2_100.ra_in1k``.
        out: The bundle's folder.
        confirm: Asked once; False ends it.
        endpoint: Another address of the hub.
        options: Handed to :func:`~sightline.models.importing.import_model`.

    Raises:
        UsageError: No such model with weights on a hub, or the question was answered with no.
        BundleError: The hub cannot be reached or lacks the files, or what came does not fit.
        OutputError: ``out`` cannot be written.
    """
    repository, question = _describe(name)
    if not confirm(question):
        raise UsageError(
            f"{name} was not downloaded: the question was answered with no.",
            hint="Use `sightline model import` with weights that are on this machine.",
        )
    with tempfile.TemporaryDirectory(prefix="sightline-fetch-") as folder:
        _download(repository, Path(folder), endpoint)
        return import_downloaded(folder, out, **options)


def import_downloaded(
    folder: str | os.PathLike[str], out: str | os.PathLike[str], **options: Any
) -> ImportReport:
    """Import a folder as a hub lays it out: ``config.json`` and ``model.safetensors``.

    Args:
        folder: What was downloaded.
        out: The bundle's folder.
        options: Handed to :func:`~sightline.models.importing.import_model`.

    Raises:
        BundleError: A file is missing, or what is there does not fit.
        OutputError: ``out`` cannot be written.
    """
    source = Path(folder)
    for file in (CONFIG, WEIGHTS):
        if not (source / file).is_file():
            raise BundleError(
                f"The downloaded model holds no {file}.",
                hint="Choose a model whose hub page lists config.json and model.safetensors.",
                path=source,
            )
    return import_model(out, source / CONFIG, source / WEIGHTS, **options)


def _describe(name: str) -> tuple[str, str]:
    """The hub's repository and the question to ask, found without any connection."""
    try:
        pretrained = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    except RuntimeError:
        # How timm says that the architecture exists and the tag does not.
        pretrained = None
    if pretrained is None or not pretrained.hf_hub_id:
        raise UsageError(
            f"timm {timm.__version__} knows no weights {name!r} on a hub.",
            hint="Names look like mobilenetv2_100.ra_in1k; timm.list_pretrained() lists them.",
        )
    architecture = pretrained.architecture or name.partition(".")[0]
    repository = str(pretrained.hf_hub_id)
    # Counting parameters needs memory but no connection; the hub's own size would.
    network = timm.create_model(architecture, pretrained=False)
    megabytes = sum(p.numel() for p in network.parameters()) * _BYTES_PER_PARAMETER / 1e6
    licence = pretrained.license or "not stated; read it on the hub's page"
    question = (
        f"Download {name} from {repository} on the Hugging Face hub, about {megabytes:.0f} MB? "
        f"Licence: {licence}. The hub will see this machine's address."
    )
    return repository, question


def _download(repository: str, folder: Path, endpoint: str | None) -> None:
    # timm depends on it; imported here so that nothing else of Sightline can reach a hub.
    from huggingface_hub import hf_hub_download

    for file in (CONFIG, WEIGHTS):
        try:
            hf_hub_download(repository, file, local_dir=folder, endpoint=endpoint)
        except Exception as cause:
            # What it raises depends on its HTTP library and on where the connection failed.
            reason = str(cause).strip().splitlines()[0]
            raise BundleError(
                f"{file} of {repository} cannot be downloaded: {reason}",
                hint="Check the connection, or download both files elsewhere and use "
                "`sightline model import`.",
            ) from cause
