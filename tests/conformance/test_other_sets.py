"""These tests on other files of the same layout: fewer, of another size, with other names.

The files here are made on the spot, and what published functions return on them is computed by
loops written for this file: no line of ours that is tested takes part.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
LENGTH = 1024


# One process imports what takes seconds; a fork of it for each folder runs the tests.
RUNS = """
import os, sys
import pytest, torch, torchvision
import sightline.evaluation, sightline.locating, sightline.losses.published
ignored, *folders = sys.argv[1:]
for folder in folders:
    child = os.fork()
    if not child:
        os.environ["SIGHTLINE_CONFORMANCE"] = folder
        said = os.open(f"{folder}.txt", os.O_WRONLY | os.O_CREAT)
        os.dup2(said, 1)
        os.dup2(said, 2)
        status = pytest.main([*ignored.split("|")])
        sys.stdout.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Ran(NamedTuple):
    status: int
    said: str


def run_on(folders: list[Path]) -> list[Ran]:
    """Run these tests on the files of each folder."""
    asked = "|".join((str(HERE), "-q", "-p", "no:cacheprovider", f"--ignore={__file__}"))
    ran = subprocess.run(
        [sys.executable, "-c", RUNS, asked, *map(str, folders)],
        cwd=HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    statuses = [int(line) for line in ran.stdout.split()]
    said = [Path(f"{folder}.txt").read_text() for folder in folders]
    return [Ran(*one) for one in zip(statuses, said, strict=True)]


def on_the_lattice(directions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Whole numbers (n, 16) of length 1024 exactly, near these directions, over 1024 in float32."""
    squares = {a * a + b * b: (a, b) for a in range(LENGTH) for b in range(a + 1)}
    rows = []
    for direction in directions:
        wanted = np.trunc(direction / np.linalg.norm(direction) * 0.95 * LENGTH).astype(int)
        while True:
            # Whatever is near, if what is left over is a sum of two squares.
            near = wanted[:14] + rng.integers(-9, 10, 14)
            rest = LENGTH**2 - int((near**2).sum())
            if rest in squares:
                signs = np.where(wanted[14:] < 0, -1, 1)
                rows.append([*near, *(signs * squares[rest])])
                break
    found = np.array(rows)
    assert ((found**2).sum(axis=1) == LENGTH**2).all()
    return (found / LENGTH).astype(np.float32)


def published_by_loops(ground: np.ndarray, sat: np.ndarray) -> dict[str, Any]:
    """What three peers return for pairs, from exact distances, in the words of their code."""
    n = len(ground)
    similarity = ground.astype(np.float64) @ sat.astype(np.float64).T
    strictly = [sum(x > row[i] for x in row) for i, row in enumerate(similarity)]
    as_close = [sum(x >= row[i] for x in row) for i, row in enumerate(similarity)]
    depths = (1, 5, 10, n // 100)
    area, cmc = 0.0, np.zeros(n)
    for query, row in enumerate(similarity):
        place = list(np.argsort(row, kind="stable")[::-1]).index(query)
        cmc[place:] += 1
        area += ((1.0 if place == 0 else 0.0) + 1 / (place + 1)) / 2
    percent = cmc.astype(np.float32) / np.float32(n) * np.float32(100)
    return {
        "transgeo_accuracy": [sum(b < k for b in strictly) / n * 100.0 for k in depths],
        "cvmnet_validate": sum(b < n // 100 + 1 for b in strictly) / n,
        "safa_test_validate": [sum(b < k for b in strictly) / n for k in range(n // 100 + 1)],
        "witw_fov": {
            **{
                name: sum(r <= k for r in as_close) / n * 100
                for name, k in zip(("R1", "R5", "R10", "R1pct"), depths, strict=True)
            },
            "mean_rank": float(np.mean(as_close)),
            "median_rank": float(np.median(as_close)),
        },
        "university": {
            **{
                name: float(percent[place])
                for name, place in (("R1", 0), ("R5", 4), ("R10", 9), ("R1pct", round(0.01 * n)))
            },
            "AP": area / n * 100,
            "k1pct_index": round(0.01 * n),
            "skipped": 0,
        },
    }


def write_pairs(path: Path, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((n, 16))
    sat = on_the_lattice(directions, rng)
    ground = on_the_lattice(directions + rng.standard_normal((n, 16)), rng)
    results = published_by_loops(ground, sat)
    assert 10 < results["transgeo_accuracy"][0] < 95
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = {"kind": "informative", "N": n, "set": "made here", "results": results}
    np.savez(path, ground=ground, sat=sat, labels=np.arange(n, dtype=np.int32),
             meta=json.dumps(meta), provenance="{}")  # fmt: skip


def write_wrong(path: Path) -> None:
    """Pairs of which one result is another than published."""
    write_pairs(path, 37, seed=3)
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(str(arrays["meta"]))
    meta["results"]["university"]["AP"] += 1 / 37
    np.savez(path, **arrays | {"meta": json.dumps(meta)})


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """What came of folders with a few files, with a wrong one and with none."""
    root = tmp_path_factory.mktemp("sets")
    folders = {name: root / name for name in ("few", "wrong", "none")}
    for n in (37, 140, 260):
        write_pairs(folders["few"] / "retrieval" / f"zz_other_{n}.npz", n, seed=n)
    write_wrong(folders["wrong"] / "retrieval" / "one.npz")
    folders["none"].mkdir()
    return dict(zip(folders, run_on([*folders.values()]), strict=True))


def test_a_few_files_of_one_kind_are_enough(ran: dict[str, Ran]) -> None:
    found = ran["few"]
    assert found.status == 0, found.said
    # What is there is compared, the rest skipped, and each for a reason.
    assert " passed" in found.said
    assert "no file in" in found.said


def test_a_file_that_disagrees_is_noticed(ran: dict[str, Ran]) -> None:
    found = ran["wrong"]
    assert found.status == 1, found.said
    assert "test_every_result_is_what_the_published_function_returned" in found.said


def test_no_file_at_all_is_a_reason_to_skip(ran: dict[str, Ran]) -> None:
    found = ran["none"]
    assert found.status == 0, found.said
    assert " skipped" in found.said
    assert "passed" not in found.said
    assert "failed" not in found.said
