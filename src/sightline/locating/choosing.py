"""The locator that an atlas needs: of photos, or of aerial patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sightline.atlas.matches import SearchWay
from sightline.errors import UsageError
from sightline.locating.aerial_queries import HeadingChoice
from sightline.locating.cross_view import CrossViewLocator
from sightline.locating.kinds import is_aerial, require_aerial
from sightline.locating.locator import Locator
from sightline.locating.methods import Method
from sightline.locating.searchable import AerialAtlas, SearchableAtlas
from sightline.models.protocol import CrossViewEncoder, Encoder

if TYPE_CHECKING:
    from sightline.geo.region import Region

DEFAULT_PATCHES = 10


def locator_for(
    atlas: SearchableAtlas,
    encoder: Encoder,
    *,
    method: Method = "nearest",
    region: Region | None = None,
    k: int | None = None,
    mode: SearchWay = "auto",
    heading: HeadingChoice = None,
    as_declared: bool = False,
) -> Locator | CrossViewLocator:
    """Make the locator that fits an atlas.

    Args:
        atlas: Opened, of photos or of aerial patches.
        encoder: The one that built it.
        method: Of photos: ``nearest``, ``density`` or ``clusters``.
        region: Only references inside it.
        k: Matches to use.
        mode: How to search; see :meth:`sightline.atlas.Atlas.search`.
        heading: Of patches: where the photos look; see :class:`CrossViewLocator`.
        as_declared: Of patches: take pictures for what the model's photos show.

    Raises:
        FingerprintError: Atlas and encoder are of two kinds, or do not belong together.
        UsageError: A heading for an atlas of photos, a method for one of patches, or an argument
            that cannot be.
    """
    if is_aerial(atlas):
        require_aerial(atlas, encoder)
        if method != "nearest":
            raise UsageError(
                f"The method {method!r} reads matches with photos; {str(atlas.path)!r} is an atlas "
                "of aerial patches, which has one of its own.",
                hint="Leave the method out.",
            )
        return CrossViewLocator(
            cast("AerialAtlas", atlas),
            cast("CrossViewEncoder", encoder),
            region=region,
            k=DEFAULT_PATCHES if k is None else k,
            mode=mode,
            heading=heading,
            as_declared=as_declared,
        )
    if heading is not None or as_declared:
        raise UsageError(
            f"{str(atlas.path)!r} is an atlas of photos, which are compared whatever they look at.",
            hint="Leave out the heading, and --as-declared: they are for aerial atlases.",
        )
    return Locator(atlas, encoder, method=method, region=region, k=k, mode=mode)
