"""Run as a script, draws the golden pictures into an .npz: for processes with other libraries."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.planet.golden_cases import IMAGES

from sightline.planet.planet import Planet

if __name__ == "__main__":
    planet = Planet(0)
    np.savez(sys.argv[1], **{name: draw(planet) for name, draw in IMAGES.items()})
