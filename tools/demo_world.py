"""The demo's second part: photos from all over the planet, located among other photos of it.

Photographers whom the model has never met bring photos. Those of every eighth are asked about, and
those of the others are the atlas. The model's classifier names a cell, and search within the cell
refines it; beside it stands what the other methods say of the same vectors, and a guess that looks
at nothing.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from demo_steps import sightline
from numpy.typing import NDArray

from sightline.geo.distance import great_circle_m

MODEL, PHOTOS, SIDE_PX = "planet-global", 1000, 128
COLLECTION = 1
"""The model was trained on photographers of collection 0."""
ASKED_EVERY = 8
TOLD_KM = (200, 750, 2500)
BUSIEST = "busiest place"

Row = dict[str, str]
Floats = NDArray[np.float64]


def world(out: Path) -> None:
    """Render photos, build an atlas of most of them, and locate the others.

    Args:
        out: The demo's folder.
    """
    photos, atlas = out / "world-photos", out / "world.atlas"
    report, answers = out / "world-report.html", out / "world-answers.json"
    sightline(
        "planet", "sample", photos,
        "--photos", PHOTOS, "--collection", COLLECTION, "--size", f"{SIDE_PX}x{SIDE_PX}",
    )  # fmt: skip
    asked, known = held_out(photos / "photos.csv")
    table = out / "world-references.csv"
    with table.open("w", encoding="utf-8", newline="") as target:
        writer = csv.DictWriter(target, ("path", "lat", "lon"))
        writer.writeheader()
        writer.writerows(
            {"path": photos / row["uri"], "lat": row["lat"], "lon": row["lon"]} for row in known
        )
    # Thousands of paths would not be read by anybody: the photos to ask about lie in a folder.
    queries = out / "world-queries"
    queries.mkdir()
    for row in asked:
        (queries / Path(row["uri"]).name).hardlink_to(photos / row["uri"])
    sightline("atlas", "build", atlas, "--photos", table, "--model", MODEL)
    sightline(
        "locate", queries, "--atlas", atlas, "--compare",
        "--report", report, "--geojson", out / "world-places.geojson", "--json",
        into=answers,
    )  # fmt: skip
    document = json.loads(answers.read_text(encoding="utf-8"))
    print(f"\n{said_of_world(document, asked, known)}")
    print(f"The report: {report.as_uri()}")


def held_out(table: Path) -> tuple[list[Row], list[Row]]:
    """Photos to ask about and photos to compare with; nobody's photos are in both.

    Those that show no place (rooms, food, sky) are left out of both: the planet says which.

    Args:
        table: The list of the photos.
    """
    with table.open(encoding="utf-8", newline="") as source:
        rows = [row for row in csv.DictReader(source) if row["locatable"] == "true"]
    people = sorted({row["photographer"] for row in rows})
    chosen = set(people[::ASKED_EVERY])
    asked = [row for row in rows if row["photographer"] in chosen]
    return asked, [row for row in rows if row["photographer"] not in chosen]


def said_of_world(document: dict[str, Any], asked: Sequence[Row], known: Sequence[Row]) -> str:
    """What every method reached, beside a guess, as a small table with a sentence.

    Args:
        document: Of ``sightline locate --compare --json``.
        asked: The photos that were asked about, with their true places.
        known: The atlas's.
    """
    truth = {Path(row["uri"]).name: place_of(row) for row in asked}
    estimates: dict[str, list[dict[str, Any]]] = {}
    answered: dict[str, list[tuple[float, float]]] = {}
    for photo in document["photos"]:
        one = photo["estimate"]
        for said in (one, *one["alternatives"]):
            estimates.setdefault(said["method"], []).append(said)
            answered.setdefault(said["method"], []).append(truth[Path(photo["path"]).name])
    radii_km = " ".join(f"{km:,} km".rjust(9) for km in TOLD_KM)
    lines = [f"{'':14} {radii_km}    median   in its r90"]
    for method, said in estimates.items():
        points = np.array([(one["lat"], one["lon"]) for one in said])
        away = great_circle_m(points, np.array(answered[method]))
        # An answer that states no radius has none that could hold.
        radii = np.array([one["radius_90_m"] for one in said], np.float64)
        lines.append(f"{table_row(method, away)} {(away <= radii).mean():11.0%}")
    places, true = (np.array([place_of(row) for row in rows]) for rows in (known, asked))
    lines.append(guess_row(places, true))
    own = [photo["estimate"] for photo in document["photos"]]
    return (
        f"{len(own)} photos by {len({row['photographer'] for row in asked})} photographers, among "
        f"{len(known)} by others, anywhere on the planet. How many are placed within:\n"
        + "\n".join(lines)
        + f"\n'in its r90': within the radius that is said to hold 90 % of the evidence. The first "
        f"method abstained {sum(one['abstained'] for one in own)} times; its best guess counts.\n"
        f"The last row looks at no photo: for each radius, the place with most of the atlas around "
        "it. All of it is synthetic: it shows that a place can be "
        "told by its looks and refined by search, not how well that works on real photos."
    )


def table_row(name: str, away_m: Floats) -> str:
    """A line of the table: shares within the radii, and the median distance."""
    shares = " ".join(f"{(away_m <= 1000.0 * km).mean():9.0%}" for km in TOLD_KM)
    return f"{name:14} {shares} {np.median(away_m) / 1000.0:6,.0f} km"


def guess_row(places: Floats, true: Floats) -> str:
    """The line of a guess without a look: for each radius its own busiest place.

    Args:
        places: (n, 2) degrees of the atlas's photos.
        true: (m, 2) degrees, where the photos that are asked about were taken.
    """
    apart_m = great_circle_m(places[:, None], places[None])
    shares = []
    for km in TOLD_KM:
        busiest = places[(apart_m <= 1000.0 * km).sum(axis=1).argmax()]
        shares.append(f"{(great_circle_m(busiest, true) <= 1000.0 * km).mean():9.0%}")
    return f"{BUSIEST:14} {' '.join(shares)}"


def place_of(row: Row) -> tuple[float, float]:
    """Latitude and longitude of a row, degrees."""
    return float(row["lat"]), float(row["lon"])
