"""Memory that steps free: kept inside, given back afterwards. Counted in a real process."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc is told what to do with freed memory"
)

CHILD = """
import json, os, resource
from pathlib import Path
import numpy as np
from sightline.training.loops.freed_memory import freed_memory_kept

MB, PAGE = 2**20, os.sysconf("SC_PAGE_SIZE")

def cleared():
    # Pages that the system had to clear while three blocks came and went, eight times.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(8):
        blocks = [np.ones(64 * MB, np.uint8) for _ in range(3)]
        del blocks
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * PAGE / MB

def held():
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / MB

found = {"outside": cleared(), "held_before": held()}
with freed_memory_kept():
    cleared()
    found |= {"inside": cleared(), "held_inside": held()}
found |= {"held_after": held(), "after": cleared()}
print(json.dumps(found))
"""


def test_pages_are_cleared_once_and_given_back_at_the_end() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CHILD],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        # Pages of the ordinary size: a huge one is one fault for two megabytes.
        env={**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"},
    )
    found = json.loads(ran.stdout)
    assert found["inside"] < 0.1 * found["outside"]
    assert found["held_inside"] > found["held_before"] + 180
    assert found["held_after"] < found["held_before"] + 60
    assert found["after"] > 0.5 * found["outside"]
