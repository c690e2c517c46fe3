from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from tests.geo.partition.places import crowded

from sightline.geo.partition import (
    BoxSettings,
    Centres,
    Partition,
    S2Settings,
    adaptive_boxes,
    adaptive_s2,
    uniform_s2,
)
from sightline.report.figures import render
from sightline.report.figures.palette import PALETTE
from sightline.report.figures.partition_map import partition_map_figure
from sightline.report.figures.projection import EqualEarth

PLACES = crowded(500)
CLASSES = [PALETTE[f"error-{number}"] for number in range(1, 6)]


def sheet_of(partition: Partition) -> Figure:
    figure = partition_map_figure(partition)
    sheet = Figure(figsize=figure.size_inches)
    figure.draw(sheet)
    return sheet


def patches(sheet: Figure) -> list[PathPatch]:
    return [one for one in sheet.axes[0].patches if to_hex(one.get_facecolor()) in CLASSES]


def words(sheet: Figure) -> list[str]:
    return [text.get_text() for text in sheet.legends[0].get_texts()]


def test_every_cell_is_drawn_in_the_class_of_its_members() -> None:
    held = adaptive_s2(PLACES, S2Settings(cells=60))
    sheet = sheet_of(held)
    drawn = patches(sheet)
    assert [to_hex(one.get_facecolor()) for one in drawn] == CLASSES[: len(drawn)]
    assert len(words(sheet)) == len(drawn)
    assert words(sheet)[0].endswith(("place", "places"))
    # The most crowded cell lies in the last class, the first in the first.
    flat = EqualEarth().project(held.representatives[:, ::-1])
    for row, patch in ((held.members.argmax(), drawn[-1]), (held.members.argmin(), drawn[0])):
        assert patch.get_path().contains_point(flat[row])
    inside = [sum(one.get_path().contains_point(point) for one in drawn) for point in flat]
    # (Corners of curved edges may hide a representative at the very edge.)
    assert np.mean(np.array(inside) >= 1) > 0.97


def test_the_six_faces_fill_the_world() -> None:
    places = [[0, 0], [0, 90], [90, 0], [0, 180], [0, -90], [-90, 0]]
    drawn = patches(sheet_of(uniform_s2(places, 0)))
    asked = EqualEarth().project(
        np.array([[-179.0, 5.0], [179.0, 5.0], [10.0, 80.0], [100.0, -80.0]])
    )
    assert all(any(one.get_path().contains_point(point) for one in drawn) for point in asked)


@pytest.mark.parametrize("cells", [12])
def test_one_region_is_drawn_large(cells: int) -> None:
    rng = np.random.default_rng(0)
    held = adaptive_s2(rng.normal([48, 8], 1, (300, 2)), S2Settings(cells=cells, min_level=5))
    axes = sheet_of(held).axes[0]
    assert np.ptp(axes.get_ylim()) > 40 or axes.get_ylim()[0] > 20
    assert any("N" in text.get_text() for text in axes.texts)


def test_cells_without_edges_or_members() -> None:
    held = Partition(Centres(PLACES), PLACES)
    sheet = sheet_of(held)
    assert words(sheet) == ["cells"]
    (dots,) = (line for line in sheet.axes[0].lines if line.get_marker() == "o")
    assert len(dots.get_xdata()) == len(held)
    boxes = adaptive_boxes(PLACES, BoxSettings(cells=2))
    bare = Partition(boxes.cells, boxes.representatives)
    assert words(sheet_of(bare)) == ["cells"]


def test_it_is_a_page_s_figure_with_the_same_bytes() -> None:
    held = adaptive_boxes(PLACES, BoxSettings(cells=30))
    figure = partition_map_figure(held)
    assert figure.alt == "30 cells, made of 500 places"
    assert figure.caption.endswith(".")
    first, second = (render(figure, "svg") for _ in range(2))
    assert first == second
    assert ET.fromstring(first).get("aria-label") == f"{figure.title}. {figure.alt}"
