from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.datasets.preparation import Crop, CropTable, crop_pixels, draw_crops
from sightline.errors import OutputError, TableError, UsageError

IDS = [f"a/{number}" for number in range(3000)]


def test_crops_take_70_to_100_percent_of_both_sides_anywhere():
    crops = draw_crops(IDS)
    top, left, height, width = crops.T
    assert (height == width).all()
    assert 0.7 <= height.min() < 0.71
    assert 0.99 < height.max() < 1
    assert crops.min() >= 0
    assert (top + height).max() <= 1
    # Uniform in side and, within what remains, in position.
    assert abs(height.mean() - 0.85) < 0.01
    assert abs((top / (1 - height)).mean() - 0.5) < 0.03
    assert abs(np.corrcoef(top / (1 - height), left / (1 - width))[0, 1]) < 0.05


def test_a_crop_belongs_to_its_id_seed_and_epoch():
    crops = draw_crops(IDS)
    assert (draw_crops(IDS[::-1])[::-1] == crops).all()
    for other in (draw_crops(IDS, seed=1), draw_crops(IDS, epoch=0), draw_crops(IDS, epoch=1)):
        assert (other != crops).any(axis=1).mean() > 0.99
    loose = draw_crops(IDS, square=False, smallest=0.5)
    assert (loose[:, 2] != loose[:, 3]).all()
    assert loose[:, 2:].min() < 0.51
    assert (draw_crops(IDS, smallest=1.0) == [0, 0, 1, 1]).all()


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 99))
def test_pixels_of_a_crop(rows, columns, seed):
    pixels = np.arange(rows * columns * 3, dtype=np.uint64).astype(np.uint8)
    pixels = pixels.reshape(rows, columns, 3)
    crop = Crop(*draw_crops(["x"], seed=seed, square=False)[0])
    cut = crop_pixels(pixels, crop)
    assert cut.shape[0] == max(1, round(crop.height * rows))
    assert cut.shape[1] == max(1, round(crop.width * columns))
    above = min(round(crop.top * rows), rows - cut.shape[0])
    left = min(round(crop.left * columns), columns - cut.shape[1])
    assert (cut == pixels[above : above + cut.shape[0], left : left + cut.shape[1]]).all()


def test_the_test_set_is_cropped_once_and_saved(tmp_path: Path):
    table = CropTable.drawn(IDS, seed=5)
    table.save(tmp_path / "new" / "crops.parquet")
    again = CropTable.load(tmp_path / "new" / "crops.parquet")
    assert again.crops == table.crops
    assert (again.seed, again.smallest) == (5, 0.7)
    assert again["a/7"] == Crop(*draw_crops(["a/7"], seed=5)[0])
    with pytest.raises(UsageError, match="no crop for 'b' among the 3000"):
        again["b"]
    first = (tmp_path / "new" / "crops.parquet").read_bytes()
    table.save(tmp_path / "new" / "crops.parquet")
    assert (tmp_path / "new" / "crops.parquet").read_bytes() == first


def test_files_that_are_no_table_of_crops(tmp_path: Path):
    path = tmp_path / "x.parquet"
    with pytest.raises(TableError, match="cannot be read as a table of crops"):
        CropTable.load(path)
    path.write_bytes(b"PAR1 cut off")
    with pytest.raises(TableError, match="cannot be read"):
        CropTable.load(path)
    pq.write_table(pa.table({"id": ["a"]}), path)
    with pytest.raises(TableError, match="is no table of crops"):
        CropTable.load(path)
    good = CropTable.drawn(["a", "b"])
    good.save(path)
    stored = pq.read_table(path)

    def rewritten(**columns: list[object]) -> None:
        table = stored
        for name, values in columns.items():
            number = table.schema.get_field_index(name)
            table = table.set_column(number, name, pa.array(values))
        pq.write_table(table, path)

    rewritten(left=[0.0, 0.9])
    with pytest.raises(TableError, match="impossible crop in row 2"):
        CropTable.load(path)
    rewritten(height=[0.0, 0.7])
    with pytest.raises(TableError, match="impossible crop in row 1"):
        CropTable.load(path)
    rewritten(id=["a", "a"])
    with pytest.raises(TableError, match="an id twice"):
        CropTable.load(path)
    pq.write_table(stored.drop_columns(["top"]), path)
    with pytest.raises(TableError, match="cannot be read"):
        CropTable.load(path)


def test_bad_arguments(tmp_path: Path):
    for smallest in (0, 1.5, float("nan")):
        with pytest.raises(UsageError, match="smallest must be"):
            draw_crops(["a"], smallest=smallest)
    with pytest.raises(UsageError, match="'b' comes twice"):
        CropTable.drawn(["a", "b", "b"])
    for crop in ((0, 0.5, 1, 0.6), (-0.1, 0, 0.5, 0.5), (0, 0, 0, 1), (0, 0, float("nan"), 1)):
        with pytest.raises(UsageError, match="A crop must lie in the picture"):
            crop_pixels(np.zeros((9, 9, 3), np.uint8), crop)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        CropTable.drawn(["a"]).save(tmp_path / "file" / "crops.parquet")


def test_an_id_that_comes_twice_is_found_among_many():
    ids = [str(number) for number in range(100_000)]
    with pytest.raises(UsageError, match="'99999' comes twice"):
        CropTable.drawn([*ids, ids[-1]])
