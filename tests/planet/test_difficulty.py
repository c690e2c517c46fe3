"""Named settings: each is there, they add up, and contradictions are named."""

from __future__ import annotations

import pytest

from sightline.errors import UsageError
from sightline.planet.difficulty import DIFFICULTIES, PLAIN, difficulty


def test_every_name_stands_alone() -> None:
    for name, setting in DIFFICULTIES.items():
        found = difficulty(name)
        assert found == setting
        assert found.summary.endswith(".")
    assert difficulty([]).name == "aligned-panorama"


def test_settings_add_up() -> None:
    found = difficulty(["known-heading", "offset", "season-gap", "large-gallery", "offset"])
    assert found.name == "known-heading+offset+season-gap+large-gallery"
    assert (found.panorama, found.heading, found.offset_m) == (False, "known", 28.0)
    assert found.season_gap
    assert found.distractors == 10
    assert found.unseen == PLAIN.unseen


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["known-heading", "unknown-heading"], "in heading: 'known' and 'unknown'"),
        (["world", "country"], "in span"),
        (["aligned-panorama", "narrow"], "'aligned-panorama' and 'narrow'.* in panorama"),
        (["unknown-panorama", "aligned-panorama"], "in heading"),
    ],
)
def test_contradictions(names: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        difficulty(names)


def test_unknown_names() -> None:
    with pytest.raises(UsageError, match=r"must be one of aligned-panorama, .* Got 'hard'"):
        difficulty("hard")
