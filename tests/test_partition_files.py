"""Partitions written and read again, and the lists that others publish."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.geo.partition.places import crowded

from sightline.errors import CellError, CoordinateError, OutputError, PartitionError, TableError
from sightline.geo import cells as s2
from sightline.geo.partition import (
    BoxSettings,
    Centres,
    Partition,
    S2Settings,
    adaptive_boxes,
    adaptive_s2,
)
from sightline.partition_files import (
    load_partition,
    partition_bytes,
    partition_csv,
    partition_of_bytes,
    save_partition,
)

PLACES = crowded(800)


def made(kind: str) -> Partition:
    if kind == "s2":
        return adaptive_s2(PLACES, S2Settings(cells=40))
    boxes = adaptive_boxes(PLACES, BoxSettings(cells=40))
    if kind == "boxes":
        return boxes
    return Partition(Centres(boxes.representatives), boxes.representatives)


@pytest.mark.parametrize("kind", ["s2", "boxes", "centres"])
def test_it_is_read_as_it_was_written(kind: str, tmp_path: Path) -> None:
    held = made(kind)
    save_partition(tmp_path / "cells.parquet", held)
    again = load_partition(tmp_path / "cells.parquet")
    assert again.kind == kind
    assert again.fingerprint == held.fingerprint
    assert again.settings == held.settings
    assert (again.representatives == held.representatives).all()
    assert (again.assign(PLACES) == held.assign(PLACES)).all()
    if kind == "centres":
        assert again.members is None
    else:
        assert again.members.tolist() == held.members.tolist()
    # Every other program reads it too.
    assert pq.read_table(tmp_path / "cells.parquet").num_rows == len(held)


@pytest.mark.parametrize("kind", ["s2", "boxes", "centres"])
def test_bytes_are_what_a_file_holds(kind: str, tmp_path: Path) -> None:
    held = made(kind)
    save_partition(tmp_path / "cells.parquet", held)
    assert partition_bytes(held) == (tmp_path / "cells.parquet").read_bytes()
    assert partition_of_bytes(partition_bytes(held), "cells").fingerprint == held.fingerprint
    with pytest.raises(TableError, match=r"'mine' is damaged") as refused:
        partition_of_bytes(partition_bytes(held)[:-20], "mine")
    assert refused.value.path == "mine"


@pytest.mark.parametrize("kind", ["s2", "boxes", "centres"])
def test_csv_is_read_as_a_list(kind: str, tmp_path: Path) -> None:
    held = made(kind)
    (tmp_path / "cells.csv").write_text(partition_csv(held))
    again = load_partition(tmp_path / "cells.csv")
    assert again.fingerprint == held.fingerprint
    assert again.settings == {"method": "published", "name": "cells.csv"}


def test_the_published_quadtree(shared_data: Path) -> None:
    held = load_partition(shared_data / "partitions/osv5m_quadtree_10_1000.csv")
    assert (held.kind, len(held)) == ("boxes", 11_399)
    # The mean of a box's photos, averaged in degrees, lies in the box; its number is its row.
    assert (held.assign(held.representatives) == np.arange(len(held))).all()
    assert held.cells.edges[0] == pytest.approx(
        [-54.8872083, -176.8113091, -21.5014357, -87.9278845]
    )
    assert held.members is None


def test_the_published_centres(shared_data: Path) -> None:
    held = load_partition(shared_data / "partitions/visloc_mvmf_centres.csv")
    assert (held.kind, len(held)) == ("centres", 31_145)
    some = held.representatives[::50]
    assert (held.assign(some) == np.arange(len(held))[::50]).all()


def test_a_list_of_s2_tokens_as_geoestimation_writes_it(tmp_path: Path) -> None:
    """Its columns, with tokens that begin with zeros."""
    path = tmp_path / "cells_50_5000.csv"
    path.write_text(
        "class_label,hex_id,imgs_per_cell,latitude_mean,longitude_mean\n"
        "0,8744,3376,39.28162046949048,-107.94343695171831\n"
        "1,009b,3489,-22.978691987388846,-43.24448479979361\n"
        "2,0d6d,3373,37.81093362110888,-4.558131432552602\n"
    )
    held = load_partition(path)
    assert held.kind == "s2"
    assert held.cells.names() == ["8744", "009b", "0d6d"]
    assert held.members.tolist() == [3376, 3489, 3373]
    assert held.assign(held.representatives).tolist() == [0, 1, 2]


BOXES = "min_lat,min_lon,max_lat,max_lon,mean_lat,mean_lon\n"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("", TableError, "is empty"),
        (BOXES, TableError, "has a header and no rows"),
        ("lat\n1\n", TableError, "lacks the column lon"),
        ("min_lat,mean_lat,mean_lon\n1,2,3\n", TableError, "lacks the columns west, north, east"),
        (BOXES + "0,0,1,1,,0.5\n", TableError, "Line 2 of .* has no lat"),
        (BOXES + "0,0,1,1,x,0.5\n", CoordinateError, "lat must be a number. Got 'x' in line 2"),
        (BOXES + "0,0,1,1,0.5,0.5,7\n", TableError, "Line 2 of .* has 7 cells"),
        (BOXES + "0,0,1,1,0.5,0.5\n0,0,2,2,0.5,0.5\n", PartitionError, "Rows 0 and 1 overlap"),
        (BOXES + "0,0,1,1,0.5,0.5\n", PartitionError, "at least 2 cells"),
        ("cluster_id,lat,lon\n0,1,2\n2,3,4\n", PartitionError, "Line 3 has '2' where 1 is due"),
        ("hex_id,lat,lon\n47,1,2\nzz,3,4\n", CellError, "Line 3 of .*token 'zz'"),
        ("hex_id,lat,lon\n47,1,2\n\n,3,4\n47,5,6\n", CellError, "Line 4 of .*token ''"),
        ("lat,lon\n1,2\n1,900\n", CoordinateError, "Line 3 of .*longitude 900.0"),
        ("lat,lon,members\n1,2,3\n1,3,1e300\n", TableError, r"Got 1e\+300 in line 3"),
        ("lat,lon,members\n1,2,-5\n1,3,1\n", TableError, "Got -5 in line 2"),
        ("lat,lon,members\n1,2,1.5\n1,3,1\n", TableError, "Got 1.5 in line 2"),
    ],
)
def test_what_is_no_list_of_cells(text: str, error: type, said: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(error, match=said):
        load_partition(path)


def test_a_file_that_is_not_there_or_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read: No such file"):
        load_partition(tmp_path / "cells.parquet")
    with pytest.raises(OutputError):
        save_partition(tmp_path / "nowhere" / "cells.parquet", made("s2"))


def rewritten(path: Path, changes: dict, columns: dict | None = None) -> None:
    table = pq.read_table(path)
    told = json.loads(table.schema.metadata[b"sightline.partition"])
    for name, values in (columns or {}).items():
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.array(values))
    metadata = {b"sightline.partition": json.dumps({**told, **changes})}
    pq.write_table(table.replace_schema_metadata(metadata), path)


def test_what_has_changed_since_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "cells.parquet"
    held = made("s2")
    save_partition(path, held)
    rewritten(path, {"fingerprint": "0" * 64})
    with pytest.raises(TableError, match="damaged: its rows are not those"):
        load_partition(path)
    rewritten(path, {"schema_version": "sightline.partition/9"})
    with pytest.raises(TableError, match=r"written as 'sightline\.partition/9'"):
        load_partition(path)
    for changes in ({"kind": "hexagons"}, {"kind": "boxes"}):
        save_partition(path, held)
        rewritten(path, changes)
        with pytest.raises(TableError, match="damaged"):
            load_partition(path)
    save_partition(path, held)
    ids = s2.parents(held.cells.ids, 0)
    rewritten(path, {}, {"cell": ids})
    with pytest.raises(TableError, match="damaged: The cells of a partition must be disjoint"):
        load_partition(path)
    for missing in ("fingerprint", "settings"):
        save_partition(path, held)
        table = pq.read_table(path)
        told = json.loads(table.schema.metadata[b"sightline.partition"])
        del told[missing]
        pq.write_table(
            table.replace_schema_metadata({b"sightline.partition": json.dumps(told)}), path
        )
        with pytest.raises(TableError, match="no partition"):
            load_partition(path)
    for changes in ({"settings": [1]}, {"settings": None}):
        save_partition(path, held)
        rewritten(path, changes)
        with pytest.raises(TableError, match="damaged"):
            load_partition(path)
    for members in (["x"] * len(held), [-1] * len(held), [0.5] * len(held)):
        save_partition(path, held)
        rewritten(path, {}, {"members": members})
        with pytest.raises(TableError, match="damaged: members must be whole numbers"):
            load_partition(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(TableError, match="damaged"):
        load_partition(path)
    pq.write_table(pa.table({"lat": [1.0], "lon": [2.0]}), path)
    with pytest.raises(TableError, match="a Parquet file, but no partition"):
        load_partition(path)
