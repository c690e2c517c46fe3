"""The atlas: reference photos with known places, stored durably and searched exactly or fast."""

from sightline.atlas.atlas import Atlas
from sightline.atlas.derived import build_derived, check
from sightline.atlas.matches import Matches

__all__ = ["Atlas", "Matches", "build_derived", "check"]
