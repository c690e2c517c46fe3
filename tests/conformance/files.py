"""Fixture files that hold cases: found by what is in them, not by what they are called."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def cases(folder: Path, keys: set[str]) -> Iterator[tuple[str, dict, dict[str, np.ndarray]]]:
    """Every case of every file in ``folder/geo`` whose cases all have ``keys``.

    Yields:
        A name for messages, the facts that ``meta`` holds of the case, and its arrays.
    """
    found = 0
    for path in sorted((folder / "geo").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            names = {name for name in file.files if "/" in name}
            prefixes = sorted({name.split("/")[0] for name in names})
            if not prefixes or any({f"{p}/{key}" for key in keys} - names for p in prefixes):
                continue
            facts = {case["case"]: case for case in json.loads(file["meta"].item())["cases"]}
            assert len(facts) == len(prefixes), f"{path.name} lacks cases that it names"
            for prefix in prefixes:
                number = int(prefix.lstrip("abcdefghijklmnopqrstuvwxyz"))
                arrays = {key: file[f"{prefix}/{key}"] for key in keys}
                found += 1
                yield f"{path.name}:{prefix}", facts[number], arrays
    assert found, f"no file in {folder / 'geo'} has cases with {sorted(keys)}"
