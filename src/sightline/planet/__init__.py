"""A deterministic synthetic planet: the data that every machine has.

``Planet(seed)`` answers with photos and aerial images of any place; nothing is stored.
"""

from sightline.planet.planet import Planet
from sightline.planet.version import RENDER_VERSION, WORLD_VERSION
from sightline.planet.world.standpoints import Landmark, Standpoint

__all__ = ["RENDER_VERSION", "WORLD_VERSION", "Landmark", "Planet", "Standpoint"]
