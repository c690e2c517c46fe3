"""Fixture files of retrieval: told apart by what is in them, not by what they are called.

As with those of :mod:`.files`, a kind that a folder has no file of is a reason to skip.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.evaluation.retrieval.ranks import Ranks, rank
from sightline.evaluation.retrieval.relevance import Relevance

PAIRED = {"ground", "sat", "labels"}
SEVERAL = {"ground", "sat", "vigor_labels", "gallery_class", "query_class"}
ORIENTED = {"overhead", "surface", "orientation", "distance", "ranks"}
LAYOUTS = (PAIRED, SEVERAL, ORIENTED)
UNIVERSITY = ("university", "sample4geo_university")


@dataclass(frozen=True)
class Case:
    """One file: its arrays, what the published functions returned, and our ranks of it.

    ``sorted_ranks`` are those of the functions that know several positives and junk.
    """

    name: str
    arrays: dict[str, np.ndarray]
    meta: dict[str, Any]
    relevance: Relevance
    ranks: Ranks
    sorted_ranks: Ranks
    reverse: Ranks | None

    @property
    def results(self) -> dict[str, Any]:
        """What the published functions returned, by function: all of them, or a few."""
        return self.meta["results"]

    @property
    def kind(self) -> str:
        return self.meta.get("kind", "")

    @property
    def ties_matter(self) -> bool:
        """Whether what a sort returned depends on the order that it left ties in."""
        return self.meta.get("university_tie_order_dependent", False)

    @property
    def other_orders(self) -> dict[str, Any]:
        """What a sort would return that leaves ties in a stated order, by that order."""
        return self.meta.get("university_other_tie_orders") or {}

    @property
    def pair_distances(self) -> np.ndarray | None:
        """Euclidean distance of each pair (n,), in float64."""
        if "labels" not in self.arrays:
            return None
        ground = self.arrays["ground"].astype(np.float64)
        sat = self.arrays["sat"].astype(np.float64)[self.arrays["labels"]]
        return np.sqrt(((ground - sat) ** 2).sum(axis=1))


def read_files(folder: Path, keys: set[str]) -> dict[str, dict[str, np.ndarray]]:
    """Every file of ``folder/retrieval`` that has these keys."""
    found = {}
    for path in sorted((folder / "retrieval").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            if set(file.files) >= keys:
                found[path.name] = {name: file[name] for name in file.files}
    return found


def read_cases(folder: Path) -> list[Case]:
    """Every file of embeddings, ranked."""
    cases = [_paired(name, arrays) for name, arrays in read_files(folder, PAIRED).items()]
    cases += [_several(name, arrays) for name, arrays in read_files(folder, SEVERAL).items()]
    return cases or pytest.skip(f"no file of embeddings in {folder / 'retrieval'}")


def _paired(name: str, arrays: dict[str, np.ndarray]) -> Case:
    ground, sat = arrays["ground"], arrays["sat"]
    relevance = Relevance.from_indices(arrays["labels"], len(sat))
    ranks = rank(ground, sat, relevance, every_positive=True)
    reverse = rank(sat, ground, relevance.reversed())
    return Case(name, arrays, _meta(arrays), relevance, ranks, ranks, reverse)


def _several(name: str, arrays: dict[str, np.ndarray]) -> Case:
    ground, sat, labels = arrays["ground"], arrays["sat"], arrays["vigor_labels"]
    relevance = Relevance.from_indices(labels[:, 0], len(sat), semi_positives=labels[:, 1:])
    classes = Relevance.from_labels(arrays["query_class"], arrays["gallery_class"])
    return Case(
        name,
        arrays,
        _meta(arrays),
        relevance,
        rank(ground, sat, relevance),
        rank(ground, sat, classes, every_positive=True),
        None,
    )


def _meta(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return json.loads(str(arrays["meta"]))
