"""What docs/preparing-data.md tells to type, typed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets.layouts import LAYOUTS, read, write
from sightline.datasets.layouts.sample import PatchSample, PhotoSample, Sample
from sightline.datasets.manifest import write_manifest
from sightline.datasets.rows import AerialPatch

from .layouts.conftest import photo, pixels

PAGE = Path(__file__).parents[2] / "docs" / "preparing-data.md"


def town_sample(number: int) -> Sample:
    row = photo(number, lat=40.0 + 0.02 * number, lon=0.03 * (number % 7))
    patch = AerialPatch(f"{row.id}-aerial", "to be said", row.lat, row.lon, 0.5)
    return Sample(
        (PhotoSample(row, pixels(number, 32, 128)),),
        (PatchSample(patch, pixels(number + 1000, 56, 56)),),
    )


def test_preparing_data(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    write(LAYOUTS["plain"], "town", [town_sample(number) for number in range(40)])
    write_manifest("town.manifest", read("town"), files="decode")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 5
    features = np.random.default_rng(0).normal(size=(40, 8))
    names: dict = {"features": features, "viable": features[:, 0] > 0}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)
    assert names["report"].clean
    assert names["reader"].skipped == 0
    assert len(list(names["shards"])) == 40
    assert list(names["loader"])
    assert (tmp_path / "lists" / "kept.csv").is_file()
    assert (tmp_path / "crops.parquet").is_file()
