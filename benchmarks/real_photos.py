"""Leave-one-out over the 160 real sample photos: where do they come out, and what flatters?

Every photo asks an atlas of all the others, with references nearer than 5 m, and separately nearer
than 1 km, removed: photos of one walk see each other otherwise. Beside the methods stand a constant
guess, a random guess, a colour histogram and re-coloured queries. The whitening is fitted on the
atlas's own unlabelled photos, the asking photo among them; places are never used for it.

    python benchmarks/real_photos.py
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from _histogram import HistogramEncoder
from _record import record
from sightline.atlas import Atlas, build_derived
from sightline.atlas.build import build_atlas
from sightline.datasets import PhotoRecord, read_table
from sightline.geo.distance import great_circle_m
from sightline.imagery import Photo, open_photo
from sightline.locating import Locator
from sightline.models.bundle import load_model
from sightline.models.importing import import_model
from sightline.models.protocol import Encoder, Pixels, Vectors, View
from sightline.models.recolour import recolour

DATA = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parent / "../../shared/data"))
THRESHOLDS_KM = (1, 25, 200, 750, 2500)
METHODS = ("nearest", "density", "clusters")
EXCLUDE_M = (5.0, 1000.0)


@dataclass
class Asking:
    """A photo that asks, its place and source for the scores."""

    photo: Photo
    place: tuple[float, float]
    source: str
    sha256: str


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--sample", action="store_true", help="give the bundle the photos as sample"
    )
    arguments = parser.parse_args()
    results: dict[str, Any] = {
        "what": "small real sample: 160 photos of SIGHTLINE_DATA/photos, leave-one-out",
        "network": "frozen MobileNetV2 trained on ImageNet; it does not geolocate globally",
        "systems": {},
    }
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name, encoder in encoders(work, with_sample=arguments.sample):
            atlas = build(work / f"{name}.atlas", DATA / "photos" / "photos.csv", encoder)
            for recoloured in (False, True):
                asked = list(asking(encoder, recoloured=recoloured))
                label = f"{name}, re-coloured queries" if recoloured else name
                results["systems"][label] = evaluate(atlas, encoder, asked)
                show(label, results["systems"][label])
        results["guesses"] = guesses([(a.place, a.source) for a in asked])
        results["other_heading"] = other_heading(work)
    print(results["other_heading"])
    print(record("real_photos", results))


def encoders(work: Path, *, with_sample: bool) -> Iterator[tuple[str, Encoder]]:
    """The default, a single centre crop, several views, and the colour histogram."""
    weights = DATA / "weights" / "mobilenetv2_100"
    photos = [row.uri for row in records()] if with_sample else None
    for name, options in (
        ("whole photo (default)", {}),
        ("single centre crop", {"resize": "crop"}),
        ("four views", {"views": "four"}),
    ):
        out = work / f"{name}.model"
        import_model(
            out,
            weights / "config.json",
            weights / "mobilenetv2_100.imagenet1k.safetensors",
            whiten_photos=photos,
            **options,
        )
        yield name, load_model(out)
    yield "colour histogram", HistogramEncoder()


def records() -> list[PhotoRecord]:
    return [r for r in read_table(DATA / "photos" / "photos.csv") if isinstance(r, PhotoRecord)]


def build(out: Path, table: Path, encoder: Encoder) -> Atlas:
    build_atlas(out, list(read_table(table)), encoder)
    build_derived(out)
    return Atlas.open(out)


def asking(encoder: Encoder, *, recoloured: bool) -> Iterator[Asking]:
    rng = np.random.default_rng(0)
    for row in records():
        photo = open_photo(row.uri, at_least=encoder.decode_size)
        if recoloured:
            photo = replace(photo, pixels=recolour(photo.pixels, rng))
        yield Asking(photo, (row.lat, row.lon), row.source, photo.sha256)


class Remembering:
    """An encoder that encodes the same pictures once, however many methods ask with them."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._known: dict[bytes, Vectors] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_prepared(self, batch: Pixels, view: View = "ground") -> Vectors:
        key = hashlib.sha256(np.ascontiguousarray(batch)).digest()
        if key not in self._known:
            self._known[key] = self._encoder.encode_prepared(batch, view)
        return self._known[key]


def evaluate(atlas: Atlas, encoder: Encoder, asked: list[Asking]) -> dict[str, Any]:
    places = np.array([a.place for a in asked])
    encoder = Remembering(encoder)
    found: dict[str, Any] = {}
    for metres in EXCLUDE_M:
        for method in METHODS:
            locator = Locator(atlas, encoder, method=method)
            estimates = locator.locate_many(
                [a.photo for a in asked],
                exclude_within_m=(places, metres),
                exclude_sha256=[a.sha256 for a in asked],
            )
            points = np.array([(e.lat, e.lon) for e in estimates])
            errors = great_circle_m(places, points)
            abstained = np.array([e.abstained for e in estimates])
            found[f"{method}, references nearer than {metres:g} m removed"] = {
                source: scores(errors[members], abstained[members])
                for source, members in groups([a.source for a in asked])
            }
    return found


def groups(sources: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    names = np.array(sources)
    yield "all", np.ones(len(names), dtype=bool)
    for source in sorted(set(sources)):
        yield source, names == source


def scores(errors_m: np.ndarray, abstained: np.ndarray | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"photos": len(errors_m)}
    for km in THRESHOLDS_KM:
        found[f"within_{km}_km"] = round(float((errors_m <= km * 1000).mean()), 4)
    found["median_error_km"] = round(float(np.median(errors_m)) / 1000, 4)
    if abstained is not None:
        found["abstained"] = round(float(abstained.mean()), 4)
        answered = errors_m[~abstained]
        found["answered_within_25_km"] = (
            round(float((answered <= 25_000).mean()), 4) if len(answered) else None
        )
    return found


def guesses(asked: list[tuple[tuple[float, float], str]]) -> dict[str, Any]:
    """Always the busiest place of the remaining references; and any of them with equal chance."""
    places = np.array([place for place, _ in asked])
    apart = great_circle_m(places[:, None], places[None])
    found: dict[str, Any] = {}
    for metres in EXCLUDE_M:
        allowed = apart >= metres
        np.fill_diagonal(allowed, val=False)
        neighbours = (apart[None, :, :] <= 25_000) & allowed[:, None, :] & allowed[:, :, None]
        busiest = neighbours.sum(axis=2).argmax(axis=1)
        constant = apart[np.arange(len(places)), busiest]
        key = f"references nearer than {metres:g} m removed"
        found[f"constant guess, {key}"] = {
            s: scores(constant[m]) for s, m in groups([source for _, source in asked])
        }
        found[f"random guess, {key}"] = {
            s: scores(apart[m][allowed[m]]) for s, m in groups([source for _, source in asked])
        }
    return found


def other_heading(work: Path) -> dict[str, Any]:
    """Nine 360° places cut into four views that do not overlap: is the place found again?"""
    folder = work / "views"
    folder.mkdir()
    table = folder / "views.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "lat", "lon", "source"])
        for index, row in enumerate(records()):
            photo = open_photo(row.uri, at_least=(448, 448))
            views = photo.views() if row.projection == "spherical" else []
            for number, (pixels, _) in enumerate(views):
                path = folder / f"{index}-{number}.png"
                Image.fromarray(pixels).save(path)
                writer.writerow([path.name, row.lat, row.lon, "view"])
            if not views:
                writer.writerow([row.uri, row.lat, row.lon, row.source])
    return {
        "what": "36 views of 9 places among 187 photos; first answer of the same place",
        **{
            name: _first_answers(work, table, encoder, name)
            for name, encoder in (
                ("default", load_model(work / "whole photo (default).model")),
                ("colour histogram", HistogramEncoder()),
            )
        },
    }


def _first_answers(work: Path, table: Path, encoder: Encoder, name: str) -> dict[str, float]:
    atlas = build(work / f"views {name}.atlas", table, encoder)
    views = [r for r in read_table(table) if isinstance(r, PhotoRecord) and r.source == "view"]
    places = np.array([(r.lat, r.lon) for r in views])
    photos = [open_photo(r.uri) for r in views]
    rng = np.random.default_rng(0)
    found = {}
    for light in ("same light", "re-coloured"):
        images = [p.pixels if light == "same light" else recolour(p.pixels, rng) for p in photos]
        vectors = encoder.encode_regions(images)
        for rerank, pool_m in ((0, 0.0), (20, 0.0), (20, 15.0)):
            matches = atlas.search(
                vectors,
                1,
                fingerprint=encoder.fingerprint,
                rerank=rerank,
                pool_m=pool_m,
                exclude_sha256=[p.sha256 for p in photos],
            )
            right = great_circle_m(matches.coordinates[:, 0], places) < 1.0
            steps = "global" + ", regions" * bool(rerank) + ", place pooling" * bool(pool_m)
            found[f"{steps}, {light}"] = round(float(right.mean()), 4)
    return found


def show(label: str, system: dict[str, Any]) -> None:
    for key, value in system.items():
        total = value["all"]
        print(
            f"{label:36} {key:52} 1 km {total['within_1_km']:.2f} 25 km {total['within_25_km']:.2f}"
            f" 2500 km {total['within_2500_km']:.2f} median {total['median_error_km']:.0f} km"
        )


if __name__ == "__main__":
    main()
