"""The only door to rasterio: what a raster file says of itself, and windows of its values.

GDAL would also open services on the network and files that name them. Here the format is taken
from a file's first bytes, and nothing is fetched that the caller did not allow.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import (
    AerialError,
    AerialNotFoundError,
    AerialUnreadableError,
    DependencyError,
)
from sightline.imagery.aerial.georeference import Affine
from sightline.imagery.aerial.raster_source import Window
from sightline.imagery.quiet import decoder_warnings_silenced
from sightline.version import __version__

RASTER_SUFFIXES = frozenset({".tif", ".tiff", ".gtif", ".cog", ".jp2", ".img", ".vrt"})
"""File name endings that folders are searched for, lower case."""

USER_AGENT = f"sightline/{__version__}"
"""What servers are told."""

_HEAD_BYTES = 1 << 16
_REMOTE = re.compile(rb"/vsi(curl|s3|gs|az|adls|oss|swift|webhdfs)|https?://|ftp://", re.IGNORECASE)
_FORMATS = (
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "GTiff"),
    ((b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"), "JP2OpenJPEG"),
    ((b"EHFA_HEADER_TAG",), "HFA"),
    ((b"\x89PNG\r\n\x1a\n",), "PNG"),
    ((b"\xff\xd8\xff",), "JPEG"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of itself.

    Attributes:
        width: Columns.
        height: Rows.
        count: Bands.
        dtype: Of the values, by numpy's name.
        crs: Its coordinate reference system as WKT, or None.
        affine: Its transform, or None.
        points: Ground control points: column, row, x, y.
        points_crs: The reference system of their x and y.
        rational: Whether it has rational polynomial coefficients.
        colours: What each band is, in GDAL's words.
        palette: (256, 3) colours of the first band's values, or None.
        masked: Whether anything says which pixels are valid.
        overviews: Whether it holds smaller copies of itself.
    """

    width: int
    height: int
    count: int
    dtype: str
    crs: str | None
    affine: Affine | None
    points: tuple[tuple[float, float, float, float], ...]
    points_crs: str | None
    rational: bool
    colours: tuple[str, ...]
    palette: NDArray[np.uint8] | None
    masked: bool
    overviews: bool


class RasterFile:
    """An open raster file that many threads may read at once: each read borrows its own handle.

    Args:
        path: The file, or an ``https`` address.
        allow_network: Whether it may be read, or may name what is to be read, from elsewhere.

    Raises:
        AerialNotFoundError: No such file, or it may not be read.
        AerialUnreadableError: No raster, a format that is not read, or damaged.
        AerialError: It lies on the network, which was not allowed.
        DependencyError: rasterio is not installed.
    """

    def __init__(self, path: str, *, allow_network: bool = False) -> None:
        self.path = path
        self._driver = _driver(path, allow_network=allow_network)
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        with self._borrowed() as dataset:
            self.facts = _facts(dataset)

    def values(
        self, bands: tuple[int, ...], window: Window, columns: int, rows: int
    ) -> NDArray[Any]:
        """Return (bands, rows, columns) of a window, averaged down over what is valid."""
        with self._borrowed() as dataset:
            values: NDArray[Any] = dataset.read(
                list(bands),
                window=_window(window),
                out_shape=(len(bands), rows, columns),
                resampling=_resampling(window, columns, rows),
            )
            return values

    def mask(self, window: Window, columns: int, rows: int) -> NDArray[np.bool_]:
        """Say which of (rows, columns) are valid for the most part."""
        with self._borrowed() as dataset:
            mask = dataset.dataset_mask(
                window=_window(window),
                out_shape=(rows, columns),
                resampling=_resampling(window, columns, rows),
            )
            return np.asarray(mask >= 128)

    def close(self) -> None:
        """Close the handles that nobody reads from."""
        with self._lock:
            idle, self._idle = self._idle, []
        for dataset in idle:
            dataset.close()

    @contextmanager
    def _borrowed(self) -> Iterator[Any]:
        rasterio = _rasterio()
        with self._lock:
            dataset = self._idle.pop() if self._idle else None
        try:
            with _network(rasterio) if is_remote(self.path) else nullcontext():
                if dataset is None:
                    with decoder_warnings_silenced():
                        dataset = rasterio.open(self.path, driver=self._driver)
                yield dataset
        except rasterio.errors.RasterioError as cause:
            reason = str(cause.__cause__ or cause).strip() or "no reason given"
            raise AerialUnreadableError(
                f"{self.path!r} cannot be read: {reason}",
                hint="It may be damaged or incomplete; get it anew.",
                path=self.path,
            ) from cause
        finally:
            if dataset is not None:
                with self._lock:
                    self._idle.append(dataset)


def _rasterio() -> Any:
    try:
        import rasterio
        import rasterio.enums
        import rasterio.errors
        import rasterio.windows
    except ImportError as cause:
        raise DependencyError(
            "Aerial imagery in files needs rasterio, which is not installed.",
            hint="Install it with `pip install 'sightline[aerial]'`.",
        ) from cause
    return rasterio


def is_remote(path: str) -> bool:
    """Whether a path lies on the network, in GDAL's words or as an address."""
    return path.startswith("/vsi") or "://" in path


def _network(rasterio: Any) -> Any:
    """GDAL's manners on the network: patience, but not for ever, and no guessing of other files."""
    return rasterio.Env(
        GDAL_HTTP_CONNECTTIMEOUT=30,
        GDAL_HTTP_TIMEOUT=60,
        GDAL_HTTP_MAX_RETRY=3,
        GDAL_HTTP_USERAGENT=USER_AGENT,
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
    )


def _driver(path: str, *, allow_network: bool) -> str:
    """GDAL's name of a file's format, by its first bytes."""
    if is_remote(path):
        if not allow_network:
            raise AerialError(
                f"{path!r} lies on the network, which is not read without being told.",
                hint="Allow it (--allow-network), or download the file first.",
                path=path,
            )
        return "GTiff"
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as cause:
        raise AerialNotFoundError(
            f"{path!r} cannot be read: {cause.strerror or cause}.",
            hint="Check the path and the rights to read it.",
            path=path,
        ) from cause
    for magics, driver in _FORMATS:
        if head.startswith(magics):
            return driver
    if head.lstrip()[:11] == b"<VRTDataset":
        if not allow_network and _REMOTE.search(Path(path).read_bytes()):
            raise AerialError(
                f"{path!r} names imagery on the network, which is not read without being told.",
                hint="Allow it (--allow-network), or download what it names.",
                path=path,
            )
        return "VRT"
    raise AerialUnreadableError(
        f"{os.path.basename(path)!r} is no raster that is read: TIFF, JPEG 2000, VRT, Imagine, "  # noqa: PTH119
        "or PNG and JPEG with a world file.",
        hint="Convert it to a GeoTIFF, for example with gdal_translate.",
        path=path,
    )


def _facts(dataset: Any) -> Facts:
    points, points_crs = dataset.gcps
    enums = _rasterio().enums
    identity = dataset.transform.is_identity
    palette = None
    if dataset.colorinterp[:1] == (enums.ColorInterp.palette,):
        palette = np.zeros((256, 3), np.uint8)
        for value, colour in dataset.colormap(1).items():
            if 0 <= value < 256:
                palette[value] = colour[:3]
    return Facts(
        width=dataset.width,
        height=dataset.height,
        count=dataset.count,
        dtype=dataset.dtypes[0] if dataset.count else "none",
        crs=dataset.crs.to_wkt() if dataset.crs else None,
        affine=None if identity else tuple(dataset.transform)[:6],
        points=tuple((p.col, p.row, p.x, p.y) for p in points),
        points_crs=points_crs.to_wkt() if points_crs else None,
        rational=dataset.rpcs is not None,
        colours=tuple(c.name for c in dataset.colorinterp),
        palette=palette,
        masked=any(flags != [enums.MaskFlags.all_valid] for flags in dataset.mask_flag_enums),
        overviews=bool(dataset.count and dataset.overviews(1)),
    )


def _window(window: Window) -> Any:
    return _rasterio().windows.Window(*window)


def _resampling(window: Window, columns: int, rows: int) -> Any:
    kinds = _rasterio().enums.Resampling
    full = (window.width, window.height) == (columns, rows)
    return kinds.nearest if full else kinds.average
