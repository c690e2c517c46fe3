"""The main job on real photos: build an atlas, locate photos held out of it, write a report.

``make demo`` runs it. Every step is a ``sightline`` command that is printed before it runs.
"""

from __future__ import annotations

import argparse
import csv
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "demo"
DATA = Path(os.environ.get("SIGHTLINE_DATA", ROOT / "../shared/data"))
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
    if not (DATA / "photos" / "photos.csv").is_file():
        print(
            f"There are no sample photos in {DATA / 'photos'}.\n"
            "Use your own geotagged photos and weights:\n"
            "  .venv/bin/sightline model import my.model --config config.json"
            " --weights w.safetensors --whiten PHOTOS\n"
            "  make demo PHOTOS=folder-of-photos MODEL=my.model\n"
            "(config.json is the pretrained_cfg of a timm model; safetensors are its weights).\n"
            "Or point SIGHTLINE_DATA at a folder that holds photos/ and weights/."
        )
        return 1
    return sample_photos()


def sample_photos() -> int:
    """The demo on the sample: 8 photos held out of 160."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
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


def sightline(*arguments: object) -> int:
    """Print and run one ``sightline`` command; stop the demo where it fails."""
    words = [str(argument) for argument in arguments]
    print("\n$ sightline", shlex.join(shown(word) for word in words), flush=True)
    status = subprocess.run([sys.executable, "-m", "sightline", *words], check=False).returncode
    if status:
        sys.exit(status)
    return status


def shown(path: object) -> str:
    """A path relative to the project, which reads better."""
    text = str(path)
    return os.path.relpath(text, Path.cwd()) if text.startswith("/") else text


if __name__ == "__main__":
    sys.exit(main())
