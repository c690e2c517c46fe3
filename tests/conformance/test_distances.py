"""Our distances beside what the published functions returned on the same pairs of places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.geo.distance import geodesic_m, great_circle_m

from .files import DISTANCES, GeoFile, files

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
# The float64 variants subtract near the antipode, where an arc sine whose argument is off by a few
# eps is off by the root of that: by 2e-4 km in the shared files, and nowhere else.
NEAR_ANTIPODE_KM = 2 * 6378.137 * np.sqrt(8 * np.finfo(float).eps)
# VIGOR takes the arc cosine, which near zero and near the antipode resolves sqrt(2 eps) R.
ARC_COSINE_KM = 6371.0 * np.sqrt(2 * 8 * np.finfo(float).eps)


@pytest.fixture(scope="module")
def found(conformance: Path) -> list[GeoFile]:
    return files(conformance, DISTANCES)


def having(column: str, found: list[GeoFile]) -> list[GeoFile]:
    some = [file for file in found if column in file.arrays]
    return some or pytest.skip(f"no file of distances has {column}")


def categories(file: GeoFile) -> np.ndarray:
    return np.array(file.meta["categories"])[file.arrays["category"]]


@pytest.mark.parametrize("column", SPHERES)
def test_published_spheres(found: list[GeoFile], column: str) -> None:
    for file in having(column, found):
        published = file.arrays[column] / (1000.0 if column.endswith("_m") else 1.0)
        radius_km = SPHERES[column]
        ours = great_circle_m(file.arrays["latlon1"], file.arrays["latlon2"], radius_m=radius_km)
        known = np.isfinite(published)
        tolerance = np.full(len(ours), 1e-6)
        tolerance[ours > 0.999 * np.pi * radius_km] = NEAR_ANTIPODE_KM
        if column == "vigor_gps2distance_m":
            # d(arccos x) = dx / sin d: rounding grows as the sine shrinks.
            sine = np.maximum(np.sin(ours / radius_km), 1e-12)
            rounding = 8 * np.finfo(float).eps * radius_km / sine
            tolerance = np.maximum(1e-6, np.minimum(rounding, ARC_COSINE_KM))
        wrong = known & (np.abs(ours - published) > tolerance)
        assert not wrong.any(), (file.name, np.flatnonzero(wrong), (ours - published)[wrong])


def test_the_geodesic(found: list[GeoFile]) -> None:
    for file in having("geopy_geodesic_km", found):
        ours = geodesic_m(file.arrays["latlon1"], file.arrays["latlon2"]) / 1000.0
        published = file.arrays["geopy_geodesic_km"]
        np.testing.assert_allclose(ours, published, rtol=0, atol=1e-6, err_msg=file.name)


def test_ours_is_finite_everywhere(found: list[GeoFile]) -> None:
    for file in found:
        for function in (great_circle_m, geodesic_m):
            metres = function(file.arrays["latlon1"], file.arrays["latlon2"])
            assert np.isfinite(metres).all()
            assert (metres >= 0).all()


def test_a_place_is_at_no_distance_from_itself(found: list[GeoFile]) -> None:
    for file in having("category", found):
        same = categories(file) == "identical"
        metres = great_circle_m(file.arrays["latlon1"][same], file.arrays["latlon2"][same])
        assert (metres == 0.0).all()


def test_the_matrix_of_all_pairs(found: list[GeoFile]) -> None:
    for file in having("pigeon_matrix_20x15", found):
        published = file.arrays["pigeon_matrix_20x15"]
        rows, columns = published.shape
        ours = great_circle_m(
            file.arrays["latlon1"][:rows, None],
            file.arrays["latlon2"][None, :columns],
            radius_m=6378.137,
        )
        far = ours > 0.999 * np.pi * 6378.137
        np.testing.assert_allclose(ours[~far], published[~far], rtol=0, atol=1e-6)


def test_accuracy_at_thresholds_as_published(found: list[GeoFile]) -> None:
    some = [file for file in found if "geoclip_distance_accuracy" in file.meta]
    for file in some or pytest.skip("no file of distances has GeoCLIP's accuracies"):
        published = file.meta["geoclip_distance_accuracy"]
        km = geodesic_m(file.arrays["latlon1"], file.arrays["latlon2"]) / 1000.0
        assert km.mean() == pytest.approx(published["geoclip_avg_km"], abs=1e-6)
        for name, share in published.items():
            if name.startswith("geoclip_acc_"):
                assert (km <= float(name.rsplit("_", 1)[1])).mean() == pytest.approx(share)
