"""Atlases of aerial patches: where patches lie, how they are built, and how one is seen again."""

from sightline.atlas.aerial.build import build_aerial_atlas
from sightline.atlas.aerial.grid import AerialGrid
from sightline.atlas.aerial.images import patch_image
from sightline.atlas.aerial.sources import open_aerial

__all__ = ["AerialGrid", "build_aerial_atlas", "open_aerial", "patch_image"]
