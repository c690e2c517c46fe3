"""Whole evaluations of small runs: what they answer, what they refuse, and what they keep."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.report.schema import violations
from tests.training.photo_sets import manifest_of, rows_of_photos, tiny_global
from tests.training.recipes import tiny

from sightline.atlas import Atlas
from sightline.atlas.build import build_atlas
from sightline.benchmark import ABLATIONS, GlobalEvaluation, evaluate_global
from sightline.datasets import Manifest, write_manifest
from sightline.datasets.dataset import Dataset
from sightline.datasets.records import PhotoRecord
from sightline.datasets.rows import Photo
from sightline.errors import (
    BundleError,
    EvaluationError,
    FingerprintError,
    SplitLeakError,
    TrainingDataError,
    UsageError,
)
from sightline.evaluation.localization import LocalizationSettings, errors_m
from sightline.imagery.photo import open_photo
from sightline.locating import CellLocator, WithinCellSettings
from sightline.models.bundle import load_model
from sightline.report import evaluation_json_schema

QUICK = LocalizationSettings(resamples=50)


def evaluated(model: Path, data: Path | None = None, **options: Any) -> GlobalEvaluation:
    return evaluate_global(model, data=data, settings=QUICK, device="cpu", **options)


def points(found: GlobalEvaluation, name: str, table: int = 0) -> np.ndarray:
    rows = {row.answers.name: row.answers.points for row in found.sets[0].tables[table].rows}
    return rows[name]


def others(root: Path, *, count: int = 24, **changes: Any) -> list[Photo]:
    """Photos by people whom no run has seen."""
    rows = rows_of_photos(root, count)
    noisy = np.random.default_rng(5)
    made = []
    for row in rows:
        with Image.open(root / row.uri) as picture:
            pixels = np.asarray(picture).astype(np.int64) + noisy.integers(-3, 4, (36, 44, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / row.uri)
        made.append(replace(row, photographer=f"new-{row.photographer}", **changes))
    return made


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("others")
    manifest_of(root, others(root))
    return root / "manifest"


@pytest.fixture(scope="module")
def whole(retrieval_run: Path, without_residual: Path, photos: Path) -> GlobalEvaluation:
    return evaluated(retrieval_run, photos, ablate=ABLATIONS, beside=[without_residual])


def test_the_classifier_answers_as_its_run_was_tested(run: Path, photos: Path) -> None:
    found = evaluated(run, photos)
    test = json.loads((run / "test.json").read_text())
    said = {one["id"]: (one["lat"], one["lon"]) for one in test["photos"]}
    cells = found.sets[0].queries.beliefs[-1].name
    for name, point in zip(
        found.sets[0].queries.ids, points(found, f"classify, {cells}"), strict=True
    ):
        assert tuple(point) == pytest.approx(said[name], abs=1e-9)
    methods = {row.answers.name: row for row in found.sets[0].tables[0].rows}
    value = methods[f"classify, {cells}"].metrics["accuracy@750km"].value
    assert value == test["metrics"]["accuracy@750km"]["value"]
    prior = test["baselines"]["prior"]
    guess = methods["busiest place of training"]
    assert guess.answers.points[0].tolist() == [prior["lat"], prior["lon"]]
    assert guess.metrics["accuracy@750km"].value == prior["metrics"]["accuracy@750km"]
    assert methods["London"].answers.points[0].tolist() == [51.5074, -0.1278]


def test_nearest_is_that_of_a_loop_over_the_encoder_s_own_vectors(
    whole: GlobalEvaluation, retrieval_run: Path, photos: Path
) -> None:
    encoder = load_model(retrieval_run / "bundle", device="cpu")
    manifest = Manifest.open(photos)
    parts = {}
    for split in ("train", "test"):
        rows = list(manifest.photos(split=split))
        pixels = [open_photo(photos.parent / row.uri).pixels for row in rows]
        parts[split] = encoder.encode(pixels), np.array([(row.lat, row.lon) for row in rows])
    vectors, places = parts["train"]
    for query, point in zip(parts["test"][0], points(whole, "nearest"), strict=True):
        best = np.argsort(-(vectors @ query))
        # Stored vectors are rounded to halves: those that differ by less may change places.
        close = [row for row in best if vectors[best[0]] @ query - vectors[row] @ query < 2e-3]
        assert point.tolist() in places[close].tolist()


def test_an_atlas_answers_as_its_references_do_and_as_locate_does(
    whole: GlobalEvaluation, retrieval_run: Path, photos: Path, tmp_path: Path
) -> None:
    encoder = load_model(retrieval_run / "bundle", device="cpu")
    manifest = Manifest.open(photos)
    records = [
        PhotoRecord(str(photos.parent / row.uri), row.lat, row.lon)
        for row in manifest.photos(split="train")
    ]
    build_atlas(tmp_path / "atlas", records, encoder)
    found = evaluated(retrieval_run, photos, atlas=tmp_path / "atlas")
    assert found.sets[0].references[0].name == "atlas"
    # Stored pooled vectors are rounded to halves, which moves weights a little.
    for name, apart_m in (("nearest", 1.0), ("clusters, K 10", 1.0), ("density, sigma 4°", 100.0)):
        mine, theirs = points(found, name), points(whole, name)
        assert np.median(errors_m(mine, theirs)) < apart_m
    plain = WithinCellSettings(rerank=0, pool_m=0.0)
    locator = CellLocator(Atlas.open(tmp_path / "atlas"), encoder, search=plain)
    asked = list(manifest.photos(split="test"))
    answers = locator.locate_many([open_photo(photos.parent / row.uri) for row in asked])
    located = np.array([(one.lat, one.lon) for one in answers])
    assert np.median(errors_m(points(found, "within cell, K 10"), located)) < 1.0
    with pytest.raises(UsageError, match="needs the references' pooled vectors"):
        evaluated(retrieval_run, photos, atlas=tmp_path / "atlas", ablate=("background",))
    # The classifier alone has other vectors than with the module.
    start = json.loads((retrieval_run / "run.json").read_text())["recipe"]["start"]
    with pytest.raises(FingerprintError, match="this model's vectors are"):
        evaluated(Path(start), sets=[f"{photos}:test"], atlas=tmp_path / "atlas")


def test_all_tables_are_there_and_the_document_keeps_its_schema(whole: GlobalEvaluation) -> None:
    document = whole.to_json()
    assert violations(document, evaluation_json_schema()) == []
    (one,) = document["sets"]
    assert [table["key"] for table in one["tables"]] == ["methods", *ABLATIONS]
    tables = {table["key"]: table for table in one["tables"]}
    assert [row["name"] for row in tables["k"]["rows"]] == [
        f"within cell, K {k}" for k in (1, 5, 10, 15, 20)
    ]
    assert tables["k"]["thresholds_km"] == [0.1, 1.0, 5.0, 10.0]
    assert tables["methods"]["thresholds_km"] == [1.0, 25.0, 200.0, 750.0, 2500.0]
    assert [row["name"] for row in tables["sigma"]["rows"]] == [
        "nearest",
        "density, sigma 1°",
        "density, sigma 4°",
        "density, sigma 16°",
    ]
    names = [row["name"] for row in tables["retrieval"]["rows"]]
    assert names == ["raw features", "tiny-retrieval", "plain"]
    assert one["shares"][0]["of_all"] == 1.0
    assert one["n_photographers"] == len({*whole.sets[0].queries.people})
    best = tables["methods"]["against"]
    kinds = {row["name"]: row["kind"] for row in tables["methods"]["rows"]}
    assert kinds[best] in ("classification", "retrieval")


def test_the_background_is_counted_and_searched_alone(whole: GlobalEvaluation) -> None:
    (one,) = whole.sets
    (given,) = one.references
    assert given.placed is not None
    kept = int(given.placed.sum())
    assert 0 < kept < len(given)
    table = next(table for table in one.tables if table.key == "background")
    assert f"{kept:,} of {len(given):,} references" in table.notes[0]
    rows = {row.answers.name: row.answers.points for row in table.rows}
    allowed = given.places[given.placed].tolist()
    assert all(point.tolist() in allowed for point in rows["nearest, background"])
    assert np.array_equal(rows["nearest, all"], points(whole, "nearest"))


def test_sets_alone_and_together_say_whose_the_neighbours_are(
    run: Path, photos: Path, other: Path
) -> None:
    found = evaluated(
        run,
        photos,
        references=[f"{photos}:train", str(other)],
        ablate=("references",),
        thresholds_km=(10.0, 100.0),
    )
    (one,) = found.sets
    names = [given.name for given in one.references]
    assert [share.of_all for share in one.shares] == pytest.approx([64 / 88, 24 / 88])
    for k in (1, 10, 100):
        total = sum(share.among[k].value or 0.0 for share in one.shares)
        assert total == pytest.approx(1.0)
    # All 88 are among the nearest 100.
    assert one.shares[0].among[100].value == pytest.approx(64 / 88)
    table = one.tables[-1]
    assert [row.answers.name for row in table.rows[::3]] == [
        *(f"nearest, {name}" for name in names),
        "nearest, together",
    ]
    assert table.thresholds_km == (10.0, 100.0)
    nearest = [row.answers.points for row in table.rows[::3]]
    for alone, more, both in zip(*nearest, strict=True):
        assert both.tolist() in (alone.tolist(), more.tolist())


def test_other_vectors_stand_beside_the_model_s_own(
    run: Path, retrieval_run: Path, photos: Path, tmp_path: Path
) -> None:
    found = evaluated(retrieval_run, photos, ablate=("retrieval",), beside=[run, retrieval_run])
    rows = {row.answers.name: row.answers.points for row in found.sets[0].tables[-1].rows}
    assert list(rows) == ["raw features", "tiny-retrieval", "tiny-global", str(retrieval_run)]
    # The classifier has no module; its vectors are the raw ones.
    assert np.array_equal(rows["raw features"], rows["tiny-global"])
    assert np.array_equal(rows["tiny-retrieval"], rows[str(retrieval_run)])
    plain = evaluated(run, photos, ablate=("retrieval",)).sets[0].tables[-1]
    assert [row.answers.name for row in plain.rows] == ["raw features"]
    assert found.warnings == []
    with pytest.raises(UsageError, match="stand in the tables of vectors"):
        evaluated(retrieval_run, photos, beside=[run])


def nearest_by(bundle: Path, photos: Path) -> np.ndarray:
    """Where the most alike training photo of each test photo lies, by a bundle's encoder."""
    encoder = load_model(bundle, device="cpu")
    vectors, places = {}, {}
    for split in ("train", "test"):
        rows = list(Manifest.open(photos).photos(split=split))
        vectors[split] = encoder.encode(
            [open_photo(photos.parent / one.uri).pixels for one in rows]
        )
        places[split] = np.array([(one.lat, one.lon) for one in rows])
    return np.asarray(places["train"][(vectors["test"] @ vectors["train"].T).argmax(axis=1)])


def test_triplets_infonce_and_raw_features_stand_in_one_table(
    run: Path, retrieval_run: Path, tuned_run: Path, photos: Path, tmp_path: Path
) -> None:
    found = evaluated(
        retrieval_run, photos, ablate=("retrieval",), beside=[tuned_run], features=tmp_path
    )
    assert found.warnings == []
    table = found.sets[0].tables[-1]
    rows = {row.answers.name: row for row in table.rows}
    assert list(rows) == ["raw features", "tiny-retrieval", "tuned"]
    assert table.against == "raw features"
    for name in ("tiny-retrieval", "tuned"):
        assert rows[name].differences["accuracy@25km"].p_value_holm is not None
    # R sees queries and references with its own network, whose backbone has moved.
    wanted = nearest_by(tuned_run / "bundle", photos)
    apart = errors_m(rows["tuned"].answers.points, wanted)
    assert np.median(apart) == 0
    assert not np.array_equal(rows["tuned"].answers.points, rows["raw features"].answers.points)
    # Its vectors are kept apart from those of the same photos by the other network.
    kept = {
        path.relative_to(tmp_path): path.stat().st_mtime_ns for path in tmp_path.rglob("*.arrow")
    }
    assert {len(path.parts) for path in kept} == {2}
    again = evaluated(
        retrieval_run, photos, ablate=("retrieval",), beside=[tuned_run], features=tmp_path
    )
    assert {
        path.relative_to(tmp_path): path.stat().st_mtime_ns for path in tmp_path.rglob("*.arrow")
    } == kept
    assert again.to_json() == found.to_json()
    # From R's side: its pooled vectors were trained, and are no raw features.
    turned = evaluated(tuned_run, photos, ablate=("retrieval",), beside=[retrieval_run, run])
    names = [row.answers.name for row in turned.sets[0].tables[-1].rows]
    assert names == ["tuned", "tiny-retrieval", "tiny-global"]
    answers = {row.answers.name: row.answers.points for row in turned.sets[0].tables[-1].rows}
    assert np.array_equal(answers["tiny-retrieval"], rows["tiny-retrieval"].answers.points)
    assert np.array_equal(answers["tiny-global"], rows["raw features"].answers.points)


def test_with_and_without_residual_are_compared_and_tested(
    whole: GlobalEvaluation,
    run: Path,
    retrieval_run: Path,
    without_residual: Path,
    tuned_run: Path,
    photos: Path,
) -> None:
    tables = {table.key: table for table in whole.sets[0].tables}
    with_it, without = tables["residual"].rows
    assert with_it.answers.name == "tiny-retrieval, with residual"
    assert without.answers.name == "plain, without residual"
    assert tables["residual"].against == with_it.answers.name
    assert set(without.differences) == {f"accuracy@{x}km" for x in (1, 25, 200, 750, 2500)}
    by_name = {row.answers.name: row.answers.points for row in tables["retrieval"].rows}
    assert np.array_equal(with_it.answers.points, by_name["tiny-retrieval"])
    assert np.array_equal(without.answers.points, by_name["plain"])
    # Asked the other way round, and of a classifier without a module, it is the same table.
    for model, beside in (
        (without_residual, [retrieval_run]),
        (run, [without_residual, retrieval_run]),
    ):
        found = evaluated(model, photos, ablate=("residual",), beside=beside)
        rows = found.sets[0].tables[-1].rows
        assert [row.answers.name for row in rows] == [with_it.answers.name, without.answers.name]
        assert np.array_equal(rows[0].answers.points, with_it.answers.points)
    with pytest.raises(UsageError, match=r"There is tiny-retrieval \(with\)") as error:
        evaluated(retrieval_run, photos, ablate=("residual",), beside=[run])
    assert "residual_skip=false" in error.value.hint
    with pytest.raises(UsageError, match="There is no module"):
        evaluated(run, photos, ablate=("residual",))
    others = [without_residual, tuned_run]
    with pytest.raises(UsageError, match="tuned' has another backbone than 'tiny-retrieval'"):
        evaluated(retrieval_run, photos, ablate=("residual",), beside=others)


def test_a_model_beside_that_was_trained_on_other_data_is_told(
    retrieval_run: Path, tuned_run: Path, photos: Path, tmp_path: Path
) -> None:
    stranger = shutil.copytree(tuned_run / "bundle", tmp_path / "stranger")
    found = evaluated(retrieval_run, photos, ablate=("retrieval",), beside=[stranger])
    (warning,) = found.warnings
    assert warning.startswith("tuned was trained on other data than tiny-retrieval, or nobody can")
    wanted = nearest_by(stranger, photos)
    rows = {row.answers.name: row.answers.points for row in found.sets[0].tables[-1].rows}
    assert np.median(errors_m(rows["tuned"], wanted)) == 0
    assert (tmp_path / "stranger-features").is_dir()


def test_vectors_are_computed_once_and_kept(
    run: Path, photos: Path, other: Path, tmp_path: Path
) -> None:
    first = evaluated(run, photos, sets=[str(other)], features=tmp_path)
    files = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(files) == 2
    assert all(name.endswith(".arrow") for name in files)
    again = evaluated(run, photos, sets=[str(other)], features=tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files
    assert first.to_json() == again.to_json()


def test_what_training_stored_is_read_again(retrieval_run: Path, photos: Path) -> None:
    stored = retrieval_run / "features.arrow"
    before = stored.stat().st_mtime_ns
    evaluated(retrieval_run, photos)
    assert stored.stat().st_mtime_ns == before
    assert not (retrieval_run / "features").exists()


def test_a_place_in_exif_changes_nothing(
    run: Path, photos: Path, other: Path, tmp_path: Path
) -> None:
    root = tmp_path / "told"
    shutil.copytree(other.parent, root)
    rows = list(Manifest.open(root / "manifest").photos())
    for row in rows:
        with Image.open(root / row.uri) as picture:
            picture.load()
            exif = Image.Exif()
            exif[0x8825] = {1: "N", 2: (1.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)}
            picture.save(root / row.uri, exif=exif)
        assert open_photo(root / row.uri).metadata.place is not None
    manifest_of(root, [replace(row, sha256=None) for row in rows], "again")
    plain = evaluated(run, photos, sets=[str(other)])
    told = evaluated(run, photos, sets=[str(root / "again")])
    for one, two in zip(plain.sets[0].tables[0].rows, told.sets[0].tables[0].rows, strict=True):
        assert np.array_equal(one.answers.points, two.answers.points)


def test_references_that_give_a_query_away_are_left_out_and_counted(
    run: Path, photos: Path, tmp_path: Path
) -> None:
    rows = others(tmp_path)
    asked = [replace(row, photographer="asked") for row in rows[:6]]
    manifest_of(tmp_path, asked, "asked")
    # Two are the queries' files, three more are by their photographer, one has broken off.
    given = [*asked[:2], *(replace(row, photographer="asked") for row in rows[6:9]), *rows[9:]]
    (tmp_path / "cut.png").write_bytes((tmp_path / rows[20].uri).read_bytes()[:200])
    whole = tmp_path / rows[20].uri
    manifest_of(tmp_path, given, "given")
    whole.write_bytes((tmp_path / "cut.png").read_bytes())
    found = evaluated(
        run, photos, sets=[str(tmp_path / "asked")], references=[str(tmp_path / "given")]
    )
    (kept,) = found.sets[0].references
    assert dict(kept.left_out) == {"content": 2, "photographer": 3, "unreadable": 1}
    assert len(kept) == len(given) - 6
    with pytest.raises(EvaluationError, match=r"No photo of .* is left to compare with"):
        evaluated(run, photos, sets=[str(tmp_path / "asked")], references=[str(tmp_path / "asked")])


def test_a_broken_query_is_a_miss_of_every_method(run: Path, photos: Path, tmp_path: Path) -> None:
    rows = others(tmp_path)
    manifest_of(tmp_path, rows)
    (tmp_path / rows[3].uri).write_bytes(b"no picture")
    found = evaluated(run, photos, sets=[str(tmp_path / "manifest")], features=tmp_path / "old")
    assert found.to_json()["sets"][0]["n_failed"] == 1
    for row in found.sets[0].tables[0].rows:
        assert (row.metrics["accuracy@2500km"].value or 0.0) <= 23 / 24
    for row in rows:
        (tmp_path / row.uri).write_bytes(b"no picture")
    with pytest.raises(EvaluationError, match="None of the 24 photos"):
        evaluated(run, photos, sets=[str(tmp_path / "manifest")], features=tmp_path / "new")


def test_photos_and_photographers_of_training_are_refused(
    run: Path, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises(SplitLeakError, match="are files that the model was trained"):
        evaluated(run, photos, sets=[f"{photos}:train"])
    rows = others(tmp_path)
    known = next(iter(Manifest.open(photos).photos(split="val"))).photographer
    manifest_of(tmp_path, [replace(rows[0], photographer=known), *rows[1:]])
    with pytest.raises(SplitLeakError, match=r"^1 of 24 photos of .* are by photographers"):
        evaluated(run, photos, sets=[str(tmp_path / "manifest")])


def test_what_cannot_be_asked_is_refused_before_the_work(
    run: Path, photos: Path, other: Path, tmp_path: Path
) -> None:
    rows = others(tmp_path, count=12)
    manifest_of(tmp_path, [replace(rows[0], lat=None, lon=None), *rows[1:]])
    with pytest.raises(EvaluationError, match=r"1 of 12 photos of .* have no coordinates"):
        evaluated(run, photos, sets=[str(tmp_path / "manifest")])
    with pytest.raises(EvaluationError, match=r"no photos in the split 'night'.*test, train, val"):
        evaluated(run, photos, sets=[f"{other}:night"])
    with pytest.raises(EvaluationError, match="is no manifest of photos"):
        evaluated(run, photos, sets=[str(tmp_path / "nothing")])
    with pytest.raises(TrainingDataError, match="was trained on data with the fingerprint"):
        evaluated(run, other)
    with pytest.raises(UsageError, match="what to compare with"):
        evaluated(run / "bundle", sets=[str(other)])
    with pytest.raises(UsageError, match="what to ask about"):
        evaluated(run / "bundle", references=[str(other)])


def test_a_bundle_alone_says_that_leaks_could_not_be_looked_up(
    run: Path, photos: Path, other: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "model"
    shutil.copytree(run / "bundle", bundle)
    found = evaluated(bundle, sets=[str(other)], references=[f"{photos}:train"])
    assert "whether these photos and their photographers are new" in found.warnings[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "model-features"]
    guess = found.sets[0].guesses["busiest place of training"]
    train = [(row.lat, row.lon) for row in Manifest.open(photos).photos(split="train")]
    assert (guess.lat, guess.lon) in train


def test_photos_without_hashes_are_known_by_their_files(
    run: Path, photos: Path, tmp_path: Path
) -> None:
    rows = [replace(row, sha256=None) for row in others(tmp_path)]
    dataset = Dataset("plain", "1", tmp_path, lambda: iter(rows))
    write_manifest(tmp_path / "plain", dataset, files="trust")
    found = evaluated(
        run,
        photos,
        sets=[f"{tmp_path / 'plain'}:test"],
        references=[str(tmp_path / "plain")],
        features=tmp_path / "kept",
    )
    assert found.warnings[0].startswith("4 of 4 photos of plain:test have no hash")
    assert found.sets[0].references[0].left_out["content"] == 4


def test_the_busiest_place_of_very_many_is_looked_for_among_some(
    run: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.benchmark.global_evaluation._PRIOR_PLACES", 10)
    guess = evaluated(run, photos).sets[0].guesses["busiest place of training"]
    train = [(row.lat, row.lon) for row in Manifest.open(photos).photos(split="train")]
    assert (guess.lat, guess.lon) in train


def test_a_cross_view_run_is_no_model_of_places(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(tiny().to_toml())
    with pytest.raises(BundleError, match="is of task 'cross-view'"):
        evaluated(tmp_path)
    with pytest.raises(BundleError):
        evaluated(tmp_path / "nothing")


def test_a_run_without_a_test_split_asks_for_a_set(photos: Path, run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    recipe = tiny_global(head="multi", partitions=("s2:cells=4", "s2:cells=9"), test_split="")
    (folder / "recipe.toml").write_text(recipe.to_toml())
    with pytest.raises(EvaluationError, match="names no test split"):
        evaluated(folder, photos)
