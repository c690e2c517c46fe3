"""A classifier and a retriever that share a backbone, as one model: the papers' search within cell.

Kordopatis-Zilos et al. (2021) search the cells of PlaNet, HC and MvMF with one and the same RRM.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.models.bundle import save_bundle
from sightline.models.global_bundle import GlobalBundle
from sightline.training.cells.network import global_bundle
from sightline.training.run_folder import BUNDLE

ABOUT = "about.json"
"""Of a run: what is told of it here."""

WITH_RRM = " + RRM"
"""Behind the name of a classifier that is searched with RRM."""


def join(classifier: Path, retriever: Path, folder: Path) -> None:
    """Write the bundle of one run's classifier and another's module, if it is not there.

    Args:
        classifier: Folder of a run whose head stands on the retriever's backbone.
        retriever: Folder of a run of RRM.
        folder: Of the joined model.
    """
    if (folder / ABOUT).is_file():
        return
    cells, vectors = (global_bundle(run / BUNDLE) for run in (classifier, retriever))
    settings = replace(
        cells.settings,
        residual_hidden=vectors.settings.residual_hidden,
        residual_skip=vectors.settings.residual_skip,
    )
    card = replace(cells.card, name=folder.name)
    joined = GlobalBundle(card, settings, cells.classifier, cells.partitions, vectors.residual)
    save_bundle(folder / BUNDLE, joined)
    of_cells, of_vectors = (read_about(run) for run in (classifier, retriever))
    summed = {key: of_cells[key] + of_vectors[key] for key in ("parameters", "train_cpu_s")}
    about = {**of_cells, **summed, "retriever": retriever.name}
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")


def read_about(folder: Path) -> dict[str, Any]:
    """What is told of a run."""
    found: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    return found
