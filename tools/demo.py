"""The main job, from above and from the ground; every step is a printed ``sightline`` command.

First photos of the synthetic planet are located on aerial imagery, then photos from all over it
among others of it (:mod:`demo_world`), with the models that come with Sightline: that needs no data
and no network. Then an atlas is built from real photos, and photos held out of it are located,
where there are some. ``make demo`` runs it.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import demo_world
from demo_steps import shown, sightline

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "demo"
DATA = Path(os.environ.get("SIGHTLINE_DATA", ROOT / "../shared/data"))
# The middle of the largest town of the country whose other towns and villages the model was trained
# on; `tests/test_demo.py` checks that it saw nothing within so many kilometres of that middle.
PLANET = "planet:0"
NEAREST_TRAINED_KM = 1
BOX = "-5.5934,-177.78062,-5.5889,-177.7761"
MODEL, PATCH_M, STRIDE_M, PLANET_PHOTOS = "planet-360", 112, 28, 24
TOLD_M = (STRIDE_M / 2, 25.0, 50.0)
# Held out: pictures of a walk whose other pictures stay, and single pictures of places that no
# reference shows. The first should be found, the second should end in an abstention.
HELD_OUT = (
    "opensfm/lund-08.jpg",
    "opensfm/lund-15.jpg",
    "opensfm/lund-22.jpg",
    "exif-samples/DSCN0025.jpg",
    "exif-samples/DSCN0040.jpg",
    "metadata-extractor/Nexus_4.jpg",
    "osv5m/169782348369756.jpg",
    "osv5m/296619375337754.jpg",
)


def main() -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", default="", help="a folder, CSV or Parquet of geotagged photos")
    parser.add_argument("--model", default="", help="a model bundle")
    arguments = parser.parse_args()
    if arguments.photos and arguments.model:
        return own_photos(arguments.photos, arguments.model)
    if arguments.photos or arguments.model:
        parser.error("give both --photos and --model, or neither")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    planet()
    demo_world.world(OUT)
    if not (DATA / "photos" / "photos.csv").is_file():
        print(
            "\nThat was the synthetic planet. To try real photos, use your own, geotagged, and "
            "weights:\n"
            "  .venv/bin/sightline model import my.model --config config.json"
            " --weights w.safetensors --whiten PHOTOS\n"
            "  make demo PHOTOS=folder-of-photos MODEL=my.model\n"
            "(config.json is the pretrained_cfg of a timm model; safetensors are its weights).\n"
            "Or point SIGHTLINE_DATA at a folder that holds photos/ and weights/."
        )
        return 0
    return sample_photos()


def planet() -> None:
    """The demo on the planet: photos of a quarter of a town, located on what it is from above."""
    photos, atlas = OUT / "planet-photos", OUT / "planet.atlas"
    report, answers = OUT / "planet-report.html", OUT / "planet-answers.json"
    seed = PLANET.partition(":")[2]
    sightline(
        "planet", "walk", photos,
        "--within", BOX, "--photos", PLANET_PHOTOS, "--panorama", "--seed", seed,
    )  # fmt: skip
    sightline(
        "atlas", "build", atlas, "--aerial", PLANET, "--within", BOX,
        "--model", MODEL, "--patch-m", PATCH_M, "--stride-m", STRIDE_M,
    )  # fmt: skip
    # Strips are what the model was trained with; no file says that of itself.
    sightline(
        "locate", photos, "--atlas", atlas, "--as-declared",
        "--report", report, "--geojson", OUT / "planet-places.geojson", "--json",
        into=answers,
    )  # fmt: skip
    print(f"\n{said_of_planet(json.loads(answers.read_text(encoding='utf-8')))}")
    print(f"The report: {report.as_uri()}")


def said_of_planet(document: dict[str, Any]) -> str:
    """How many photos of the planet were placed rightly, by the place in their own EXIF."""
    answers = document["photos"]
    away = [photo["exif"]["to_estimate_m"] for photo in answers]
    within = [f"{sum(m <= most for m in away)} within {most:g} m" for most in TOLD_M]
    sure = [photo for photo in answers if not photo["estimate"]["abstained"]]
    right = sum(photo["exif"]["to_estimate_m"] <= TOLD_M[-1] for photo in sure)
    south, west, north, east = (float(edge) for edge in BOX.split(","))
    metres = 111_195.0
    box_m2 = (north - south) * (east - west) * metres**2 * math.cos(math.radians(south))
    by_chance = len(away) * math.pi * TOLD_M[-1] ** 2 / box_m2
    return (
        f"Of {len(away)} photos, the first ones of the walk, {', '.join(within)} of where they "
        f"were taken; half of them within {statistics.median(away):.0f} m. By chance about "
        f"{by_chance:.1f} would be within {TOLD_M[-1]:g} m.\n"
        f"Judged to be more than chance: {len(sure)}, of which {right} are within "
        f"{TOLD_M[-1]:g} m; for the others it named a best guess and abstained.\n"
        "The planet is synthetic, and so is all that the model has ever seen: this shows that the "
        "whole way works, not how well it works on real photos. Nothing within "
        f"{NEAREST_TRAINED_KM} km of the region's middle was trained on. Names of places in the "
        "report are the real Earth's."
    )


def sample_photos() -> int:
    """The demo on the sample: 8 photos held out of 160."""
    photos, weights = DATA / "photos", DATA / "weights" / "mobilenetv2_100"
    table = OUT / "references.csv"
    with (photos / "photos.csv").open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    with table.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, fieldnames=rows[0].keys())
        writer.writeheader()
        for row in rows:
            if row["path"] not in HELD_OUT:
                writer.writerow({**row, "path": str((photos / row["path"]).resolve())})
    model, atlas = OUT / "mobilenetv2.model", OUT / "photos.atlas"
    sightline(
        "model", "import", model,
        "--config", weights / "config.json",
        "--weights", weights / "mobilenetv2_100.imagenet1k.safetensors",
        "--whiten", photos,
    )  # fmt: skip
    sightline("atlas", "build", atlas, "--photos", table, "--model", model)
    return locate(atlas, [photos / name for name in HELD_OUT])


def own_photos(photos: str, model: str) -> int:
    """The demo on one's own photos; of a folder, up to eight are held out and located."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    atlas, source = OUT / "photos.atlas", Path(photos)
    if not source.is_dir():
        sightline("atlas", "build", atlas, "--photos", source, "--model", model)
        print("Now ask it: .venv/bin/sightline locate PHOTO --atlas", shown(atlas))
        return 0
    suffixes = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif", ".heic"}
    files = sorted(f.resolve() for f in source.rglob("*") if f.suffix.lower() in suffixes)
    held_out = files[:: max(2, len(files) // 8)][:8]
    table = OUT / "references.csv"
    with table.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["path", "lat", "lon"])
        # Empty places: the atlas takes them from each photo's own EXIF.
        writer.writerows([str(file), "", ""] for file in files if file not in held_out)
    sightline("atlas", "build", atlas, "--photos", table, "--model", model)
    return locate(atlas, held_out)


def locate(atlas: Path, photos: list[Path]) -> int:
    """Locate ``photos`` and say where the report is."""
    report = OUT / "report.html"
    status = sightline(
        "locate", *photos, "--atlas", atlas,
        "--report", report, "--geojson", OUT / "places.geojson", "--kml", OUT / "places.kml",
    )  # fmt: skip
    print(f"\nThe report: {report.as_uri()}")
    return status


if __name__ == "__main__":
    sys.exit(main())
