"""A patch seen again, from the imagery it was cut from."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from sightline.atlas.aerial.intake import source_of
from sightline.atlas.aerial.sources import open_aerial
from sightline.atlas.card import AtlasCard
from sightline.errors import AerialNotFoundError, AtlasError
from sightline.imagery.aerial import AerialPixels, AerialSource


def patch_image(
    atlas: str | os.PathLike[str],
    uri: str,
    latlng: ArrayLike,
    size_px: int = 256,
    *,
    allow_network: bool = False,
) -> AerialPixels:
    """Cut the patch of a row again, at any resolution.

    Args:
        atlas: Folder of the aerial atlas.
        uri: The row's, such as ``aerial:town#123520.401122``; that of a match as well.
        latlng: The row's place, degrees.
        size_px: Side in pixels.
        allow_network: Whether tiles that are not kept on this machine may be fetched.

    Returns:
        The patch as the source shows it now.

    Raises:
        AtlasError: The atlas is of photos, or the row is of no source that its card names.
        AerialError: The imagery is gone, damaged, or on the network, which was not allowed.
        AtlasNotFoundError: There is no atlas.
        DependencyError: rasterio or pmtiles is not installed.
    """
    card = AtlasCard.read(Path(atlas))
    name = source_of(uri)
    facts = None if name is None else card.aerial_sources.get(name)
    if card.patch_m is None or facts is None:
        raise AtlasError(
            f"{uri!r} is no aerial patch of the atlas {str(atlas)!r}.",
            hint="Give the uri of a row of an aerial atlas.",
            path=str(atlas),
        )
    source = _opened(json.dumps(facts, sort_keys=True), str(name), allow_network)
    return source.patch(latlng, card.patch_m, size_px)


@lru_cache(maxsize=8)
def _opened(facts: str, name: str, allow_network: bool) -> AerialSource:
    known: dict[str, Any] = json.loads(facts)
    location = known["location"]
    try:
        return open_aerial(
            location,
            **known["options"],
            attribution=known["attribution"],
            licence=known["licence"],
            name=name,
            allow_network=allow_network,
        )
    except AerialNotFoundError as error:
        raise AerialNotFoundError(
            f"The imagery {location!r} that the patches were cut from is gone.",
            hint="Bring it back to that place to see the patches again; search needs none of it.",
            path=location,
        ) from error
