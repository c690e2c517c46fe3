"""What a data set of the planet is: its settings, checked together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sightline.datasets.planet_samples import PictureSizes
from sightline.errors import UsageError
from sightline.planet.difficulty import difficulty
from sightline.planet.version import RENDER_VERSION, WORLD_VERSION

PAIR_LAYOUTS = {
    "folders": "plain",
    "shards": "shards",
    "cvusa": "cvusa_zhai",
    "cvact": "cvact",
    "vigor": "vigor",
    "university1652": "university1652",
}
PHOTO_LAYOUTS = {
    "folders": "plain",
    "shards": "shards",
    **{name: name for name in ("im2gps", "im2gps3k", "yfcc4k", "yfcc25k")},
}
_PANORAMAS_ONLY = ("cvusa", "cvact", "vigor")
_ONE_TILE = ("cvusa", "cvact", "vigor", "university1652")


@dataclass(frozen=True)
class PlanetSettings:
    """What a data set of the planet is.

    Args:
        kind: ``pairs`` or ``photos``.
        count: How many.
        layout: One of ``PAIR_LAYOUTS`` or ``PHOTO_LAYOUTS``.
        seed: Which planet.
        collection: Which data set of it.
        difficulty: Names of :mod:`sightline.planet.difficulty`, for pairs.
        width: Of the photos; None: 224, panoramas 512.
        height: Of the photos; None: 224, panoramas 128.
        tile_px: Side of the aerial tiles.
        metres_per_pixel: Of the tiles.

    Raises:
        UsageError: A setting is impossible, or two of them together.
    """

    kind: str
    count: int
    layout: str = "folders"
    seed: int = 0
    collection: int = 0
    difficulty: tuple[str, ...] = ()
    width: int | None = None
    height: int | None = None
    tile_px: int = 224
    metres_per_pixel: float = 0.5

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, ("pairs", "photos"))
        _one_of(f"The layout of {self.kind}", self.layout, tuple(self._layouts))
        for name in ("count", "tile_px", "metres_per_pixel", "width", "height"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(
                    f"{name} must be positive. Got {value!r}.", hint="Give a larger one."
                )
        if self.kind == "photos" and self.difficulty:
            raise UsageError(
                f"A difficulty belongs to pairs. Got {', '.join(self.difficulty)!r} for photos.",
                hint="Leave it out, or ask for --pairs.",
            )
        if self.kind == "pairs":
            self._check_pairs()

    def _check_pairs(self) -> None:
        wanted = difficulty(self.difficulty)
        if self.layout in _PANORAMAS_ONLY and not wanted.panorama:
            raise UsageError(
                f"The layout {self.layout!r} holds panoramas. Got the difficulty {wanted.name!r}.",
                hint="Choose the layout folders or shards, or a difficulty with panoramas.",
            )
        if self.layout in _ONE_TILE and wanted.distractors:
            raise UsageError(
                f"The layout {self.layout!r} has no place for tiles without a photo. Got the "
                f"difficulty {wanted.name!r}.",
                hint="Choose the layout folders or shards, or leave out 'large-gallery'.",
            )
        if self.layout == "vigor" and wanted.offset_m:
            raise UsageError(
                "The layout 'vigor' has offsets of its own, from its grid of tiles. Got the "
                "difficulty 'offset'.",
                hint="Leave out 'offset'.",
            )

    @property
    def layout_name(self) -> str:
        """The layout of its folder as :func:`layout_named` knows it, or ``shards``."""
        return self._layouts[self.layout]

    @property
    def _layouts(self) -> dict[str, str]:
        return PAIR_LAYOUTS if self.kind == "pairs" else PHOTO_LAYOUTS

    @property
    def sizes(self) -> PictureSizes:
        """Sizes of its pictures."""
        panorama = (
            self.kind == "pairs"
            and self.layout != "university1652"
            and difficulty(self.difficulty).panorama
        )
        width, height = (512, 128) if panorama else (224, 224)
        photo = (self.width or width, self.height or height)
        return PictureSizes(photo, self.tile_px, self.metres_per_pixel)

    def provenance(self) -> dict[str, Any]:
        """All that makes this data set and no other, as JSON has it; ``count`` may grow."""
        document = asdict(self)
        del document["count"]
        return {
            "made_of": "sightline planet",
            "world_version": WORLD_VERSION,
            "render_version": RENDER_VERSION,
            **document,
            "difficulty": list(self.difficulty),
        }


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(
            f"{name} must be one of {', '.join(choices)}. Got {value!r}.",
            hint="Choose one of them.",
        )
