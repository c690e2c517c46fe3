from __future__ import annotations

import dataclasses
import io
import zipfile

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from sightline.datasets.viability import Forest
from sightline.errors import BundleError, VectorError


def sample(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two clouds that overlap."""
    rng = np.random.default_rng(seed)
    viable = rng.random(rows) < 0.5
    features = rng.normal(size=(rows, 12)).astype(np.float32)
    features[viable, :4] += 0.9
    return features, viable


def fitted(trees: int = 40, **options) -> tuple[RandomForestClassifier, Forest]:
    model = RandomForestClassifier(trees, random_state=0, **options).fit(*sample())
    return model, Forest.of_sklearn(model)


@pytest.mark.parametrize("options", [{}, {"max_depth": 3}, {"min_samples_leaf": 30}])
def test_the_same_bits_as_scikit_learn(options):
    model, forest = fitted(**options)
    rng = np.random.default_rng(5)
    for features in (
        sample(5000, 1)[0],
        rng.normal(0, 1e20, (50, 12)),
        rng.integers(-3, 3, (50, 12)).astype(np.float64),
    ):
        expected = model.predict_proba(features)[:, 1]
        assert (forest.probability(features) == expected).all()


def test_features_on_a_threshold_go_left():
    model, forest = fitted(5)
    inner = forest.feature >= 0
    features = np.zeros((int(inner.sum()), 12))
    features[np.arange(len(features)), forest.feature[inner]] = forest.threshold[inner]
    assert (forest.probability(features) == model.predict_proba(features)[:, 1]).all()


def test_trees_that_are_a_single_leaf():
    model = RandomForestClassifier(3, max_depth=1, min_samples_split=10_000, random_state=0)
    model.fit(*sample())
    forest = Forest.of_sklearn(model)
    features = sample(7, 2)[0]
    assert (forest.probability(features) == model.predict_proba(features)[:, 1]).all()
    assert forest.probability(np.empty((0, 12))).shape == (0,)


def test_saved_and_read_again():
    _, forest = fitted()
    again = Forest.from_bytes(forest.to_bytes())
    features = sample(300, 3)[0]
    assert (again.probability(features) == forest.probability(features)).all()
    with np.load(io.BytesIO(forest.to_bytes()), allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "if" for name in arrays)


@pytest.mark.parametrize(
    "change",
    [
        {"left": lambda a: a * 0},
        {"right": lambda a: a + 10_000},
        {"left": lambda a: a[:-1]},
        {"roots": lambda a: a - 1},
        {"roots": lambda a: a[:0]},
        {"roots": lambda a: a.astype(np.int64)},
        {"feature": lambda a: a + 12},
        {"feature": lambda a: np.where(a >= 0, a, -2).astype(np.int32)},
        {"value": lambda a: a + 0.7},
        {"value": lambda a: a * np.nan},
    ],
)
def test_trees_that_do_not_hold_together(change):
    _, forest = fitted(4)
    changed = {name: make(getattr(forest, name)) for name, make in change.items()}
    data = dataclasses.replace(forest, **changed).to_bytes()
    with pytest.raises(BundleError, match="forest of a viability filter holds"):
        Forest.from_bytes(data)


def test_files_that_are_no_forest():
    _, forest = fitted(4)
    whole = forest.to_bytes()
    stream = io.BytesIO()
    np.savez(stream, roots=np.arange(3))
    objects = io.BytesIO()
    np.savez(objects, allow_pickle=True, dimension=np.array([{"a": 1}], dtype=object))
    foreign = io.BytesIO()
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("a.txt", "x")
    for data in (
        b"",
        b"nothing",
        whole[: len(whole) // 2],
        stream.getvalue(),
        objects.getvalue(),
        foreign.getvalue(),
        whole[:200] + bytes([whole[200] ^ 255]) + whole[201:],
    ):
        with pytest.raises(BundleError, match=r"cannot be read|is damaged"):
            Forest.from_bytes(data)


def test_bad_features():
    _, forest = fitted(2)
    with pytest.raises(VectorError, match=r"must have 12 columns, as in training. Got 11"):
        forest.probability(np.zeros((3, 11)))
    with pytest.raises(VectorError, match=r"numbers of shape \(n, d\). Got float64 of \(12,\)"):
        forest.probability(np.zeros(12))
    with pytest.raises(VectorError, match="shape"):
        forest.probability(np.array([["a"] * 12]))  # type: ignore[arg-type]
    for value in (np.nan, np.inf, 1e300):
        features = np.zeros((3, 12))
        features[1, 5] = value
        with pytest.raises(VectorError, match="row 1 are not finite"):
            forest.probability(features)
