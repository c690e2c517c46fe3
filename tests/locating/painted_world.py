"""A painted plain, seen from the ground and from above, and a network that reads its colours.

Every column of a photo shows the ground in one direction, from the feet up to some metres away,
which is what a sector of an aerial image holds too. So matching, headings and places between
patches can be right without any training.
"""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import map_coordinates
from torch import Tensor, nn
from torch.nn import functional

from sightline.geo.distance import destination
from sightline.imagery import open_photo
from sightline.imagery.photo import Photo
from sightline.models.bundle import CrossViewSettings
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.cross_view_encoder import TorchCrossViewEncoder
from sightline.models.feature_recombination import FeatureRecombination
from sightline.models.view_geometry import read_geometry

ORIGIN = np.array([48.2, 16.37])
PATCH_M = 64.0
STRIDE_M = 16.0
REGIONS = 8
CHANNELS = 24
_SIDE_M = 1024


def place(east_m: float, north_m: float) -> tuple[float, float]:
    bearing = np.degrees(np.arctan2(east_m, north_m))
    lat, lon = destination(ORIGIN, bearing, np.hypot(east_m, north_m))
    return float(lat), float(lon)


@lru_cache(maxsize=1)
def _plain() -> np.ndarray:
    """The paint, (3, 1024, 1024), a metre a pixel: waves of 25 to 90 m in every direction."""
    rng = np.random.default_rng(11)
    steps = np.arange(_SIDE_M) - _SIDE_M / 2
    shade = np.zeros((3, _SIDE_M, _SIDE_M))
    for _ in range(24):
        wave = 2 * np.pi / rng.uniform(25, 90)
        turn, phase = rng.uniform(0, 2 * np.pi, 2)
        along = np.cos(turn) * steps[None, :] + np.sin(turn) * steps[:, None]
        shade += np.sin(wave * along + phase) * rng.normal(size=3)[:, None, None]
    return 0.5 + 0.5 * np.tanh(shade / 3)


def colours(east_m: np.ndarray, north_m: np.ndarray) -> np.ndarray:
    """The paint at places of the plain, which reaches 512 m from its middle: (..., 3)."""
    east, north = np.broadcast_arrays(east_m, north_m)
    where = np.stack([north, east]) + _SIDE_M / 2
    assert where.min() >= 0
    assert where.max() <= _SIDE_M - 1
    return np.stack([map_coordinates(paint, where, order=1) for paint in _plain()], axis=-1)


def patch(east_m: float, north_m: float, size_px: int = 64) -> np.ndarray:
    steps = ((np.arange(size_px) + 0.5) / size_px - 0.5) * PATCH_M
    return _bytes(colours(east_m + steps[None, :], north_m - steps[:, None]))


def view(
    east_m: float, north_m: float, heading_degrees: float, fov_degrees: float = 360.0
) -> np.ndarray:
    """Pixels; columns are evenly spaced in bearing. A whole turn is twice as wide as high."""
    width = round(256 * fov_degrees / 360)
    height = 128 if fov_degrees == 360 else 48
    columns = (np.arange(width) + 0.5) / width - 0.5
    bearing = np.radians(heading_degrees + columns * fov_degrees)
    # Rows from far away to the feet, even in area: a sector of a disc.
    radius = PATCH_M / 2 * np.sqrt(1 - (np.arange(height) + 0.5) / height)[:, None]
    return _bytes(colours(east_m + radius * np.sin(bearing), north_m + radius * np.cos(bearing)))


def photo(pixels: np.ndarray, *, name: str = "photo.png") -> Photo:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return open_photo(stream.getvalue(), name=name)


class Colours(nn.Module):
    """A trunk that tells colours apart: waves over the colour cube (random Fourier features)."""

    def __init__(self, size: tuple[int, int], grid: tuple[int, int]) -> None:
        super().__init__()
        self.input_size, self.grid = size, grid
        rng = np.random.default_rng(5)
        self.waves = torch.from_numpy(rng.normal(0, 5, (CHANNELS, 3))).float()
        self.phases = torch.from_numpy(rng.uniform(0, 2 * np.pi, CHANNELS)).float()

    def forward(self, pixels: Tensor) -> tuple[Tensor, None]:
        places = functional.adaptive_avg_pool2d(pixels / 255.0, self.grid)
        angle = torch.einsum("kc,nchw->nkhw", self.waves, places)
        return torch.cos(angle + self.phases[:, None, None]), None


def painted_encoder(
    ground: str = "panorama", heading: str = "unknown", turns: int = 2
) -> TorchCrossViewEncoder:
    geometry = read_geometry(ground)
    width = round(256 * geometry.fov_degrees / 360)  # type: ignore[union-attr]
    sizes = {"ground": (32, width), "aerial": (64, 64)}
    trunks = {
        "ground": Colours(sizes["ground"], (8, max(4, width // 8))),
        "aerial": Colours(sizes["aerial"], (16, 16)),
    }
    heads = {
        view: FeatureRecombination(
            CHANNELS, regions=REGIONS, split="area", unit_regions=True, normalise=False
        )
        for view in trunks
    }
    network = CrossViewNetwork(geometry, trunks, heads)  # type: ignore[arg-type]
    settings = CrossViewSettings.of(
        "frgeo",
        ground=ground,
        ground_size=sizes["ground"],
        aerial_size=sizes["aerial"],
        options={"regions": REGIONS, "split": "area", "unit_regions": True},
        heading=heading,  # type: ignore[arg-type]
        turns=turns,
        patch_m=PATCH_M,
    )
    with torch.random.fork_rng():
        return TorchCrossViewEncoder(network, settings, name=f"painted {ground}")


def grid(reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres in metres (p, 2) and degrees (p, 2), ``reach`` steps in each direction."""
    steps = np.arange(-reach, reach + 1) * STRIDE_M
    metres = np.array([(east, north) for north in steps for east in steps])
    return metres, np.array([place(*pair) for pair in metres])


def _bytes(shade: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.rint(255 * shade).astype(np.uint8))
