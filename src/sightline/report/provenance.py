"""What an answer was made with: program, atlas and encoder, by version and hash."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sightline.version import __version__

if TYPE_CHECKING:
    from sightline.locating.locator import AnyLocator


@dataclass(frozen=True, slots=True)
class Provenance:
    """Versions and hashes that let someone else repeat an answer; None is unknown.

    Attributes:
        sightline_version: Version of this program.
        atlas_path: Folder of the atlas that was asked.
        atlas_version: Version of its store, which grows with every change.
        atlas_count: References in it.
        encoder_name: Name of the encoder.
        encoder_fingerprint: Hash of everything that changes a vector.
        search: How the atlas was searched, as ``sightline locate --search`` names it.
    """

    sightline_version: str
    atlas_path: str | None = None
    atlas_version: int | None = None
    atlas_count: int | None = None
    encoder_name: str | None = None
    encoder_fingerprint: str | None = None
    search: str | None = None

    @classmethod
    def of(cls, locator: AnyLocator | None) -> Provenance:
        """Read it off the locator that answered; without one only the program is known."""
        if locator is None:
            return cls(__version__)
        atlas = locator.atlas
        return cls(
            sightline_version=__version__,
            atlas_path=None if atlas is None else str(atlas.path),
            atlas_version=None if atlas is None else int(atlas.version),
            atlas_count=None if atlas is None else int(atlas.count),
            encoder_name=locator.encoder.name,
            encoder_fingerprint=locator.encoder.fingerprint,
            search=locator.mode,
        )

    def to_json(self) -> dict[str, str | int | None]:
        """Return the fields under their own names."""
        return asdict(self)
