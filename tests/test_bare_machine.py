"""What must run where only torch, numpy, scipy and their like are installed."""

from __future__ import annotations

import subprocess
import sys

# Everything that Sightline depends on and a bare GPU machine lacks.
BLOCKER = """
import importlib.abc, sys
absent = {
    "defusedxml", "faiss", "jinja2", "lance", "markupsafe", "matplotlib", "openvino", "pillow_heif",
    "pyproj", "reverse_geocode", "rich", "shapely", "typer",
}
class Blocker(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
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
        "from sightline.geo import cells, great_circle_m\n"
        "from sightline.geo.distance import geodesic_m\n"
        "from sightline.errors import DependencyError\n"
        "assert great_circle_m((0, 0), (0, 1)) > 1e5\n"
        "try:\n    geodesic_m((0, 0), (0, 1))\n"
        "except DependencyError as error:\n    print(error)\n"
    )
    assert done.returncode == 0, done.stderr
    assert "pip install pyproj" in done.stdout


def test_scoring_retrieval_and_answers() -> None:
    done = run(
        "import json, numpy as np\n"
        "from sightline.evaluation import *\n"
        "vectors = np.eye(20)\n"
        "result = evaluate_retrieval(vectors, vectors, Relevance.paired(20), peers='all')\n"
        "json.dumps(result.to_json(), allow_nan=False)\n"
        "places = np.column_stack([np.linspace(-60, 60, 9), np.linspace(-170, 170, 9)])\n"
        "answers = Predictions.of(places, places[::-1])\n"
        "json.dumps(evaluate_localization(answers).to_json(), allow_nan=False)\n"
        "print(result.forward.metrics['recall@1'].value)\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1.0\n"


def test_making_and_reading_a_dataset(tmp_path) -> None:
    done = run(
        "from pathlib import Path\n"
        "from sightline.datasets.layouts import read\n"
        "from sightline.datasets.layouts.sample import PhotoSample, Sample\n"
        "from sightline.datasets import Manifest, Photo, layouts, write_manifest\n"
        "from sightline.datasets import preparation, reading, samplers, splits, stats, viability\n"
        "from sightline.planet import Planet\n"
        f"root = Path({str(tmp_path)!r})\n"
        "pixels = Planet(0).photo((10.0, 20.0), size=(64, 64))\n"
        "sample = PhotoSample(Photo('one', 'photos/one.jpg', lat=10.0, lon=20.0), pixels)\n"
        "folders, samples = layouts.layout_named('plain'), [Sample((sample,))]\n"
        "layouts.write(folders, root / 'made', samples, provenance={'by': 'a test'})\n"
        "write_manifest(root / 'manifest', read(root / 'made'), files='decode')\n"
        "print(Manifest.open(root / 'manifest').n_photos)\n"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1\n"
