"""What every layout can do: recognise a folder, read it, and for some, write it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from sightline.datasets.dataset import Dataset
from sightline.datasets.layouts.sample import Render, Sample
from sightline.datasets.manifest.schema import TableName


@dataclass(frozen=True, slots=True)
class Recognition:
    """How much a folder looks like a dataset.

    Args:
        name: The layout's name.
        version: Which release, subset or label revision.
        confidence: From 0 (not at all) to 1 (labels and images are where they belong).
        evidence: What was found, a phrase each.
        missing: What belongs to this version and was not found, a phrase each.
    """

    name: str
    version: str
    confidence: float
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class PlannedFile:
    """A file that a sample becomes.

    Args:
        row_id: The photo or patch.
        uri: Where it lies, relative to the root.
        picture: Its picture, or what makes it.
    """

    row_id: str
    uri: str
    picture: Render


class Writer(Protocol):
    """Turns samples into the exact files of a published layout."""

    def plan(self, number: int, sample: Sample) -> Sequence[PlannedFile]:
        """Say which files the sample with this number, from 0, becomes.

        A function of its arguments alone: workers may plan and write different samples at once.

        Raises:
            UsageError: The sample cannot be said in this layout; names what it lacks.
        """

    def finish(self, root: Path, samples: Iterable[tuple[int, Sample]]) -> None:
        """Write the lists: labels, splits, tables. Their pictures are not asked for."""


Inspected = tuple[Literal["fault", "warning", "note"], str, str, str]
"""Severity, kind, what was found and what to do; the doctor makes findings of them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A published way to lay a dataset out in a folder.

    Args:
        name: Short and stable.
        title: What people call it.
        source: Where it is published: repository or paper.
        recognise: Says how much a folder looks like it.
        read: Reads it, in a variant (None: what the folder holds). Raises TableError or
            PhotoNotFoundError for what it cannot do without.
        variants: Parts or protocols that can be asked for.
        writer: Makes a writer, or None for layouts that are only read.
        inspect: Looks for what only this layout can have wrong: severity, kind, what was found and
            what to do.
        published: How many rows each split has, as its authors state: ``{"photos": {"val": n}}``.
    """

    name: str
    title: str
    source: str
    recognise: Callable[[Path], Recognition | None]
    read: Callable[[Path, str | None], Dataset]
    variants: tuple[str, ...] = ()
    writer: Callable[[], Writer] | None = None
    inspect: Callable[[Path], list[Inspected]] | None = None
    published: Mapping[TableName, Mapping[str, int]] = field(default_factory=dict)
