from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sightline.atlas.build import build_atlas
from sightline.atlas.derived import build_derived
from sightline.atlas.lock import writer_lock
from sightline.atlas.store import Store
from sightline.atlas.verify import verify
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import WhiteningSettings

from .encoders import ColourGrid
from .photos import write_photos


@pytest.fixture
def atlas(tmp_path: Path) -> Path:
    sample = FeatureStatistics.from_vectors(np.random.default_rng(1).normal(size=(9, 8)))
    encoder = ColourGrid(sample=sample, whitening=WhiteningSettings(dimension=4))
    build_atlas(tmp_path / "atlas", write_photos(tmp_path / "photos", 7), encoder)
    return tmp_path / "atlas"


def spoil(atlas: Path, **columns: Callable[[list[Any]], None]) -> None:
    """Change columns of all rows past every check, as a defect would."""
    store = Store.open(atlas)
    table = store.take(np.arange(store.count), store.schema.names)
    for name, change in columns.items():
        values = table.column(name).to_pylist()
        change(values)
        column = pa.array(values, table.schema.field(name).type)
        table = table.set_column(table.schema.get_field_index(name), name, column)
    import lance

    schema = store.schema
    table = pa.table([c.combine_chunks() for c in table.columns], schema=schema)
    lance.write_dataset(table, str(atlas / "rows.lance"), mode="overwrite")


def put(row: int, value: object) -> Callable[[list[Any]], None]:
    def change(values: list[Any]) -> None:
        values[row] = value

    return change


def test_a_sound_atlas(atlas: Path) -> None:
    report = verify(atlas)
    assert report.sound
    assert (report.rows, report.faults, report.notes) == (7, (), ())


def test_rows_added_behind_the_ordered_ones_are_a_note(atlas: Path) -> None:
    store = Store.open(atlas)
    store.replace(store.ids()[:1], store.take(np.array([0]), store.schema.names))
    report = verify(atlas)
    assert report.sound
    assert "not all in S2 order" in report.notes[0]


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"id": put(1, 0), "sha256": put(1, bytes(32))}, "1 ids stand in more than one row: 0"),
        ({"id": put(1, -4)}, "An id is negative: -4"),
        ({"lat": put(2, 91.0)}, "1 rows (by id) have no valid place"),
        ({"lon": put(2, float("nan"))}, "1 rows (by id) have no valid place"),
        ({"lon": put(2, 180.0)}, "1 rows (by id) have no valid place"),
        ({"lat": put(3, 1.0)}, "1 rows (by id) have an S2 id of another place"),
        ({"uri": put(3, "other")}, "1 rows (by id) have names that do not fit"),
        ({"mtime_ns": put(3, [])}, "1 rows (by id) have names that do not fit"),
        ({"vector": put(0, [0.5] * 32)}, "1 rows (by id) have a global vector"),
        ({"vector": put(0, [float("inf")] * 32)}, "1 rows (by id) hold NaN or infinity"),
        ({"sha256": lambda v: put(0, v[1])(v)}, "1 contents are stored more than once"),
        (
            {"names": lambda v: put(0, v[1])(v), "uri": lambda v: put(0, v[1])(v)},
            "1 names stand for more than one content",
        ),
        ({"lat": lambda v: v.__setitem__(slice(None), [99.0] * 7)}, "7 rows (by id) have no valid"),
    ],
)
def test_each_fault_is_found(
    atlas: Path, columns: dict[str, Callable[[list[Any]], None]], fault: str
) -> None:
    spoil(atlas, **columns)
    report = verify(atlas)
    assert not report.sound
    assert any(fault in found for found in report.faults), report.faults


def test_files_that_are_missing_or_do_not_fit(atlas: Path) -> None:
    (atlas / "sample.safetensors").unlink()
    (atlas / "light.safetensors").write_bytes(b"x")
    faults = verify(atlas).faults
    assert ["cannot be read" in f for f in faults] == [True, True]
    store = Store.open(atlas)
    build_atlas(
        atlas.parent / "other",
        write_photos(atlas.parent / "photos", 1),
        ColourGrid(dimension=4, whitening=WhiteningSettings(dimension=4)),
    )
    for name in ("sample.safetensors", "light.safetensors"):
        (atlas / name).write_bytes((atlas.parent / "other" / "light.safetensors").read_bytes())
    faults = verify(atlas).faults
    assert [f.endswith("has 4 dimensions, the atlas 8.") for f in faults] == [True, True]
    replace(store.card, sample=None, light=None).write(atlas)
    assert verify(atlas).sound


def test_a_derived_half_that_was_changed(atlas: Path) -> None:
    with writer_lock(atlas):
        folder = build_derived(atlas)
    assert verify(atlas).sound
    largest = max(folder.glob("*.npy"), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    (fault,) = verify(atlas).faults
    assert largest.name in fault


def test_rows_whose_files_are_gone(atlas: Path) -> None:
    for file in (atlas / "rows.lance" / "data").iterdir():
        file.unlink()
    (fault,) = verify(atlas).faults
    assert fault.startswith("The rows cannot be read")
