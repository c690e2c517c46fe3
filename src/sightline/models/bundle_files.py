"""The files of a bundle: its checked document, contents of the recorded hash, whole folders."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from sightline.durable import output_error, sync_folder, write_bytes
from sightline.errors import BundleError, OutputError
from sightline.models.settings import check_keys
from sightline.models.shipped import shipped_hint

SCHEMA_NAME = "sightline.model"
SCHEMA_VERSION = 1
DOCUMENT = "model.json"
WEIGHTS = "weights.safetensors"
SAMPLE = "sample.safetensors"

# What a bundle is: exactly one of these keys says.
_KINDS = ("encoder", "cross_view", "global")
_LARGEST_DOCUMENT_BYTES = 1 << 20
_KEYS = (
    "schema",
    "name",
    "encoder",
    "cross_view",
    "global",
    "whitening",
    "licence",
    "provenance",
    "intended_use",
    "weights",
    "files",
)


def read_document(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The checked ``model.json`` of a bundle, without touching its weights.

    It has one of the keys ``encoder`` (of photos), ``cross_view`` and ``global``.

    Raises:
        BundleError: No bundle, damaged, or from a newer version.
    """
    folder = Path(path)
    document_path = folder / DOCUMENT
    if not document_path.is_file():
        what = "holds no model.json" if folder.is_dir() else "is no folder"
        make = "Make one with `sightline model import OUT --config FILE --weights FILE`."
        raise BundleError(
            f"{str(folder)!r} {what}, so it is no model bundle.",
            hint=make if folder.is_dir() else f"{make} {shipped_hint()}".rstrip(),
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
        return _checked(document)
    except BundleError as error:
        error.path = str(document_path)
        raise


def verified(folder: Path, name: str, entry: object) -> bytes:
    """The content of one file, if its hash is the recorded one.

    Raises:
        BundleError: The file is missing, or another one.
    """
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


def write_folder(
    target: Path, document: Mapping[str, Any], contents: Mapping[str, bytes], *, replace: bool
) -> None:
    """Write a bundle's document and files, whole or not at all.

    Args:
        target: The folder to make.
        document: ``model.json`` without its schema and its files.
        contents: Files by name.
        replace: Replace a bundle that is there; anything else is never replaced.

    Raises:
        OutputError: It exists, or cannot be written.
    """
    whole = {
        "schema": f"{SCHEMA_NAME}/{SCHEMA_VERSION}",
        **document,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in contents.items()
        },
    }
    text = json.dumps(whole, indent=1, ensure_ascii=False, default=list) + "\n"
    try:
        _refuse_to_overwrite(target, replace=replace)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as partial:
            made = Path(partial) / "bundle"
            made.mkdir()
            for name, content in {**contents, DOCUMENT: text.encode()}.items():
                write_bytes(made / name, content)
            if target.exists():
                # Moved aside first: at no moment is half a bundle under this name.
                target.rename(Path(partial) / "old")
            made.rename(target)
            sync_folder(target.parent)
    except OSError as cause:
        raise output_error(target, cause) from cause


def _checked(document: object) -> dict[str, Any]:
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
    kinds = [kind for kind in _KINDS if kind in cast("dict[str, Any]", document)]
    found = check_keys(document, _KEYS, ("name", *(kinds or ["encoder"]), "files"), DOCUMENT)
    if len(kinds) > 1:
        raise BundleError(
            f"{DOCUMENT} must hold one of {', '.join(map(repr, _KINDS))}. "
            f"Got {' and '.join(map(repr, kinds))}.",
            hint="Save the bundle again, or copy it again.",
        )
    return found


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
