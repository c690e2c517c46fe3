"""``atlas.json``: what an atlas says of itself, beside its rows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from sightline.durable import write_json
from sightline.errors import AtlasDamagedError, AtlasNotFoundError, AtlasVersionError
from sightline.models.whitening import WhiteningSettings

CARD_NAME = "atlas.json"
ROWS_NAME = "rows.lance"
SCHEMA = "sightline.atlas"
SCHEMA_VERSION = 1

Kind = Literal["photos", "aerial"]
"""What an atlas holds."""


@dataclass(frozen=True, slots=True)
class AtlasCard:
    """The fixed facts of an atlas, written once when it is created.

    Attributes:
        encoder: Name of the encoder, for people.
        fingerprint: The encoder's fingerprint; only its vectors may be asked and added.
        dimension: Length d of one vector.
        regions: r of the r × r cells stored per row; a row holds r² · d numbers.
        whitening: How the derived half whitens, or None.
        sample: File in the atlas folder with the bundle's own feature statistics, or None.
        light: File with the statistics of how the atlas's own photos change with light, or None.
        created_with: Version of Sightline that created the atlas.
        created_at: UTC time of creation, ISO 8601.
        licence: Licence of the whole collection, as its builder states it.
        description: Free text.
        encoder_details: What the encoder says of itself (``Encoder.describe``).
        kind: ``photos``, or ``aerial``: patches of aerial imagery.
        patch_m: Side of an aerial patch on the ground, in metres.
        stride_m: Metres between the middles of neighbouring patches.
        aerial_sources: By name, the imagery that patches were cut from: ``location``, ``options``
            to open it with, ``revision``, ``attribution``, ``licence``.
    """

    encoder: str
    fingerprint: str
    dimension: int
    regions: int
    whitening: WhiteningSettings | None = None
    sample: str | None = None
    light: str | None = None
    created_with: str = ""
    created_at: str = ""
    licence: str | None = None
    description: str | None = None
    encoder_details: Mapping[str, object] = field(default_factory=dict)
    kind: Kind = "photos"
    patch_m: float | None = None
    stride_m: float | None = None
    aerial_sources: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def vector_length(self) -> int:
        """Numbers per row: regions² · dimension."""
        return self.regions * self.regions * self.dimension

    def write(self, atlas: Path) -> None:
        """Write the card into the folder ``atlas``; raises OutputError."""
        document = {"schema": f"{SCHEMA}/{SCHEMA_VERSION}", **dataclasses.asdict(self)}
        write_json(atlas / CARD_NAME, document)

    @classmethod
    def read(cls, atlas: Path) -> AtlasCard:
        """Read the card of the folder ``atlas``.

        Raises:
            AtlasNotFoundError: No such folder, or it holds no atlas.
            AtlasDamagedError: Half-built, or a card that cannot be read.
            AtlasVersionError: Written by a newer Sightline.
        """
        path = atlas / CARD_NAME
        try:
            text = path.read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise _not_found(atlas) from error
        except (OSError, UnicodeDecodeError) as error:
            raise _damaged(path, str(error)) from error
        try:
            return _parse(path, json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise _damaged(path, str(error)) from error


def _parse(path: Path, document: dict[str, Any]) -> AtlasCard:
    name, _, version = str(document.pop("schema")).partition("/")
    if name != SCHEMA or not version.isdigit():
        raise ValueError(f"its schema is {name!r}, not {SCHEMA!r}")
    if int(version) > SCHEMA_VERSION:
        raise AtlasVersionError(
            f"The atlas {str(path.parent)!r} has schema version {version}; this Sightline reads "
            f"up to {SCHEMA_VERSION}.",
            hint="Update Sightline, or build the atlas again with this version.",
            path=path.parent,
        )
    whitening = document.pop("whitening", None)
    settings = None if whitening is None else WhiteningSettings(**whitening)
    card = AtlasCard(whitening=settings, **document)
    if not (_is_count(card.dimension) and _is_count(card.regions)):
        raise ValueError(f"dimension {card.dimension!r} and regions {card.regions!r} must be >= 1")
    if not (isinstance(card.fingerprint, str) and isinstance(card.encoder, str)):
        raise TypeError("encoder and fingerprint must be text")
    if card.kind not in get_args(Kind):
        raise ValueError(f"its kind is {card.kind!r}, not {' or '.join(get_args(Kind))}")
    if card.kind == "aerial" and not (_is_side(card.patch_m) and _is_side(card.stride_m)):
        raise ValueError(f"patch_m {card.patch_m!r} and stride_m {card.stride_m!r} must be > 0")
    return card


def _is_side(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _not_found(atlas: Path) -> AtlasNotFoundError | AtlasDamagedError:
    if (atlas / ROWS_NAME).is_dir():
        return AtlasDamagedError(
            f"The atlas {str(atlas)!r} is half-built: it has rows and no {CARD_NAME}.",
            hint="Run the same `sightline atlas build` again; it goes on where it stopped.",
            path=atlas,
        )
    what = "holds no atlas" if atlas.is_dir() else "is no folder"
    return AtlasNotFoundError(
        f"{str(atlas)!r} {what}.",
        hint="Check the path, or make one with `sightline atlas build`.",
        path=atlas,
    )


def _damaged(path: Path, reason: str) -> AtlasDamagedError:
    return AtlasDamagedError(
        f"The atlas card {str(path)!r} cannot be read: {reason}.",
        hint="Restore the file from a copy, or build the atlas again.",
        path=path,
    )
