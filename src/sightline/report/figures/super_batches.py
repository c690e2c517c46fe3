"""Figures of super-batches: where their clusters lie, what they look like, and how they part.

Debnath, *Proportional Search Space Reduction*, figures 4 to 6, from the Parquet file that a
training run writes, or one of the same columns.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sightline.errors import TableError
from sightline.geo.coordinates import as_coordinates
from sightline.report.figures.axes import key
from sightline.report.figures.base_map import draw_base_map, draw_frame
from sightline.report.figures.canvas import EvaluationFigure, outline_patch
from sightline.report.figures.embedding_map import (
    SHOWN_AT_MOST,
    cluster_name,
    cluster_plane_figure,
    evenly,
)
from sightline.report.figures.palette import PALETTE, series
from sightline.report.figures.pictures import Picture, draw_picture, small_pixels
from sightline.report.figures.plane import Plane, to_plane
from sightline.report.figures.projection import fitting_projection
from sightline.tabular import check_lines

if TYPE_CHECKING:
    from sightline.report.figures.canvas import Artist, Figure

_MAP_INCHES = (11.6, 6.2)
_CELL_INCHES = (1.1, 1.15)
_LONGEST_PIXELS = 224


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """Clustered pairs.

    Attributes:
        numbers: int64 (n,), the cluster of each pair.
        coordinates: float64 (n, 2), degrees; NaN where the place is unknown.
        plane: Their embeddings on a plane.
        examples: Per cluster, in ascending order, ids of patches to be shown; empty if none.
    """

    numbers: NDArray[np.int64]
    coordinates: NDArray[np.float64]
    plane: Plane
    examples: tuple[tuple[str, ...], ...]


def read_clusters(path: str | os.PathLike[str]) -> Clusters:
    """Read a Parquet file of clusters.

    Columns: ``cluster``, ``lat``, ``lon`` (both NaN where the place is unknown), and either
    ``pc1`` and ``pc2`` or ``embedding`` (lists of one length); ``patch_id`` and ``example`` (true
    for those to be shown) if there are any.

    Raises:
        TableError: The file cannot be read, is empty, lacks a column, or has one of another kind
            or with gaps.
        CoordinateError: A place is out of range; names its row.
        VectorError: An embedding is not finite.
    """
    file = Path(path)
    try:
        table = pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as cause:
        raise TableError(
            f"The clusters {str(file)!r} cannot be read: {cause}.",
            hint="Give the super_batches.parquet of a training run.",
            path=file,
        ) from cause
    for name in ("cluster", "lat", "lon"):
        if name not in table.column_names:
            raise _lacking(file, name, table)
    if not table.num_rows:
        raise _unfit(file, "have no rows")
    numbers = _numbers(file, table, "cluster")
    if numbers.dtype.kind not in "iu" or numbers.min() < 0:
        raise _unfit(file, "must be numbered with whole numbers from 0 in the column 'cluster'")
    numbers = numbers.astype(np.int64)
    return Clusters(numbers, _places(file, table), _plane(file, table), _examples(table, numbers))


def super_batch_figures(
    clusters: Clusters, picture_of: Callable[[str], Picture] | None = None
) -> list[EvaluationFigure]:
    """Return the map (where places are known), the plane and (with pictures) samples of clusters.

    Args:
        clusters: From :func:`read_clusters`.
        picture_of: From the id of a patch to its picture.
    """
    found = [_map_figure(clusters)] if _located(clusters).any() else []
    found.append(cluster_plane_figure(clusters.plane, clusters.numbers))
    if picture_of is not None and any(clusters.examples):
        found.append(_samples_figure(clusters, picture_of))
    return found


def _map_figure(clusters: Clusters) -> EvaluationFigure:
    numbers = np.unique(clusters.numbers)
    names = [cluster_name(clusters.numbers, int(number)) for number in numbers]
    located = int(_located(clusters).sum())
    shown = min(located, SHOWN_AT_MOST)
    some = f" {shown:,} of {len(clusters.numbers):,} pairs are drawn"
    some += ", taken evenly." if shown < located else "; the others have no place."
    return EvaluationFigure(
        name="cluster-map",
        title="Where the clusters of the super-batches lie",
        caption=(
            "A dot is a pair. Places had no part in the clustering, only what they look like."
            f"{some if shown < len(clusters.numbers) else ''} Outlines: Natural Earth."
        ),
        alt="; ".join(names),
        size_inches=_MAP_INCHES,
        draw=partial(_draw_map, clusters, names),
    )


def _draw_map(clusters: Clusters, names: Sequence[str], figure: Figure) -> None:
    axes = figure.add_subplot()
    located = np.flatnonzero(_located(clusters))
    projection = fitting_projection(clusters.coordinates[located])
    draw_base_map(axes, projection)
    rim = outline_patch(
        axes, [projection.rim], fill=False, edgecolor=PALETTE["coast"], linewidth=0.9
    )
    shown = located[evenly(len(located), SHOWN_AT_MOST)]
    numbers, places = clusters.numbers[shown], clusters.coordinates[shown]
    entries: list[tuple[Artist, str]] = []
    for row, (number, name) in enumerate(zip(np.unique(clusters.numbers), names, strict=True)):
        look = series(row)
        flat = projection.project(places[numbers == number][:, ::-1])
        (dots,) = axes.plot(
            *flat.T,
            color=look.colour,
            marker=look.marker,
            markersize=2.6,
            markeredgewidth=0,
            alpha=0.75,
            linestyle="",
        )
        dots.set_clip_path(rim)
        entries.append((dots, name))
    key(figure, entries)
    draw_frame(axes, projection)


def _samples_figure(clusters: Clusters, picture_of: Callable[[str], Picture]) -> EvaluationFigure:
    columns = max(map(len, clusters.examples))
    width, height = _CELL_INCHES
    names = [cluster_name(clusters.numbers, int(number)) for number in np.unique(clusters.numbers)]
    return EvaluationFigure(
        name="cluster-samples",
        title="Samples of each cluster",
        caption="A row is a cluster; its pictures were drawn at random.",
        alt="; ".join(names),
        size_inches=(width * columns + 0.4, height * len(names) + 0.3),
        draw=partial(_draw_samples, clusters, names, picture_of),
    )


def _draw_samples(
    clusters: Clusters,
    names: Sequence[str],
    picture_of: Callable[[str], Picture],
    figure: Figure,
) -> None:
    columns = max(map(len, clusters.examples))
    cells: Any = figure.subplots(len(names), columns, squeeze=False)
    for row, (name, examples) in enumerate(zip(names, clusters.examples, strict=True)):
        for column in range(columns):
            axes = cells[row, column]
            if column >= len(examples):
                axes.set_axis_off()
                continue
            draw_picture(axes, small_pixels(picture_of(examples[column]), _LONGEST_PIXELS))
            if column == 0:
                axes.set_title(name, fontsize=8)


def _located(clusters: Clusters) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(clusters.coordinates).all(axis=1))


def _places(file: Path, table: pa.Table) -> NDArray[np.float64]:
    """Return coordinates (n, 2), NaN where both are; or raise a TableError or CoordinateError."""
    columns = [table.column(name).to_numpy() for name in ("lat", "lon")]
    for name, values in zip(("lat", "lon"), columns, strict=True):
        if values.dtype.kind not in "iuf":
            raise _unfit(file, f"must have numbers in the column {name!r}")
    places = np.column_stack(columns).astype(np.float64)
    lines = np.flatnonzero(~np.isnan(places).all(axis=1))
    check = partial(as_coordinates, name="place")
    places[lines] = check_lines(check, places[lines], (lines + 1).tolist(), file)
    return places


def _plane(file: Path, table: pa.Table) -> Plane:
    if "pc1" in table.column_names and "pc2" in table.column_names:
        points = np.column_stack([_numbers(file, table, name) for name in ("pc1", "pc2")])
        return Plane(points.astype(np.float64), "pca", _explained(table))
    if "embedding" not in table.column_names:
        raise _lacking(file, "pc1", table)
    try:
        vectors = np.array(table.column("embedding").to_pylist(), np.float64)
    except (TypeError, ValueError) as cause:
        raise _unfit(file, "must have lists of one length in the column 'embedding'") from cause
    return to_plane(vectors)


def _numbers(file: Path, table: pa.Table, name: str) -> NDArray[Any]:
    """Return a column of finite numbers, or raise a TableError."""
    column = table.column(name)
    values: NDArray[Any] = column.to_numpy()
    if column.null_count or values.dtype.kind not in "iuf" or not np.isfinite(values).all():
        raise _unfit(file, f"must have a finite number in every row of the column {name!r}")
    return values


def _explained(table: pa.Table) -> tuple[float, float] | None:
    """Shares of the variance as the run recorded them; None where it did not."""
    recorded = (table.schema.metadata or {}).get(b"explained")
    try:
        first, second = (float(share) for share in json.loads(recorded or "[]"))
    except (ValueError, TypeError):
        return None
    return first, second


def _examples(table: pa.Table, numbers: NDArray[np.int64]) -> tuple[tuple[str, ...], ...]:
    if not {"example", "patch_id"} <= set(table.column_names):
        return tuple(() for _ in np.unique(numbers))
    shown = np.asarray(table.column("example").to_numpy(zero_copy_only=False), np.bool_)
    ids = table.column("patch_id").to_pylist()
    return tuple(
        tuple(str(ids[row]) for row in np.flatnonzero(shown & (numbers == number)))
        for number in np.unique(numbers)
    )


def _unfit(file: Path, what: str) -> TableError:
    return TableError(
        f"The clusters {str(file)!r} {what}.",
        hint="Give the super_batches.parquet of a training run.",
        path=file,
    )


def _lacking(file: Path, name: str, table: pa.Table) -> TableError:
    return TableError(
        f"The clusters {str(file)!r} lack the column {name!r}. They have "
        f"{', '.join(table.column_names) or 'none'}.",
        hint="Give cluster, lat, lon, and pc1 and pc2 or embedding.",
        path=file,
    )
