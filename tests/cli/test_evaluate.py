"""``sightline evaluate`` as a person types it, on real files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.report.schema import violations

from sightline.report import evaluation_json_schema

from .conftest import Ran

Run = Callable[..., Ran]


def write_archive(path: Path, *, seed: int = 0, noise: float = 1.0, **more: np.ndarray) -> Path:
    rng = np.random.default_rng(seed)
    references = np.random.default_rng(99).standard_normal((120, 16)).astype(np.float32)
    queries = references + noise * rng.standard_normal((120, 16)).astype(np.float32)
    np.savez(
        path,
        queries=queries / np.linalg.norm(queries, axis=1, keepdims=True),
        references=references / np.linalg.norm(references, axis=1, keepdims=True),
        **{"positives": np.arange(120), **more},
    )
    return path


def write_answers(path: Path, *, seed: int = 0, degrees: float = 0.1) -> Path:
    rng = np.random.default_rng(seed)
    true = np.column_stack(
        [np.random.default_rng(9).uniform(-60, 60, 40), np.linspace(-170, 170, 40)]
    )
    given = true + rng.normal(0, degrees, true.shape)
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(["id", "lat", "lon", "true_lat", "true_lon", "land"])
        for number, (answer, truth) in enumerate(zip(given, true, strict=True)):
            rows.writerow([f"p{number}", *answer, *truth, "north" if truth[0] > 0 else "south"])
    return path


def test_retrieval_as_a_table(sightline: Run, tmp_path: Path) -> None:
    ran = sightline("evaluate", "retrieval", write_archive(tmp_path / "model.npz"))
    assert ran.status == 0
    assert "model: 120 queries among 120 references" in ran.out
    for words in ("recall@1 ", "recall@1%", "pssr", "95% interval", "by chance", "against"):
        assert words in ran.out
    assert "published" not in ran.out


def test_retrieval_prints_its_checks(sightline: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    places = np.column_stack([rng.uniform(50, 51, 120), rng.uniform(10, 11, 120)])
    archive = write_archive(tmp_path / "m.npz", query_latlon=places, reference_latlon=places)
    document = sightline("evaluate", "retrieval", archive, "--json").json()
    ran = sightline("evaluate", "retrieval", archive)
    header, first = (
        next(line for line in ran.out.splitlines() if line.startswith(start))
        for start in ("  metric", "  recall@1 ")
    )
    words = "metric value 95% interval by chance shuffled constant against for"
    assert header.split() == words.split()
    shown = [float(word) for word in first.replace("%", "").split() if word[0].isdigit()]
    metric, baselines = document["metrics"]["recall@1"], document["baselines"]
    expected = [
        metric["value"],
        metric["low"],
        metric["high"],
        *(baselines[name]["recall@1"] for name in ("random", "shuffled", "constant")),
        *(document["tie_policies"][p]["recall@1"] for p in ("pessimistic", "optimistic")),
    ]
    assert shown == pytest.approx([100 * value for value in expected], abs=0.05)
    lines = {line.split()[0]: line for line in ran.out.splitlines() if line.strip()}
    assert lines["collapse"].split()[1:] == ["no", "alarm"]
    for side in ("queries", "references"):
        found = document["collapse"][side]
        assert f"copies {100 * found['duplicates']:.1f} %" in lines[side]
        assert f"effective rank {found['effective_rank']:.1f} of 16" in lines[side]
        assert f"uniformity {found['uniformity']:.2f}" in lines[side]
    assert "120 queries stand where a reference stands, 5 m" in lines["leaks"]
    assert "0 queries have the very vector of a reference" in lines["leaks"]
    assert "1% is 1, 5% is 6, 10% is 12" in lines["k"]
    back = document["reverse"]["metrics"]
    assert f"recall@1 {100 * back['recall@1']['value']:.1f} %" in lines["reverse"]
    assert f"pssr {100 * back['pssr']['value']:.1f} %" in lines["reverse"]
    alone = sightline("evaluate", "retrieval", archive, "--one-way")
    assert "references ask" not in alone.out


def test_numbers_are_written_as_in_the_report(sightline: Run, tmp_path: Path) -> None:
    ran = sightline("evaluate", "retrieval", write_archive(tmp_path / "model.npz"))
    (mrr,) = (line for line in ran.out.splitlines() if line.startswith("  mrr"))
    assert "%" not in mrr
    table = write_answers(tmp_path / "t.csv")
    lines = table.read_text("utf-8").splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([cells[0], "", "", *cells[3:]])
    table.write_text("\n".join(lines), encoding="utf-8")
    ran = sightline("evaluate", "localization", table)
    for name in ("median_error_km", "mean_error_km_of_answered"):
        (line,) = (line for line in ran.out.splitlines() if line.startswith(f"  {name} "))
        assert line.split()[2] == "km"
        assert "%" not in line
    (line,) = (line for line in ran.out.splitlines() if line.startswith("  mean_error_km "))
    assert line.split()[1] == "undefined"


def test_retrieval_as_json_is_the_contract(sightline: Run, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "model.npz")
    ran = sightline("evaluate", "retrieval", archive, "--json", "--conventions", "all")
    document = ran.json()
    assert document["schema"] == "sightline.evaluation/1"
    assert (document["n_queries"], document["n_references"]) == (120, 120)
    for name in ("recall@1", "recall@5", "recall@10", "recall@1%", "mrr", "pssr"):
        metric = document["metrics"][name]
        assert metric.keys() >= {"value", "low", "high", "ties"}
        assert 0.0 <= metric["low"] <= metric["value"] <= metric["high"] <= 1.0
        for policy in ("optimistic", "pessimistic", "expected"):
            assert 0.0 <= document["tie_policies"][policy][name] <= 1.0
    assert document["conventions"]["transgeo"]["recall@1"] == pytest.approx(
        document["tie_policies"]["optimistic"]["recall@1"]
    )
    assert document["published"]["transgeo"]["accuracy"][0] == pytest.approx(
        100 * document["conventions"]["transgeo"]["recall@1"]
    )
    assert violations(document, evaluation_json_schema()) == []
    # The same seed, the same document.
    again = sightline("evaluate", "retrieval", archive, "--json", "--conventions", "all")
    assert again.out == ran.out


def test_chosen_conventions_only(sightline: Run, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "model.npz")
    ran = sightline("evaluate", "retrieval", archive, "--conventions", "witw, safa", "--one-way")
    counted = ran.out[ran.out.index("counted as") :].splitlines()
    assert [line.split()[0] for line in counted] == ["counted", "sightline", "witw", "safa"]
    alone = sightline("evaluate", "retrieval", archive, "--conventions", "witw")
    header, ours, theirs = alone.out[alone.out.index("counted as") :].splitlines()
    assert {"recall@1", "recall@5", "mean_rank"} <= set(header.split())
    assert ours.split()[1] == theirs.split()[1]
    assert len(theirs.split()) > 4
    wrong = sightline("evaluate", "retrieval", archive, "--conventions", "transgoe")
    assert wrong.status == 2
    assert "no retrieval convention 'transgoe'" in wrong.err
    assert "Did you mean 'transgeo'?" in wrong.err


def test_a_collapsed_model_is_called_one(sightline: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", queries=np.ones((50, 3)), references=np.ones((50, 3)))
    ran = sightline("evaluate", "retrieval", tmp_path / "c.npz", "--json")
    document = ran.json()
    assert document["metrics"]["recall@1"]["value"] == 1 / 50
    assert document["metrics"]["recall@1"]["ties"] == 1.0
    assert document["metrics"]["pssr"]["value"] == 0.0
    assert document["collapse"]["alarm"] is True
    assert any("collapsed" in warning for warning in document["warnings"])
    shown = sightline("evaluate", "retrieval", tmp_path / "c.npz")
    assert "The model has collapsed" in shown.err
    assert any(line.split() == ["collapse", "ALARM"] for line in shown.out.splitlines())


def test_places_instead_of_positives(sightline: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    places = np.column_stack([rng.uniform(50, 51, 30), rng.uniform(10, 11, 30)])
    vectors = rng.standard_normal((30, 8))
    np.savez(
        tmp_path / "p.npz",
        queries=vectors,
        references=vectors,
        query_latlon=places,
        reference_latlon=places,
    )
    ran = sightline("evaluate", "retrieval", tmp_path / "p.npz", "--radius-m", 25, "--json")
    document = ran.json()
    assert document["settings"]["radius_m"] == 25.0
    assert document["metrics"]["recall@1"]["value"] == 1.0
    assert document["leakage"]["same_place"] == 30
    warned = sightline(
        "evaluate", "retrieval", tmp_path / "p.npz", "--radius-m", 25, "--same-place-m", 5
    )
    assert "30 of 30 queries were taken within 5 m of a reference" in warned.err
    missing = sightline("evaluate", "retrieval", tmp_path / "p.npz")
    assert missing.status == 2
    assert "--radius-m" in missing.err


def test_groups_widen_intervals(sightline: Run, tmp_path: Path) -> None:
    # All twenty queries of a place are found, or none is.
    rng = np.random.default_rng(5)
    references = rng.standard_normal((120, 16))
    queries = references.copy()
    lost = np.repeat(np.arange(6) % 2 == 1, 20)
    queries[lost] = -references[lost]
    alone, grouped = tmp_path / "a.npz", tmp_path / "g.npz"
    held = {"queries": queries, "references": references, "positives": np.arange(120)}
    np.savez(alone, **held)
    np.savez(grouped, **held, groups=np.repeat(np.arange(6), 20))
    widths = []
    for path in (alone, grouped):
        document = sightline("evaluate", "retrieval", path, "--json").json()
        metric = document["metrics"]["recall@1"]
        widths.append(metric["high"] - metric["low"])
        assert document["settings"]["grouped_by"] == (None if path == alone else "group")
        assert document["settings"]["n_groups"] == (None if path == alone else 6)
    assert widths[1] > 3 * widths[0] > 0


def test_localization(sightline: Run, tmp_path: Path) -> None:
    table = write_answers(tmp_path / "answers.csv")
    ran = sightline(
        "evaluate", "localization", table, "--by", "land", "--thresholds-km", "1,25,200"
    )
    assert ran.status == 0
    assert "40 photos, 40 answered, 0 abstained, 0 failed" in ran.out
    for words in ("accuracy@25km", "median_error_km", "land", "north", "south"):
        assert words in ran.out
    for words in ("prior only", "by chance", "shuffled"):
        assert words in ran.out.splitlines()[1]
    assert "accuracy@750km" not in ran.out
    document = sightline(
        "evaluate", "localization", table, "--json", "--conventions", "all", "--prior", "51.5,-0.1"
    ).json()
    assert document["schema"] == "sightline.evaluation/1"
    assert document["baselines"]["prior"]["lat"] == 51.5
    assert set(document["conventions"]) >= {"im2gps", "osv5m", "plonk", "pigeon", "geoclip"}
    assert violations(document, evaluation_json_schema()) == []


def test_published_answers_of_osv5m(sightline: Run, shared_data: Path) -> None:
    table = shared_data / "predictions" / "osv5m_game_50.csv"
    with table.open(encoding="utf-8", newline="") as stream:
        rows = {row["id"]: float(row["distance"]) for row in csv.DictReader(stream)}
    document = sightline("evaluate", "localization", table, "--json").json()
    assert len(document["photos"]) == len(rows) == 50
    for photo in document["photos"]:
        assert photo["error_km"] == pytest.approx(rows[photo["id"]], abs=0.01)
    mean = document["metrics"]["mean_error_km"]["value"]
    assert mean == pytest.approx(np.mean(list(rows.values())), abs=0.01)
    # The ellipsoid is another Earth: up to half a per cent.
    geodesic = sightline("evaluate", "localization", table, "--json", "--earth", "geodesic").json()
    assert geodesic["settings"]["earth"] == "geodesic"
    assert geodesic["metrics"]["mean_error_km"]["value"] == pytest.approx(mean, rel=0.005)
    assert geodesic["metrics"]["mean_error_km"]["value"] != mean


def test_comparison_of_models_and_of_answers(sightline: Run, tmp_path: Path) -> None:
    worse = write_archive(tmp_path / "worse.npz", noise=2.0)
    better = write_archive(tmp_path / "better.npz", noise=0.5)
    ran = sightline("evaluate", "compare", worse, better)
    assert "a worse, b better: 120 queries" in ran.out
    document = sightline("evaluate", "compare", worse, better, "--json").json()
    metric = document["metrics"]["recall@1"]
    assert metric["difference"] == pytest.approx(metric["b"] - metric["a"])
    assert metric["low"] > 0
    assert metric["p_value"] < 0.001
    assert violations(document, evaluation_json_schema()) == []
    tables = [write_answers(tmp_path / f"{d}.csv", degrees=d) for d in (0.3, 3.0)]
    document = sightline("evaluate", "compare", *tables, "--json").json()
    assert document["metrics"]["accuracy@200km"]["difference"] < 0
    # Neither archive is silent about what it is beside the other.
    collapsed = tmp_path / "collapsed.npz"
    np.savez(
        collapsed, queries=np.ones((120, 16)), references=np.ones((120, 16)), wrong=np.arange(3)
    )
    warnings = sightline("evaluate", "compare", worse, collapsed, "--json").json()["warnings"]
    assert any(line.startswith("collapsed: The model has collapsed.") for line in warnings)
    assert "collapsed: Not used: 'wrong'." in warnings
    same = sightline("evaluate", "compare", worse, worse)
    assert "Chance explains every difference" in same.err


def test_what_cannot_be_compared(sightline: Run, tmp_path: Path) -> None:
    archive, table = write_archive(tmp_path / "a.npz"), write_answers(tmp_path / "t.csv")
    mixed = sightline("evaluate", "compare", archive, table)
    assert mixed.status == 2
    assert "one holds answers, one embeddings" in mixed.err
    fewer = tmp_path / "fewer.npz"
    np.savez(fewer, queries=np.eye(16)[:9], references=np.eye(120, 16), positives=np.arange(9))
    assert "'a' has 120 queries and 'fewer' 9" in sightline(
        "evaluate", "compare", archive, fewer
    ).err.replace("\n", " ")
    other = write_archive(tmp_path / "other.npz", positives=np.arange(120)[::-1].copy())
    assert "have other positives" in sightline("evaluate", "compare", archive, other).err
    smaller = tmp_path / "smaller.npz"
    np.savez(smaller, queries=np.eye(120), references=np.eye(121, 120), positives=np.arange(120))
    assert "'a' has 120 references and 'smaller' 121" in sightline(
        "evaluate", "compare", archive, smaller
    ).err.replace("\n", " ")


def test_reports(sightline: Run, tmp_path: Path) -> None:
    archive, table = write_archive(tmp_path / "a.npz"), write_answers(tmp_path / "t.csv")
    for name, arguments in (
        ("retrieval", [archive]),
        ("localization", [table]),
        ("compare", [archive, archive]),
    ):
        target = tmp_path / f"{name}.html"
        ran = sightline("evaluate", name, *arguments, "--report", target)
        assert ran.status == 0, ran.err
        assert target.read_text("utf-8").startswith("<!doctype html>")
    refused = sightline(
        "evaluate", "retrieval", archive, "--report", tmp_path / "nowhere" / "out.html"
    )
    assert refused.status == 2
    assert "does not exist" in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--thresholds-km", "1,two"], "--thresholds-km must be numbers"),
        (["--prior", "51.5"], "--prior must be two numbers"),
        (["--prior", "91,0"], "latitude 91"),
        (["--by", "landd"], "landd"),
        (["--conventions", "im2gsp"], "Did you mean 'im2gps'?"),
    ],
)
def test_options_that_cannot_be_used(
    sightline: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    table = write_answers(tmp_path / "answers.csv")
    ran = sightline("evaluate", "localization", table, *arguments)
    assert ran.status == 2
    assert message in ran.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"queries": np.eye(3)}, "no array of references"),
        ({"queries": np.eye(3), "references": np.eye(3), "positives": [0, 1, 7]}, "row 2"),
        ({"queries": np.full((3, 3), np.nan), "references": np.eye(3)}, "row 0 is not finite"),
        ({"queries": np.eye(3), "references": np.eye(4)}, "dimension"),
        ({"queries": np.empty((0, 3)), "references": np.eye(3)}, "queries"),
    ],
)
def test_archives_that_cannot_be_scored(
    sightline: Run, tmp_path: Path, content: dict, message: str
) -> None:
    np.savez(tmp_path / "x.npz", **content)
    ran = sightline("evaluate", "retrieval", tmp_path / "x.npz", "--json")
    assert ran.status == 2
    assert message in ran.err
    assert ran.out == ""


def test_errors_say_which_file(sightline: Run, tmp_path: Path) -> None:
    good = write_archive(tmp_path / "good.npz")
    vectors = np.ones((120, 16))
    vectors[7, 3] = np.nan
    bad = tmp_path / "bad.npz"
    np.savez(bad, queries=vectors, references=np.ones((120, 16)), positives=np.arange(120))
    for pair in ((good, bad), (bad, good)):
        ran = sightline("evaluate", "compare", *pair)
        assert ran.status == 2
        assert str(bad) in ran.err
        assert "queries row 7 is not finite" in ran.err
        assert str(good) not in ran.err
    wrong = sightline("evaluate", "retrieval", good, "--conventions", "transgoe")
    assert str(good) not in wrong.err


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there(sightline: Run, tmp_path: Path, device: str) -> None:
    ran = sightline("evaluate", "retrieval", write_archive(tmp_path / "m.npz"), "--device", device)
    assert ran.status == 2
    assert f"the device {device!r}" in ran.err
    assert "Traceback" not in ran.err
    assert ran.out == ""


def test_a_file_that_is_not_there(sightline: Run, tmp_path: Path) -> None:
    for verb, name in (("retrieval", "no.npz"), ("localization", "no.csv")):
        ran = sightline("evaluate", verb, tmp_path / name)
        assert ran.status == 2
        assert name in ran.err


def test_every_verb_explains_itself_with_an_example(sightline: Run) -> None:
    for verb in ("retrieval", "localization", "compare"):
        ran = sightline("evaluate", verb, "--help")
        assert ran.status == 0
        assert "Example:" in ran.out
