"""Hashes a neighbourhood's arrays; run as a script it prints the hashes of the golden places."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import sys

import numpy as np

from sightline.planet.world.assembly import World
from sightline.planet.world.lattice import CELLS, lattice_of, vectors_of_latlng
from sightline.planet.world.neighbourhood import Neighbourhood

REACH_M = 100.0

PLACES: dict[str, tuple[float, float]] = {
    "north pole": (90.0, 0.0),
    "south pole": (-90.0, 17.0),
    "antimeridian": (12.0, 180.0),
    "null island": (0.0, 0.0),
    "polar land": (-71.0, 95.0),
    "edge of two faces": (9.5, 45.0),
    "edge in a town": (-44.998673876158705, -0.514223176759438),
    "edge in a city": (-41.826943307660386, -26.49734593234753),
    "corner in the sea": (35.264389682754654, 45.0),
    "corner on land": (-35.264389682754654, 45.0),
}
"""Beside them stand a metropolis, a town, a village, a landmark and the country in the test."""


def lattice_places(world: World) -> dict[str, tuple[int, float, float]]:
    """Return face, a and b of every golden place."""
    places = {name: _lattice(vectors_of_latlng(latlng)) for name, latlng in PLACES.items()}
    settled = world.settlements
    for number in (3, 411, 700):
        places[f"metropolis {number}"] = _lattice(settled.metropolises.centre[number : number + 1])
    for number in (11, 5000, 12345, 22222):
        places[f"town {number}"] = _lattice(settled.towns.centre[number : number + 1])
    villages = settled.around(settled.towns.centre[900:901], 15_000.0)
    places["village"] = _lattice(villages.centre[np.flatnonzero(villages.tier == 2)[:1]])
    face, a, b = places["town 11"]
    places["country"] = (face, min(a + 120.0, CELLS - 20.0), b)
    found = settled.landmarks(settled.metropolises.centre[411:412], 5000.0)
    first = int(np.argmax(found.fame))
    places["landmark"] = (int(found.face[first]), found.i[first] + 0.5, found.j[first] + 0.5)
    return places


def world_hash(neighbourhood: Neighbourhood) -> str:
    """Return the SHA-256 of everything a neighbourhood holds."""
    digest = hashlib.sha256()
    for field in dataclasses.fields(neighbourhood):
        value = getattr(neighbourhood, field.name)
        if dataclasses.is_dataclass(value):
            for part in dataclasses.fields(value):
                _update(digest, part.name, getattr(value, part.name))
        else:
            _update(digest, field.name, value)
    return digest.hexdigest()


def _update(digest: hashlib._Hash, name: str, value: object) -> None:
    digest.update(name.encode())
    if isinstance(value, np.ndarray):
        digest.update(f"{value.dtype.newbyteorder('<').str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value.astype(value.dtype.newbyteorder("<"))).tobytes())
    else:
        digest.update(repr(value).encode())


def _lattice(vector: np.ndarray) -> tuple[int, float, float]:
    face, a, b = lattice_of(vector)
    return int(face[0]), float(a[0]), float(b[0])


def hashes(names: list[str] | None = None) -> dict[str, str]:
    world = World(0)
    places = lattice_places(world)
    return {
        name: world_hash(world.neighbourhood(*places[name], REACH_M)) for name in names or places
    }


if __name__ == "__main__":
    print(json.dumps(hashes(sys.argv[1:]), indent=1))  # noqa: T201
