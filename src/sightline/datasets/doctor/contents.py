"""The rows of a dataset, all of them, and a sample or all of its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from sightline.datasets.dataset import Dataset
from sightline.datasets.doctor.finding import Finding
from sightline.datasets.files import FileCheck, checked_file
from sightline.datasets.manifest import Manifest, WrittenManifest, write_manifest
from sightline.datasets.records import RecordProblemKind
from sightline.datasets.rows import AerialPatch, Photo
from sightline.errors import SightlineError

Files = Literal["none", "sample", "all"]

_SHOWN = 5

_STEPS = {
    RecordProblemKind.COORDINATES: (
        "Write latitude first; if a whole list is swapped, swap its two columns."
    ),
    RecordProblemKind.DUPLICATE: (
        "Remove one of the two or name it anew; --skip-bad keeps the first."
    ),
    RecordProblemKind.FILE: (
        "Unpack or copy these files again, or leave them out: --files decode --skip-bad."
    ),
    RecordProblemKind.PAIR: (
        "Use labels and images of the same release, all unpacked; or --skip-bad."
    ),
    RecordProblemKind.ROW: "Correct the lines, or leave them out with --skip-bad.",
}


def written(dataset: Dataset, folder: Path, *, all_files: bool) -> tuple[Manifest, list[Finding]]:
    """Write a dataset as a manifest, leaving out what is wrong, and say what that was.

    Args:
        dataset: As a layout reads it.
        folder: Where the manifest goes.
        all_files: Decode every image.
    """
    files: FileCheck = "decode" if all_files else "trust"
    report = write_manifest(folder, dataset, on_error="skip", files=files)
    return Manifest.open(folder), _of_problems(report)


def sampled(manifest: Manifest, count: int) -> tuple[int, list[Finding]]:
    """Decode a sample of the files, spread evenly over the lists.

    Args:
        manifest: What is known.
        count: How many photos, and how many patches.

    Returns:
        How many files were looked at, and what was wrong with them.
    """
    bad: list[SightlineError] = []
    looked_at = 0
    for table, total in (("photos", manifest.n_photos), ("patches", manifest.n_patches)):
        rows = np.unique(np.linspace(0, max(total - 1, 0), min(count, total)).astype(np.int64))
        for row in _rows(manifest, table, rows):
            looked_at += 1
            try:
                checked_file(manifest.root, row, decode=True)
            except SightlineError as error:
                bad.append(error)
    return looked_at, _of_files(bad, looked_at)


def _rows(manifest: Manifest, table: str, rows: np.ndarray) -> Iterator[Photo | AerialPatch]:
    if table == "photos":
        chosen = manifest.take("photos", rows, columns=["id", "uri", "sha256", "origin"])
        yield from (Photo(**values) for values in chosen.to_pylist())
    else:
        chosen = manifest.take("patches", rows, columns=["id", "uri", "sha256", "origin"])
        yield from (AerialPatch(**values) for values in chosen.to_pylist())


def _of_files(bad: list[SightlineError], looked_at: int) -> list[Finding]:
    if not bad:
        return []
    gone = [error for error in bad if error.code == "photo.not_found"]
    findings = []
    if len(gone) == looked_at:
        what = (
            f"None of {looked_at} files that were looked for is there, such as: {gone[0].message}"
        )
        step = "Unpack the images beside the lists, or give the folder that holds both."
        return [Finding("fault", "file", what, step, len(gone))]
    for errors, said in ((gone, "are missing"), ([e for e in bad if e not in gone], "are corrupt")):
        if errors:
            what = f"{len(errors)} of {looked_at} files looked at {said}, such as: "
            what += errors[0].message
            findings.append(
                Finding("fault", "file", what, _STEPS[RecordProblemKind.FILE], len(errors))
            )
    return findings


def _of_problems(report: WrittenManifest) -> list[Finding]:
    by_kind: dict[RecordProblemKind, list[SightlineError]] = {}
    for problem in report.problems:
        by_kind.setdefault(problem.kind, []).append(problem.error)
    findings = []
    for kind, errors in by_kind.items():
        missing = kind is RecordProblemKind.MISSING
        first = " ".join(error.message for error in errors[: _SHOWN if missing else 1])
        what = first if len(errors) == 1 else f"{len(errors)} times, such as: {first}"
        step = errors[0].hint if missing else _STEPS[kind]
        findings.append(Finding("fault", kind.value, what, step, len(errors)))
    more = report.problem_count - len(report.problems)
    if more > 0:
        what = f"{more} more rows and files could not be used."
        findings.append(Finding("fault", "row", what, _STEPS[RecordProblemKind.ROW], more))
    return findings
