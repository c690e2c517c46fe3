"""Write a benchmark's numbers beside what they were measured on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("sightline", "numpy", "torch", "timm", "faiss-cpu", "pylance", "pillow")


def record(name: str, payload: dict[str, Any]) -> Path:
    """Write ``benchmarks/results/NAME.json``: payload, command, machine, versions, commit."""
    RESULTS.mkdir(exist_ok=True)
    document = {
        "benchmark": name,
        "command": " ".join(["python", *(_relative(a) for a in sys.argv)]),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": _machine(),
        "versions": {"python": platform.python_version(), **_versions()},
        **payload,
    }
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _relative(argument: str) -> str:
    path = Path(argument)
    return os.path.relpath(path) if path.is_absolute() and path.exists() else argument


def commit() -> str:
    here = Path(__file__).parent
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=here,
        check=False,
    ).stdout.strip()
    dirty = subprocess.run(
        # The records of other benchmarks change nothing that is measured.
        ["git", "status", "--porcelain", "-uno", "--", ":/", ":!results"],
        capture_output=True,
        text=True,
        cwd=here,
        check=False,
    ).stdout.strip()
    return head + ("+changes" if dirty else "")


def _machine() -> dict[str, Any]:
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        model = names[0].split(":", 1)[1].strip() if names else model
    return {"processor": model, "cores": os.cpu_count(), "system": platform.system()}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
