"""Every localization convention against what the published function returned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
FIXED_THRESHOLDS = {"visloc_evaluation"}


def files(folder: Path, keys: set[str]) -> list[tuple[str, dict[str, Any], dict[str, np.ndarray]]]:
    found = []
    for path in sorted((folder / "geo").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            if set(file.files) >= keys:
                meta = json.loads(str(file["meta"]))
                found.append((path.name, meta, {name: file[name] for name in file.files}))
    assert found, f"no file in {folder / 'geo'} has {sorted(keys)}"
    return found


def test_accuracies_are_what_the_published_functions_returned(conformance: Path) -> None:
    compared = set()
    for name, meta, arrays in files(conformance, {"distances_km", "meta"}):
        distances = arrays["distances_km"]
        for function, result in meta["results"].items():
            if function == "visloc_evaluation_printed":
                assert visloc_printed(distances) == result, name
                continue
            # Every function is asked at the thresholds that it was run at.
            thresholds = (
                [float(key) for key in result]
                if function in FIXED_THRESHOLDS
                else meta["thresholds"]
            )
            ours = published_accuracy(
                NAMES.get(function, function), distances, thresholds_km=thresholds
            )
            assert ours == result, (name, function)
            compared.add(NAMES.get(function, function))
    assert compared == set(LOCALIZATION)


def test_default_thresholds_are_those_of_the_fixtures(conformance: Path) -> None:
    for _, meta, _ in files(conformance, {"distances_km", "meta"}):
        for row in LOCALIZATION.values():
            assert set(meta["thresholds"]) <= set(row.thresholds_km)


def test_vigors_curve(conformance: Path) -> None:
    for _, _, arrays in files(conformance, {"distances_km", "vigor_thresholds", "vigor_accuracy"}):
        thresholds, accuracy = vigor_accuracy(arrays["distances_km"])
        np.testing.assert_array_equal(thresholds, arrays["vigor_thresholds"])
        np.testing.assert_array_equal(accuracy, arrays["vigor_accuracy"])


def test_distances_on_each_peers_earth(conformance: Path) -> None:
    compared = set()
    for name, _, arrays in files(conformance, {"latlon1", "latlon2", "meta"}):
        for column in COLUMNS.keys() & arrays.keys():
            published = arrays[column]
            ours = distance_km(COLUMNS[column], arrays["latlon1"], arrays["latlon2"])
            # Near the antipode the published haversines subtract, and differ among themselves.
            far = ours > 0.999 * np.pi * 6371
            close = np.isfinite(published) & (~far | (column == "geopy_geodesic_km"))
            np.testing.assert_allclose(
                ours[close], published[close], rtol=0, atol=1e-6, err_msg=f"{name} {column}"
            )
            compared.add(COLUMNS[column])
    assert compared == set(LOCALIZATION_PEERS)


def test_vigors_metres(conformance: Path) -> None:
    for _, _, arrays in files(conformance, {"latlon1", "latlon2", "vigor_gps2distance_m"}):
        published = arrays["vigor_gps2distance_m"] / 1000
        ours = distance_km("vigor", arrays["latlon1"], arrays["latlon2"])
        # An arc cosine says nothing about near points and antipodes.
        sure = (ours > 1000) & (ours < 19_000)
        assert sure.any()
        np.testing.assert_allclose(ours[sure], published[sure], rtol=0, atol=1e-6)


def test_geoclip_from_places(conformance: Path) -> None:
    compared = 0
    for _, meta, arrays in files(conformance, {"latlon1", "latlon2", "meta"}):
        published = meta.get("geoclip_distance_accuracy")
        if published is None:
            continue
        ours = localization_conventions(arrays["latlon1"], arrays["latlon2"])["geoclip"]
        assert ours["mean_error_km"] == pytest.approx(published["geoclip_avg_km"], abs=1e-6)
        native = published_localizations(arrays["latlon1"], arrays["latlon2"])
        for key, share in published.items():
            if key.startswith("geoclip_acc_"):
                km = key.removeprefix("geoclip_acc_")
                assert ours[f"accuracy@{km}km"] == share
                assert native["geoclip"]["eval_images"][f"acc_{km}_km"] == share
                compared += 1
    assert compared or pytest.skip("no file holds GeoCLIP's accuracies of places")
