"""Fixture files of losses: told apart by what is in them, not by what they are called."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sightline.losses.published import PUBLISHED

BATCH = {"sat", "grd", "meta"}
QUEUE = {"queue_init", "gps", "gps_all", "queue_after", "ptr_after", "img", "loc", "meta"}
MIXTURE = {"features", "W", "b", "kappa_param", "mus_deg", "labels_deg", "meta"}
SETTING = re.compile(r"_(a|w|hard|ls)([0-9.]+)")


@dataclass(frozen=True)
class LossFile:
    """A file: its arrays, and what ``meta`` says."""

    name: str
    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def tensor(self, name: str, dtype: torch.dtype = torch.float64) -> Tensor:
        return torch.tensor(self.arrays[name], dtype=dtype)

    @property
    def rows(self) -> int:
        return len(self.arrays["sat"])


@dataclass(frozen=True)
class LossCase:
    """One published loss on the batch of a file."""

    file: LossFile
    loss: str
    facts: dict[str, Any]
    function: str
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.file.name}:{self.loss}"

    def inputs(self, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return ground, aerial, which ask for gradients, and the negatives of those with any."""
        ground = self.file.tensor("grd", dtype).requires_grad_()
        aerial = self.file.tensor("sat", dtype).requires_grad_()
        separate = PUBLISHED[self.function].kind == "separate negatives"
        return ground, aerial, self.file.tensor("neg", dtype) if separate else None

    @property
    def gradients(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the published gradients of ground and aerial, where the file has them."""
        names = f"{self.loss}/grad_grd", f"{self.loss}/grad_sat"
        if not set(names) <= self.file.arrays.keys():
            return None
        return self.file.arrays[names[0]], self.file.arrays[names[1]]


def read_files(folder: Path, keys: set[str]) -> list[LossFile]:
    """Every file of ``folder/losses`` that has these keys."""
    found = []
    for path in sorted((folder / "losses").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            if set(file.files) >= keys:
                arrays = {name: file[name] for name in file.files if name != "meta"}
                found.append(LossFile(path.name, json.loads(str(file["meta"])), arrays))
    return found or pytest.skip(f"no file in {folder / 'losses'} has {sorted(keys)}")


def read_cases(folder: Path) -> list[LossCase]:
    """Every loss of every batch."""
    return [case for file in read_files(folder, BATCH) for case in _cases(file)]


def _cases(file: LossFile) -> Iterator[LossCase]:
    for loss, facts in file.meta["losses"].items():
        function, settings = parsed(loss)
        yield LossCase(file, loss, facts, function, settings)


def parsed(loss: str) -> tuple[str, dict[str, Any]]:
    """Return function and settings of a loss as the files call it: ``l2ltr_triplet_w10``."""
    function = max((name for name in PUBLISHED if loss.startswith(name)), key=len, default="")
    rest = loss.removeprefix(function)
    assert function, f"{loss} is a loss that the table lacks"
    assert SETTING.sub("", rest) == "", f"{rest} of {loss} is no setting"
    settings: dict[str, Any] = {}
    for letter, number in SETTING.findall(rest):
        if letter == "hard" and "." not in number:
            settings["hardest"] = int(number)
        else:
            field = {"a": "alpha", "w": "alpha", "hard": "share", "ls": "smoothing"}[letter]
            settings[field] = float(number)
    return function, settings
