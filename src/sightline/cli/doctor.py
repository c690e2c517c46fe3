"""``sightline doctor``: what is installed, which extras, what the machine can do."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from importlib import metadata
from typing import Annotated, Any

import typer

from sightline import __version__
from sightline.cli.console import say, say_json

# What each extra is known by: the module to look for, and what it gives.
EXTRAS = {
    "figures": ("matplotlib", "figures of evaluation reports"),
    "heif": ("pillow_heif", "HEIC photos of phones"),
    "aerial": ("rasterio", "GeoTIFF and COG imagery"),
    "train": ("lightning", "training"),
    "serve": ("fastapi", "the HTTP service"),
    "ray": ("ray", "atlases built on several machines"),
    "onnx": ("onnxruntime", "ONNX encoders"),
}
BASE = (
    "numpy",
    "scipy",
    "pillow",
    "pyproj",
    "shapely",
    "pyarrow",
    "pylance",
    "faiss-cpu",
    "torch",
    "timm",
    "openvino",
)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what is installed, which extras, and what this machine can do.

    Example: `sightline doctor --json`
    """
    report = examine()
    if as_json:
        say_json(report)
        return
    say(f"sightline {report['sightline']}   Python {report['python']}   {report['system']}")
    for package, version in report["packages"].items():
        say(f"  {package:<12} {version or 'not installed'}")
    say("extras")
    for extra in report["extras"]:
        state = extra["version"] or f'not installed: pip install "sightline[{extra["extra"]}]"'
        say(f"  {extra['extra']:<12} {extra['for']}: {state}")
    say("machine")
    for name, value in report["machine"].items():
        say(f"  {name.replace('_', ' '):<22} {value}")
    say("images")
    for name, able in report["images"].items():
        say(f"  {name:<12} {'yes' if able else 'no'}")


def examine() -> dict[str, Any]:
    """Return the facts that :func:`doctor` prints."""
    return {
        "sightline": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: _version(name) for name in BASE},
        "extras": [
            {"extra": extra, "for": purpose, "version": _module_version(module)}
            for extra, (module, purpose) in EXTRAS.items()
        ],
        "machine": _machine(),
        "images": _formats(),
    }


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _module_version(module: str) -> str | None:
    if importlib.util.find_spec(module) is None:
        return None
    names = metadata.packages_distributions().get(module, [module])
    return _version(names[0])


def _machine() -> dict[str, Any]:
    import torch

    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cuda = torch.cuda.is_available()
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory_gib, 1),
        "byte_order": sys.byteorder,
        "torch_threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name(0) if cuda else None,
    }


def _formats() -> dict[str, bool]:
    from PIL import features

    names = {
        "jpeg": "jpg",
        "jpeg turbo": "libjpeg_turbo",
        "webp": "webp",
        "avif": "avif",
        "tiff": "libtiff",
    }
    found = {name: bool(features.check(key)) for name, key in names.items()}
    found["heic"] = importlib.util.find_spec("pillow_heif") is not None
    return found
