"""Pairs of the planet, made once, and a run on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from sightline.training.cross_view.pair_data import PairData, read_pairs
from sightline.training.loops.task import Validation
from sightline.training.loops.watching import Silent, StepReport
from sightline.training.sources import open_data

from .photo_sets import manifest_of, rows_of_photos
from .recipes import tiny


@dataclass
class Listener:
    """A watcher that keeps what it is told."""

    steps: list[StepReport] = field(default_factory=list)
    validations: list[tuple[str, int, Validation, bool]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    prepared: dict[str, int] = field(default_factory=dict)

    def step(self, report: StepReport) -> None:
        self.steps.append(report)

    def validation(self, stage: str, epoch: int, found: Validation, *, best: bool) -> None:
        self.validations.append((stage, epoch, found, best))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def preparing(self, what: str, done: int, total: int) -> None:
        self.prepared[what] = total


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(autouse=True)
def one_thread() -> None:
    # Networks of a few thousand weights are slower on several threads.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def planet_pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 pairs of the planet: 56 to train on, 8 to select, 16 to test."""
    folder = tmp_path_factory.mktemp("planet")
    open_data(tiny(), folder, folder, Silent())
    return folder


@pytest.fixture(scope="session")
def pair_data(planet_pairs: Path) -> PairData:
    return read_pairs(open_data(tiny(), planet_pairs, planet_pairs, Silent()), tiny())


@pytest.fixture(scope="session")
def photo_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of 96 photos: 64 to train on, 16 to select, 16 to test."""
    root = tmp_path_factory.mktemp("photos")
    manifest_of(root, rows_of_photos(root))
    return root / "manifest"
