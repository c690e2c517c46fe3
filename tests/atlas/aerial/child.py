"""A builder that is run as a process of its own, to be killed; says a line after each commit."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sightline.atlas.aerial import build_aerial_atlas, open_aerial
from sightline.atlas.store import Store

from .encoders import TwoViews


class Slow(TwoViews):
    """Takes a moment per batch, as a network does."""

    def encode_prepared(self, batch, view="ground"):
        time.sleep(0.002)
        return super().encode_prepared(batch, view)


def build_slowly(atlas: Path, imagery: Path) -> None:
    replace = Store.replace

    def announced(store, ids, rows):
        after = replace(store, ids, rows)
        os.write(1, b"done\n")
        return after

    Store.replace = announced
    os.write(1, b"ready\n")
    source = open_aerial(imagery)
    build_aerial_atlas(
        atlas,
        source,
        Slow(turns=2),
        patch_m=30.0,
        stride_m=15.0,
        batch=8,
        commit_rows=16,
        workers=2,
    )
