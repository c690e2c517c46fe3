from __future__ import annotations

import pytest

from sightline.datasets.dataset import Dataset
from sightline.datasets.manifest import Manifest, write_manifest
from sightline.datasets.resplit import SplitRule, resplit, shares_of
from sightline.datasets.rows import AerialPatch, Pair, Photo
from sightline.errors import UsageError
from sightline.geo.distance import great_circle_m

SHARES = {"train": 0.6, "test": 0.4}


@pytest.fixture
def manifest(tmp_path) -> Manifest:
    """Forty photos in a row of places 300 m apart; neighbours share a patch; one has no place."""
    photos = [
        Photo(
            f"t/{n}",
            f"{n}.jpg",
            *((None, None) if n == 39 else (48.0 + 0.0027 * n, 2.0)),
            photographer=f"p{n // 4}",
        )
        for n in range(40)
    ]
    patches = [AerialPatch(f"a/{n}", f"{n}.png") for n in range(20)]
    pairs = [Pair(f"t/{n}", f"t/{n}", f"a/{n // 2}", split="old") for n in range(40)]
    held = Dataset(
        "t", "1", tmp_path, lambda: iter(photos), lambda: iter(patches), lambda: iter(pairs)
    )
    write_manifest(tmp_path / "m", held)
    return Manifest.open(tmp_path / "m")


@pytest.mark.parametrize("by", ["place", "cell", "photographer"])
def test_splits_by_what_they_say(manifest, tmp_path, by):
    rule = SplitRule(by, SHARES, radius_m=200.0, level=14)
    report = resplit(manifest, tmp_path / "n", rule)
    new = Manifest.open(tmp_path / "n")
    photos = list(new.photos())
    split = {row.id: row.split for row in photos}
    assert set(split.values()) - {None} == {"train", "test"}
    assert (split["t/39"] is None) == (by != "photographer")
    assert [row.split for row in new.pairs()] == [split[row.photo_id] for row in new.pairs()]
    for row in new.patches():
        mine = {split[pair.photo_id] for pair in new.pairs() if pair.patch_id == row.id}
        assert row.split == (mine.pop() if len(mine) == 1 else None)
    if by == "photographer":
        sides = {(row.photographer, row.split) for row in photos}
        assert len(sides) == 10
    if by == "place":
        sides = [[(r.lat, r.lon) for r in photos if r.split == name] for name in SHARES]
        apart = [great_circle_m([a] * len(sides[1]), sides[1]).min() for a in sides[0]]
        assert min(apart) >= 200.0
        assert report.check.checked == ("photographer", "place")
    assert sum(report.pairs.values()) == sum(row.split is not None for row in photos)
    assert report.to_json()["manifest"]["counts"]["photos"] == 40


def test_the_same_seed_gives_the_same_manifest(manifest, tmp_path):
    prints = [
        resplit(manifest, tmp_path / str(n), SplitRule("photographer", SHARES, seed=seed))
        for n, seed in enumerate((1, 1, 2))
    ]
    assert prints[0].information.fingerprint == prints[1].information.fingerprint
    assert prints[0].information.fingerprint != prints[2].information.fingerprint


def test_what_cannot_be_split(manifest, tmp_path):
    with pytest.raises(UsageError, match="would be empty"):
        resplit(manifest, tmp_path / "n", SplitRule("cell", SHARES, level=3))
    assert not (tmp_path / "n").exists()
    bare = Dataset("bare", "1", tmp_path, lambda: iter([Photo("b/1", "1.jpg")]))
    write_manifest(tmp_path / "b", bare)
    with pytest.raises(UsageError, match="No photo of bare has a place"):
        resplit(Manifest.open(tmp_path / "b"), tmp_path / "n", SplitRule("place", SHARES))


def test_shares():
    assert shares_of("train=0.8, test=0.2") == {"train": 0.8, "test": 0.2}
    for text in ("", "train", "train=x", "a=1,a=2", "a=-1", "=1", "a=nan"):
        with pytest.raises(UsageError, match="shares must be"):
            shares_of(text)
