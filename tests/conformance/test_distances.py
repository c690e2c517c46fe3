"""Our distances beside what the published functions returned on the same pairs of places."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sightline.geo.distance import geodesic_m, great_circle_m

KEYS = {"latlon1", "latlon2", "category", "geopy_geodesic_km", "meta"}
# Columns computed in float64, and the radius in km that each convention takes.
SPHERES = {
    "osv5m_f64": 6371.0,
    "plonk_f64": 6371.0,
    "plonk_np_f64": 6371.0,
    "im2gps_port": 6371.0,
    "pigeon_np": 6378.137,
    "pigeon_torch_f64": 6378.137,
    "visloc_np": 6371.0,
    "visloc_torch_f64": 6371.0,
    "vigor_gps2distance_m": 6371.004,
}
# The fixtures' notes: the float64 variants differ among themselves by up to 2e-4 km near the
# antipode (they subtract there), and nowhere else.
NEAR_ANTIPODE_KM = 5e-4
# VIGOR takes the arc cosine, which near zero and near the antipode resolves sqrt(2 eps) R.
ARC_COSINE_KM = 6371.0 * np.sqrt(2 * 8 * np.finfo(float).eps)


@pytest.fixture(scope="module")
def files(conformance: Path) -> list[dict[str, np.ndarray]]:
    found = []
    for path in sorted((conformance / "geo").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            if set(file.files) >= KEYS:
                found.append({key: file[key] for key in file.files})
    assert found, "no distance fixture"
    return found


def categories(file: dict[str, np.ndarray]) -> np.ndarray:
    return np.array(json.loads(str(file["meta"]))["categories"])[file["category"]]


@pytest.mark.parametrize("column", SPHERES)
def test_published_spheres(files: list[dict[str, np.ndarray]], column: str) -> None:
    compared = 0
    for file in files:
        if column not in file:
            continue
        published = file[column] / (1000.0 if column.endswith("_m") else 1.0)
        radius_km = SPHERES[column]
        ours = great_circle_m(file["latlon1"], file["latlon2"], radius_m=radius_km)
        known = np.isfinite(published)
        tolerance = np.full(len(ours), 1e-6)
        tolerance[ours > 0.999 * np.pi * radius_km] = NEAR_ANTIPODE_KM
        if column == "vigor_gps2distance_m":
            # d(arccos x) = dx / sin d: rounding grows as the sine shrinks.
            sine = np.maximum(np.sin(ours / radius_km), 1e-12)
            rounding = 8 * np.finfo(float).eps * radius_km / sine
            tolerance = np.maximum(1e-6, np.minimum(rounding, ARC_COSINE_KM))
        compared += int(known.sum())
        wrong = known & (np.abs(ours - published) > tolerance)
        assert not wrong.any(), (categories(file)[wrong], (ours - published)[wrong])
    assert compared > 0 or all(column not in file for file in files)


def test_the_geodesic(files: list[dict[str, np.ndarray]]) -> None:
    for file in files:
        ours = geodesic_m(file["latlon1"], file["latlon2"]) / 1000.0
        assert np.abs(ours - file["geopy_geodesic_km"]).max() <= 1e-6


def test_ours_is_finite_everywhere(files: list[dict[str, np.ndarray]]) -> None:
    for file in files:
        for function in (great_circle_m, geodesic_m):
            metres = function(file["latlon1"], file["latlon2"])
            assert np.isfinite(metres).all()
            assert (metres >= 0).all()
        same = categories(file) == "identical"
        assert (great_circle_m(file["latlon1"], file["latlon2"])[same] == 0.0).all()


def test_the_matrix_of_all_pairs(files: list[dict[str, np.ndarray]]) -> None:
    for file in files:
        if "pigeon_matrix_20x15" not in file:
            continue
        published = file["pigeon_matrix_20x15"]
        rows, columns = published.shape
        ours = great_circle_m(
            file["latlon1"][:rows, None], file["latlon2"][None, :columns], radius_m=6378.137
        )
        far = ours > 0.999 * np.pi * 6378.137
        assert np.abs(ours - published)[~far].max() <= 1e-6


def test_accuracy_at_thresholds_as_published(files: list[dict[str, np.ndarray]]) -> None:
    for file in files:
        published = json.loads(str(file["meta"])).get("geoclip_distance_accuracy")
        if published is None:
            continue
        km = geodesic_m(file["latlon1"], file["latlon2"]) / 1000.0
        assert km.mean() == pytest.approx(published["geoclip_avg_km"], abs=1e-6)
        for name, share in published.items():
            if name.startswith("geoclip_acc_"):
                assert (km <= float(name.rsplit("_", 1)[1])).mean() == pytest.approx(share)
