"""``sightline atlas`` over aerial imagery, with a real small cross-view model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imagery.aerial.rasters import texture, utm_raster
from imagery.aerial.tiles import write_folder
from models.cross_view_networks import bundle as cross_view_bundle
from sightline.models.bundle import save_bundle

BOX = "10,20,10.0004,20.0004"


@pytest.fixture(scope="module")
def two_views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "two.model"
    return save_bundle(folder, cross_view_bundle(patch_m=40.0))


@pytest.fixture(scope="module")
def ortho(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return utm_raster(tmp_path_factory.mktemp("ortho") / "town.tif", size=240)


def test_the_life_of_an_aerial_atlas(sightline, two_views, ortho, tmp_path):
    out = tmp_path / "town.atlas"
    arguments = ("atlas", "build", out, "--aerial", ortho, "--model", two_views, "--licence", "CC0")
    built = sightline(*arguments)
    assert built.status == 0, built.err
    assert "patches of 40 m added" in built.out  # as the model was trained
    again = sightline(*arguments, "--patch-m", "40", "--stride-m", "20", "--workers", "1")
    assert again.status == 0
    assert again.out.startswith("0 patches of 40 m added")
    info = sightline("atlas", "info", out)
    for line in ("kind           aerial", "patch m        40.0", "stride m       20.0", "CC0"):
        assert line in info.out
    assert f"town: {ortho}" in info.out
    facts = sightline("atlas", "info", out, "--json").json()
    assert facts["card"]["aerial_sources"]["town"]["location"] == str(ortho)
    assert sightline("atlas", "export", out, tmp_path / "o.geojson").status == 0
    features = json.loads((tmp_path / "o.geojson").read_text())["features"]
    assert {f["geometry"]["type"] for f in features} == {"Polygon"}
    assert len(features) == facts["rows"]
    east = utm_raster(tmp_path / "east.tif", pixels=texture(200, 200, seed=3))
    added = sightline("atlas", "add", out, "--aerial", east, "--min-valid", "0.95")
    assert added.status == 0, added.err
    assert sightline("atlas", "info", out, "--json").json()["rows"] > facts["rows"]
    gone = sightline("atlas", "remove", out, "--name", "aerial:east#*")
    assert gone.status == 0
    assert sightline("atlas", "compact", out).status == 0
    assert sightline("atlas", "verify", out).status == 0
    assert sightline("atlas", "info", out, "--json").json()["rows"] == facts["rows"]


def test_a_planet_and_tiles(sightline, two_views, tmp_path):
    built = sightline(
        "atlas", "build", tmp_path / "planet", "--aerial", "planet:7", "--within", BOX,
        "--patch-m", "40", "--model", two_views,
    )  # fmt: skip
    assert built.status == 0, built.err
    assert "patches of 40 m" in built.out
    tiles = write_folder(tmp_path / "tiles")
    built = sightline(
        "atlas", "build", tmp_path / "tiled", "--aerial", f"{tiles}/{{z}}/{{x}}/{{y}}.png",
        "--zoom", "17", "--patch-m", "60", "--stride-m", "60", "--model", two_views,
        "--source-name", "mine", "--attribution", "me",
    )  # fmt: skip
    assert built.status == 0, built.err
    card = sightline("atlas", "info", tmp_path / "tiled", "--json").json()["card"]
    assert card["aerial_sources"]["mine"]["attribution"] == "me"
    assert card["aerial_sources"]["mine"]["options"] == {"zoom": 17}


def test_options_reach_the_imagery(sightline, two_views, tmp_path):
    many = utm_raster(tmp_path / "many.tif", pixels=texture(200, 200, bands=5).astype("uint16"))
    arguments = ("atlas", "build", tmp_path / "a", "--aerial", many, "--model", two_views)
    told = sightline(*arguments)
    assert told.status == 2
    assert "--bands" in told.err
    built = sightline(*arguments, "--bands", "5,3,1", "--value-range", "0,255")
    assert built.status == 0, built.err
    (source,) = (
        sightline("atlas", "info", tmp_path / "a", "--json")
        .json()["card"]["aerial_sources"]
        .values()
    )
    assert source["options"] == {"bands": [5, 3, 1], "value_range": [0.0, 255.0]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--aerial", "{ortho}", "--photos", "{photos}"), "Both --photos and --aerial"),
        ((), "Neither --photos nor --aerial"),
        (("--photos", "{photos}", "--patch-m", "100"), "--patch-m belongs to --aerial"),
        (("--photos", "{photos}", "--allow-network"), "--allow-network belongs to --aerial"),
        (("--photos", "{photos}", "--zoom", "0"), "--zoom belongs to --aerial"),
        (("--photos", "{ortho}"), "is a georeferenced TIFF, not photos"),
        (("--photos", "{tiles}"), "is a folder of tiles, not photos"),
        (("--aerial", "{photos}"), "holds no aerial imagery"),
        (("--aerial", "{missing}"), "There is no aerial imagery"),
        (("--aerial", "{ortho}", "--within", "0,0,1,1"), "lies outside 'town'"),
        (("--aerial", "{ortho}", "--patch-m", "9000"), "larger than 'town'"),
        (("--aerial", "{ortho}", "--stride-m", "0"), "stride_m must be"),
        (("--aerial", "{ortho}", "--min-valid", "2"), "min_valid must be"),
        (("--aerial", "{ortho}", "--bands", "red"), "--bands must be numbers"),
        (("--aerial", "{ortho}", "--value-range", "a,b"), "--value-range must be numbers"),
        (("--aerial", "planet:7"), "shows the whole Earth"),
        (("--aerial", "https://tiles.example/{{z}}/{{x}}/{{y}}.png"), "lies on the network"),
        (
            ("--aerial", "https://tiles.example/{{z}}/{{x}}/{{y}}.png", "--within", "0,0,1,1"),
            "lies on the network",
        ),
    ],
)
def test_one_clear_error_before_any_work(
    sightline, two_views, ortho, photos, tmp_path, options, said
):
    names = {
        "ortho": ortho,
        "photos": photos,
        "tiles": write_folder(tmp_path / "tiles"),
        "missing": tmp_path / "missing.tif",
    }
    out = tmp_path / "x.atlas"
    filled = [o.format(**names) for o in options]
    ran = sightline("atlas", "build", out, "--model", two_views, *filled)
    assert ran.status == 2
    assert said in ran.err
    assert not out.exists()


def test_models_and_atlases_of_the_other_kind(
    sightline, bundle, two_views, ortho, atlas, photos, tmp_path
):
    out = tmp_path / "x.atlas"
    for side in ((), ("--patch-m", "40")):
        ground = sightline("atlas", "build", out, "--aerial", ortho, *side, "--model", bundle)
        assert ground.status == 2
        assert "ground photos only" in ground.err
    of_photos = sightline("atlas", "build", out, "--photos", photos, "--model", two_views)
    assert of_photos.status == 2
    assert "matches photos with aerial patches" in of_photos.err
    somewhere = save_bundle(tmp_path / "untold.model", cross_view_bundle())
    untold = sightline("atlas", "build", out, "--aerial", ortho, "--model", somewhere)
    assert untold.status == 2
    assert "--patch-m 100" in untold.err
    assert not out.exists()
    other = sightline(
        "atlas", "build", atlas, "--aerial", ortho, "--patch-m", "40", "--model", two_views
    )
    assert other.status == 2
    assert "is of photos; aerial patches cannot be added" in other.err


def test_a_folder_of_somebody_else_is_left_alone(sightline, two_views, ortho, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one.txt").write_text("dear")
    ran = sightline("atlas", "build", tmp_path / "letters", "--aerial", ortho, "--model", two_views)
    assert ran.status == 2
    assert [p.name for p in (tmp_path / "letters").iterdir()] == ["one.txt"]


def test_ctrl_c_keeps_what_was_built(sightline, two_views, ortho, tmp_path, monkeypatch):
    from sightline.models.cross_view_encoder import TorchCrossViewEncoder

    plain, calls = TorchCrossViewEncoder.encode_prepared, []

    def interrupted(encoder, batch, view="ground"):
        calls.append(len(batch))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return plain(encoder, batch, view)

    out = tmp_path / "town.atlas"
    arguments = (
        "atlas", "build", out, "--aerial", ortho, "--stride-m", "10", "--model", two_views
    )  # fmt: skip
    with monkeypatch.context() as patched:
        patched.setattr(TorchCrossViewEncoder, "encode_prepared", interrupted)
        ran = sightline(*arguments)
    assert ran.status == 130
    assert "Run the same command again" in ran.err
    assert (out / "model" / "model.json").is_file()
    again = sightline(*arguments)
    assert again.status == 0
    assert "already there" in again.out
    assert sightline("atlas", "verify", out).status == 0
