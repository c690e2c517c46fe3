"""What someone saved of a retrieval model: archives, folders and Matlab files."""

from sightline.evaluation.archives.archive import Archive
from sightline.evaluation.archives.reading import read_archive

__all__ = ["Archive", "read_archive"]
