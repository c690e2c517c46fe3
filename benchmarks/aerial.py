"""How fast patches are cut from a COG, beside plain rasterio doing the same job.

    OMP_NUM_THREADS=1 python benchmarks/aerial.py [--rounds 5] [--patches 200] [--data FOLDER]

The same north-up squares of true metres, 224 pixels wide, of the same random places, in one thread:

- ``ours``: ``AerialSource.patch``;
- ``warped_vrt``: what one would write with rasterio: per place a ``WarpedVRT`` into an azimuthal
  equidistant projection around it, read once;
- ``reproject``: per place a window read a little larger, and ``rasterio.warp.reproject`` into that
  projection.

Both peers interpolate bilinearly, which GDAL widens when it shrinks, as ours averages. How much the
pictures differ from ours is recorded too: the job must be the same. The COG is made here (6144 ×
6144 pixels of 0.25 m in UTM, 512-pixel tiles, deflate, overviews); the real file is NAIP at 5 m.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.warp import reproject, transform, transform_bounds
from rasterio.windows import from_bounds

from _record import record
from sightline.imagery.aerial import open_aerial

SIZE_PX = 224
Image = NDArray[np.uint8]


def made_cog(path: Path, side: int = 6144, pixel_m: float = 0.25) -> Path:
    """A COG of smooth coloured noise with sharp edges, as fields and roofs have."""
    generator = np.random.default_rng(0)
    blocks = generator.integers(20, 236, (3, side // 32, side // 32)).astype(np.uint8)
    pixels = blocks.repeat(32, axis=1).repeat(32, axis=2)
    pixels = pixels + generator.integers(0, 16, pixels.shape, dtype=np.uint8)
    where = Affine(pixel_m, 0.0, 386_000.0, 0.0, -pixel_m, 6_173_000.0)
    with rasterio.open(
        path, "w", driver="COG", width=side, height=side, count=3, dtype="uint8",
        crs="EPSG:32633", transform=where, compress="deflate", overview_resampling="average",
    ) as file:  # fmt: skip
        file.write(pixels)
    return path


def places_in(path: Path, count: int, patch_m: float) -> NDArray[np.float64]:
    """Random places whose patches lie in the file, (n, 2)."""
    with rasterio.open(path) as file:
        left, bottom, right, top = file.bounds
        generator = np.random.default_rng(1)
        x = generator.uniform(left + patch_m, right - patch_m, count)
        y = generator.uniform(bottom + patch_m, top - patch_m, count)
        lon, lat = transform(file.crs, "EPSG:4326", x.tolist(), y.tolist())
    return np.column_stack([lat, lon])


def around(latlng: NDArray[np.float64]) -> str:
    lat, lon = latlng
    return f"+proj=aeqd +lat_0={lat!r} +lon_0={lon!r} +ellps=WGS84 +units=m".replace(
        "np.float64(", ""
    ).replace(")", "")


def square(patch_m: float) -> Affine:
    pixel = patch_m / SIZE_PX
    return Affine(pixel, 0.0, -patch_m / 2, 0.0, -pixel, patch_m / 2)


def with_vrt(file: Any, latlng: NDArray[np.float64], patch_m: float) -> Image:
    with WarpedVRT(
        file, crs=around(latlng), transform=square(patch_m), width=SIZE_PX, height=SIZE_PX,
        resampling=Resampling.bilinear,
    ) as vrt:  # fmt: skip
        return np.moveaxis(vrt.read((1, 2, 3)), 0, 2)


def with_reproject(file: Any, latlng: NDArray[np.float64], patch_m: float) -> Image:
    crs, half = around(latlng), patch_m / 2
    bounds = transform_bounds(crs, file.crs, -half, -half, half, half)
    window = from_bounds(*bounds, transform=file.transform)
    left, top = int(window.col_off) - 2, int(window.row_off) - 2
    window = rasterio.windows.Window(left, top, int(window.width) + 5, int(window.height) + 5)
    t = file.transform
    where = Affine(t.a, t.b, t.c + t.a * left, t.d, t.e, t.f + t.e * top)
    out = np.zeros((3, SIZE_PX, SIZE_PX), np.uint8)
    reproject(
        file.read((1, 2, 3), window=window), out, src_transform=where, src_crs=file.crs,
        dst_transform=square(patch_m), dst_crs=crs, resampling=Resampling.bilinear,
    )  # fmt: skip
    return np.moveaxis(out, 0, 2)


def measure(path: Path, patch_m: float, count: int, rounds: int) -> dict[str, Any]:
    places = places_in(path, count, patch_m)
    source = open_aerial(path)
    with rasterio.open(path) as file:
        ways: dict[str, Callable[[NDArray[np.float64]], Image]] = {
            "ours": lambda p: source.patch(p, patch_m, SIZE_PX).pixels,
            "warped_vrt": lambda p: with_vrt(file, p, patch_m),
            "reproject": lambda p: with_reproject(file, p, patch_m),
        }
        differences: dict[str, list[float]] = {name: [] for name in ways if name != "ours"}
        for place in places[:20]:
            pictures = {name: way(place).astype(float) for name, way in ways.items()}
            for name, found in differences.items():
                found.append(float(np.abs(pictures[name] - pictures["ours"]).mean()))
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                start = time.perf_counter()
                for place in places:
                    way(place)
                rates[name].append(count / (time.perf_counter() - start))
    best = [max(v, r) for v, r in zip(rates["warped_vrt"], rates["reproject"], strict=True)]
    return {
        "native_metres_per_pixel": round(source.native_metres_per_pixel, 4),
        "patch_m": patch_m,
        "patch_px": SIZE_PX,
        "patches_per_s": {n: round(statistics.median(r), 1) for n, r in rates.items()},
        "all_patches_per_s": {n: [round(v, 1) for v in r] for n, r in rates.items()},
        "ours_over_best_peer": round(
            statistics.median(o / b for o, b in zip(rates["ours"], best, strict=True)), 2
        ),
        "mean_difference_from_ours_levels": {
            n: round(statistics.mean(d), 2) for n, d in differences.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SIGHTLINE_DATA"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--patches", type=int, default=200)
    parser.add_argument("--dry", action="store_true", help="record nothing")
    arguments = parser.parse_args()
    data = Path(arguments.data or Path(__file__).parent.parent.parent / "shared" / "data")
    result: dict[str, Any] = {"rounds": arguments.rounds, "patches": arguments.patches}
    with tempfile.TemporaryDirectory() as temporary:
        cog = made_cog(Path(temporary) / "town.tif")
        for name, patch_m in (("cog_50m", 50.0), ("cog_100m", 100.0), ("cog_400m", 400.0)):
            result[name] = measure(cog, patch_m, arguments.patches, arguments.rounds)
    naip = data / "aerial" / "naip" / "m_4709963_se_14_1_20180716.tif"
    if naip.exists():
        result["naip_500m"] = measure(naip, 500.0, arguments.patches, arguments.rounds)
    result["rasterio"] = {"version": rasterio.__version__, "gdal": rasterio.__gdal_version__}
    print(json.dumps(result, indent=1))
    if not arguments.dry:
        print(record("aerial", result))


if __name__ == "__main__":
    main()
