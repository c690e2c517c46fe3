"""Retrieval sheets and heat sheets: what is framed, what is grey, what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from sightline.errors import UsageError
from sightline.models.explain import Explanation
from sightline.report.figures import render
from sightline.report.figures.palette import PALETTE
from sightline.report.figures.pictures import small_pixels
from sightline.report.figures.retrieval_sheet import MOST_QUERIES, retrieval_sheet_figure
from sightline.report.heat_sheet import heat_sheet, overlay

from .conftest import write_picture


def picture(seed: int, *size: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3)).astype(np.uint8)


def sheet(**changes):
    values = {
        "queries": [picture(n, 40, 80) for n in range(2)],
        "references": [picture(10 + n, 50, 50) for n in range(4)],
        "top": [[2, 0, 1], [3, 1, -1]],
        "scores": [[0.9, 0.5, 0.1], [0.8, -0.2, np.nan]],
        "truth": [0, [1, 2]],
        **changes,
    }
    more = {k: values.pop(k) for k in ("ranks", "score_name") if k in values}
    return retrieval_sheet_figure(*values.values(), **more)


def axes_of(figure) -> list:
    drawn = Figure(figsize=figure.size_inches)
    figure.draw(drawn)
    return drawn.axes


def framed(axes) -> bool:
    sides = list(axes.spines.values())
    return axes.axison and all(
        side.get_visible() and to_hex(side.get_edgecolor()) == PALETTE["series-3"] for side in sides
    )


def test_the_true_reference_is_framed_and_scores_stand_below():
    figure = sheet(ranks=[2, 1500])
    cells = axes_of(figure)
    assert np.flatnonzero([framed(axes) for axes in cells]).tolist() == [2, 6]
    assert [axes.get_xlabel() for axes in cells] == [
        *["true one at rank 2", "0.900", "0.500 ✓", "0.100"],
        *["true one at rank 1,500", "0.800", "-0.200 ✓", ""],
    ]
    assert not cells[-1].axison
    assert figure.alt == "2 of 2 queries have a true one among 3"
    assert "cosine" in figure.caption


def test_the_pictures_are_those_of_the_rows():
    cells = axes_of(sheet())
    np.testing.assert_array_equal(cells[1].images[0].get_array(), picture(12, 50, 50))
    np.testing.assert_array_equal(cells[4].images[0].get_array(), picture(1, 40, 80))
    assert axes_of(sheet())[0].get_xlabel() == "query"


def test_files_are_opened_and_missing_ones_are_grey(tmp_path: Path):
    file = write_picture(tmp_path / "a.jpg", size=(900, 600))
    pixels = small_pixels(file, 90)
    assert pixels is not None
    assert pixels.shape == (60, 90, 3)
    assert small_pixels(str(tmp_path / "none.jpg"), 90) is None
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    assert small_pixels(tmp_path / "broken.jpg", 90) is None
    cells = axes_of(sheet(queries=[file, tmp_path / "none.jpg"]))
    assert cells[0].images
    assert not cells[4].images
    assert [text.get_text() for text in cells[4].texts] == ["no picture"]


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_a_sheet_is_a_file_of_the_same_bytes_at_every_call(form):
    first, second = (render(sheet(), form) for _ in range(2))
    assert first == second
    if form == "png":
        assert Image.open(io.BytesIO(first)).size[0] > 1000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"queries": []}, "from 1 to"),
        ({"queries": [picture(0, 8, 8)] * (MOST_QUERIES + 1)}, "from 1 to"),
        ({"top": [[0, 1, 2]]}, r"shape \(2, k\)"),
        ({"scores": [[0.5], [0.5]]}, r"shape \(2, k\)"),
        ({"top": [[0, 1, 4], [0, 1, 2]]}, "up to 4"),
        ({"top": [[0.5] * 3] * 2}, "rows of the 4 references"),
        ({"truth": [0]}, "2 queries. Got 1"),
        ({"ranks": [1]}, r"ranks must have the shape \(2,\)"),
    ],
)
def test_sheets_that_cannot_be(changes, said):
    with pytest.raises(UsageError, match=said):
        sheet(**changes)


def explanation(count: int = 2) -> Explanation:
    heat = np.zeros((count, 20, 40), np.float32)
    heat[:, 5:10, 5:10] = 1
    return Explanation(
        heat, np.ones((count, 30, 30), np.float32), np.ones(count, np.float32), "gradient", ("", "")
    )


def test_a_heat_sheet_shows_four_panels_in_a_row():
    first = np.stack([picture(n, 20, 40) for n in range(2)])
    second = np.stack([picture(n, 30, 30) for n in range(2)])
    made = heat_sheet(first, second, explanation(), row_height=20)
    assert made.dtype == np.uint8
    assert made.shape == (20 + 6 + 20, 40 + 6 + 40 + 6 + 20 + 6 + 20, 3)
    np.testing.assert_array_equal(made[:20, :40], first[0])
    np.testing.assert_array_equal(made[26:, :40], first[1])
    assert (made[20:26] == 255).all()
    assert (made[:, 40:46] == 255).all()
    np.testing.assert_array_equal(made[:20, 46:86], overlay(first[0], explanation().first[0]))


def test_heat_changes_colours_where_it_is_and_leaves_grey_where_it_is_not():
    pixels = picture(3, 20, 40)
    heat = explanation().first[0]
    over = overlay(pixels, heat)
    cold, hot = over[heat == 0], over[heat == 1]
    assert (cold == cold[:, :1]).all()
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.int64)
    assert np.abs(cold[:, 0] - grey[heat == 0]).max() <= 1
    assert (hot[:, 0].astype(int) - hot[:, 2] > 100).all()


def test_heat_of_other_pictures_is_refused():
    second = np.stack([picture(n, 30, 30) for n in range(2)])
    with pytest.raises(UsageError, match="those that were explained"):
        heat_sheet(second, second, explanation())
    with pytest.raises(UsageError, match="at least one"):
        heat_sheet(second[:0], second[:0], explanation(0))
