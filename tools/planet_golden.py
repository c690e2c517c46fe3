"""Write the golden files of the planet: hashes of its world and small pictures of both renderers.

Run it after a wanted change of the world or of a renderer, with the number in
``sightline.planet.version`` raised, look at the pictures, and commit them with the change::

    python tools/planet_golden.py            # writes what has changed and says what
    python tools/planet_golden.py --check    # only says what would change; exit status 1 if any
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.planet.golden_cases import (  # noqa: E402
    GOLDEN,
    IMAGES,
    SHARE_WITHIN,
    WITHIN_LEVELS,
)
from tests.planet.world_hash import hashes  # noqa: E402

from sightline.planet.planet import Planet  # noqa: E402
from sightline.planet.version import RENDER_VERSION, WORLD_VERSION  # noqa: E402


def texts() -> dict[Path, str]:
    """Return what the text files should hold: the world's hashes, the renderers' version."""
    world = {"world_version": WORLD_VERSION, "hashes": hashes()}
    return {
        GOLDEN.with_name("world_places.json"): json.dumps(world, indent=1) + "\n",
        GOLDEN / "render.json": json.dumps({"render_version": RENDER_VERSION}) + "\n",
    }


def differs(path: Path, made: np.ndarray) -> str | None:
    """Say how a picture differs from its golden file beyond the tolerance; None if it doesn't."""
    if not path.exists():
        return "new"
    with Image.open(path) as opened:
        before = np.asarray(opened).astype(int)
    if before.shape != made.shape:
        return f"was {before.shape}, is {made.shape}"
    apart = np.abs(before - made.astype(int))
    share = float((apart <= WITHIN_LEVELS).mean())
    if share >= SHARE_WITHIN:
        return None
    return f"{100 * (1 - share):.2f} % of values differ, by up to {int(apart.max())} levels"


def main() -> int:
    """Compare everything with its golden file, and write what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    GOLDEN.mkdir(exist_ok=True)
    changed = []
    for path, text in texts().items():
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if before.strip() != text.strip():
            changed.append(f"{path.name}: a hash or a version")
            if not check:
                path.write_text(text, encoding="utf-8")
    planet = Planet(0)
    for name, make in IMAGES.items():
        made = make(planet)
        path = GOLDEN / f"{name}.png"
        difference = differs(path, made)
        if difference is not None:
            changed.append(f"{path.name}: {difference}")
            if not check:
                Image.fromarray(made).save(path, optimize=True)
    for path in sorted(GOLDEN.glob("*.png")):
        if path.stem not in IMAGES:
            changed.append(f"{path.name}: no longer in the table")
            if not check:
                path.unlink()
    print("\n".join(changed) or "nothing changed")
    return 1 if check and changed else 0


if __name__ == "__main__":
    raise SystemExit(main())
