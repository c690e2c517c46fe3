from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from sightline.atlas.build import build_atlas
from sightline.atlas.maintain import compact, remove
from sightline.atlas.store import Store

from .child import SlowGrid
from .photos import write_photos

TESTS = Path(__file__).resolve().parent.parent


def test_four_readers_beside_one_writer_see_only_committed_versions(tmp_path: Path) -> None:
    records = write_photos(tmp_path / "photos", 80)
    signals = tmp_path / "signals"
    signals.mkdir()
    atlas = tmp_path / "atlas"
    build_atlas(atlas, records[:2], SlowGrid())
    command = [sys.executable, "-m", "atlas.child", "read", str(atlas), str(signals)]
    environment = os.environ | {"PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    with ExitStack() as stack:
        outputs = [stack.enter_context((tmp_path / f"{n}.txt").open("w+")) for n in range(4)]
        readers = [
            stack.enter_context(subprocess.Popen(command, stdout=out, env=environment))
            for out in outputs
        ]
        while any(out.seek(0) or len(out.readlines()) < 2 for out in outputs):
            assert all(reader.poll() is None for reader in readers)
        build_atlas(atlas, records, SlowGrid(), batch=2, commit_rows=2)
        remove(atlas, names=["*/000?.jpg"])
        compact(atlas)
        (signals / "stop").touch()
        assert [reader.wait() for reader in readers] == [0, 0, 0, 0]
        seen = [_lines(out.seek(0) or out.read()) for out in outputs]
    committed: dict[int, int] = {}
    for versions in seen:
        assert [v for v, _, _ in versions] == sorted(v for v, _, _ in versions)
        for version, count, distinct in versions:
            if version not in committed:
                committed[version] = Store.open(atlas, version=version).count
            assert count == distinct == committed[version]
    # The test would be empty if the readers had seen nothing but beginning and end.
    assert len(committed) > 5


def _lines(text: str) -> list[tuple[int, int, int]]:
    found = [line.split() for line in text.splitlines() if line not in {"ready", "end"}]
    return [(int(version), int(count), int(distinct)) for version, count, distinct in found]
