from __future__ import annotations

import hashlib
import re
from importlib.resources import files

import numpy as np

from sightline.report.outlines import world

ASSETS = files("sightline.report").joinpath("assets")


def test_what_is_vendored_is_what_the_readme_says() -> None:
    readme = ASSETS.joinpath("README.md").read_text("utf-8")
    stated = re.findall(r"`([\w./]+)` \|.*`([0-9a-f]{64})`", readme)
    assert [name for name, _ in stated] == [
        "leaflet/leaflet.js",
        "leaflet/leaflet.css",
        "world.json",
    ]
    for name, digest in stated:
        assert hashlib.sha256(ASSETS.joinpath(name).read_bytes()).hexdigest() == digest, name
    assert "BSD 2-Clause" in ASSETS.joinpath("leaflet/LICENSE").read_text("utf-8")


def test_outlines_are_the_world() -> None:
    rings = world().land
    # The shoelace formula in degrees; the continents cover this much of the plate carrée.
    areas = [abs(_shoelace(ring.points)) for ring in rings]
    assert 20_500 < sum(areas) < 22_500
    assert all(ring.bounds[1] >= -90 and ring.bounds[3] <= 90 for ring in rings)
    # No line jumps across the map: nothing but Antarctica's closing edge is long.
    steps = [np.abs(np.diff(line.points, axis=0)).max() for line in (*rings, *world().borders)]
    assert sorted(steps)[-2] < 40


def _shoelace(points: np.ndarray) -> float:
    x, y = points.T
    return float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1])) / 2
