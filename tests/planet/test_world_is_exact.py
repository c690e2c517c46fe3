"""The world is the same to the bit on every machine, in any order, from any window."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.planet.golden_cases import dispatched
from tests.planet.world_hash import REACH_M, hashes, lattice_places, world_hash

import sightline.planet
from sightline.planet.version import WORLD_VERSION
from sightline.planet.world.assembly import World

GOLDEN = json.loads((Path(__file__).parent / "world_places.json").read_text())

PLANET = Path(sightline.planet.__file__).parent
WORLD_MODULES = [*sorted((PLANET / "world").glob("*.py")), PLANET / "planet.py"]

# What libraries round differently, or sum in an order of their own.
INEXACT = {
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "arctan2",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinh",
    "cosh",
    "tanh",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "power",
    "pow",
    "float_power",
    "cbrt",
    "hypot",
    "deg2rad",
    "rad2deg",
    "radians",
    "degrees",
    "sum",
    "nansum",
    "mean",
    "average",
    "std",
    "var",
    "median",
    "dot",
    "vdot",
    "inner",
    "outer",
    "matmul",
    "tensordot",
    "einsum",
    "cross",
    "norm",
    "trapezoid",
    "interp",
    "convolve",
    "prod",
    "cumprod",
    "linalg",
    "fft",
    "polyval",
    "gradient",
    "random",
    "default_rng",
}


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return hashes()


def test_there_are_twenty_golden_places_of_this_version() -> None:
    assert len(GOLDEN["hashes"]) == 20
    assert GOLDEN["world_version"] == WORLD_VERSION


@pytest.mark.parametrize("name", GOLDEN["hashes"])
def test_golden_hash(found: dict[str, str], name: str) -> None:
    assert found[name] == GOLDEN["hashes"][name], (
        "The world has changed. If that is meant, raise WORLD_VERSION and write "
        "tests/planet/world_places.json anew from tests/planet/world_hash.py."
    )


def test_another_order_and_another_instance_give_the_same(found: dict[str, str]) -> None:
    world = World(0)
    places = lattice_places(world)
    for name in list(places)[::-3]:
        assert world_hash(world.neighbourhood(*places[name], REACH_M)) == found[name]


def test_another_seed_is_another_world(found: dict[str, str]) -> None:
    place = lattice_places(World(0))["metropolis 3"]
    assert world_hash(World(1).neighbourhood(*place, REACH_M)) != found["metropolis 3"]


def test_without_the_processors_wide_instructions_the_world_is_the_same(
    found: dict[str, str],
) -> None:
    names = ["metropolis 3", "town 5000", "edge in a city", "corner on land"]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    features = dispatched()
    if not features:
        pytest.skip("this numpy dispatches nothing on this processor")
    environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(features)
    script = Path(__file__).parent / "world_hash.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), *names],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {name: found[name] for name in names}


@pytest.mark.parametrize("path", WORLD_MODULES, ids=lambda path: path.stem)
def test_world_modules_use_only_exact_arithmetic(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Attribute):
            assert node.attr not in INEXACT, f"{where} uses {node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in INEXACT, f"{where} calls {node.func.id}"
        if isinstance(node, ast.BinOp):
            assert not isinstance(node.op, ast.MatMult), f"{where} multiplies matrices"
            if isinstance(node.op, ast.Pow):
                literal = isinstance(ast.literal_eval(node.left), float) and node.right is not None
                assert literal, f"{where} takes a power of something that is no constant"


def test_the_world_is_made_of_checked_modules_alone() -> None:
    for path in (PLANET / "world").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            named = node.module if isinstance(node, ast.ImportFrom) else None
            if named is not None and named.startswith("sightline.planet"):
                assert named.startswith("sightline.planet.world."), f"{path.name}: {named}"


def test_objects_hold_what_their_class_says() -> None:
    world = World(0)
    around = world.neighbourhood(*lattice_places(world)["metropolis 411"], 140.0)
    for sort in (around.buildings, around.plants, around.furniture, around.slots, around.streets):
        lengths = {len(getattr(sort, name)) for name in sort.__dataclass_fields__}
        assert len(lengths) == 1
        assert len(sort) > 0
        for name in sort.__dataclass_fields__:
            values = getattr(sort, name)
            if name in ("centre", "position", "axis", "start", "end"):
                assert values.dtype == np.float64
            else:
                assert values.dtype in (np.float32, np.int8, np.int16, np.uint32, np.bool_)
            assert np.isfinite(values).all()
    for sort in (around.buildings, around.furniture):
        assert sort.style.min() >= 0
        assert sort.style.max() < len(around.styles)
    assert around.plants.climate.max() < len(around.climates)
    assert np.abs(np.linalg.norm(around.buildings.axis, axis=1) - 1).max() < 1e-6
    assert around.ground.fields.dtype == np.float32
    assert np.isfinite(around.ground.fields).all()
