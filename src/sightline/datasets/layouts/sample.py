"""What a layout is written from: rows with their pictures, made when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.rows import AerialPatch, Pair, Photo

Picture = NDArray[np.uint8] | bytes
"""Pixels, uint8 (h, w, 3) RGB, or the bytes of a JPEG or PNG file."""

Render = Picture | Callable[[], Picture]
"""A picture, or what makes it. A writer that finds the file there and whole never calls it, so
that a stopped run goes on without rendering again."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoSample:
    """A photo to be written: its row (its ``uri`` is given by the layout) and its picture."""

    row: Photo
    picture: Render


@dataclass(frozen=True, slots=True, eq=False)
class PatchSample:
    """An aerial patch to be written: its row (its ``uri`` is given by the layout), its picture."""

    row: AerialPatch
    picture: Render


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What belongs to one place: photos, patches, and which of them are pairs.

    Most layouts take one photo and one patch. VIGOR takes a photo with one positive and three
    semi-positive pairs (patches may come again in other samples: the same id is the same patch);
    University-1652 takes several photos of a place (``labels["view"]`` says drone, street or
    google) and one patch; the lists of Im2GPS take one photo and no patch.

    Args:
        photos: At least one.
        patches: Those that its pairs name.
        pairs: Between the photos and patches of this sample.
    """

    photos: tuple[PhotoSample, ...]
    patches: tuple[PatchSample, ...] = ()
    pairs: tuple[Pair, ...] = ()

    @classmethod
    def of_pair(
        cls, photo: Photo, photo_picture: Render, patch: AerialPatch, patch_picture: Render
    ) -> Sample:
        """Return a photo with its own patch; the pair takes the photo's id and split."""
        pair = Pair(
            f"{photo.id}+{patch.id}", photo_id=photo.id, patch_id=patch.id, split=photo.split
        )
        return cls(
            (PhotoSample(photo, photo_picture),), (PatchSample(patch, patch_picture),), (pair,)
        )
