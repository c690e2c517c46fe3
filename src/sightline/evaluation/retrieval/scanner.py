"""One block of references after the other, beside every block of queries.

A block of scores is computed in float32, which is fast, and every score that float32 cannot tell
from the threshold is computed again in float64, which decides. Nothing of size n x m is held.

What is computed again: scores within the tie tolerance and a guard band of the threshold. The guard
is four times the largest error of float32 seen on a sample of scores; every score that is computed
again checks it, and a block whose errors come near the guard is looked at again with a wider one.
So the result is exact unless float32 errs by four times what any score shows that is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.evaluation.retrieval.block_arithmetic import (
    above,
    only_in_second,
    pair_products,
    places,
    product,
    row_counts,
    total,
)
from sightline.evaluation.retrieval.intervals import Intervals, Markers, Pairs, Scan
from sightline.evaluation.retrieval.relevance import Indices
from sightline.evaluation.retrieval.space import PAIRS_BYTES, UNIT_ROUNDOFF_32, Space

_GUARD_OVER_SEEN = 4.0
_SAMPLE = 256
# A row with more undecided scores than one in so many is cheaper to compute again as a whole.
_DENSE = 64
_DENSE_BYTES = 96 * 2**20
_TINY = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Queries beside the references at hand.

    Attributes:
        numbers: int64 (a,), the queries.
        asked: (a, d).
        scores: float32 (a, b), scaled; -inf where a reference is left out.
        left_out: Where that is.
        places: Where the queries' intervals stand among all.
        slot: Which of their intervals it is.
        low: float64 (a,).
        high: float64 (a,).
        size: float64 (a,), what the error of a score may grow with.
    """

    numbers: Indices
    asked: torch.Tensor
    scores: torch.Tensor
    left_out: Pairs
    places: slice
    slot: int
    low: torch.Tensor
    high: torch.Tensor
    size: torch.Tensor


@dataclass(slots=True)
class Found:
    """What one look at a block counts.

    Attributes:
        better: int64 (a,).
        tied: int64 (a,).
        before: Markers and what is to be added to them.
        error: The largest relative error of float32 that was seen.
    """

    better: Indices
    tied: Indices
    before: list[tuple[Indices, Indices]]
    error: float = 0.0


class Scanner:
    """The block of references on the device, and what is counted with it."""

    def __init__(
        self,
        space: Space,
        intervals: Intervals,
        markers: Markers,
        counted: Scan,
        device: torch.device,
        size: int,
    ) -> None:
        self.space = space
        self.intervals = intervals
        self.markers = markers
        self.counted = counted
        self.device = device
        self.guard = 0.0
        self._slot_starts = np.searchsorted(
            intervals.slots, np.arange(1 + int(intervals.slots.max(initial=-1)) + 1)
        )
        self._scores = torch.empty(size, device=device)
        self._flags = torch.empty((2, size), dtype=torch.bool, device=device)
        self._resident = self._resident_queries()

    def take_references(self, first: int, last: int) -> None:
        """Bring the references of a block to the device, once."""
        space = self.space
        self.first, self.width = first, last - first
        self.given = self._on_device(space.references.rows(first, last))
        self.weights = self._tensor(space.weights[first:last])
        self.biases = None if space.biases is None else self._tensor(space.biases[first:last])
        # Weighted in float64: the weight of a short vector alone may be beyond float32.
        self.given32 = self.given.float() if space.plain else self._double_references().float()
        self.longest = float(space.score_norms[first:last].max())
        self.largest_bias = 0.0 if self.biases is None else float(self.biases.abs().max())
        if self.guard == 0.0:
            self.guard = self._first_guard()

    def _resident_queries(self) -> torch.Tensor | None:
        """All queries on an accelerator, if half of its free memory holds them."""
        if self.device.type != "cuda":
            return None
        count, dimension = self.space.queries.shape
        free, _ = torch.cuda.mem_get_info(self.device)
        if count * dimension * self.space.queries.dtype.itemsize > free // 2:
            return None
        return self._on_device(self.space.queries.rows(0, count))

    def _asked(self, start: int, stop: int) -> torch.Tensor:
        if self._resident is not None:
            return self._resident[start:stop]
        return self._on_device(self.space.queries.rows(start, stop))

    def _on_device(self, block: NDArray[np.floating]) -> torch.Tensor:
        # Torch warns of memory that may not be written, as that of mapped files.
        return torch.from_numpy(block if block.flags.writeable else block.copy()).to(self.device)

    def _single(self, asked: torch.Tensor) -> torch.Tensor:
        if self.space.query_scale == 1.0:
            return asked.float()
        return (asked.double() * self.space.query_scale).float()

    def _tensor(self, values: NDArray[np.float64] | Indices) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)

    def count(self, start: int, stop: int, left_out: Pairs) -> None:
        """Add what queries ``start`` to ``stop`` find among the references at hand."""
        asked = self._asked(start, stop)
        scores = self._scores[: (stop - start) * self.width].view(stop - start, self.width)
        product(self._single(asked), self.given32, scores)
        if self.biases is not None:
            scores += self.biases.float()
        if len(left_out.owners):
            scores[self._tensor(left_out.owners), self._tensor(left_out.members)] = -torch.inf
        for slot in range(len(self._slot_starts) - 1):
            block = self._block(asked, scores, left_out, start, slot)
            if block is not None:
                self._add(block, self._look(block))

    def _block(
        self,
        asked: torch.Tensor,
        scores: torch.Tensor,
        left_out: Pairs,
        start: int,
        slot: int,
    ) -> Block | None:
        """The queries that have such an interval, if there are any."""
        low, high = self._slot_starts[slot : slot + 2]
        owners = self.intervals.owners[low:high]
        inside = np.searchsorted(owners, (start, start + len(scores)))
        places = slice(int(low + inside[0]), int(low + inside[1]))
        numbers = self.intervals.owners[places]
        if not len(numbers):
            return None
        active = numbers - start
        if len(active) < len(scores):
            chosen = self._tensor(active)
            asked, scores = asked[chosen], scores[chosen]
            kept = np.isin(left_out.owners, active)
            rows = np.searchsorted(active, left_out.owners[kept])
            left_out = Pairs(rows, left_out.members[kept])
        size = self.space.query_norms[numbers] * self.longest + self.largest_bias
        return Block(
            numbers,
            asked,
            scores,
            left_out,
            places,
            slot,
            self._tensor(self.intervals.low[places]),
            self._tensor(self.intervals.high[places]),
            self._tensor(np.maximum(size, _TINY)),
        )

    def _add(self, block: Block, found: Found) -> None:
        self.counted.better[block.places] += found.better
        self.counted.tied[block.places] += found.tied
        for marks, count in found.before:
            self.counted.before[marks] += count

    def _look(self, block: Block) -> Found:
        """Count; look again, more widely, if float32 erred more than the sample showed."""
        while True:
            found = self._look_once(block)
            if 2.0 * found.error <= self.guard:
                return found
            self.guard = _GUARD_OVER_SEEN * found.error

    def _look_once(self, block: Block) -> Found:
        height = len(block.scores)
        first, second = self._flags[:, : height * self.width].view(2, height, self.width)
        reach = self.guard * block.size
        top, bottom = block.high + reach, block.low - reach
        sure = above(block.scores, top.float(), first)
        found = Found(row_counts(sure), np.zeros(height, np.int64), [])
        near = above(block.scores, bottom.float(), second, or_equal=True)
        undecided = only_in_second(sure, near)
        self._decide_dense(block, undecided, found)
        self._decide_pairs(block, undecided, found)
        return found

    def _decide_dense(self, block: Block, undecided: torch.Tensor, found: Found) -> None:
        """Decide rows that are full of near ties by a product in float64, and unmark them."""
        limit = max(self.width // _DENSE, 8)
        if total(undecided) <= limit:
            return
        rows = np.flatnonzero(row_counts(undecided) > limit)
        if not len(rows):
            return
        given = self._double_references()
        step = max(1, _DENSE_BYTES // (8 * self.width))
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            chosen = self._tensor(part)
            exact = torch.empty((len(part), self.width), dtype=torch.float64, device=self.device)
            product(self._double(block.asked[chosen]), given, exact)
            if self.biases is not None:
                exact += self.biases
            self._check_rows(block, chosen, exact, found)
            inside = np.isin(block.left_out.owners, part)
            place = np.searchsorted(part, block.left_out.owners[inside])
            exact[self._tensor(place), self._tensor(block.left_out.members[inside])] = -torch.inf
            flags = torch.empty((2, *exact.shape), dtype=torch.bool, device=self.device)
            better = above(exact, block.high[chosen], flags[0])
            equal = above(exact, block.low[chosen], flags[1], or_equal=True)
            found.better[part] = row_counts(better)
            equal = only_in_second(better, equal)
            found.tied[part] = row_counts(equal)
            self._order_rows(block, part, equal, found)
        undecided[self._tensor(rows)] = False

    def _check_rows(
        self, block: Block, chosen: torch.Tensor, exact: torch.Tensor, found: Found
    ) -> None:
        """Compare a few whole rows of float32 with float64."""
        few = chosen[:4]
        rough = block.scores[few].double()
        apart = (exact[: len(few)] - rough).abs()
        apart[torch.isinf(apart)] = 0.0  # left out
        found.error = max(found.error, float((apart.amax(dim=1) / block.size[few]).max()))

    def _decide_pairs(self, block: Block, undecided: torch.Tensor, found: Found) -> None:
        """Decide the few near ties of all other rows one by one, in float64."""
        every_row, every_column = places(undecided)
        step = max(1, PAIRS_BYTES // (16 * self.given.shape[1]))
        for start in range(0, len(every_row), step):
            row, column = every_row[start : start + step], every_column[start : start + step]
            exact = pair_products(
                block.asked, row, self.given, column, self.space.query_scale, self.weights[column]
            )
            if self.biases is not None:
                exact += self.biases[column]
            rough = block.scores[row, column].double()
            found.error = max(found.error, float(((exact - rough).abs() / block.size[row]).max()))
            better = (exact > block.high[row]).cpu().numpy()
            equal = ((exact >= block.low[row]).cpu().numpy()) & ~better
            rows, columns = row.cpu().numpy(), column.cpu().numpy()
            found.better += np.bincount(rows[better], minlength=len(found.better))
            found.tied += np.bincount(rows[equal], minlength=len(found.tied))
            self._order_pairs(block, rows[equal], columns[equal], found)

    def _double_references(self) -> torch.Tensor:
        given = self.given.double()
        return given if self.space.plain else given * self.weights[:, None]

    def _double(self, asked: torch.Tensor) -> torch.Tensor:
        return asked.double() * self.space.query_scale

    def _first_guard(self) -> float:
        """Four times the largest relative error of float32 on a sample, never below 4u."""
        queries = self.space.queries
        picked = _spread(queries.shape[0], _SAMPLE)
        columns = self._tensor(_spread(self.width, 2 * _SAMPLE))
        asked = self._on_device(queries.take(picked))
        rough = torch.empty((len(asked), len(columns)), device=self.device)
        product(self._single(asked), self.given32[columns], rough)
        exact = torch.empty(rough.shape, dtype=torch.float64, device=self.device)
        product(self._double(asked), self._double_references()[columns], exact)
        apart = (exact - rough.double()).abs().amax(dim=1)
        size = self._tensor(np.maximum(self.space.query_norms[picked] * self.longest, _TINY))
        return _GUARD_OVER_SEEN * max(float((apart / size).max()), UNIT_ROUNDOFF_32)

    def _marks(self, block: Block, numbers: Indices) -> Indices:
        """Markers of these queries (ascending) for the block's slot."""
        owners = self.markers.owners
        start = np.searchsorted(owners, numbers[0], side="left")
        stop = np.searchsorted(owners, numbers[-1], side="right")
        marks = np.arange(start, stop)
        wanted = self.markers.slots[marks] == block.slot
        chosen: Indices = marks[wanted & np.isin(owners[marks], numbers)]
        return chosen

    def _order_rows(self, block: Block, rows: Indices, equal: torch.Tensor, found: Found) -> None:
        """Count ties before the markers of whole rows: bool (a, b)."""
        if not len(self.markers.owners):
            return
        numbers = block.numbers[rows]
        marks = self._marks(block, numbers)
        row = np.searchsorted(numbers, self.markers.owners[marks])
        until = np.clip(self.markers.members[marks] - self.first, 0, self.width)
        running = torch.cumsum(equal, dim=1, dtype=torch.int32)
        last = running[self._tensor(row), self._tensor(np.maximum(until - 1, 0))].cpu().numpy()
        found.before.append((marks, np.where(until > 0, last, 0).astype(np.int64)))

    def _order_pairs(self, block: Block, rows: Indices, columns: Indices, found: Found) -> None:
        """Count ties before the markers of their queries: int64 (p,) each."""
        if not len(self.markers.owners) or not len(rows):
            return
        span = self.space.references.shape[0] + 1
        keys = np.sort(block.numbers[rows] * span + self.first + columns)
        marks = self._marks(block, np.unique(block.numbers[rows]))
        base = self.markers.owners[marks] * span
        count = np.searchsorted(keys, base + self.markers.members[marks])
        found.before.append((marks, count - np.searchsorted(keys, base)))


def _spread(count: int, most: int) -> Indices:
    """Up to ``most`` numbers of ``count``, evenly apart, int64 ascending."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
