"""One look at a folder that tells its user everything: what it is, what is wrong, what to do."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from sightline.datasets.doctor.contents import Files, sampled, written
from sightline.datasets.doctor.finding import Diagnosis, Finding
from sightline.datasets.doctor.judgement import (
    judged_counts,
    judged_leaks,
    judged_pairs,
    judged_places,
    places_of,
)
from sightline.datasets.doctor.leftovers import leftovers
from sightline.datasets.layouts import LAYOUTS, layout_named, recognise
from sightline.datasets.layouts.layout import Layout
from sightline.datasets.layouts.writing import PROVENANCE_FILE
from sightline.datasets.reading.shards import CATALOGUE
from sightline.errors import SightlineError

_ORDER = {"fault": 0, "warning": 1, "note": 2}


def examine(
    root: str | os.PathLike[str],
    *,
    layout: str | None = None,
    variant: str | None = None,
    files: Files = "sample",
    sample: int = 100,
    radius_m: float = 25.0,
) -> Diagnosis:
    """Examine a dataset.

    All lists are read. What is wrong with the data becomes findings, never an exception.

    Args:
        root: Its folder, or a table.
        layout: What it is; recognised if None.
        variant: Which variant of the layout; what the folder holds if None.
        files: Which images are decoded: ``none``, a ``sample`` spread over the lists, or ``all``
            (only then contents are compared between splits).
        sample: How many photos, and how many patches, a sample holds.
        radius_m: Photos of different splits nearer than this count as a leak; 0 checks no places.

    Raises:
        PhotoNotFoundError: Nothing is there.
        UsageError: There is no such layout or variant.
    """
    path = Path(root)
    diagnosis = Diagnosis(path, recognitions=recognise(path))
    if path.is_dir():
        diagnosis.findings += leftovers(path)
    chosen = _chosen(diagnosis, layout)
    if chosen is not None:
        diagnosis.layout, diagnosis.title = chosen.name, chosen.title
        diagnosis.made_by = _made_by(path)
        _look_inside(diagnosis, chosen, variant, files, sample, radius_m)
        _what_next(diagnosis)
    diagnosis.findings.sort(key=lambda finding: _ORDER[finding.severity])
    return diagnosis


def _chosen(diagnosis: Diagnosis, layout: str | None) -> Layout | None:
    if layout is not None:
        return layout_named(layout)
    if (diagnosis.root / CATALOGUE).is_file():
        diagnosis.findings.append(
            Finding(
                "note",
                "layout",
                f"{str(diagnosis.root)!r} holds WebDataset shards ({CATALOGUE}).",
                "Read them with sightline.datasets.reading.ShardReader; files make manifests.",
            )
        )
        return None
    if not diagnosis.recognitions:
        diagnosis.findings.append(
            Finding(
                "fault",
                "layout",
                f"{str(diagnosis.root)!r} looks like no known dataset, and holds no photos.",
                f"Give the folder that holds the lists, or say --layout {' | '.join(LAYOUTS)}.",
            )
        )
        return None
    return LAYOUTS[diagnosis.recognitions[0].name]


def _look_inside(
    diagnosis: Diagnosis,
    layout: Layout,
    variant: str | None,
    files: Files,
    sample: int,
    radius_m: float,
) -> None:
    told = next((r for r in diagnosis.recognitions if r.name == layout.name), None)
    if told is not None and told.missing and diagnosis.made_by is None:
        step = "Unpack the dataset completely; ask its authors for what they did not send."
        what = f"Missing: {'; '.join(told.missing)}."
        found = Finding("warning", "missing", what, step, len(told.missing))
        diagnosis.findings.append(found)
    try:
        dataset = layout.read(diagnosis.root, variant)
        with tempfile.TemporaryDirectory(prefix="sightline-doctor-") as folder:
            manifest, findings = written(dataset, Path(folder), all_files=files == "all")
            diagnosis.findings += findings
            diagnosis.version = dataset.version
            diagnosis.counts = dict(manifest.information.counts)
            diagnosis.splits = manifest.splits()
            diagnosis.files_known = manifest.n_photos + manifest.n_patches
            diagnosis.files_looked_at = diagnosis.files_known if files == "all" else 0
            if files == "sample":
                diagnosis.files_looked_at, findings = sampled(manifest, sample)
                diagnosis.findings += findings
            real = diagnosis.made_by is None
            if real:
                diagnosis.findings += judged_counts(manifest, layout, whole=variant is None)
            diagnosis.findings += judged_places(places_of(manifest), real=real)
            diagnosis.findings += judged_pairs(manifest)
            diagnosis.leaks, findings = judged_leaks(manifest, radius_m)
            diagnosis.findings += findings
        if layout.inspect is not None and diagnosis.made_by is None:
            diagnosis.findings += [Finding(*told) for told in layout.inspect(diagnosis.root)]
        diagnosis.findings += [
            Finding("note", "trap", note, "Keep it in mind.") for note in dataset.notes
        ]
    except SightlineError as error:
        diagnosis.findings.append(Finding("fault", "layout", error.message, error.hint))


def _what_next(diagnosis: Diagnosis) -> None:
    root = diagnosis.root
    if not diagnosis.counts.get("photos"):
        what, step = "There is no photo that can be used.", "Mend the faults above first."
        diagnosis.findings.append(Finding("fault", "layout", what, step))
        return
    skip = "" if diagnosis.sound else " --skip-bad"
    if any((one.severity, one.kind) == ("fault", "file") for one in diagnosis.findings):
        skip = " --files decode" + skip
    what = "It can be used." if diagnosis.sound else "What is not at fault can be used."
    step = f"sightline dataset manifest {shlex.quote(str(root))} OUT{skip}"
    diagnosis.findings.append(Finding("note", "layout", what, step))


def _made_by(root: Path) -> dict[str, Any] | None:
    file = root / PROVENANCE_FILE
    try:
        told = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None
