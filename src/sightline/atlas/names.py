"""The names of a row: the paths under which its content was seen, with their times."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from sightline.atlas.intake import FileState


@dataclass(slots=True)
class NameChanges:
    """Files that came to a content (or were touched), and names that left it."""

    put: dict[str, FileState] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)


def renamed(row: pa.Table, changes: NameChanges) -> pa.Table:
    """Return a table of one row with its names changed, or of none if no name is left."""
    names = row.column("names")[0].as_py()
    times = dict(zip(names, row.column("mtime_ns")[0].as_py(), strict=True))
    times = {n: t for n, t in times.items() if n not in changes.gone or n in changes.put}
    times |= {name: file.mtime_ns for name, file in changes.put.items()}
    if not times:
        return row.slice(0, 0)
    values = {
        "uri": pa.array([next(iter(times))], pa.string()),
        "names": pa.array([list(times)], pa.list_(pa.string())),
        "mtime_ns": pa.array([list(times.values())], pa.list_(pa.int64())),
    }
    for name, column in values.items():
        place = row.schema.get_field_index(name)
        row = row.set_column(place, row.schema.field(place), column)
    return row
