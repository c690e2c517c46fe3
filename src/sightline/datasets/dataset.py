"""What a loader makes of a folder: streams of photos, patches and pairs, and of what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.records import RecordProblem
from sightline.datasets.rows import AerialPatch, Pair, Photo

PhotoStream = Callable[[], Iterator[Photo | RecordProblem]]
PatchStream = Callable[[], Iterator[AerialPatch | RecordProblem]]
PairStream = Callable[[], Iterator[Pair | RecordProblem]]


def _no_patches() -> Iterator[AerialPatch | RecordProblem]:
    return iter(())


def _no_pairs() -> Iterator[Pair | RecordProblem]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset on disk, read as it is asked for.

    Each stream begins anew at every call and gives the same rows in the same order; a row that
    cannot be used comes as a :class:`~sightline.datasets.records.RecordProblem` with its line, and
    the stream goes on. Nothing is decoded, and unless a layout has no list, no file is looked for.

    Args:
        name: Short and stable; every id begins with it.
        version: Which release, subset or label revision was found.
        root: The folder that uris are relative to.
        photos: Gives the photos.
        patches: Gives the aerial patches.
        pairs: Gives the pairs; their ids name photos and patches of the other two.
        notes: Traps of this version that a user should know, a sentence each.
    """

    name: str
    version: str
    root: Path
    photos: PhotoStream
    patches: PatchStream = _no_patches
    pairs: PairStream = _no_pairs
    notes: tuple[str, ...] = ()
