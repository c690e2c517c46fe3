from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.geo.partition.places import crowded

from sightline.partition_files import load_partition


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("places") / "list.csv"
    rows = "\n".join(
        f"{number},{lat!r},{lon!r}" for number, (lat, lon) in enumerate(crowded(600).tolist())
    )
    path.write_text(f"id,lat,lon\n{rows}\nlost,,\n")
    return path


@pytest.fixture(scope="module")
def built(places: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from sightline.datasets.places import read_places
    from sightline.geo.partition import S2Settings, adaptive_s2
    from sightline.partition_files import save_partition

    out = tmp_path_factory.mktemp("built") / "cells.parquet"
    coordinates = read_places(places).coordinates
    save_partition(out, adaptive_s2(coordinates, S2Settings(max_members=30, min_members=5)))
    return out


@pytest.mark.parametrize(
    ("options", "kind", "cells"),
    [
        (["--cells", 50], "s2", (50, 52)),
        (["--max-members", 30, "--min-members", 5, "--max-level", 9], "s2", (10, 99)),
        (["--method", "boxes", "--cells", 80], "boxes", (80, 80)),
        (["--method", "boxes", "--cells", 80, "--cut", "random", "--seed", 4], "boxes", (80, 80)),
        (["--method", "boxes", "--max-members", 20, "--min-area-km2", 1000], "boxes", (10, 300)),
        (["--method", "quadtree", "--max-members", 99, "--around-data"], "boxes", (9, 300)),
        (["--method", "quadtree", "--cells", 9, "--min-level", 1], "boxes", (9, 11)),
        (["--method", "uniform", "--level", 3], "s2", (100, 384)),
        (["--method", "grid", "--level", 4], "boxes", (60, 256)),
    ],
)
def test_build_and_info(sightline, places, tmp_path, options, kind, cells):
    out = tmp_path / "cells.parquet"
    ran = sightline("partition", "build", out, "--from", places, *options)
    assert ran.status == 0, ran.err
    assert "A classifier that is always right, on 600 places:" in ran.out
    assert "1 row without a place was left out" in ran.err
    held = load_partition(out)
    assert held.kind == kind
    assert cells[0] <= len(held) <= cells[1]
    ran = sightline("partition", "info", out, "--from", places)
    assert f"{len(held)} cells ({kind}), fingerprint {held.fingerprint[:12]}" in ran.out
    assert "lie farther than 2,500 km from their cell's answer" in ran.out


def test_json_of_every_verb(sightline, places, built, tmp_path):
    out = tmp_path / "cells.parquet"
    told = sightline(
        "partition", "build", out, "--from", places, "--cells", 40, "--json"
    ).json()  # fmt: skip
    assert (told["kind"], told["without"], told["oracle"]["outside"]) == ("s2", 1, 0)
    assert told["settings"]["cells"] == 40
    told = sightline("partition", "info", built, "--json").json()
    assert "oracle" not in told
    told = sightline("partition", "info", built, "--from", places, "--json").json()
    assert told["oracle"]["places"] == 600
    told = sightline("partition", "assign", built, places, tmp_path / "rows.csv", "--json").json()
    assert (told["places"], told["without"]) == (600, 1)
    assert told["outside"] > 0


def test_assign_writes_rows_and_names(sightline, places, built, tmp_path):
    held = load_partition(built)
    ran = sightline("partition", "assign", built, places, tmp_path / "rows.csv")
    assert "of them in no cell" in ran.out
    assert "1 row without a place" in ran.err
    rows = list(csv.DictReader((tmp_path / "rows.csv").read_text().splitlines()))
    expected = held.assign(crowded(600))
    assert [int(row["row"]) for row in rows] == expected.tolist()
    names = held.cells.names()
    assert [row["cell"] for row in rows] == [names[n] if n >= 0 else "" for n in expected]
    sightline("partition", "assign", built, places, tmp_path / "all.csv", "--outside", "nearest")
    rows = list(csv.DictReader((tmp_path / "all.csv").read_text().splitlines()))
    assert min(int(row["row"]) for row in rows) >= 0


def test_export_for_maps_tables_and_people(sightline, built, tmp_path):
    held = load_partition(built)
    for name in ("cells.geojson", "cells.csv", "map.svg"):
        ran = sightline("partition", "export", built, tmp_path / name)
        assert ran.status == 0, ran.err
        assert f"{len(held)} cells written to" in ran.out
    document = json.loads((tmp_path / "cells.geojson").read_text())
    assert len(document["features"]) == len(held)
    assert load_partition(tmp_path / "cells.csv").fingerprint == held.fingerprint
    assert (tmp_path / "map.svg").read_text().startswith("<svg")
    ran = sightline("partition", "info", tmp_path / "cells.csv")
    assert f"fingerprint {held.fingerprint[:12]}" in ran.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--level", 3], "--method s2 has no option --level"),
        (["--method", "boxes", "--cells", 9, "--max-level", 3], "has no option --max-level"),
        (["--method", "uniform"], "--method uniform needs a --level"),
        ([], "needs a goal"),
        (["--cells", 601], "fill 600 cells at most"),
        (["--cells", 9, "--min-members", 900], "only 0 has 900 places or more"),
        (["--cells", 9, "--split", "test"], "Only a manifest has splits"),
        (["--method", "boxes", "--cells", 9, "--cut", "random", "--seed", -3], "seed must be"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(sightline, places, tmp_path, arguments, said):
    ran = sightline("partition", "build", tmp_path / "x.parquet", "--from", places, *arguments)
    assert ran.status == 2
    assert said in ran.err
    assert not list(tmp_path.iterdir())


def test_files_that_are_none(sightline, built, tmp_path):
    ran = sightline("partition", "export", built, tmp_path / "cells.shp")
    assert (ran.status, "exported as .geojson" in ran.err) == (2, True)
    ran = sightline("partition", "info", tmp_path / "nothing.parquet")
    assert (ran.status, "cannot be read" in ran.err) == (2, True)
    ran = sightline("partition", "build", tmp_path / "no" / "x", "--from", built, "--cells", 4)
    assert (ran.status, "does not exist" in ran.err) == (2, True)


def test_nothing_that_is_read_is_written_over(sightline, places, built):
    before = places.read_bytes(), built.read_bytes()
    for arguments in (
        ["build", places, "--from", places, "--cells", 9],
        ["assign", built, places, built],
        ["assign", built, places, places],
    ):
        ran = sightline("partition", *arguments)
        assert (ran.status, "would be written over" in ran.err) == (2, True)
    assert (places.read_bytes(), built.read_bytes()) == before


def test_options_of_places_that_are_not_given(sightline, places, built):
    for options in (["--split", "test"], ["--outside", "nearest"]):
        ran = sightline("partition", "info", built, *options)
        assert (ran.status, "Got no --from" in ran.err) == (2, True)
    asked = ("partition", "info", built, "--from", places)
    missed = sightline(*asked, "--json").json()["oracle"]
    sent = sightline(*asked, "--outside", "nearest", "--json").json()["oracle"]
    assert missed["outside"] > 0 == sent["outside"]
    assert "1 row without a place was left out" in sightline(*asked).err


def test_numbers_are_written_for_people(sightline, places, tmp_path):
    ran = sightline("partition", "build", tmp_path / "c", "--from", places, "--cells", 9)
    assert "e+" not in ran.out
