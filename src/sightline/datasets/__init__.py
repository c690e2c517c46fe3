"""Datasets: a user's own lists, public layouts, and the manifests that everything else reads.

A user's list is records (:func:`open_source`); a dataset of photos, aerial patches and pairs is
read by ``layouts`` and kept as a ``manifest``.
"""

from sightline.datasets.dataset import Dataset
from sightline.datasets.folder import PhotoArguments, photos_matching, scan_folder
from sightline.datasets.manifest import Manifest, write_manifest
from sightline.datasets.records import PhotoRecord, RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.datasets.source import open_source
from sightline.datasets.table import read_table

__all__ = [
    "AerialPatch",
    "Dataset",
    "Manifest",
    "Pair",
    "Photo",
    "PhotoArguments",
    "PhotoRecord",
    "RecordProblem",
    "open_source",
    "photos_matching",
    "read_table",
    "scan_folder",
    "write_manifest",
]
