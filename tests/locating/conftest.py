"""One real atlas for the room."""

from __future__ import annotations

import pytest

from sightline.atlas import Atlas
from sightline.atlas.build import build_atlas

from .encoders import MeanColours
from .photos import write_references


@pytest.fixture(scope="session")
def encoder() -> MeanColours:
    return MeanColours()


@pytest.fixture(scope="session")
def atlas(tmp_path_factory: pytest.TempPathFactory, encoder: MeanColours) -> Atlas:
    folder = tmp_path_factory.mktemp("locating")
    build_atlas(folder / "atlas", write_references(folder / "references"), encoder)
    return Atlas.open(folder / "atlas")
