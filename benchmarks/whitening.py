"""What the whitening is fitted on, and how a place is pooled: measured where places have views.

Two sets made from the real sample photos, without a label of theirs in any fit:

- **panoramas**: 9 places of 360 degree photos, four views of 90 degrees that do not overlap, at
  four starting headings, among 151 other photos. 144 queries.
- **strips**: every wide photo cut into four strips that do not overlap; strips of one photo count
  as one place. 4 queries a place. Strips share light and camera, as headings of one minute do.

    python benchmarks/whitening.py
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _record import record
from sightline.atlas.rerank import pool_places, squared_gaps
from sightline.datasets import PhotoRecord, read_table
from sightline.imagery import open_photo, perspective_views
from sightline.models.bundle import load_model
from sightline.models.importing import import_model
from sightline.models.protocol import Encoder, Pixels, Vectors
from sightline.models.recolour import recolour
from sightline.models.statistics import FeatureStatistics
from sightline.models.whitening import WhiteningSettings, fit_whitening

DATA = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parent / "../../shared/data"))
CANDIDATES = 20
Set = tuple[Vectors, Vectors, NDArray[np.int64], NDArray[np.bool_]]


def main() -> None:
    """Measure and record."""
    with tempfile.TemporaryDirectory() as folder:
        encoder = load_model(bundle(Path(folder) / "m.model"))
        sets = {"panoramas": panoramas(encoder), "strips": [strips(encoder)]}
    found: dict[str, Any] = {}
    for name, parts in sets.items():
        for fitted_on in ("photos", "regions"):
            for light_weight in (0.0, 0.5):
                for light in ("same light", "re-coloured"):
                    key = f"{name}, {light}: fitted on {fitted_on}, light {light_weight:g}"
                    rows = [
                        recalls(part, fitted_on, light_weight, recoloured=light != "same light")
                        for part in parts
                    ]
                    found[key] = {
                        k: round(float(np.mean([row[k] for row in rows])), 4) for k in rows[0]
                    }
                    print(key, found[key])
    what = "small real sample; Recall@1 of the right place, no place label used in any fit"
    print(record("whitening", {"what": what, "recall_at_1": found}))


def bundle(out: Path) -> Path:
    weights = DATA / "weights" / "mobilenetv2_100"
    import_model(out, weights / "config.json", weights / "mobilenetv2_100.imagenet1k.safetensors")
    return out


def photos() -> list[PhotoRecord]:
    return [r for r in read_table(DATA / "photos" / "photos.csv") if isinstance(r, PhotoRecord)]


def encode(encoder: Encoder, images: list[Pixels]) -> tuple[Vectors, Vectors]:
    """Regional vectors (n, cells, d) of photos as they are and re-coloured."""
    rng = np.random.default_rng(0)
    changed = [recolour(image, rng) for image in images]
    return encode_all(encoder, images), encode_all(encoder, changed)


def encode_all(encoder: Encoder, images: list[Pixels]) -> Vectors:
    parts = [encoder.encode_regions(images[i : i + 16]) for i in range(0, len(images), 16)]
    return np.concatenate(parts)


def panoramas(encoder: Encoder) -> list[Set]:
    flat, whole = [], []
    for row in photos():
        photo = open_photo(row.uri, at_least=(448, 448))
        (whole if row.projection == "spherical" else flat).append(photo.pixels)
    others = encode(encoder, flat)
    sets = []
    for offset in (0, 22, 45, 67):
        headings = tuple(offset + turn for turn in (0, 90, 180, 270))
        views = [v for p in whole for v in perspective_views(p, headings=headings)]
        mine = encode(encoder, views)
        places = np.concatenate(
            [np.repeat(np.arange(len(whole)), 4), len(whole) + np.arange(len(flat))]
        )
        asks = np.arange(len(places)) < len(views)
        sets.append(
            (
                np.concatenate([mine[0], others[0]]),
                np.concatenate([mine[1], others[1]]),
                places,
                asks,
            )
        )
    return sets


def strips(encoder: Encoder) -> Set:
    images, places = [], []
    for number, row in enumerate(photos()):
        pixels = open_photo(row.uri, at_least=(448, 900)).pixels
        width = pixels.shape[1] // 4
        if row.projection == "spherical" or pixels.shape[1] < 1.2 * pixels.shape[0]:
            continue
        if "lund" in row.uri or "DSCN00" in row.uri:  # walks: their photos show one another
            continue
        images += [pixels[:, i * width : (i + 1) * width] for i in range(4)]
        places += [number] * 4
    plain, changed = encode(encoder, images)
    return plain, changed, np.array(places), np.ones(len(places), dtype=bool)


def recalls(
    part: Set, fitted_on: str, light_weight: float, *, recoloured: bool
) -> dict[str, float]:
    plain, changed, places, asks = part
    settings = WhiteningSettings(light_weight=light_weight)
    if fitted_on == "photos":
        own = FeatureStatistics.from_vectors(plain.mean(axis=1), changed.mean(axis=1))
    else:
        own = FeatureStatistics.from_regions(plain, changed)
    whitening = fit_whitening(own, None, settings)
    asked = (changed if recoloured else plain)[asks]
    cosines = whitening.apply(asked.mean(axis=1)) @ whitening.apply(plain.mean(axis=1)).T
    regional = regional_similarities(whitening.apply(asked), whitening.apply(plain))
    scores = ((cosines + 2 * regional) / 3).astype(np.float64)
    own_place = np.flatnonzero(asks)
    right = {"global": 0, "regions": 0, "pooled over candidates": 0, "pooled over all": 0}
    coordinates = np.stack([places * 0.01, places * 0.0], axis=1)  # places are a kilometre apart
    for row, me in enumerate(own_place):
        others = np.delete(np.arange(len(places)), me)
        best = others[np.argsort(-cosines[row, others], kind="stable")[:CANDIDATES]]
        for name, known in (("candidates", best), ("all", others)):
            gaps = squared_gaps(coordinates[best], coordinates[known], 15.0)
            pooled = pool_places(scores[row, best], scores[row, known], gaps)
            right[f"pooled over {name}"] += places[best[pooled.argmax()]] == places[me]
        right["global"] += places[best[0]] == places[me]
        right["regions"] += places[best[scores[row, best].argmax()]] == places[me]
    return {name: count / len(own_place) for name, count in right.items()}


def regional_similarities(asked: Vectors, known: Vectors) -> NDArray[np.float32]:
    """(q, n): mean over cells of the best match in the other photo, both ways."""
    found = np.empty((len(asked), len(known)), np.float32)
    for row, cells in enumerate(asked):
        similarity = known @ cells.T
        found[row] = (similarity.max(axis=1).mean(axis=1) + similarity.max(axis=2).mean(axis=1)) / 2
    return found


if __name__ == "__main__":
    main()
