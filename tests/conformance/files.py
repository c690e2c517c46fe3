"""Fixture files of ``geo``: found by what is in them, not by what they are called.

A folder that has no file of some kind has nothing for a test to disagree with: the test is skipped.
That the shared folder has them all is for ``test_shared_set.py``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

DISTANCES = {"latlon1", "latlon2", "meta"}
THRESHOLDS = {"distances_km", "meta"}
GRID = {"gps", "dist", "coarse_index_1based", "fine_mode", "output"}
CLUSTERS = {"candidates", "similarities", "labels", "pred"}
DENSITY = {"coords", "probs", "density_default", "density_custom"}


@dataclass(frozen=True)
class GeoFile:
    """A file that is one case: its arrays, and what ``meta`` says."""

    name: str
    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]


@dataclass(frozen=True)
class GeoCase:
    """One of several cases of a file: what ``meta`` says of it and of the file, and its arrays."""

    name: str
    facts: dict[str, Any]
    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]


def files(folder: Path, keys: set[str]) -> list[GeoFile]:
    """Every file of ``folder/geo`` that has these keys."""
    found = []
    for path in sorted((folder / "geo").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            if set(file.files) >= keys:
                arrays = {name: file[name] for name in file.files if name != "meta"}
                found.append(GeoFile(path.name, json.loads(str(file["meta"])), arrays))
    return found or pytest.skip(f"no file in {folder / 'geo'} has {sorted(keys)}")


def cases(folder: Path, keys: set[str]) -> list[GeoCase]:
    """Every case of every file in ``folder/geo`` whose cases all have ``keys``."""
    found = []
    for path in sorted((folder / "geo").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            names = {name for name in file.files if "/" in name}
            prefixes = sorted({name.split("/")[0] for name in names})
            if not prefixes or any({f"{p}/{key}" for key in keys} - names for p in prefixes):
                continue
            meta = json.loads(str(file["meta"]))
            facts = {case["case"]: case for case in meta["cases"]}
            assert len(facts) == len(prefixes), f"{path.name} lacks cases that it names"
            for prefix in prefixes:
                number = int(prefix.lstrip("abcdefghijklmnopqrstuvwxyz"))
                arrays = {key: file[f"{prefix}/{key}"] for key in keys}
                found.append(GeoCase(f"{path.name}:{prefix}", facts[number], meta, arrays))
    return found or pytest.skip(f"no file in {folder / 'geo'} has cases with {sorted(keys)}")
