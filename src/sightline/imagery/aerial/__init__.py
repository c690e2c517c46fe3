"""Aerial imagery: north-up patches of a stated size on the ground, from files and tiles."""

from sightline.imagery.aerial.opening import open_aerial
from sightline.imagery.aerial.source import AerialPixels, AerialSource
from sightline.imagery.aerial.tangent_plane import TangentPlane, patch_outline

__all__ = ["AerialPixels", "AerialSource", "TangentPlane", "open_aerial", "patch_outline"]
