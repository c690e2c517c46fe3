"""Ask a trained model about the test photos by every method, once."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from _global_joined import read_about
from _global_photos import PhotoSets
from sightline.benchmark import Ablation, evaluate_global
from sightline.benchmark.results import EvaluatedSet
from sightline.evaluation.localization import LocalizationSettings, errors_m
from sightline.training.run_folder import BUNDLE, RECIPE

SETS = ("training", "others")
"""What the sets of references are called: the training photos, and another collection."""

GUESSES = "guesses"
"""In place of a table's key: what is answered without a look at the photo."""

# Of the library's own intervals, which nothing here reads.
_FEW = LocalizationSettings(resamples=100)

Errors = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """What a system is asked by.

    Args:
        ablate: Tables besides that of the methods.
        sets: Whether the other collection is a set of references too, in a table of its own.
    """

    ablate: tuple[Ablation, ...] = ()
    sets: bool = False


@dataclass(frozen=True)
class Scores:
    """What a trial reached.

    Args:
        errors: By ``table|row``, kilometres (n,) of each test photo, infinite without an answer;
            a row that names a place for each radius stands as ``table|row|radius``.
        about: Parameters, durations, validation, what tables say besides.
    """

    errors: dict[str, Errors]
    about: dict[str, Any]


def answered(job: tuple[Path, PhotoSets, Asked, str]) -> Scores:
    """What a model's folder answers about the test photos, read if it is there."""
    folder, photos, asked, key = job
    torch.set_num_threads(1)
    errors, more = (folder / f"answers-{key}.{end}" for end in ("npz", "json"))
    if not more.is_file():
        found, told = _ask(folder, photos, asked)
        np.savez(errors, **found)
        more.write_text(json.dumps(told), encoding="utf-8")
    about = {**read_about(folder), **json.loads(more.read_text(encoding="utf-8"))}
    with np.load(errors) as arrays:
        return Scores({name: arrays[name] for name in arrays.files}, about)


def _ask(folder: Path, photos: PhotoSets, asked: Asked) -> tuple[dict[str, Errors], dict[str, Any]]:
    cpu = time.process_time()
    own = f"{photos.own}:train"
    is_run = (folder / RECIPE).is_file()

    def evaluated(references: Sequence[str], ablate: Sequence[Ablation]) -> EvaluatedSet:
        found = evaluate_global(
            folder if is_run else folder / BUNDLE,
            sets=[f"{photos.own}:test"],
            references=references,
            ablate=ablate,
            settings=_FEW,
            data=photos.own,
            device="cpu",
        )
        return found.sets[0]

    one = evaluated([own], asked.ablate)
    errors = _errors_of(one)
    told: dict[str, Any] = {"notes": _notes_of(one)}
    if asked.sets:
        several = evaluated([own, f"{photos.others}:references"], ["references"])
        sets = {x.name: label for x, label in zip(several.references, SETS, strict=True)}
        errors |= _errors_of(several, sets)
        shares = [(sets[share.name], share.to_json()) for share in several.shares]
        told["shares"] = [{**share, "name": name} for name, share in shares]
    told["ask_cpu_s"] = round(time.process_time() - cpu, 1)
    return errors, told


def _errors_of(one: EvaluatedSet, sets: Mapping[str, str] | None = None) -> dict[str, Errors]:
    """Kilometres by ``table|row``; see :class:`Scores`.

    Args:
        one: What became of the test photos.
        sets: What sets of references are called here: the table of them alone is wanted.
    """
    found = {}
    for table in one.tables:
        if sets is not None and table.key != "references":
            continue
        for number, row in enumerate(table.rows):
            answers = row.answers
            key = GUESSES if answers.kind == "guess" else table.key
            name = f"{key}|{_row_name(table.key, number, answers.name, sets or {})}"
            several = {f"{name}|{x:g}": points for x, points in answers.by_radius.items()}
            for where, points in (several or {name: answers.points}).items():
                found[where] = errors_m(points, one.queries.places) / 1000.0
    return found


def _row_name(table: str, number: int, name: str, sets: Mapping[str, str]) -> str:
    """The same for all systems: cells by their place in the order, from coarse to fine."""
    for known, label in sets.items():
        name = name.replace(known, label)
    if not name.endswith("cells"):
        return name
    method = name.split(",")[0]
    if table == "partitions":
        return f"{method}, level {number // 2 + 1}"
    return f"{method}, heaviest" if "heaviest" in name else method


def _notes_of(one: EvaluatedSet) -> dict[str, str]:
    """What is counted beside rows, and of the background collection."""
    found = {}
    for table in one.tables:
        if table.key == "background":
            found[table.key] = " ".join(table.notes)
        for number, row in enumerate(table.rows):
            if row.answers.kind == "within cell" and row.answers.note:
                name = _row_name(table.key, number, row.answers.name, {})
                found[f"{table.key}|{name}"] = row.answers.note
    return found
