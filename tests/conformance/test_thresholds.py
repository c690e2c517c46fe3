"""Every localization convention against what the published function returned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.evaluation.conventions import (
    LOCALIZATION,
    LOCALIZATION_PEERS,
    distance_km,
    localization_conventions,
    published_accuracy,
    published_localizations,
    vigor_accuracy,
    visloc_printed,
)

from .files import DISTANCES, THRESHOLDS, files

# Fixture columns computed in float64, in kilometres unless they say metres, and whose they are.
COLUMNS = {
    "osv5m_f64": "osv5m",
    "plonk_f64": "plonk",
    "plonk_np_f64": "plonk",
    "pigeon_np": "pigeon",
    "pigeon_torch_f64": "pigeon",
    "visloc_np": "visloc",
    "visloc_torch_f64": "visloc",
    "im2gps_port": "im2gps",
    "geopy_geodesic_km": "geoclip",
}
NAMES = {"im2gps_port": "im2gps"}
PRINTED = "visloc_evaluation_printed"
FIXED_THRESHOLDS = {"visloc_evaluation"}


def test_accuracies_are_what_the_published_functions_returned(conformance: Path) -> None:
    for file in files(conformance, THRESHOLDS):
        distances = file.arrays["distances_km"]
        for function, result in file.meta["results"].items():
            if function == PRINTED:
                assert visloc_printed(distances) == result, file.name
                continue
            # Every function is asked at the thresholds that it was run at.
            thresholds = (
                [float(key) for key in result]
                if function in FIXED_THRESHOLDS
                else file.meta["thresholds"]
            )
            ours = published_accuracy(
                NAMES.get(function, function), distances, thresholds_km=thresholds
            )
            assert ours == result, (file.name, function)


def test_the_shared_files_leave_no_function_out(whole: Path) -> None:
    found = {name for file in files(whole, THRESHOLDS) for name in file.meta["results"]}
    assert {NAMES.get(name, name) for name in found - {PRINTED}} == set(LOCALIZATION)
    assert PRINTED in found


def test_default_thresholds_are_those_of_the_shared_files(whole: Path) -> None:
    for file in files(whole, THRESHOLDS):
        for row in LOCALIZATION.values():
            assert set(file.meta["thresholds"]) <= set(row.thresholds_km)


def test_vigors_curve(conformance: Path) -> None:
    for file in files(conformance, THRESHOLDS | {"vigor_thresholds", "vigor_accuracy"}):
        thresholds, accuracy = vigor_accuracy(file.arrays["distances_km"])
        np.testing.assert_array_equal(thresholds, file.arrays["vigor_thresholds"])
        np.testing.assert_array_equal(accuracy, file.arrays["vigor_accuracy"])


@pytest.mark.parametrize("column", COLUMNS)
def test_distances_on_each_peers_earth(conformance: Path, column: str) -> None:
    for file in files(conformance, DISTANCES | {column}):
        published = file.arrays[column]
        ours = distance_km(COLUMNS[column], file.arrays["latlon1"], file.arrays["latlon2"])
        # Near the antipode the published haversines subtract, and differ among themselves.
        far = ours > 0.999 * np.pi * 6371
        close = np.isfinite(published) & (~far | (column == "geopy_geodesic_km"))
        np.testing.assert_allclose(
            ours[close], published[close], rtol=0, atol=1e-6, err_msg=file.name
        )


def test_the_shared_files_leave_no_earth_out(whole: Path) -> None:
    found = {name for file in files(whole, DISTANCES) for name in file.arrays}
    assert found >= {*COLUMNS, "vigor_gps2distance_m"}
    assert set(COLUMNS.values()) == set(LOCALIZATION_PEERS)


def test_vigors_metres(conformance: Path) -> None:
    for file in files(conformance, DISTANCES | {"vigor_gps2distance_m"}):
        published = file.arrays["vigor_gps2distance_m"] / 1000
        ours = distance_km("vigor", file.arrays["latlon1"], file.arrays["latlon2"])
        # An arc cosine says nothing about near points and antipodes.
        sure = (ours > 1000) & (ours < 19_000)
        np.testing.assert_allclose(ours[sure], published[sure], rtol=0, atol=1e-6)


def test_geoclip_from_places(conformance: Path) -> None:
    some = [
        file for file in files(conformance, DISTANCES) if "geoclip_distance_accuracy" in file.meta
    ]
    for file in some or pytest.skip("no file holds GeoCLIP's accuracies of places"):
        published = file.meta["geoclip_distance_accuracy"]
        places = file.arrays["latlon1"], file.arrays["latlon2"]
        ours = localization_conventions(*places)["geoclip"]
        native = published_localizations(*places)["geoclip"]["eval_images"]
        assert ours["mean_error_km"] == pytest.approx(published["geoclip_avg_km"], abs=1e-6)
        shares = {
            key.removeprefix("geoclip_acc_"): share
            for key, share in published.items()
            if key.startswith("geoclip_acc_")
        }
        distances = distance_km("geoclip", *places)
        asked = published_accuracy("geoclip", distances, thresholds_km=[float(k) for k in shares])
        assert list(asked.values()) == list(shares.values())
        for km in shares.keys() & {f"{km:g}" for km in LOCALIZATION["geoclip"].thresholds_km}:
            assert ours[f"accuracy@{km}km"] == native[f"acc_{km}_km"] == shares[km]
