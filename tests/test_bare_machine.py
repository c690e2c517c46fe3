"""What must run where only torch, numpy, scipy and their like are installed."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What a bare GPU machine has beside the standard library.
BARE = {
    "torch",
    "torchvision",
    "timm",
    "lightning",
    "lightning_fabric",
    "numpy",
    "scipy",
    "sklearn",
    "pyarrow",
    "PIL",
    "safetensors",
}
BLOCKER = f"""
import importlib.abc, importlib.metadata, sys
mine = {sorted(BARE)!r}
# What those bring along is there too; what Sightline alone depends on is not.
packages = importlib.metadata.packages_distributions()
banned = {{"pyproj", "shapely", "lance", "faiss", "openvino", "typer", "rich", "jinja2", "markupsafe",
          "defusedxml", "reverse_geocode", "matplotlib", "pillow_heif"}} - set(mine)
class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in banned:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKER + code],
        capture_output=True,
        text=True,
        check=False,
    )


def test_geography_without_shapely_and_pyproj() -> None:
    done = run(
        "from sightline.geo import great_circle_m, cells\n"
        "from sightline.geo.distance import geodesic_m\n"
        "from sightline.errors import DependencyError\n"
        "assert great_circle_m((0, 0), (0, 1)) > 1e5\n"
        "try:\n    geodesic_m((0, 0), (0, 1))\n"
        "except DependencyError as error:\n    print(error)\n"
    )
    assert done.returncode == 0, done.stderr
    assert "pip install pyproj" in done.stdout
