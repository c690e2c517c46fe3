"""Find, by measuring against the exact search, how hard the accelerator must look."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.accelerator import Accelerator, Effort, bitmap
from sightline.atlas.exact import exact_top
from sightline.atlas.segment import Segment

TARGET_RECALL = 0.95
DEPTHS = (20, 100, 1000)
"""How many nearest rows recall is measured for. A locator asks for 20; deeper ones are exact."""

# Photos of one place from other headings have whitened cosines of 0.4 and less; the first twenty
# rows, which a locator orders anew, must hold them too. Deeper lists are for what is near.
_SIMILARITIES = {20: (0.97, 0.8, 0.6, 0.4), 100: (0.97, 0.9, 0.8), 1000: (0.97, 0.9, 0.8)}
_QUERIES = 192
_QUERIES_WITHIN = 64
_CANDIDATES_PER_ROW = (2, 3, 4, 6, 8, 12, 16, 32)
# Asked from outside a part, all its rows are about equally far: the codes hardly tell them apart.
_CANDIDATES_WITHIN = (4, 8, 16, 32, 64, 128)
_MOST_CANDIDATES = 16_000
_SELECTIVITIES = (0.5, 0.9)
# Parts of one length differ in how hard they are: the hardest of several is what is stated.
_PARTS_PER_LENGTH = 4
# What reading one code and scoring one row exactly cost beside each other, roughly.
_CODES_PER_EXACT_ROW = 60
# The column of what is in none.
_NOWHERE = int(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Measured efforts of one accelerator.

    Attributes:
        everywhere: Effort per depth for searches in the whole atlas.
        within: Effort per depth for searches in a part of it; reads every list, so that recall
            does not hang on where the part lies. Empty where the target was not reached: then
            such searches are exact.
    """

    everywhere: tuple[Effort, ...]
    within: tuple[Effort, ...]

    def effort(self, depth: int, *, filtered: bool) -> Effort | None:
        """Return the least effort measured for ``depth`` rows or more, if there is one."""
        efforts = self.within if filtered else self.everywhere
        return next((e for e in efforts if e.depth >= depth), None)

    def to_json(self) -> dict[str, Any]:
        """Return plain numbers for the manifest."""
        return {
            "everywhere": [asdict(e) for e in self.everywhere],
            "within": [asdict(e) for e in self.within],
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Calibration:
        """Read what :meth:`to_json` gave; raises KeyError or TypeError."""
        return cls(
            everywhere=tuple(Effort(**e) for e in document["everywhere"]),
            within=tuple(Effort(**e) for e in document["within"]),
        )


def calibrate(
    segment: Segment,
    accelerator: Accelerator,
    *,
    exact_rows: int,
    target: float = TARGET_RECALL,
    seed: int = 0,
) -> Calibration:
    """Measure recall on perturbed rows and choose the cheapest effort that reaches the target.

    The queries are rows moved by isotropic noise to several cosines with themselves, in equal
    shares (``_SIMILARITIES``); each share must reach the target by itself.

    Args:
        segment: The indexed rows.
        accelerator: Their index.
        exact_rows: Parts of the atlas up to this size are scanned exactly, so the smallest part
            that the accelerator is asked about is this large.
        target: Mean recall to reach, at the similarity where it is lowest.
        seed: Of the queries.
    """
    rng = np.random.default_rng(seed)
    everywhere: list[Effort | None] = []
    within: list[Effort | None] = []
    depths = [d for d in DEPTHS if d <= len(segment) // 4]
    for similarities in dict.fromkeys(_SIMILARITIES[d] for d in depths):
        alike = [d for d in depths if _SIMILARITIES[d] == similarities]
        queries = perturbed_rows(segment, rng, similarities)
        truth, _ = exact_top(segment, queries, alike[-1])
        for depth in alike:
            chosen = _choose(queries, accelerator, truth[:, :depth], target, len(similarities))
            everywhere.append(chosen)
    if depths and len(segment) > exact_rows:
        lengths = (exact_rows, *(int(len(segment) * share) for share in _SELECTIVITIES))
        queries = perturbed_rows(segment, rng, _SIMILARITIES[depths[-1]], _QUERIES_WITHIN)
        runs = _measured_runs(segment, queries, depths[-1], lengths, rng)
        within = _choose_within(accelerator, runs, depths, target)
    return Calibration(
        tuple(e for e in everywhere if e is not None), tuple(e for e in within if e is not None)
    )


def perturbed_rows(
    segment: Segment,
    rng: np.random.Generator,
    similarities: tuple[float, ...],
    count: int = _QUERIES,
) -> NDArray[np.float32]:
    """Return sampled rows moved by noise, float32 (count, k), unit length.

    Row i has the cosine ``similarities[i % len(similarities)]`` with the row it was made of.
    """
    rows = np.sort(rng.choice(len(segment), min(count, len(segment)), replace=False))
    vectors = segment.vectors[rows].astype(np.float64)
    noise = rng.standard_normal(vectors.shape)
    noise -= vectors * (noise * vectors).sum(axis=1, keepdims=True)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    cosine = np.resize(similarities, len(rows))[:, None]
    moved = cosine * vectors + np.sqrt(1 - cosine**2) * noise
    moved /= np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(moved, np.float32)


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """Mean share of the positions of ``truth`` (q, k) that are in ``found`` (q, c); -1 is none."""
    return _share(_columns_of(truth, found), truth, found.shape[1])


def _columns_of(truth: NDArray[np.int64], found: NDArray[np.int64]) -> NDArray[np.int64]:
    """The first columns (q, k) of ``found`` (q, c) in which positions of ``truth`` (q, k) stand.

    Where one stands nowhere the column is beyond any number of columns that may be asked about:
    an index of few rows gives fewer than it was asked for.
    """
    queries, width = found.shape
    if not found.size:
        return np.full(truth.shape, _NOWHERE, np.int64)
    # One number for each query and position, so that all rows are looked through at once.
    span = max(int(found.max()), int(truth.max(initial=-1))) + 2
    first = np.arange(queries)[:, None] * span + 1
    numbers = (found + first).ravel()
    order = np.argsort(numbers, kind="stable")
    wanted = truth + first
    at = np.minimum(np.searchsorted(numbers, wanted, sorter=order), len(order) - 1)
    return np.asarray(np.where(numbers[order[at]] == wanted, order[at] % width, _NOWHERE))


def _share(columns: NDArray[np.int64], truth: NDArray[np.int64], width: int) -> float:
    """Mean share of ``truth`` (q, k) that stands in the first columns; of no truth it is 1."""
    real = truth >= 0
    hits = (real & (columns < width)).sum(axis=1)
    wanted = real.sum(axis=1)
    return float(np.where(wanted > 0, hits / np.maximum(wanted, 1), 1.0).mean())


def _choose(
    queries: NDArray[np.float32],
    accelerator: Accelerator,
    truth: NDArray[np.int64],
    target: float,
    kinds: int,
) -> Effort | None:
    """The cheapest effort that reaches the target for each of ``kinds`` interleaved kinds."""
    depth = truth.shape[1]
    per_list = accelerator.rows / accelerator.lists
    best: tuple[float, Effort] | None = None
    lists = 4
    while True:
        lists = min(lists * 2, accelerator.lists)
        proposed = accelerator.propose(queries, depth * _CANDIDATES_PER_ROW[-1], lists=lists)
        columns = _columns_of(truth, proposed)
        for factor in _CANDIDATES_PER_ROW:
            share = min(
                _share(columns[kind::kinds], truth[kind::kinds], depth * factor)
                for kind in range(kinds)
            )
            if share >= target:
                cost = lists * per_list + _CODES_PER_EXACT_ROW * depth * factor
                if best is None or cost < best[0]:
                    best = cost, Effort(depth, lists, depth * factor, share)
                break
        too_many = best is not None and lists * per_list > best[0]
        if too_many or lists == accelerator.lists:
            return None if best is None else best[1]


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What is nearest inside one part of the atlas."""

    queries: NDArray[np.float32]
    allowed: NDArray[np.uint8]
    truth: NDArray[np.int64]


def _measured_runs(
    segment: Segment,
    queries: NDArray[np.float32],
    depth: int,
    lengths: tuple[int, ...],
    rng: np.random.Generator,
) -> list[_Run]:
    runs = []
    for length in (length for length in lengths for _ in range(_PARTS_PER_LENGTH)):
        start = int(rng.integers(0, len(segment) - length))
        truth, _ = exact_top(segment, queries, depth, rows=slice(start, start + length))
        allowed = bitmap(np.arange(start, start + length), len(segment))
        runs.append(_Run(queries, allowed, truth))
    return runs


def _choose_within(
    accelerator: Accelerator, runs: list[_Run], depths: list[int], target: float
) -> list[Effort | None]:
    """For each depth the effort whose worst recall over all runs is enough."""
    factors = {d: [f for f in _CANDIDATES_WITHIN if d * f <= _MOST_CANDIDATES] for d in depths}
    shares = {d: np.ones(len(factors[d])) for d in depths}
    most = max(d * factors[d][-1] for d in depths)
    for run in runs:
        # Reading every list costs most and serves all depths: fewer candidates come first in more.
        proposed = accelerator.propose(
            run.queries, most, lists=accelerator.lists, allowed=run.allowed
        )
        for depth, least in shares.items():
            truth = run.truth[:, :depth]
            columns = _columns_of(truth, proposed)
            found = [_share(columns, truth, depth * f) for f in factors[depth]]
            shares[depth] = np.minimum(least, found)
    chosen: list[Effort | None] = []
    for depth, least in shares.items():
        reached = np.flatnonzero(least >= target)
        first = int(reached[0]) if len(reached) else None
        chosen.append(
            None
            if first is None
            else Effort(
                depth, accelerator.lists, depth * factors[depth][first], float(least[first])
            )
        )
    return chosen
