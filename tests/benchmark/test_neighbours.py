"""The nearest references, against a loop over all of them."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.benchmark.neighbours import Neighbours, Search, merged
from sightline.benchmark.seen import References

from .worlds import queries, references, search

SETS = (references("a", 60, 1), references("b", 45, 2), references("c", 30, 3, placed=False))


@pytest.fixture(scope="module")
def found() -> Search:
    return search(queries(25, 5, broken=[4]), SETS)


def slow(
    given: Search, query: int, sets: list[int], *, background: bool, partition: int | None
) -> list[tuple[float, int, int]]:
    """(minus score, set, row) of all that may answer a query, the nearest first."""
    listed = []
    for number in sets:
        one = given.references[number]
        if partition is not None:
            beliefs = given.queries.beliefs[partition]
            cells = beliefs.partition.assign(one.places)
        for row in range(len(one)):
            if background and one.placed is not None and not one.placed[row]:
                continue
            if partition is not None and cells[row] != beliefs.cells[query, 0]:
                continue
            score = sum(
                float(a) * float(b)
                for a, b in zip(given.vectors[query], one.vectors[row], strict=True)
            )
            listed.append((-score, number, row))
    return sorted(listed)


def agree(given: Search, near: Neighbours, sets: list[int], **which: object) -> None:
    for query in range(len(given.queries)):
        wanted = slow(given, query, sets, **which)[: given.deepest]  # type: ignore[arg-type]
        if given.queries.broken[query]:
            wanted = []
        count = len(wanted)
        assert near.scores[query, :count] == pytest.approx([-one[0] for one in wanted], abs=1e-9)
        assert np.isnan(near.scores[query, count:]).all()
        assert np.isnan(near.places[query, count:]).all()
        assert (near.sets[query, count:] == -1).all()
        for column, (_, number, row) in enumerate(wanted):
            # Twins have one score; which of them comes first is not looked at here.
            same = np.flatnonzero(
                (given.references[number].vectors == given.references[number].vectors[row]).all(1)
            )
            assert near.sets[query, column] == number
            assert (
                near.places[query, column].tolist()
                in given.references[number].places[same].tolist()
            )


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("sets", [[0], [1], [2], [0, 1], [0, 1, 2]])
def test_sets_alone_and_together_are_searched_exactly(found, sets, background) -> None:
    near = found.anywhere(sets, background=background)
    agree(found, near, sets, background=background, partition=None)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("partition", [0, 1])
def test_within_a_cell_only_its_references_answer(found, partition, background) -> None:
    near = found.in_cells(partition, background=background)
    agree(found, near, [0, 1, 2], background=background, partition=partition)
    assert np.isnan(near.scores[:, 0]).any(), "some cells hold no reference"


def test_all_sets_are_those_by_their_numbers(found) -> None:
    assert np.array_equal(found.anywhere().scores, found.anywhere([0, 1, 2]).scores, equal_nan=True)


def test_twins_come_in_the_order_of_their_rows_and_sets() -> None:
    one = references("a", 10, 1, placed=False)
    again = References("again", one.vectors, one.places, None)
    near = search(queries(3, 5), (one, again), deepest=4).anywhere()
    # Rows 0 and 5 are twins, in both sets; the second query is that very vector.
    assert near.sets[1].tolist() == [0, 0, 1, 1]
    assert near.places[1].tolist() == [*one.places[[0, 5]].tolist()] * 2
    assert len(set(near.scores[1].tolist())) == 1


def test_a_search_is_done_once() -> None:
    told: list[tuple[int, int]] = []
    given = search(queries(6, 5), SETS[2:])
    given.progress = lambda done, total: told.append((done, total))
    first = given.anywhere()
    count = len(told)
    assert (6, 6) in told
    assert np.array_equal(first.scores, given.anywhere().scores, equal_nan=True)
    assert len(told) == count


def test_more_neighbours_than_references_are_padding() -> None:
    given = search(queries(4, 5), (references("few", 7, 3),), deepest=50)
    near = given.anywhere()
    assert near.scores.shape == (4, 50)
    assert (~np.isnan(near.scores)).sum(axis=1).tolist() == [7] * 4


def test_merging_keeps_the_nearest_and_shares_count_them() -> None:
    def part(scores: list[float], number: int) -> Neighbours:
        values = np.array([scores])
        places = np.where(np.isnan(values)[..., None], np.nan, float(number))
        places = np.broadcast_to(places, (1, len(scores), 2))
        return Neighbours(values, places, np.where(np.isnan(values), -1, number))

    near = merged([part([0.9, 0.5, np.nan], 0), part([0.9, 0.7, 0.1], 1)], 4)
    assert near.scores.tolist() == [[0.9, 0.9, 0.7, 0.5]]
    assert near.sets.tolist() == [[0, 1, 1, 0]]
    assert near.shares(2, 4).tolist() == [[0.5, 0.5]]
    assert near.shares(2, 3)[0] == pytest.approx([1 / 3, 2 / 3])
    assert near.first(1).places.tolist() == [[[0.0, 0.0]]]
    nothing = part([np.nan], 0)
    assert np.isnan(nothing.shares(2, 1)).all()
