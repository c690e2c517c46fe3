"""Processes killed with SIGKILL at random moments, 50 of them and more."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from sightline.atlas.atlas import Atlas
from sightline.atlas.build import build_atlas
from sightline.atlas.store import Store
from sightline.atlas.verify import verify
from sightline.imagery.photo import open_photo

from .child import main, records_in
from .encoders import ColourGrid
from .forked import Forked
from .photos import write_photo

PHOTOS = 60


def kill_after(process: Forked, seconds: float, lines: int = 0) -> tuple[list[str], bool]:
    """Let the process say so many lines, and run on for a while, then kill it.

    Returns:
        What it said, and whether the kill came in time.
    """
    first = process.says.readline()
    if first != "ready\n":
        raise AssertionError([first, *process.kill()[0]])
    heard = [process.says.readline() for _ in range(lines)]
    time.sleep(seconds)
    rest, killed = process.kill()
    return "".join(heard).splitlines() + rest, killed


class Ledger:
    """The ids that must be there: those acknowledged, give or take the transaction under way."""

    def __init__(self) -> None:
        self.acknowledged: set[int] = set()
        self.under_way: set[int] | None = None

    def read(self, lines: list[str]) -> None:
        for line in lines:
            if line.startswith("try"):
                removed, added = (
                    {int(i) for i in ids.split(",") if i} for ids in line[4:].split(" ")
                )
                self.under_way = (self.acknowledged - removed) | added
            elif line == "done":
                assert self.under_way is not None
                self.acknowledged, self.under_way = self.under_way, None
            else:
                assert line == "end", lines

    def check(self, atlas: Path) -> None:
        if not (atlas / "atlas.json").exists():
            assert not self.acknowledged
            return
        report = verify(atlas)
        assert report.sound, report.faults
        ids = Store.open(atlas).ids().tolist()
        assert len(ids) == len(set(ids))
        assert set(ids) in (self.acknowledged, self.under_way)
        self.acknowledged, self.under_way = set(ids), None


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number in range(PHOTOS):
        path = write_photo(folder / f"{number:03}.jpg", number)
        if number % 6 == 0:
            shutil.copy(path, folder / f"{number:03}-twin.jpg")
    return folder


def change(photos: Path, seed: int) -> None:
    """Give some files new contents, swap others, and add one."""
    chance = random.Random(seed)
    paths = sorted(photos.iterdir())
    for path in chance.sample(paths, 8):
        number = int(path.stem.split("-")[0])
        write_photo(path, 1000 * (seed + 1) + number)
    write_photo(photos / f"{100 + seed:03}.jpg", 100 + seed)
    for path in paths:
        if chance.random() < 0.3:
            os.utime(path, (seed + 1, seed + 1))


def contents(atlas: Path) -> list[object]:
    """What an atlas holds, whatever the ids and the order of names."""
    store = Store.open(atlas)
    rows = store.take(np.arange(store.count), store.schema.names).to_pylist()
    return sorted((sorted(r["names"]), r["sha256"], r["lat"], r["lon"], r["vector"]) for r in rows)


def hashes(atlas: Path) -> set[bytes]:
    return {s for b in Store.open(atlas).batches(["sha256"]) for s in b.column(0).to_pylist()}


def test_builds_and_adds_survive_kills(photos: Path, tmp_path: Path) -> None:
    chance = random.Random(20)
    photos = Path(shutil.copytree(photos, tmp_path / "photos"))
    atlas, ledger, kills, finished = tmp_path / "atlas", Ledger(), 0, 0
    while kills < 26 or not finished:
        # By what it has done, so that on any machine a build takes about a dozen kills; and now
        # and then later, where nothing is said: as it begins, and as it puts its files in order.
        done = chance.randrange(10)
        pause = chance.uniform(0, 0.3 if chance.random() < 0.2 else 0.02)
        lines, killed = kill_after(Forked(main, "build", atlas, photos), pause, done)
        ledger.read(lines)
        ledger.check(atlas)
        kills += killed
        if lines[-1:] == ["end"]:
            # Complete: from now on photos are added to it, and files replaced.
            change(photos, finished)
            finished += 1
    encoder = ColourGrid()
    held = hashes(atlas)
    build_atlas(atlas, records_in(photos), encoder)
    assert verify(atlas).sound
    fresh = ColourGrid()
    build_atlas(tmp_path / "fresh", records_in(photos), fresh)
    assert contents(atlas) == contents(tmp_path / "fresh")
    after = {
        bytes(s) for b in Store.open(atlas).batches(["sha256"]) for s in b.column(0).to_pylist()
    }
    assert encoder.encoded == len(after - held)


@pytest.mark.parametrize(("mode", "kills"), [("compact", 12), ("derive", 12)])
def test_rewriting_survives_kills(photos: Path, tmp_path: Path, mode: str, kills: int) -> None:
    chance = random.Random(mode)
    atlas = tmp_path / "atlas"
    build_atlas(atlas, records_in(photos), ColourGrid(), compact=False)
    before = contents(atlas)
    for _ in range(kills):
        _, killed = kill_after(Forked(main, mode, atlas, photos), chance.uniform(0, 0.3))
        assert killed
        assert verify(atlas).sound
        assert contents(atlas) == before
        if mode == "derive":
            # Whatever half a rebuild was killed in, the atlas answers.
            query = ColourGrid().encode_regions([open_photo(photos / "001.jpg").pixels])
            opened = Atlas.open(atlas)
            matches = opened.search(query, 1, fingerprint=opened.encoder_fingerprint)
            assert matches.uris[0][0] == str(photos / "001.jpg")
