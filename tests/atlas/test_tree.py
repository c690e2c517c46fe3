"""The search tree: against a slow descent, against the exact search, and on hard rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.atlas.structure import nearest
from sightline.atlas.tree import SearchTree, TreeSettings
from sightline.atlas.tree_growth import grow_tree
from sightline.errors import UsageError, VectorError


def rows(count: int, d: int = 16, *, themes: int = 40, seed: int = 0) -> np.ndarray:
    """Clustered unit vectors, float16 (count, d)."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((themes, d))
    made = centres[rng.integers(0, themes, count)] + 0.5 * rng.standard_normal((count, d))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16)


def asked(of: np.ndarray, count: int, *, noise: float = 0.1, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    chosen = of[rng.choice(len(of), count)].astype(np.float32)
    moved = chosen + noise * rng.standard_normal(chosen.shape).astype(np.float32)
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)


def exact(of: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    scores = queries.astype(np.float64) @ of.astype(np.float64).T
    return np.array([np.lexsort((np.arange(len(of)), -row))[:k] for row in scores])


def squared(query: np.ndarray, mean: np.ndarray) -> float:
    return float(((query.astype(np.float64) - mean.astype(np.float64)) ** 2).sum())


def slow_beam(tree: SearchTree, query: np.ndarray, beam: int) -> tuple[set[int], int]:
    """Leaves that a beam reaches and distances to means, node by node as the text tells it."""
    greedy, others, compared = 0, [], 0
    gap = {0: 0.0}
    while tree.child_count[[greedy, *others]].any():
        next_greedy, pool = greedy, [n for n in others if not tree.child_count[n]]
        for node in [greedy, *others]:
            first, count = tree.first_child[node], tree.child_count[node]
            children = list(range(first, first + count))
            compared += count
            gap |= {child: squared(query, tree.means[child]) for child in children}
            if node == greedy and children:
                next_greedy = min(children, key=lambda n: (gap[n], n))
            pool += children
        greedy = next_greedy
        pool = sorted((n for n in pool if n != greedy), key=lambda n: (gap[n], n))
        others = pool[: beam - 1]
    return {greedy, *others}, compared


def leaves_of(tree: SearchTree) -> np.ndarray:
    return np.flatnonzero(tree.child_count == 0)


def rows_in(tree: SearchTree, leaves: set[int]) -> set[int]:
    return {int(p) for n in leaves for p in tree.order[tree.starts[n] : tree.stops[n]]}


@pytest.fixture(scope="module")
def cloud() -> np.ndarray:
    return rows(3000)


@pytest.mark.parametrize(("k", "leaf"), [(2, 20), (3, 100), (8, 30), (50, 5)])
@pytest.mark.parametrize("beam", [1, 2, 7])
def test_descent_equals_a_slow_one(cloud, k, leaf, beam):
    tree = grow_tree(cloud, TreeSettings(k=k, leaf=leaf, beam=beam))
    queries = asked(cloud, 25)
    found = tree.candidates(queries, 1)
    for query, places, comparisons in zip(queries, found.positions, found.comparisons, strict=True):
        leaves, compared = slow_beam(tree, query, beam)
        assert set(places[places >= 0].tolist()) == rows_in(tree, leaves)
        assert comparisons == compared + len(rows_in(tree, leaves))


def test_greedy_descent_costs_k_means_a_level_and_one_bucket(cloud):
    tree = grow_tree(cloud, TreeSettings(k=4, leaf=50))
    found = tree.candidates(asked(cloud, 200), 1)
    assert found.comparisons.max() <= 4 * tree.levels + 50
    assert found.comparisons.max() < len(cloud) / 10


@given(
    st.integers(1, 300),
    st.integers(2, 9),
    st.integers(1, 40),
    st.integers(1, 5),
    st.integers(0, 99),
)
@settings(max_examples=40, deadline=None)
def test_a_tree_holds_every_row_once_and_a_beam_over_all_is_exact(count, k, leaf, distinct, seed):
    made = rows(count, 6, themes=5, seed=seed)
    # Many equal rows: the clusterings must end.
    repeated = np.random.default_rng(seed).random(count) < 0.4
    made[repeated] = made[np.random.default_rng(seed).integers(0, distinct, count) % count][
        repeated
    ]
    tree = grow_tree(made, TreeSettings(k=k, leaf=leaf, beam=1 << 20, seed=seed))
    assert sorted(tree.order.tolist()) == list(range(count))
    leaves = leaves_of(tree)
    assert tree.leaves == len(leaves)
    assert sum(tree.stops[leaves] - tree.starts[leaves]) == count
    for leaf_node in leaves:
        inside = tree.order[tree.starts[leaf_node] : tree.stops[leaf_node]]
        assert (np.diff(inside) > 0).all()
        alike = len(np.unique(made[inside], axis=0)) == 1
        assert len(inside) <= max(leaf, 1) or alike or tree.levels == 64
    queries = asked(made, 5, seed=seed)
    found = nearest(tree, made, queries, 10)
    scores = np.sort(queries @ made.astype(np.float32).T, axis=1)[:, ::-1][:, :10]
    np.testing.assert_allclose(found.scores[:, : scores.shape[1]], scores, atol=1e-6)
    assert (found.positions[:, count:] == -1).all()


@pytest.mark.parametrize("beam", [1, 3, 16])
def test_a_row_finds_itself(cloud, beam):
    tree = grow_tree(cloud, TreeSettings(k=8, leaf=20, beam=beam))
    found = nearest(tree, cloud, cloud[::10].astype(np.float32), 1)
    missed = (found.positions[:, 0] != np.arange(0, 3000, 10)).mean()
    # Some rows lie within rounding of the middle between two means.
    assert missed <= 0.01


def test_a_wider_beam_reaches_more_and_costs_more(cloud):
    queries = asked(cloud, 100, noise=0.2)
    truth = exact(cloud, queries, 10)
    tree = grow_tree(cloud, TreeSettings(k=4, leaf=30))
    shares, costs = [], []
    for beam in (1, 4, 16, 64):
        wide = SearchTree(TreeSettings(k=4, leaf=30, beam=beam), **tree.arrays())
        found = nearest(wide, cloud, queries, 10)
        shares.append(
            np.mean([np.isin(t, f).mean() for t, f in zip(truth, found.positions, strict=True)])
        )
        costs.append(found.comparisons.mean())
    assert shares == sorted(shares)
    assert costs == sorted(costs)
    assert shares[0] < 0.8
    assert shares[-1] > 0.95


def test_every_query_gets_as_many_rows_as_it_asks_for(cloud):
    tree = grow_tree(cloud, TreeSettings(k=8, leaf=10))
    found = tree.candidates(asked(cloud, 20), 500)
    assert ((found.positions >= 0).sum(axis=1) >= 500).all()
    everything = nearest(tree, cloud[:], asked(cloud, 3), 5000)
    assert ((everything.positions >= 0).sum(axis=1) == 3000).all()
    assert np.isneginf(everything.scores[:, 3000:]).all()


@pytest.mark.parametrize("count", [1, 2, 5000])
def test_equal_rows_stay_in_one_bucket(count):
    equal = np.repeat(rows(1), count, axis=0)
    tree = grow_tree(equal, TreeSettings(k=8, leaf=4))
    found = nearest(tree, equal, equal[:2].astype(np.float32), 3)
    assert found.positions[0].tolist() == [*range(min(count, 3)), -1, -1][:3]
    assert tree.levels <= 1


def test_depth_is_the_number_of_divisions(cloud):
    for depth in (0, 1, 2):
        tree = grow_tree(cloud, TreeSettings(k=3, leaf=1, depth=depth))
        assert tree.levels == depth
        assert tree.leaves == 3**depth


def test_the_same_seed_gives_the_same_tree_and_float32_the_tree_of_halves(cloud):
    first, second = (grow_tree(cloud, TreeSettings(seed=3, leaf=40)) for _ in range(2))
    other = grow_tree(cloud, TreeSettings(seed=4, leaf=40))
    wide = grow_tree(cloud.astype(np.float32), TreeSettings(seed=3, leaf=40))
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array, second.arrays()[name])
        np.testing.assert_array_equal(array, wide.arrays()[name])
    assert first.order.tolist() != other.order.tolist()


def test_progress_ends_with_all_rows(cloud):
    told = []
    grow_tree(cloud, TreeSettings(leaf=500), progress=lambda *now: told.append(now))
    assert told[-1] == ("growing the tree", 3000, 3000)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_no_queries(cloud):
    tree = grow_tree(cloud, TreeSettings())
    assert nearest(tree, cloud, np.empty((0, 16), np.float32), 3).positions.shape == (0, 3)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        *[("k", 1), ("k", 1025), ("k", 2.5), ("k", True), ("leaf", 0), ("beam", 0)],
        *[("depth", -1), ("depth", 65), ("seed", -1)],
    ],
)
def test_settings_out_of_range(setting, value):
    with pytest.raises(UsageError, match=f"{setting} must be"):
        TreeSettings(**{setting: value})


def test_what_cannot_be_asked(cloud):
    tree = grow_tree(cloud, TreeSettings())
    with pytest.raises(UsageError, match="k must be"):
        nearest(tree, cloud, asked(cloud, 1), 0)
    with pytest.raises(UsageError, match=r"built of 3000 rows\. Got 2999"):
        nearest(tree, cloud[1:], asked(cloud, 1), 1)
    with pytest.raises(VectorError, match=r"shape \(q, 16\)"):
        nearest(tree, cloud, np.zeros((1, 15), np.float32), 1)
    with pytest.raises(VectorError, match="Row 1 has NaN"):
        tree.candidates(np.array([[0.0] * 16, [np.nan] * 16], np.float32), 1)
    for bad in (np.zeros((0, 4), np.float16), np.zeros(4, np.float16), np.zeros((2, 2))):
        with pytest.raises(VectorError, match="Rows must be"):
            grow_tree(bad, TreeSettings())
