"""A run's folder: the recipe, what it ran on, logs, checkpoints, the bundle, the test.

::

    recipe.toml          every key
    run.json             versions, machine, data, durations, how it ended
    log.csv              a line every few steps
    validations.csv      a line for each validation
    tensorboard/         the same for TensorBoard
    checkpoints/         last.safetensors to resume from, best.safetensors the selected weights
    super_batches.parquet    clusters, if there were some
    features.arrow       stored vectors of photos, if something was trained on them
    bundle/              the model, with its card
    test.json            the one evaluation on the test split
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from sightline.durable import make_folder, remove_leftovers, write_json, write_text
from sightline.errors import CheckpointError, OutputError, RecipeError
from sightline.training.recipe import R, Recipe, read_recipe
from sightline.training.sources import DATA, MANIFEST
from sightline.version import __version__

SCHEMA = "sightline.run/1"
RECIPE = "recipe.toml"
RUN = "run.json"
TEST = "test.json"
BUNDLE = "bundle"
CARD = "README.md"
"""The bundle's card for people."""

FINISHED, FAILED = "finished", "failed"
"""How a run ended, as ``run.json`` says: at its end, or with numbers that are not finite."""

_PACKAGES = ("torch", "timm", "numpy", "scipy", "scikit-learn", "pillow", "safetensors")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run's folder, made or opened.

    Args:
        path: Where it is.
    """

    path: Path

    @classmethod
    def begin(cls, path: Path, recipe: Recipe, *, resume: bool) -> RunFolder:
        """Make a run's folder, or go on with one.

        Raises:
            OutputError: It holds something already, and ``resume`` is not asked for.
            CheckpointError: It is to be resumed and holds another recipe, or none.
        """
        folder = cls(path)
        if resume:
            changed = folder._require_same(recipe)
            if folder.finished:
                return folder
            if changed:
                about = folder.about()
                change = {"after": about.get("error"), "keys": changed}
                folder.record(changed=[*about.get("changed", []), change])
        else:
            folder._make_new()
        write_text(path / RECIPE, recipe.to_toml())
        return folder

    def _make_new(self) -> None:
        make_folder(self.path)
        remove_leftovers(self.path)
        names = {entry.name for entry in self.path.iterdir()}
        # Of a try that was refused before its data were ready, the data alone are worth keeping.
        refused = RECIPE in names and names <= {RECIPE, MANIFEST, DATA}
        if names and not refused:
            raise OutputError(
                f"{str(self.path)!r} is not empty.",
                hint="Go on with it by --resume, or choose another --out.",
                path=self.path,
            )
        if refused:
            shutil.rmtree(self.path / MANIFEST, ignore_errors=True)

    def recipe(self, kind: type[R]) -> R:
        """The run's recipe; raises RecipeError if it cannot be read."""
        return read_recipe(kind, self.path / RECIPE)

    def record(self, **values: Any) -> None:
        """Write values into ``run.json``, beside those that are there."""
        write_json(self.path / RUN, {**self.about(), **values})

    def about(self) -> dict[str, Any]:
        """What ``run.json`` says; the empty beginning if there is none."""
        file = self.path / RUN
        if not file.is_file():
            return {"schema": SCHEMA}
        try:
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as cause:
            raise CheckpointError(
                f"{str(file)!r} cannot be read: {cause}.",
                hint="Begin the run anew.",
                path=file,
            ) from cause
        return found

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self.about().get("status") == FINISHED

    def _require_same(self, recipe: Recipe) -> dict[str, list[Any]]:
        """What is another in a run that diverged, before and now; all else must be the same."""
        try:
            known = self.recipe(type(recipe)).to_dict()
        except RecipeError as error:
            raise CheckpointError(
                f"{str(self.path)!r} holds no run to resume: {error.message}",
                hint="Leave out --resume to begin one.",
                path=self.path,
            ) from error
        failed = self.about().get("status") == FAILED
        changed = {}
        for key, value in recipe.to_dict().items():
            if known[key] == value or key in _MAY_CHANGE:
                continue
            if failed and key in _AGAINST_DIVERGENCE:
                changed[key] = [known[key], value]
            else:
                raise CheckpointError(
                    f"The run in {str(self.path)!r} has {key} = {known[key]!r}, and {value!r} is "
                    "asked for.",
                    hint="Resume with the recipe and the --set of the run, or begin another.",
                    path=self.path,
                )
        return changed


_MAY_CHANGE = frozenset(
    {"workers", "log_steps", "checkpoint_minutes", "data", "bad_images", "chunk_size"}
)
"""Keys that may be another when a run is resumed: none of them changes what is learnt, if the data,
whose fingerprint is compared, has only moved. Chunks round otherwise, and batch norms see them.
"""

_AGAINST_DIVERGENCE = frozenset(
    {"learning_rate", "second_learning_rate", "backbone_rate", "clip_norm", "precision"}
)
"""Keys that may be another when a run is resumed that diverged; ``run.json`` lists the change."""


def surroundings() -> dict[str, Any]:
    """What a run ran on: versions, machine, commit, time."""
    cuda = torch.cuda.is_available()
    return {
        "sightline_version": __version__,
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {
            "system": platform.platform(),
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "gpu": torch.cuda.get_device_name() if cuda else None,
        },
        "commit": _commit(),
        "begun_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of the code, if it runs from a checkout."""
    git = shutil.which("git")
    root = Path(__file__).resolve().parents[3]
    if git is None or not (root / ".git").exists():
        return None
    answer = subprocess.run(  # noqa: S603 - a fixed command
        [git, "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or None
