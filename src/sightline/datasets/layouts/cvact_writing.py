"""Writing pairs in CVACT's layout, ``ACT_data.mat`` included."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sightline.datasets.layouts.layout import PlannedFile
from sightline.datasets.layouts.lists import one_of_each, panorama_key
from sightline.datasets.layouts.sample import Sample
from sightline.datasets.layouts.utm import to_utm, zone_of
from sightline.datasets.rows import Photo
from sightline.durable import whole_file
from sightline.errors import UsageError

_FOLDERS = {"train": "ANU_data_small", "val": "ANU_data_small", "test": "ANU_data_test"}
_SETS = {
    "train": ("trainSet", "trainInd"),
    "val": ("valSet", "valInd"),
    "test": ("valSetAll", "valInd"),
}


class CvactWriter:
    """Writes pairs as CVACT has them; keys are 22 letters made of the photos' ids."""

    def plan(self, number: int, sample: Sample) -> Sequence[PlannedFile]:  # noqa: ARG002
        """Say which two files a pair becomes."""
        one_of_each("cvact", len(sample.photos), len(sample.patches))
        photo, patch = sample.photos[0], sample.patches[0]
        folder, key = _FOLDERS[_split(photo.row)], panorama_key(photo.row.id)
        return (
            PlannedFile(photo.row.id, f"{folder}/streetview/{key}_grdView.jpg", photo.picture),
            PlannedFile(
                patch.row.id, f"{folder}/satview_polish/{key}_satView_polish.jpg", patch.picture
            ),
        )

    def finish(self, root: Path, samples: Iterable[tuple[int, Sample]]) -> None:
        """Write ``ACT_data.mat``, with one variable more than CVACT's: the UTM zone of each row."""
        from scipy.io import savemat

        photos = [sample.photos[0].row for _, sample in samples]
        places = np.array([(photo.lat, photo.lon) for photo in photos]).reshape(-1, 2)
        zones = zone_of(places)
        rows: dict[str, list[int]] = {split: [] for split in _SETS}
        for row, photo in enumerate(photos, start=1):
            rows[_split(photo)].append(row)
        document = {
            "panoIds": np.array([panorama_key(photo.id) for photo in photos], dtype="U22"),
            "utm": to_utm(places, zones),
            "utmZone": zones.reshape(-1, 1).astype(np.float64),
        }
        for split, (name, field) in _SETS.items():
            numbers = np.array(rows[split], dtype=np.float64).reshape(-1, 1)
            key = field.replace("Ind", "UTM")
            utm = document["utm"][numbers[:, 0].astype(np.int64) - 1]
            # Other loaders take the indices by position: they are the second field.
            document[name] = np.array([(utm, numbers)], dtype=[(key, "O"), (field, "O")])
        with whole_file(root / "ACT_data.mat") as temporary:
            savemat(temporary, document, appendmat=False, do_compression=True)


def _split(photo: Photo) -> str:
    if photo.split not in _SETS:
        raise UsageError(
            f"The split of a photo in cvact must be train, val or test. Got {photo.split!r} for "
            f"{photo.id!r}.",
            hint="Split the samples before writing them.",
        )
    if photo.lat is None:
        raise UsageError(
            f"A photo in cvact must have a place. {photo.id!r} has none.",
            hint="Leave out photos without coordinates.",
        )
    return photo.split
