"""Versions of the planet; both stand in every dataset made from it.

Golden hashes in the tests pin the world and golden images the renderers. Whoever changes what they
pin raises the number here, in the same change.
"""

from __future__ import annotations

WORLD_VERSION = 2
"""What stands where."""

RENDER_VERSION = 1
"""How it looks."""
