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
