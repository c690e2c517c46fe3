"""``sightline locate`` with a model that holds a classifier: all of it is used, and told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.models.global_networks import bundle as classifier_bundle
from tests.models.global_networks import taught
from tests.report.schema import violations

import sightline as python
from sightline.errors import EncoderError
from sightline.geo.distance import great_circle_m
from sightline.geo.partition import S2Settings, adaptive_s2
from sightline.models.bundle import save_bundle
from sightline.report import json_schema

from .conftest import PLACES, scene, write_photo

# Beside the six places a seventh far away, which the classifier knows and the atlas does not.
FAR = (-33.0, 151.0)
KNOWN = np.array([*PLACES, FAR])
CELLS = adaptive_s2(KNOWN, S2Settings(max_members=1))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shown = [scene(number, variant) for number in range(7) for variant in (3, 4)]
    made = taught(
        classifier_bundle(partitions=[CELLS], residual_hidden=8), shown, KNOWN.repeat(2, axis=0)
    )
    return save_bundle(tmp_path_factory.mktemp("classifier") / "places.model", made)


@pytest.fixture(scope="module")
def cells_atlas(classifier: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sightline.atlas.build import build_atlas
    from sightline.cli.growing import keep_model
    from sightline.datasets import open_source
    from sightline.models.bundle import load_model

    out = tmp_path_factory.mktemp("cells") / "town.atlas"
    build_atlas(out, list(open_source(photos)), load_model(classifier))
    keep_model(out, classifier)
    return out


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    return write_photo(tmp_path / "asked.png", 3, 9)


def test_an_atlas_is_built_with_it_and_keeps_it(sightline, classifier, photos, asked, tmp_path):
    out = tmp_path / "typed.atlas"
    built = sightline("atlas", "build", out, "--photos", photos, "--model", classifier)
    assert built.status == 0
    assert {p.name for p in (out / "model").iterdir()} == {
        "model.json", "weights.safetensors", "partition-0.parquet",
    }  # fmt: skip
    ran = sightline("locate", asked, "--atlas", out, "--json")
    assert ran.json()["photos"][0]["estimate"]["method"] == "within-cell"


def test_without_a_method_all_of_the_model_is_used(sightline, cells_atlas, asked):
    ran = sightline("locate", asked, "--atlas", cells_atlas, "--json")
    assert ran.status == 0
    document = ran.json()
    assert document["schema"] == "sightline.locate/1"
    assert violations(document, json_schema()) == []
    (photo,) = document["photos"]
    estimate = photo["estimate"]
    assert estimate["method"] == "within-cell"
    assert great_circle_m((estimate["lat"], estimate["lon"]), PLACES[3]) < 1.0
    assert len(photo["candidates"]) == 2
    name = CELLS.cells.names()[int(CELLS.assign([PLACES[3]])[0])]
    assert estimate["cells"][0]["name"] == name
    assert estimate["mass"] == pytest.approx(estimate["cells"][0]["probability"])
    assert len(estimate["cells"]) == 7
    assert "levels" not in estimate
    assert estimate["notes"][0].startswith(f"Searched in the cell {name}")
    plain = sightline("locate", asked, "--atlas", cells_atlas)
    assert "(within-cell)" in plain.out
    assert (
        f"note            Searched in the cell {name}, to which the classifier gives" in plain.out
    )


@pytest.mark.parametrize("method", ["nearest", "density", "clusters"])
def test_the_other_methods_are_what_they_were(sightline, cells_atlas, asked, method):
    ran = sightline("locate", asked, "--atlas", cells_atlas, "--method", method, "--json")
    estimate = ran.json()["photos"][0]["estimate"]
    assert ran.status == 0
    assert estimate["method"] == method
    assert not {"cells", "mass", "levels", "notes"} & set(estimate)


def test_a_region_or_an_index_leaves_the_classifier_out(sightline, cells_atlas, asked):
    ran = sightline("locate", asked, "--atlas", cells_atlas, "--within", "SE", "--json")
    assert ran.json()["photos"][0]["estimate"]["method"] == "nearest"
    refused = sightline(
        "locate", asked, "--atlas", cells_atlas, "--within", "SE", "--method", "within-cell"
    )
    assert refused.status == 2
    assert "asks a classifier for the region" in refused.err


def test_levels_in_the_table_the_document_and_the_report(sightline, cells_atlas, asked, tmp_path):
    html, kml, geojson = (tmp_path / name for name in ("o.html", "o.kml", "o.geojson"))
    ran = sightline(
        "locate", asked, "--atlas", cells_atlas, "--levels", "--json", "--report", html,
        "--kml", kml, "--geojson", geojson,
    )  # fmt: skip
    assert ran.status == 0
    assert violations(ran.json(), json_schema()) == []
    levels = ran.json()["photos"][0]["estimate"]["levels"]
    assert [one["level"] for one in levels] == ["street", "city", "region", "country", "continent"]
    assert [one["radius_km"] for one in levels] == [1, 25, 200, 750, 2500]
    assert levels[4]["probability"] >= levels[0]["probability"]
    assert levels[0]["place"]["country"] == "Sweden"
    plain = sightline("locate", asked, "--atlas", cells_atlas, "--levels")
    assert "continent" in plain.out
    assert "2,500 km" in plain.out
    text = html.read_text("utf-8")
    assert "Answers by level" in text
    assert "Most probable cells" in text
    assert "2,500 km" in text
    assert json.loads(geojson.read_text("utf-8"))["features"][0]["properties"]["levels"]
    assert "within-cell" in kml.read_text("utf-8")


def test_every_method_side_by_side(sightline, cells_atlas, asked, tmp_path):
    html = tmp_path / "o.html"
    ran = sightline(
        "locate", asked, "--atlas", cells_atlas, "--compare", "--json", "--report", html
    )
    assert ran.status == 0
    assert violations(ran.json(), json_schema()) == []
    estimate = ran.json()["photos"][0]["estimate"]
    others = {other["method"]: other for other in estimate["alternatives"]}
    assert list(others) == ["nearest", "density", "clusters", "classify"]
    assert others["clusters"]["to_estimate_m"] < 2000
    assert others["nearest"]["place"]["country"] == "Sweden"
    assert "Other methods" in html.read_text("utf-8")
    plain = sightline("locate", asked, "--atlas", cells_atlas, "--compare", "--method", "density")
    assert "other method" in plain.out
    assert "within-cell" in plain.out


def test_several_cells(sightline, cells_atlas, asked):
    two = sightline("locate", asked, "--atlas", cells_atlas, "--cells", 2, "--json")
    assert len(two.json()["photos"][0]["candidates"]) == 4
    assert "Searched in 2 cells" in two.json()["photos"][0]["estimate"]["notes"][0]
    most = sightline("locate", asked, "--atlas", cells_atlas, "--mass", 1, "--json", "--k", 5)
    assert len(most.json()["photos"][0]["candidates"]) == 5
    assert most.json()["photos"][0]["estimate"]["mass"] == pytest.approx(1.0)


def test_a_cell_without_references_is_told(sightline, cells_atlas, tmp_path):
    write_photo(tmp_path / "far.png", 6, 9, place=False)
    html = tmp_path / "o.html"
    ran = sightline("locate", tmp_path / "far.png", "--atlas", cells_atlas, "--report", html)
    assert ran.status == 0
    assert "note            The atlas has no reference to compare with in the cell" in ran.out
    assert "Australia" in ran.out
    assert "most probable cells at" in ran.out
    assert "best matches at" not in ran.out
    assert "no reference to compare with in the cell" in html.read_text("utf-8")


def test_the_classifier_alone_needs_no_atlas(sightline, classifier, cells_atlas, asked, tmp_path):
    html, kml = tmp_path / "o.html", tmp_path / "o.kml"
    ran = sightline(
        "locate", asked, "--model", classifier, "--method", "classify", "--json", "--levels",
        "--report", html, "--kml", kml,
    )  # fmt: skip
    assert ran.status == 0
    document = ran.json()
    assert violations(document, json_schema()) == []
    assert document["atlas_path"] is None
    assert document["encoder_name"] == "tiny"
    estimate = document["photos"][0]["estimate"]
    assert estimate["method"] == "classify"
    assert document["photos"][0]["candidates"] == []
    assert "notes" not in estimate
    assert estimate["mass"] is None
    assert great_circle_m((estimate["lat"], estimate["lon"]), PLACES[3]) < 1.0
    assert "Encoder" in html.read_text("utf-8")
    # An atlas keeps its model, which answers as well.
    kept = sightline("locate", asked, "--atlas", cells_atlas, "--method", "classify", "--json")
    assert kept.json()["photos"][0]["estimate"]["cells"] == estimate["cells"]
    assert kept.json()["atlas_path"] == str(cells_atlas)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--mass", "0"], "mass must be above 0"),
        (["--mass", "1.5"], "mass must be above 0"),
        (["--cells", "0"], "--cells"),
        (["--method", "nearest", "--levels"], "'levels' is for methods"),
        (["--method", "classify", "--cells", "2"], "searches no cells"),
        (["--method", "within-cell", "--search", "lsh"], "lsh"),
        (["--heading", "3"], "whatever they look at"),
    ],
)
def test_wrong_options(sightline, cells_atlas, asked, arguments, said):
    ran = sightline("locate", asked, "--atlas", cells_atlas, *arguments)
    assert ran.status == 2
    assert said in ran.err


def test_models_and_atlases_that_cannot_answer(sightline, atlas, classifier, bundle, asked):
    for method in ("within-cell", "classify"):
        ran = sightline("locate", asked, "--atlas", atlas, "--method", method)
        assert ran.status == 2
        assert "holds no classifier of places" in ran.err
    alone = sightline("locate", asked, "--model", bundle, "--method", "classify")
    assert (alone.status, "holds no classifier" in alone.err) == (2, True)
    nothing = sightline("locate", asked, "--method", "classify")
    assert (nothing.status, "Neither an atlas nor a model" in nothing.err) == (2, True)
    none = sightline("locate", asked, "--model", classifier)
    assert (none.status, "'within-cell' searches an atlas" in none.err) == (2, True)
    other = sightline("locate", asked, "--atlas", atlas, "--model", classifier)
    assert (other.status, "do not compare" in other.err) == (2, True)


def test_model_info_names_classifier_cells_and_retriever(sightline, classifier, tmp_path):
    plain = sightline("model", "info", classifier)
    facts = sightline("model", "info", classifier, "--json").json()
    assert plain.status == 0
    assert "single head, fingerprint" in plain.out
    assert f"7 cells (s2), fingerprint {CELLS.fingerprint}" in plain.out
    assert "residual module of width 8" in plain.out
    assert facts["classifier"]["partitions"][0]["cells"] == 7
    broken = shutil.copytree(classifier, tmp_path / "broken")
    (broken / "partition-0.parquet").unlink()
    ran = sightline("model", "info", broken)
    assert (ran.status, "partition-0.parquet cannot be read" in ran.err) == (2, True)


def test_explain_shows_what_retrieval_compares(sightline, classifier, asked, tmp_path):
    out = tmp_path / "heat.png"
    ran = sightline("explain", asked, asked, "--model", classifier, "--out", out, "--json")
    assert ran.status == 0
    assert ran.json()["similarity"] == pytest.approx(1.0, abs=1e-4)
    assert out.exists()


def test_the_same_in_python(cells_atlas, classifier, bundle, asked):
    atlas, model = python.open_atlas(cells_atlas), python.open_model(cells_atlas)
    found = python.locate(asked, atlas, model, levels=True)
    assert found.estimate.method == "within-cell"
    assert len(found.estimate.levels) == 5
    assert "<svg" in found._repr_html_()
    alone = python.locate(asked, None, python.open_model(classifier), method="classify")
    assert alone.estimate.candidates == ()
    assert "<svg" in alone._repr_html_()
    wide = python.locate(asked, atlas, model, cells=2)
    assert len(wide.estimate.candidates) == 4
    with pytest.raises(EncoderError, match="holds no classifier"):
        python.locate(asked, None, python.open_model(bundle), method="classify")
