"""Hash tables: against a slow bucket by bucket look-up, theory, and every refusal."""

from __future__ import annotations

from itertools import combinations, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.atlas.hashing import HashSettings, HashTables, _perturbations, fill_tables
from sightline.atlas.structure import nearest
from sightline.atlas.tree import TreeSettings
from sightline.atlas.tree_growth import grow_tree
from sightline.errors import UsageError, VectorError

from .test_tree import asked, exact, rows


@pytest.fixture(scope="module")
def cloud() -> np.ndarray:
    return rows(2000)


def signs(vectors: np.ndarray, normals: np.ndarray) -> np.ndarray:
    return vectors.astype(np.float32) @ normals.T > 0


def test_the_rows_of_ones_own_bucket_in_every_table(cloud):
    tables = fill_tables(cloud, HashSettings(tables=5, bits=6))
    queries = asked(cloud, 20)
    found = tables.candidates(queries, 0)
    for query, places, comparisons in zip(queries, found.positions, found.comparisons, strict=True):
        alike: set[int] = set()
        for normals in tables.hyperplanes:
            same = (signs(cloud, normals) == signs(query[None], normals)).all(axis=1)
            alike |= set(np.flatnonzero(same).tolist())
        assert set(places[places >= 0].tolist()) == alike
        assert comparisons == 5 * 6 + len(alike)


def test_more_probes_read_the_buckets_of_the_least_certain_bits(cloud):
    tables = fill_tables(cloud, HashSettings(tables=1, bits=5, probes=4))
    (query,) = asked(cloud, 1)
    margins = np.abs(query @ tables.hyperplanes[0].T)
    own = signs(query[None], tables.hyperplanes[0])[0]
    costs = {
        flips: sum(margins[list(flips)] ** 2)
        for size in range(6)
        for flips in combinations(range(5), size)
    }
    read: set[int] = set()
    for flips in sorted(costs, key=costs.__getitem__)[:4]:
        bits = own.copy()
        bits[list(flips)] ^= True
        same = (signs(cloud, tables.hyperplanes[0]) == bits).all(axis=1)
        read |= set(np.flatnonzero(same).tolist())
    places = tables.candidates(query[None], 0).positions[0]
    assert set(places.tolist()) - {-1} == read


@given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=7))
@settings(max_examples=60, deadline=None)
def test_perturbations_are_all_sets_in_the_order_of_their_cost(margins):
    squares = np.array(margins, np.float64) ** 2
    found = list(_perturbations(np.array(margins, np.float32)))
    assert sorted(found) == list(range(2 ** len(margins)))
    costs = [sum(s for i, s in enumerate(squares) if flips >> i & 1) for flips in found]
    assert np.all(np.diff(costs) >= -1e-9)
    assert next(iter(islice(_perturbations(np.ones(3, np.float32)), 1))) == 0


def test_one_bit_agrees_as_charikar_says():
    rng = np.random.default_rng(0)
    first, other = rng.standard_normal((2, 400, 32)).astype(np.float32)
    cosine = 0.8
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    other -= first * (first * other).sum(axis=1, keepdims=True)
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    second = cosine * first + np.sqrt(1 - cosine**2) * other
    normals = fill_tables(first, HashSettings(tables=10, bits=20)).hyperplanes.reshape(-1, 32)
    agreed = (signs(first, normals) == signs(second, normals)).mean()
    assert agreed == pytest.approx(1 - np.arccos(cosine) / np.pi, abs=0.01)


def test_more_tables_and_more_probes_find_more(cloud):
    queries = asked(cloud, 100)
    truth = exact(cloud, queries, 10)
    shares = []
    for tables, probes in ((2, 1), (12, 1), (12, 10)):
        built = fill_tables(cloud, HashSettings(tables=tables, bits=8, probes=probes))
        found = nearest(built, cloud, queries, 10).positions
        shares.append(np.mean([np.isin(t, f).mean() for t, f in zip(truth, found, strict=True)]))
    assert shares == sorted(shares)
    assert shares[-1] > 0.95


def test_every_query_gets_as_many_rows_as_it_asks_for(cloud):
    tables = fill_tables(cloud, HashSettings(tables=2, bits=12))
    queries = asked(cloud, 10)
    assert ((tables.candidates(queries, 300).positions >= 0).sum(axis=1) >= 300).all()
    everything = nearest(tables, cloud, queries[:2], 2500)
    assert ((everything.positions >= 0).sum(axis=1) == 2000).all()


@pytest.mark.parametrize("count", [1, 3, 100])
def test_equal_rows(count):
    equal = np.repeat(rows(1), count, axis=0)
    tables = fill_tables(equal, HashSettings(tables=3, bits=10))
    found = nearest(tables, equal, equal[:1].astype(np.float32), 2)
    assert found.positions[0].tolist() == [*range(min(count, 2)), -1][:2]
    assert found.comparisons[0] == 30 + count


def test_the_same_seed_gives_the_same_tables(cloud):
    told = []
    settings_ = HashSettings(tables=2, bits=5, seed=9)
    first = fill_tables(cloud, settings_, progress=lambda *now: told.append(now))
    second = fill_tables(cloud, settings_)
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array, second.arrays()[name])
    assert told == [("hashing", 2000, 2000)]
    assert first.kind == "lsh"
    assert isinstance(first, HashTables)


@pytest.mark.parametrize(
    ("setting", "value"), [("tables", 0), ("bits", 0), ("bits", 31), ("probes", 0), ("seed", -1)]
)
def test_settings_out_of_range(setting, value):
    with pytest.raises(UsageError, match=f"{setting} must be"):
        HashSettings(**{setting: value})


def test_what_cannot_be_hashed_or_asked(cloud):
    with pytest.raises(VectorError, match="Rows must be"):
        fill_tables(np.zeros((0, 4), np.float16), HashSettings())
    with pytest.raises(VectorError, match="shape"):
        fill_tables(cloud, HashSettings()).candidates(np.zeros((1, 3), np.float32), 1)


def test_buckets_that_are_nearly_all_empty_are_not_walked_through(cloud):
    """Of 2^30 buckets 2,000 rows fill 2,000: doubling the probes would never end."""
    tables = fill_tables(cloud, HashSettings(tables=2, bits=30))
    found = tables.candidates(asked(cloud, 2), 1500)
    assert (found.positions == np.arange(2000)).all()
    assert found.comparisons.tolist() == [2 * 30 + 2000] * 2


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rows_that_are_not_finite_are_named(cloud, bad):
    spoilt = cloud.copy()
    spoilt[17, 3] = bad
    for build, settings_ in ((fill_tables, HashSettings(bits=4)), (grow_tree, TreeSettings())):
        with pytest.raises(VectorError, match="Row 17 has NaN or infinity"):
            build(spoilt, settings_)
