from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold

from sightline.datasets.viability import (
    ViabilityFilter,
    threshold_for_precision,
    train_viability,
    write_lists,
)
from sightline.datasets.viability.validation import wilson_interval
from sightline.errors import BundleError, DependencyError, OutputError, UsageError, VectorError

from .test_forest import sample


@pytest.fixture(scope="module")
def trained() -> ViabilityFilter:
    features, viable = sample(600)
    return train_viability(features, viable, trees=40, encoder="abc", precision=0.9)


def test_accuracy_is_that_of_photos_left_out(trained: ViabilityFilter):
    features, viable = sample(600)
    rights = []
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    for train, test in folds.split(features, viable):
        model = RandomForestClassifier(40, random_state=0).fit(features[train], viable[train])
        rights.append((model.predict_proba(features[test])[:, 1] >= 0.5) == viable[test])
    report = trained.report
    assert report.fold_accuracies == tuple(float(right.mean()) for right in rights)
    assert report.accuracy == np.concatenate(rights).mean()
    assert report.accuracy_interval[0] < report.accuracy < report.accuracy_interval[1]
    assert (report.photos, report.viable, report.folds) == (600, int(viable.sum()), 5)
    assert report.majority_accuracy < 0.6 < 0.75 < report.accuracy
    # Photos of the same kind that nobody labelled are told as well as it says.
    new, truth = sample(4000, 9)
    told = trained.apply([str(n) for n in range(4000)], new, threshold=0.5)
    low, high = report.accuracy_interval
    assert low - 0.02 < (told.keep == truth).mean() < high + 0.02


def test_the_threshold_reaches_the_precision_on_new_photos(trained: ViabilityFilter):
    new, truth = sample(4000, 10)
    found = trained.apply([f"p{n}" for n in range(4000)], new, encoder="abc")
    assert truth[found.keep].mean() == pytest.approx(0.9, abs=0.04)
    assert found.kept == [f"p{n}" for n in np.flatnonzero(found.keep)]
    assert sorted(found.kept + found.dropped) == sorted(found.ids)
    assert (found.probability[found.keep] >= trained.report.threshold.value).all()


def test_features_that_say_nothing_reach_no_more_than_chance():
    rng = np.random.default_rng(0)
    viable = np.arange(300) % 2 == 0
    noise = rng.normal(size=(300, 8))
    report = train_viability(noise, viable, trees=30, precision=0.3).report
    assert report.accuracy_interval[0] < 0.5
    with pytest.raises(UsageError, match=r"No threshold reaches a precision of 1; the best is"):
        train_viability(np.repeat(noise[:150], 2, axis=0), viable, trees=10, precision=1.0)


def test_photographers_are_left_out_together():
    # Each person's photos look alike and are all viable or not: easy unless people are new.
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(40), 10)
    looks, truth = rng.normal(size=(40, 6)), np.arange(40) % 2 == 0
    features = looks[people] + rng.normal(0, 0.01, (400, 6))
    loose = train_viability(features, truth[people], trees=30, precision=0.4)
    strict = train_viability(
        features, truth[people], trees=30, precision=0.4, groups=[f"u{p}" for p in people]
    )
    assert loose.report.accuracy > 0.98
    assert strict.report.accuracy < 0.75


def test_saved_and_read_again(tmp_path: Path, trained: ViabilityFilter):
    trained.save(tmp_path / "filter")
    assert sorted(one.name for one in (tmp_path / "filter").iterdir()) == [
        "forest.npz",
        "viability.json",
    ]
    again = ViabilityFilter.load(tmp_path / "filter")
    assert (again.report, again.encoder) == (trained.report, "abc")
    new, _ = sample(50, 3)
    ids = [str(n) for n in range(50)]
    assert (again.apply(ids, new).probability == trained.apply(ids, new).probability).all()


def test_damaged_filters(tmp_path: Path, trained: ViabilityFilter):
    with pytest.raises(BundleError, match="cannot be read"):
        ViabilityFilter.load(tmp_path)
    trained.save(tmp_path)
    card = json.loads((tmp_path / "viability.json").read_text())
    for broken in ("{", "[]", json.dumps({**card, "report": {}}), json.dumps({"schema": None})):
        (tmp_path / "viability.json").write_text(broken)
        with pytest.raises(BundleError, match=r"The viability filter .* (cannot be read|is of)"):
            ViabilityFilter.load(tmp_path)
    (tmp_path / "viability.json").write_text(json.dumps({**card, "schema": "other/2"}))
    with pytest.raises(BundleError, match="of the schema 'other/2'"):
        ViabilityFilter.load(tmp_path)
    (tmp_path / "viability.json").write_text(json.dumps(card))
    (tmp_path / "forest.npz").write_bytes(b"junk")
    with pytest.raises(
        BundleError, match=r"holds a forest.npz that viability.json does not speak of"
    ):
        ViabilityFilter.load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        trained.save(tmp_path / "file" / "x")


def test_lists_of_kept_and_dropped_photos(tmp_path: Path, trained: ViabilityFilter):
    new, _ = sample(60, 4)
    found = trained.apply([f'p,"{n}"' for n in range(60)], new)
    kept, dropped = write_lists(found, tmp_path / "lists")
    rows = {}
    for path in (kept, dropped):
        with path.open(newline="", encoding="utf-8") as stream:
            rows[path.name] = list(csv.DictReader(stream))
    assert [row["id"] for row in rows["kept.csv"]] == found.kept
    assert [row["id"] for row in rows["dropped.csv"]] == found.dropped
    listed = [float(row["probability"]) for row in rows["kept.csv"]]
    assert listed == found.probability[found.keep].tolist()


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=30).filter(
        lambda rows: any(label for _, label in rows)
    ),
    st.sampled_from([0.3, 0.5, 0.75, 1.0]),
)
def test_threshold_against_trying_all(rows, precision):
    scores = np.array([score / 5 for score, _ in rows])
    labels = np.array([label for _, label in rows])
    good = [t for t in sorted(set(scores.tolist())) if labels[scores >= t].mean() >= precision]
    if not good:
        with pytest.raises(UsageError, match="No threshold reaches"):
            threshold_for_precision(scores, labels, precision)
        return
    found = threshold_for_precision(scores, labels, precision)
    kept = scores >= good[0]
    assert found.value == good[0]
    assert found.precision == pytest.approx(labels[kept].mean())
    assert found.recall == pytest.approx(labels[kept].sum() / labels.sum())
    assert found.kept == pytest.approx(kept.mean())


@pytest.mark.parametrize(
    ("right", "total", "interval"),
    # Newcombe (1998), table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    [
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_interval_against_published_values(right, total, interval):
    assert wilson_interval(right, total) == pytest.approx(interval, abs=5e-5)


def test_bad_arguments(trained: ViabilityFilter):
    features, viable = sample(60)
    with pytest.raises(UsageError, match="60 truth values"):
        train_viability(features, viable[:5])
    with pytest.raises(UsageError, match="truth values"):
        train_viability(features, viable.astype(int))
    with pytest.raises(UsageError, match="no more than the photos of either class"):
        train_viability(features, np.arange(60) < 3)
    with pytest.raises(UsageError, match="folds must be 2 or more"):
        train_viability(features, viable, folds=1)
    with pytest.raises(UsageError, match="groups must name 5 groups or more"):
        train_viability(features, viable, groups=["a"] * 60)
    with pytest.raises(UsageError, match="only one class to train on"):
        people = ["a" if one else "b" for one in viable]
        train_viability(features, viable, groups=people, folds=2, trees=2)
    with pytest.raises(VectorError, match="row 2 are not finite"):
        bad = features.copy()
        bad[2] = np.nan
        train_viability(bad, viable)
    with pytest.raises(UsageError, match=r"trained with the encoder 'abc'. Got features of 'xyz'"):
        trained.apply(["a"], features[:1], encoder="xyz")
    with pytest.raises(UsageError, match=r"one value for each of the 1 photos. Got 2"):
        trained.apply(["a", "b"], features[:1])
    for precision in (0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="precision must be"):
            threshold_for_precision([0.5], [True], precision)
    for labels in ([False], [1], [True, False]):
        with pytest.raises(UsageError, match="probability and viable must be"):
            threshold_for_precision([0.5], labels, 0.9)


def test_without_scikit_learn(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sklearn.model_selection", None)
    with pytest.raises(DependencyError, match=r"pip install .*sightline\[train\]"):
        train_viability(*sample(60))
