"""Lists of photos: records, and where they come from."""

from sightline.datasets.folder import PhotoArguments, photos_matching, scan_folder
from sightline.datasets.records import PhotoRecord, RecordProblem
from sightline.datasets.source import open_source
from sightline.datasets.table import read_table

__all__ = [
    "PhotoArguments",
    "PhotoRecord",
    "RecordProblem",
    "open_source",
    "photos_matching",
    "read_table",
    "scan_folder",
]
