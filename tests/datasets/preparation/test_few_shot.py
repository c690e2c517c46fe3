from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.datasets.preparation import FEW_SHOT_SHARES, few_shot, few_shot_rows
from sightline.errors import UsageError


@given(st.lists(st.text(max_size=4), min_size=1, max_size=50, unique=True), st.integers(0, 99))
def test_nested_of_the_right_size_and_independent_of_the_order(ids, seed):
    subsets = few_shot(ids, seed=seed)
    assert tuple(subsets) == FEW_SHOT_SHARES
    assert subsets[1.0] == ids
    for share, smaller in itertools.pairwise(FEW_SHOT_SHARES):
        assert set(subsets[smaller]) <= set(subsets[share])
    for share, subset in subsets.items():
        assert abs(len(subset) - share * len(ids)) <= 0.5 or len(subset) == 1
        assert subset == [one for one in ids if one in set(subset)]
    turned = few_shot(ids[::-1], seed=seed)
    assert {k: set(v) for k, v in turned.items()} == {k: set(v) for k, v in subsets.items()}


def test_the_seed_decides_and_rows_are_those_of_the_ids():
    ids = [f"p/{number}" for number in range(1000)]
    rows = few_shot_rows(ids, (0.2,), seed=1)[0.2]
    assert len(rows) == 200
    assert (np.diff(rows) > 0).all()
    other = few_shot_rows(ids, (0.2,), seed=2)[0.2]
    assert 20 < len(set(rows.tolist()) & set(other.tolist())) < 60
    # A training set that grows keeps most of its subset.
    grown = few_shot([*ids, "q/1"], (0.2,), seed=1)[0.2]
    assert len(set(grown) & {ids[row] for row in rows}) >= 199


def test_bad_arguments():
    with pytest.raises(UsageError, match=r"ids must be one or more, each once. Got 0"):
        few_shot([])
    with pytest.raises(UsageError, match="Got 2, 1 of them different"):
        few_shot(["a", "a"])
    for share in (0, 1.2, float("nan")):
        with pytest.raises(UsageError, match="A share must be more than 0"):
            few_shot(["a"], (share,))
