"""``sightline atlas``: the life of an atlas from the command line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sightline.atlas import Atlas
from sightline.atlas.maintain import remove as remove_rows
from sightline.atlas.store import Store

from .conftest import PLACES, write_photo


@pytest.fixture
def own(atlas: Path, tmp_path: Path) -> Path:
    return shutil.copytree(atlas, tmp_path / "own.atlas")


def test_build_says_what_it_did_and_keeps_its_model(sightline, photos, bundle, tmp_path):
    out = tmp_path / "new.atlas"
    arguments = ("atlas", "build", out, "--photos", photos, "--model", bundle)
    first = sightline(*arguments, "--licence", "CC0-1.0", "--description", "a town")
    assert first.status == 0
    assert "12 photos added" in first.out
    assert "nowhere.png" in first.err
    assert (out / "model" / "model.json").is_file()
    again = sightline(*arguments)
    assert again.status == 0
    assert "0 photos added" in again.out
    assert "12 already there" in again.out
    verified = sightline("atlas", "verify", out)
    assert verified.status == 0
    assert "sound" in verified.out


def test_build_from_a_table(sightline, photos, bundle, tmp_path):
    table = tmp_path / "photos.csv"
    rows = [f"{photos}/place {n}/0.png,{lat},{lon}" for n, (lat, lon) in enumerate(PLACES)]
    lat, lon = PLACES[2]
    bad = [
        f"{photos}/place 0/1.png,91,13",
        f"{photos}/place 1/1.png,north,13",
        f"{photos}/place 2/1.png,{lon},{lat}",
    ]
    table.write_text("﻿file,latitude,lng\n" + "\n".join([*rows, *bad]), encoding="utf-8")
    out = tmp_path / "table.atlas"
    ran = sightline("atlas", "build", out, "--photos", table, "--model", bundle)
    assert ran.status == 0
    assert "6 photos added" in ran.out
    assert "3 photos left out" in ran.err
    assert "Line 8 of" in ran.err
    assert "in line 9 of" in ran.err
    assert "swapped" in ran.err


@pytest.mark.parametrize(("content", "said"), [("path,place\na.png,Lund\n", "lat"), ("", "empty")])
def test_a_table_without_its_columns(sightline, bundle, tmp_path, content, said):
    table = tmp_path / "bad.csv"
    table.write_text(content)
    out = tmp_path / "x.atlas"
    ran = sightline("atlas", "build", out, "--photos", table, "--model", bundle)
    assert ran.status == 2
    assert said in ran.err
    assert not out.exists()


def test_a_build_of_nothing(sightline, bundle, tmp_path):
    (tmp_path / "empty").mkdir()
    for photos in (tmp_path / "empty", tmp_path / "missing"):
        ran = sightline(
            "atlas", "build", tmp_path / "x.atlas", "--photos", photos, "--model", bundle
        )
        assert ran.status == 2


def test_add_remove_compact_and_index(sightline, own, tmp_path):
    new = write_photo(tmp_path / "more" / "new.png", 2, 8)
    added = sightline("atlas", "add", own, "--photos", tmp_path / "more")
    assert added.status == 0
    assert "13 rows now" in added.out
    removed = sightline("atlas", "remove", own, "--name", new, "--name", "nothing/*")
    assert removed.status == 1
    assert "removed 1 rows" in removed.out
    assert "nothing/*" in removed.err
    south = sightline("atlas", "remove", own, "--within", "55.6,13,55.7001,14")
    assert south.status == 0
    assert "removed 2 rows" in south.out
    assert sightline("atlas", "remove", own).status == 2
    compacted = sightline("atlas", "compact", own, "--keep-minutes", "0")
    assert compacted.status == 0
    assert "10 rows in 1 files" in compacted.out
    assert sightline("atlas", "index", own).status == 0
    assert sightline("atlas", "verify", own).status == 0


def test_removing_everything_leaves_an_empty_atlas(sightline, own, photos, tmp_path):
    ran = sightline("atlas", "remove", own, "--within", "SE")
    assert ran.status == 0
    assert "nothing to index" in ran.err
    asked = write_photo(tmp_path / "a.png", 1)
    located = sightline("locate", asked, "--atlas", own, "--json")
    assert located.status == 1
    assert located.json()["photos"][0]["error"]["code"] == "atlas.empty"


def test_adding_to_no_atlas(sightline, photos, tmp_path):
    ran = sightline("atlas", "add", tmp_path / "none", "--photos", photos)
    assert ran.status == 2
    assert "none" in ran.err


def test_info(sightline, own):
    plain = sightline("atlas", "info", own)
    facts = sightline("atlas", "info", own, "--json").json()
    assert plain.status == 0
    assert "fingerprint" in plain.out
    assert facts["rows"] == 12
    assert facts["index"]["rows"] == 12


def test_verify_finds_a_damaged_index(sightline, own):
    (vectors,) = [p for p in (own / "derived").rglob("*") if "vectors" in p.name][:1]
    content = bytearray(vectors.read_bytes())
    content[len(content) // 2] ^= 0xFF
    vectors.write_bytes(content)
    ran = sightline("atlas", "verify", own)
    as_json = sightline("atlas", "verify", own, "--json")
    assert ran.status == as_json.status == 1
    assert "fault" in ran.out
    assert as_json.json()["sound"] is False


def test_verify_says_what_could_be_better(sightline, own):
    store = Store.open(own)
    rows = store.take(np.arange(store.count), store.schema.names)
    first = rows.slice(int(np.argmin(rows.column("s2").to_numpy().view(np.uint64))), 1)
    number = first.schema.get_field_index("id")
    again = first.set_column(number, "id", pa.array([store.next_id()], pa.int64()))
    store.delete(first.column("id").to_numpy()).append(again.cast(store.schema))
    ran = sightline("atlas", "verify", own)
    assert (ran.status, "12 rows: sound" in ran.out) == (0, True)
    assert "note    The rows are not all in S2 order" in ran.out
    assert "sightline atlas compact" in ran.out
    assert sightline("atlas", "compact", own).status == 0
    assert "note" not in sightline("atlas", "verify", own).out


def test_export(sightline, own, tmp_path):
    ran = sightline("atlas", "export", own, tmp_path / "o.geojson")
    assert ran.status == 0
    assert len(json.loads((tmp_path / "o.geojson").read_text())["features"]) == 12
    assert sightline("atlas", "export", own, tmp_path / "o.parquet", "--no-vectors").status == 0
    assert sightline("atlas", "export", own, tmp_path / "o.xyz").status == 2


def test_ctrl_c_keeps_what_is_done(sightline, photos, bundle, tmp_path, monkeypatch):
    from sightline.models.encoder import TorchEncoder

    encode = TorchEncoder.encode_prepared

    def interrupted(self, batch, view="ground"):
        if len(batch) and (tmp_path / "stop").exists():
            raise KeyboardInterrupt
        (tmp_path / "stop").touch()
        return encode(self, batch, view)

    out = tmp_path / "new.atlas"
    monkeypatch.setattr(TorchEncoder, "encode_prepared", interrupted)
    arguments = ("atlas", "build", out, "--photos", photos, "--model", bundle)
    for number in range(20):
        write_photo(tmp_path / "extra" / f"{number}.png", number % 6, 20 + number)
    ran = sightline(*arguments, "--photos", tmp_path / "extra")
    assert ran.status == 130
    assert "again" in ran.err
    assert (out / "model" / "model.json").is_file()
    monkeypatch.undo()


def test_a_model_that_cannot_be_kept_leaves_nothing_behind(sightline, photos, bundle, tmp_path):
    broken = shutil.copytree(bundle, tmp_path / "broken.model")
    (broken / "dangling").symlink_to(tmp_path / "nowhere")
    out = tmp_path / "new.atlas"
    ran = sightline("atlas", "build", out, "--photos", photos, "--model", broken)
    assert ran.status == 2
    assert "Cannot write" in ran.err
    assert not list(out.glob("*model*"))


def test_an_atlas_of_one_photo_is_judged_by_a_stated_threshold(sightline, bundle, tmp_path):
    alone = write_photo(tmp_path / "refs" / "a.png", 1, 0)
    out = tmp_path / "one.atlas"
    built = sightline("atlas", "build", out, "--photos", alone.parent, "--model", bundle)
    assert built.status == 0
    asked = write_photo(tmp_path / "asked.png", 3, 1)
    ran = sightline("locate", asked, "--atlas", out, "--json")
    (photo,) = ran.json()["photos"]
    assert photo["estimate"]["threshold"] == 0.15
    score = photo["candidates"][0]["score"]
    assert photo["estimate"]["abstained"] == (score < 0.15)


def test_a_damaged_model_in_the_atlas_is_replaced_by_building_again(
    sightline, own, photos, bundle, tmp_path
):
    weights = own / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (own / ".model-1").mkdir()
    asked = write_photo(tmp_path / "asked.png", 3, 1)
    assert sightline("locate", asked, "--atlas", own).status == 2
    again = sightline("atlas", "build", own, "--photos", photos, "--model", bundle)
    assert again.status == 0
    assert sightline("locate", asked, "--atlas", own).status == 0
    assert not (own / ".model-1").exists()


def test_a_search_tree_and_hash_tables_are_built_on_demand(sightline, own):
    before = sightline("atlas", "info", own, "--json").json()["index"]
    ran = sightline("atlas", "index", own, "--tree", "k=2,leaf=3", "--lsh", "tables=4,bits=3")
    assert ran.status == 0
    assert "tree in " in ran.out
    assert "lsh in " in ran.out
    assert re.search(r"finds \d+% of the 1 nearest, by \d+ distances .* takes 12", ran.out)
    assert sightline("atlas", "info", own, "--json").json()["index"] == before
    assert Atlas.open(own).info()["structures"].keys() == {"tree", "lsh"}
    unknown = sightline("atlas", "index", own, "--tree", "branches=2")
    assert unknown.status == 2
    assert "no setting 'branches'" in unknown.err
    shutil.rmtree(own / "derived")
    assert sightline("atlas", "index", own, "--tree", "").status == 0
    assert Atlas.open(own).info()["structures"]["tree"]["settings"]["k"] == 8


def test_photos_are_located_by_a_structure(sightline, own, tmp_path):
    asked = write_photo(tmp_path / "asked.png", 3, 9)
    for kind in ("tree", "lsh"):
        ran = sightline("locate", asked, "--atlas", own, "--search", kind)
        assert ran.status == 2
        assert f"has no {kind} to search with" in ran.err
        assert f"sightline atlas index --{kind} " in ran.err
    sightline("atlas", "index", own, "--tree", "k=2,leaf=3", "--lsh", "tables=4,bits=3")
    found = {}
    for way in ("auto", "exact", "approximate", "tree", "lsh"):
        document = sightline("locate", asked, "--atlas", own, "--search", way, "--json").json()
        assert document["search"] == way
        (photo,) = document["photos"]
        found[way] = (photo["candidates"][0]["uri"], photo["candidates"][0]["score"])
    # Twelve references: what is asked for is all of them, so that every way must agree.
    assert len(set(found.values())) == 1
    assert "place 3" in found["tree"][0]


def test_info_tells_structures_and_indexing_anew_tells_their_loss(sightline, own, tmp_path):
    assert sightline("atlas", "info", own, "--json").json()["structures"] == {}
    sightline("atlas", "index", own, "--tree", "k=2,leaf=3")
    told = sightline("atlas", "info", own, "--json").json()["structures"]["tree"]
    files = list((own / "derived").glob("*/tree/*"))
    assert told["size_bytes"] == sum(file.stat().st_size for file in files)
    assert told["rows"] == 12
    assert told["settings"] == {"k": 2, "leaf": 3, "beam": 1, "depth": None, "seed": 0}
    assert told["knows_all_rows"] is True
    shown = sightline("atlas", "info", own).out
    assert "tree           k=2,leaf=3,beam=1,seed=0; 12 rows" in shown
    assert "all rows" in shown
    assert "of the 1 nearest" in shown
    store = Store.open(own)
    remove_rows(own, ids=[int(store.ids()[0])])
    assert "newer rows are scanned beside it" in sightline("atlas", "info", own).out
    # What is built again is not lost; the other one is, and the command to type is told.
    ran = sightline("atlas", "index", own, "--lsh", "tables=4,bits=3")
    command = f"sightline atlas index {own} --tree k=2,leaf=3,beam=1,seed=0"
    assert command in ran.err
    assert "lsh" not in ran.err
    assert sightline(*command.split()[1:]).status == 0
    assert sightline("atlas", "info", own, "--json").json()["structures"].keys() == {"tree", "lsh"}
    assert "its tree and lsh with it" in sightline("atlas", "compact", own).err
