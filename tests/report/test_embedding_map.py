"""Embeddings on a plane and the figures of super-batches."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.figure import Figure
from sklearn.decomposition import PCA

from sightline.errors import CoordinateError, DependencyError, TableError, UsageError, VectorError
from sightline.report.figures import render
from sightline.report.figures.embedding_map import cluster_plane_figure, embedding_map_figure
from sightline.report.figures.palette import series
from sightline.report.figures.plane import Plane, to_plane
from sightline.report.figures.projection import EqualEarth, RegionalMap, fitting_projection
from sightline.report.figures.super_batches import read_clusters, super_batch_figures


def clouds(count: int = 60, d: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Three groups of vectors far apart, and whose each is."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return 4 * rng.standard_normal((3, d))[labels] + rng.standard_normal((count, d)), labels


def drawn(figure) -> Figure:
    sheet = Figure(figsize=figure.size_inches)
    figure.draw(sheet)
    return sheet


@pytest.mark.parametrize(("count", "d"), [(60, 12), (7, 30), (200, 2)])
def test_principal_components_are_those_of_scikit_learn(count, d):
    vectors, _ = clouds(count, d)
    plane = to_plane(vectors)
    fitted = PCA(2, svd_solver="full").fit(vectors)
    wanted = fitted.transform(vectors)
    signs = np.sign((plane.points * wanted).sum(axis=0))
    np.testing.assert_allclose(plane.points * signs, wanted, atol=1e-8)
    np.testing.assert_allclose(plane.explained, fitted.explained_variance_ratio_, atol=1e-9)
    largest = np.argmax(np.abs(fitted.components_), axis=1)
    weights = (vectors - vectors.mean(axis=0)).T @ plane.points
    assert (weights[largest, [0, 1]] > 0).all()


@pytest.mark.parametrize("shape", [(1, 5), (1, 1), (4, 1), (3, 3)])
def test_planes_of_nothing_much(shape):
    plane = to_plane(np.ones(shape))
    assert plane.points.shape == (shape[0], 2)
    assert not plane.points.any()
    assert plane.explained == (0.0, 0.0)


def test_without_umap(monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(DependencyError, match=r"sightline\[umap\]"):
        to_plane(clouds()[0], "umap")


def test_nothing_is_imported_before_it_is_needed():
    code = (
        "import sys, sightline.report.figures.super_batches, sightline.report.figures.plane;"
        "print({'umap', 'matplotlib', 'sklearn', 'torch'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_vectors_that_make_no_plane():
    with pytest.raises(UsageError, match="pca or umap"):
        to_plane(np.ones((3, 3)), "tsne")  # type: ignore[arg-type]
    for bad in (np.ones(3), np.ones((0, 3)), np.ones((3, 0))):
        with pytest.raises(VectorError, match=r"shape \(n, d\)"):
            to_plane(bad)
    with pytest.raises(VectorError, match="Row 1 has NaN"):
        to_plane([[0.0, 1.0], [np.nan, 1.0]])


def test_two_views_in_one_plot_with_their_pairs_joined():
    ground, _ = clouds()
    aerial = ground + 0.1
    figure = embedding_map_figure([("ground", ground), ("aerial", aerial)], paired=True)
    assert figure.title == "Embeddings: ground and aerial"
    assert figure.alt == "60 of ground, 60 of aerial"
    lines, first, second = drawn(figure).axes[0].lines
    plane = to_plane(np.vstack([ground, aerial]))
    np.testing.assert_allclose(np.column_stack(first.get_data()), plane.points[:60])
    np.testing.assert_allclose(np.column_stack(second.get_data()), plane.points[60:])
    ends = np.column_stack(lines.get_data()).reshape(60, 3, 2)
    np.testing.assert_allclose(ends[:, 0], plane.points[:60])
    np.testing.assert_allclose(ends[:, 1], plane.points[60:])
    assert np.isnan(ends[:, 2]).all()
    assert first.get_color() == series(0).colour
    assert second.get_color() == series(1).colour
    assert "of the variance" in drawn(figure).axes[0].get_xlabel()
    assert render(figure, "svg") == render(figure, "svg")


def test_many_points_are_thinned_alike():
    many = np.random.default_rng(0).standard_normal((12_000, 3))
    figure = embedding_map_figure([("ground", many), ("aerial", many)], paired=True)
    lines, first, second = drawn(figure).axes[0].lines
    assert len(first.get_xdata()) == len(second.get_xdata()) == 5000
    np.testing.assert_allclose(first.get_xydata(), second.get_xydata())
    assert len(lines.get_xdata()) == 300


def test_embeddings_that_do_not_fit():
    vectors, _ = clouds()
    with pytest.raises(UsageError, match="Got none"):
        embedding_map_figure([])
    with pytest.raises(UsageError, match=r"a \(60, 12\), b \(60, 11\)"):
        embedding_map_figure([("a", vectors), ("b", vectors[:, 1:])])
    for sets in ([("a", vectors)], [("a", vectors), ("b", vectors[1:])]):
        with pytest.raises(UsageError, match="as many rows in both views"):
            embedding_map_figure(sets, paired=True)
    with pytest.raises(UsageError, match="one cluster for each of 60 points"):
        cluster_plane_figure(to_plane(vectors), np.zeros(3, np.int64))


def table(**columns: object) -> pa.Table:
    vectors, labels = clouds(30)
    rng = np.random.default_rng(1)
    plane = to_plane(vectors)
    values = {
        "patch_id": [f"patch {n}" for n in range(30)],
        "lat": rng.uniform(40, 50, 30),
        "lon": rng.uniform(0, 20, 30),
        "cluster": labels,
        "pc1": plane.points[:, 0].astype(np.float32),
        "pc2": plane.points[:, 1].astype(np.float32),
        "example": np.arange(30) < 8,
        **columns,
    }
    made = pa.table({name: value for name, value in values.items() if value is not None})
    return made.replace_schema_metadata({b"explained": b"[0.5, 0.25]"})


def written(tmp_path: Path, made: pa.Table) -> Path:
    path = tmp_path / "super_batches.parquet"
    pq.write_table(made, path)
    return path


def test_figures_of_super_batches(tmp_path):
    clusters = read_clusters(written(tmp_path, table()))
    assert clusters.plane.explained == (0.5, 0.25)
    assert clusters.examples == (
        ("patch 0", "patch 3", "patch 6"),
        ("patch 1", "patch 4", "patch 7"),
        ("patch 2", "patch 5"),
    )
    asked = []

    def picture_of(name: str) -> np.ndarray:
        asked.append(name)
        return np.full((8, 8, 3), 50, np.uint8)

    figures = super_batch_figures(clusters, picture_of)
    assert [figure.name for figure in figures] == [
        "cluster-map",
        "cluster-plane",
        "cluster-samples",
    ]
    words = "cluster 0: 10 pairs; cluster 1: 10 pairs; cluster 2: 10 pairs"
    assert [figure.alt for figure in figures] == [words] * 3
    sheets = [drawn(figure) for figure in figures]
    assert sorted(asked) == sorted(name for row in clusters.examples for name in row)
    dots = [line for line in sheets[0].axes[0].lines if line.get_marker() in "osD"]
    region = fitting_projection(clusters.coordinates)
    assert isinstance(region, RegionalMap)
    for number, line in enumerate(dots[-3:]):
        places = clusters.coordinates[clusters.numbers == number][:, ::-1]
        np.testing.assert_allclose(line.get_xydata(), region.project(places))
    assert sheets[1].axes[0].get_xlabel() == "principal component 1, 50.0 % of the variance"
    assert [axes.get_title() for axes in sheets[2].axes][::3] == words.split("; ")
    assert not sheets[2].axes[-1].axison
    assert [f.name for f in super_batch_figures(clusters)] == ["cluster-map", "cluster-plane"]
    for figure in figures:
        assert render(figure, "png")[:4] == b"\x89PNG"


def test_pairs_without_a_place_are_in_every_figure_but_the_map(tmp_path):
    where = np.array([[57.7, 11.9]] * 30)
    where[1] = 57.8, 12.0
    where[[0, 29]] = np.nan
    known = read_clusters(written(tmp_path, table(lat=where[:, 0], lon=where[:, 1])))
    figures = super_batch_figures(known)
    assert "28 of 30 pairs are drawn; the others have no place." in figures[0].caption
    dots = [line for line in drawn(figures[0]).axes[0].lines if line.get_marker() in "osD"]
    assert sum(len(line.get_xdata()) for line in dots[-3:]) == 28
    assert len(known.plane.points) == 30
    where[:] = np.nan
    unknown = read_clusters(written(tmp_path, table(lat=where[:, 0], lon=where[:, 1])))
    assert [figure.name for figure in super_batch_figures(unknown)] == ["cluster-plane"]


def test_clusters_by_their_embeddings_and_without_examples(tmp_path):
    vectors, _ = clouds(30)
    plain = table(pc1=None, pc2=None, example=None, embedding=list(vectors))
    clusters = read_clusters(written(tmp_path, plain))
    np.testing.assert_allclose(clusters.plane.points, to_plane(vectors).points)
    assert clusters.examples == ((), (), ())
    assert len(super_batch_figures(clusters, str)) == 2
    for metadata in (None, {b"explained": b"none"}, {b"explained": b"[1"}, {b"explained": b"[1]"}):
        unknown = read_clusters(written(tmp_path, table().replace_schema_metadata(metadata)))
        assert unknown.plane.explained is None
        figure = super_batch_figures(unknown)[1]
        assert drawn(figure).axes[0].get_ylabel() == "principal component 2"
        assert "two principal components" in figure.caption


def test_many_places_over_the_world(tmp_path):
    rng = np.random.default_rng(0)
    count = 15_000
    path = written(
        tmp_path,
        pa.table(
            {
                "cluster": np.arange(count) % 2,
                "lat": rng.uniform(-60, 60, count),
                "lon": rng.uniform(-180, 180, count),
                "pc1": rng.standard_normal(count),
                "pc2": rng.standard_normal(count),
            }
        ),
    )
    clusters = read_clusters(path)
    assert isinstance(fitting_projection(clusters.coordinates), EqualEarth)
    assert isinstance(fitting_projection(np.empty((0, 2))), EqualEarth)
    figure = super_batch_figures(clusters)[0]
    assert "10,000 of 15,000 pairs are drawn" in figure.caption
    lines = [line for line in drawn(figure).axes[0].lines if line.get_marker() in "os"]
    assert sum(len(line.get_xdata()) for line in lines) == 10_000


def test_files_that_hold_no_clusters(tmp_path):
    with pytest.raises(TableError, match="cannot be read"):
        read_clusters(tmp_path / "none.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"no table")
    with pytest.raises(TableError, match="cannot be read"):
        read_clusters(tmp_path / "bad.parquet")
    for name in ("cluster", "lat", "lon"):
        with pytest.raises(TableError, match=f"lack the column '{name}'"):
            read_clusters(written(tmp_path, table(**{name: None})))
    with pytest.raises(TableError, match="lack the column 'pc1'"):
        read_clusters(written(tmp_path, table(pc1=None)))


@pytest.mark.parametrize(
    ("columns", "error", "said"),
    [
        ({"cluster": pa.array([None, *range(29)], pa.int64())}, TableError, "column 'cluster'"),
        ({"cluster": ["a"] * 30}, TableError, "column 'cluster'"),
        ({"cluster": [0.5] * 30}, TableError, "whole numbers from 0"),
        ({"cluster": [-1] * 30}, TableError, "whole numbers from 0"),
        ({"lat": [np.nan] * 30}, CoordinateError, "Line 1 of .*"),
        ({"lon": ["x"] * 30}, TableError, "numbers in the column 'lon'"),
        ({"lat": [*[0.0] * 29, 91.0]}, CoordinateError, "Line 30 of .*latitude 91.0"),
        ({"pc2": [np.inf] * 30}, TableError, "column 'pc2'"),
        (
            {"pc1": None, "embedding": [*[[0.0, 1.0]] * 29, [0.0]]},
            TableError,
            "lists of one length",
        ),
        ({"pc1": None, "embedding": [[0.0, np.nan]] * 30}, VectorError, "Row 0 has NaN"),
    ],
)
def test_columns_of_clusters_that_cannot_be_drawn(tmp_path, columns, error, said):
    with pytest.raises(error, match=said):
        read_clusters(written(tmp_path, table(**columns)))


def test_no_clusters_at_all(tmp_path):
    with pytest.raises(TableError, match="have no rows"):
        read_clusters(written(tmp_path, table().slice(0, 0)))


def test_a_small_cluster_keeps_its_name_where_no_dot_of_it_is_drawn():
    numbers = np.zeros(30_000, np.int64)
    numbers[[1, -1]] = 1, 2
    figure = cluster_plane_figure(Plane(np.zeros((30_000, 2)), "pca", None), numbers)
    lines = drawn(figure).axes[0].lines
    assert [len(line.get_xdata()) for line in lines] == [9_999, 0, 1]
    assert figure.alt.split("; ")[1] == "cluster 1: 1 pair"


def test_a_plane_may_be_made_elsewhere():
    plane = Plane(np.zeros((2, 2)), "umap", None)
    assert (
        cluster_plane_figure(plane, np.array([0, 1])).alt == "cluster 0: 1 pair; cluster 1: 1 pair"
    )
