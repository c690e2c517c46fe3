"""How long the demo's first part takes: a region of the planet, its aerial atlas, photos located.

    python benchmarks/demo.py [--rounds 3]

Each round is a process of its own, that imports, makes, builds, locates and writes the report from
nothing, as `make demo` does after it has set things up; the models that come along are used. It is
wanted within a minute on two cores. ``results/demo.json`` has the median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _record import record

TOOLS = Path(__file__).resolve().parent.parent / "tools"
WANTED_S = 60.0
_PART = "import sys; sys.path.insert(0, sys.argv[1]); import demo; demo.OUT = demo.Path.cwd(); "


def main() -> None:
    """Run the rounds and record them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    seconds, said = [], set()
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            ran = subprocess.run(
                [sys.executable, "-c", f"{_PART}demo.planet()", str(TOOLS)],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            )
            seconds.append(round(time.perf_counter() - begun, 1))
        said |= {line for line in ran.stdout.splitlines() if line.startswith("Of ")}
        print(seconds[-1], flush=True)
    found = {
        "seconds": statistics.median(seconds),
        "rounds": seconds,
        "wanted_s": WANTED_S,
        "said": sorted(said),
    }
    print(record("demo", found))


if __name__ == "__main__":
    main()
