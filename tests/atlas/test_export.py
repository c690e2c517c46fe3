from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sightline.atlas.build import build_atlas
from sightline.atlas.export import export
from sightline.atlas.store import Store
from sightline.errors import OutputError, UsageError

from .encoders import ColourGrid
from .photos import place, record, write_photo, write_photos


@pytest.fixture
def atlas(tmp_path: Path) -> Path:
    records = write_photos(tmp_path / "photos", 5)
    records.append(record(write_photo(tmp_path / 'ü "5"\n.jpg', 5), 5))
    build_atlas(tmp_path / "atlas", records, ColourGrid())
    return tmp_path / "atlas"


@pytest.mark.parametrize("vectors", [True, False])
def test_parquet_holds_every_row_and_the_card(atlas: Path, tmp_path: Path, vectors: bool) -> None:
    out = tmp_path / "out.parquet"
    assert export(atlas, out, vectors=vectors) == 6
    table = pq.read_table(out)
    store = Store.open(atlas)
    truth = store.take(np.arange(6), store.schema.names)
    assert ("vector" in table.schema.names) == vectors
    for name in table.schema.names:
        expected = truth.column(name).to_pylist()
        if name == "sha256":
            expected = [digest.hex() for digest in expected]
        assert table.column(name).to_pylist() == expected
    card = json.loads(table.schema.metadata[b"sightline.atlas"])
    assert card["fingerprint"] == store.card.fingerprint


def test_geojson_has_longitude_first(atlas: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.geojson"
    assert export(atlas, out) == 6
    document = json.loads(out.read_text(encoding="utf-8"))
    assert document["type"] == "FeatureCollection"
    by_id = {f["id"]: f for f in document["features"]}
    lat, lon = place(5)
    assert by_id[5]["geometry"] == {"type": "Point", "coordinates": [lon, lat]}
    assert by_id[5]["properties"]["uri"] == str(tmp_path / 'ü "5"\n.jpg')
    assert len(by_id[5]["properties"]["sha256"]) == 64


def test_outputs_that_cannot_be(atlas: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"to \.parquet or \.geojson"):
        export(atlas, tmp_path / "out.csv")
    for name in ("out.parquet", "out.geojson"):
        with pytest.raises(OutputError, match="Cannot write"):
            export(atlas, tmp_path / "nowhere" / name)
        (tmp_path / name).mkdir()
        with pytest.raises(OutputError, match="Cannot write"):
            export(atlas, tmp_path / name)
    assert not list(tmp_path.glob(".writing*"))
