"""Sheets of places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.datasets.planet_sheet import save_sheet, sheet
from sightline.errors import UsageError
from sightline.imagery import open_photo
from sightline.planet import Planet


@pytest.fixture(scope="module")
def planet() -> Planet:
    return Planet(0, cached=2)


def test_a_sheet_of_a_place(planet: Planet, tmp_path: Path) -> None:
    made = sheet(planet, (37.137275, 10.8100282), heading_degrees=400.0)
    assert made.pixels.shape == (583, 774, 3)
    assert made.caption == "37.137275, 10.810028, looking 40°"
    for name in ("sheet.png", "sheet.JPG"):
        save_sheet(tmp_path / name, made)
        assert open_photo(tmp_path / name).pixels.shape[1::-1] == (774, 583)
    np.testing.assert_array_equal(open_photo(tmp_path / "sheet.png").pixels, made.pixels)
    with pytest.raises(UsageError, match=r"must end in \.jpg or \.png\. Got 'sheet\.gif'"):
        save_sheet(tmp_path / "sheet.gif", made)


def test_a_famous_spot(planet: Planet) -> None:
    # The last one is beyond the first 64 photos.
    assert len({sheet(planet, number=number).caption for number in (0, 1, 40)}) == 3
    with pytest.raises(UsageError, match="number must be from 0 to 4095"):
        sheet(planet, number=-1)
