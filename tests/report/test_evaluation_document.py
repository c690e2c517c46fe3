from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from sightline.errors import EvaluationError
from sightline.report import evaluation_json_schema
from sightline.report.evaluation_document import kind_of, labels

from . import evaluation_documents as made
from .schema import violations

DOCUMENTS: dict[str, Callable[[], dict[str, Any]]] = {
    "ordinary": made.ordinary,
    "with the other direction": lambda: made.with_reverse(made.ordinary(n=300)),
    "collapsed": made.collapsed,
    "minimal retrieval": made.minimal_retrieval,
    "localization": made.localization,
    "minimal localization": made.minimal_localization,
    "comparison": made.comparison,
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_kind_of_document_is_the_contract(name: str) -> None:
    assert violations(DOCUMENTS[name](), evaluation_json_schema()) == []


@pytest.mark.parametrize(
    ("name", "change", "complaint"),
    [
        ("ordinary", lambda d: d.pop("kind"), "kind"),
        ("ordinary", lambda d: d.update(schema="sightline.evaluation/2"), "schema"),
        ("ordinary", lambda d: d.pop("tie_policies"), "tie_policies is missing"),
        ("ordinary", lambda d: d["tie_policies"].pop("expected"), "expected is missing"),
        ("ordinary", lambda d: d["metrics"]["recall@1"].pop("ties"), "ties is missing"),
        ("ordinary", lambda d: d["metrics"]["pssr"].update(value="half"), "metrics.pssr.value"),
        ("ordinary", lambda d: d["settings"].update(ties="lucky"), "ties"),
        ("ordinary", lambda d: d["curves"]["recall"]["k"].append(0), "out of range"),
        ("ordinary", lambda d: d["curves"]["recall"]["expected"].append(1.5), "out of range"),
        ("ordinary", lambda d: d["collapse"].update(alarm=None), "alarm"),
        ("ordinary", lambda d: d["leakage"]["examples"].append(["a", 1]), "examples"),
        ("ordinary", lambda d: d["conventions"]["safa"].update({"recall@1": "x"}), "safa"),
        ("localization", lambda d: d["photos"][5].update(lat=91), "photos[5].lat"),
        ("localization", lambda d: d["photos"][0].pop("error_km"), "error_km is missing"),
        ("localization", lambda d: d["settings"].update(earth="flat"), "earth"),
        ("localization", lambda d: d["groups"]["region"]["Asia"].pop("n"), "n is missing"),
        ("localization", lambda d: d["calibration"]["stated"].append(2), "out of range"),
        ("comparison", lambda d: d["metrics"]["recall@1"].pop("p_value"), "p_value"),
        ("comparison", lambda d: d["b"].pop("name"), "name is missing"),
    ],
)
def test_the_schema_refuses_what_breaks_the_contract(name: str, change, complaint: str) -> None:
    document = DOCUMENTS[name]()
    change(document)
    assert any(complaint in found for found in violations(document, evaluation_json_schema()))


def test_new_keys_may_come_under_the_same_name() -> None:
    document = made.comparison() | {"machine": "two cores"}
    assert violations(document, evaluation_json_schema()) == []


def test_documents_of_one_kind_are_shown_together() -> None:
    assert kind_of([made.ordinary(n=50), made.collapsed(n=50)]) == "retrieval"
    assert kind_of([made.comparison()]) == "comparison"


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "no evaluation to show"),
        ([made.comparison(), made.localization(n=5)], "Document 2 is of kind 'localization', and"),
        ([{}], "Document 1 is None of kind None"),
        ([made.comparison() | {"schema": "sightline.locate/1"}], "'sightline.locate/1'"),
        ([made.comparison() | {"kind": "opinion"}], "kind 'opinion'"),
        ([{k: v for k, v in made.comparison().items() if k != "b"}], "kind 'comparison' lacks b."),
    ],
)
def test_what_cannot_be_shown_is_one_clear_error(documents, message: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        kind_of(documents)
    assert message in str(caught.value)


def named(*names: str) -> list[dict[str, Any]]:
    document = made.minimal_retrieval()
    return [{**copy.deepcopy(document), "name": name} for name in names]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["runs/a/model.npz"], ["model.npz"]),
        ([r"C:\runs\model.npz", "other/x.npz"], ["model.npz", "x.npz"]),
        (["a/model.npz", "b/model.npz"], ["a/model.npz", "b/model.npz"]),
        (["same", "same"], ["1: same", "2: same"]),
        (["folder/"], ["folder/"]),
        (["/"], ["/"]),
        (["x" * 30 + "MIDDLE" + "y" * 30], ["x" * 16 + "…" + "y" * 16]),
        (["a\nb\u202e"], ["a\\nb\\u202e"]),
    ],
)
def test_labels_are_short_and_tell_documents_apart(names: list[str], expected: list[str]) -> None:
    assert labels(named(*names)) == expected


def test_a_comparison_is_named_after_both() -> None:
    assert labels([made.comparison("x/a.npz", "y/b.npz")]) == ["b.npz against a.npz"]
    twice = [made.comparison("x/a.npz", "b.npz"), made.comparison("y/a.npz", "b.npz")]
    assert labels(twice) == ["b.npz against x/a.npz", "b.npz against y/a.npz"]
