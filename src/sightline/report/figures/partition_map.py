"""The map of a partition: every cell, the darker the more places made it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from sightline.geo.partition import Partition, outlines
from sightline.report.figures.axes import key
from sightline.report.figures.base_map import draw_base_map, draw_frame
from sightline.report.figures.canvas import EvaluationFigure, outline_patch
from sightline.report.figures.palette import PALETTE
from sightline.report.figures.projection import EqualEarth, Projection, fitting_projection
from sightline.report.text import count_text

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Artist, Axes, Figure

Shapes = NDArray[np.object_]

_SIZE_INCHES = (11.6, 6.2)
_CLASSES = 5


def partition_map_figure(partition: Partition) -> EvaluationFigure:
    """The cells of a partition on the world, or on their region where that is small.

    Cells without edges of their own are dots at their representatives.
    """
    cells = count_text(len(partition), "cell", "cells")
    made = "" if partition.members is None else f", made of {int(partition.members.sum()):,} places"
    shape = "dots are centres" if partition.areas_km2 is None else "cells are drawn to their edges"
    return EvaluationFigure(
        name="partition",
        title="Map of the partition",
        caption=(
            f"{cells[0].upper()}{cells[1:]}{made}; {shape}. Where there were few places or none, "
            "there may be no cell. Outlines: Natural Earth."
        ),
        alt=f"{cells}{made}",
        size_inches=_SIZE_INCHES,
        draw=partial(_draw, partition),
    )


def _draw(partition: Partition, figure: Figure) -> None:
    axes = figure.add_subplot()
    shapes = None if partition.areas_km2 is None else np.array(outlines(partition), dtype=object)
    projection = _projection(partition, shapes)
    draw_base_map(axes, projection)
    rim = outline_patch(
        axes, [projection.rim], fill=False, edgecolor=PALETTE["coast"], linewidth=0.9
    )
    classes, words = _classes(partition)
    entries: list[tuple[Artist, str]] = []
    for number, text in enumerate(words):
        rows = np.flatnonzero(classes == number)
        drawn = _cells(axes, partition, shapes, rows, projection, PALETTE[f"error-{number + 1}"])
        drawn.set_clip_path(rim)
        entries.append((drawn, text))
    key(figure, entries)
    draw_frame(axes, projection)


def _cells(
    axes: Axes,
    partition: Partition,
    shapes: Shapes | None,
    rows: NDArray[np.intp],
    projection: Projection,
    colour: str,
) -> Any:
    """Draw some cells in one colour; return what was drawn."""
    if shapes is None:
        flat = projection.project(partition.representatives[rows][:, ::-1])
        (dots,) = axes.plot(*flat.T, color=colour, marker="o", markersize=1.6, linestyle="")
        return dots
    some = shapely.get_parts(shapes[rows])
    # Edges of boxes are parallels, which bend on a map of the world.
    if isinstance(projection, EqualEarth):
        some = shapely.segmentize(some, 5.0)
    corners, ring = shapely.get_coordinates(shapely.get_rings(some), return_index=True)
    parts = np.split(projection.project(corners), np.flatnonzero(np.diff(ring)) + 1)
    rings = [part[:-1] for part in parts]
    return outline_patch(
        axes, rings, facecolor=colour, edgecolor=PALETTE["paper"], linewidth=0.25, alpha=0.65
    )


def _classes(partition: Partition) -> tuple[NDArray[np.intp], list[str]]:
    """Return the class of each cell, of about as many cells each, and words for the classes."""
    members = partition.members
    if members is None:
        return np.zeros(len(partition), np.intp), ["cells"]
    edges = np.unique(np.quantile(members, np.arange(1, _CLASSES) / _CLASSES, method="higher"))
    found = np.searchsorted(edges, members, side="left")
    used, classes = np.unique(found, return_inverse=True)
    spans = [(members[found == one].min(), members[found == one].max()) for one in used]
    words = [f"{low:,}" if low == high else f"{low:,} to {high:,}" for low, high in spans]
    words[0] += " places" if words[0] != "1" else " place"
    return classes, words


def _projection(partition: Partition, shapes: Shapes | None) -> Projection:
    """The world, or the region of all cells where that is small and lies on one side of 180°."""
    if shapes is None:
        return fitting_projection(partition.representatives)
    return fitting_projection(shapely.get_coordinates(shapes)[:, ::-1])
