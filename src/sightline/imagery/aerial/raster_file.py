"""The only door to rasterio: what a raster file says of itself, and windows of its values.

The format is told beforehand (:mod:`.raster_format`): GDAL would guess, and fetch what it was not
asked for.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
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
from sightline.imagery.aerial.raster import Window
from sightline.imagery.aerial.raster_format import driver_of, is_remote, refuse_remote
from sightline.imagery.aerial.revision import FileState, Revision, revision_of
from sightline.imagery.quiet import decoder_warnings_silenced
from sightline.version import __version__

RASTER_SUFFIXES = frozenset({".tif", ".tiff", ".gtif", ".cog", ".jp2", ".img", ".vrt"})
"""File name endings that folders are searched for, lower case."""

USER_AGENT = f"sightline/{__version__}"
"""What servers are told."""


# Each is an open file or more, and a mosaic has many files.
_MOST_IDLE = 8


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file says of itself.

    Attributes:
        width: Columns.
        height: Rows.
        count: Bands.
        dtypes: Of each band's values, by numpy's names.
        crs: Its coordinate reference system as WKT, or None.
        affine: Its transform, or None.
        points: Ground control points: column, row, x, y.
        points_crs: The reference system of their x and y.
        rational: Whether it has rational polynomial coefficients.
        colours: What each band is, in GDAL's words.
        palette: (256, 3) colours of the first band's values, or None.
        masked: Whether anything says which pixels are valid.
        overviews: Whether it holds smaller copies of itself.
        files: The file, and those that belong to it: world file, mask, overviews, what it names.
    """

    width: int
    height: int
    count: int
    dtypes: tuple[str, ...]
    crs: str | None
    affine: Affine | None
    points: tuple[tuple[float, float, float, float], ...]
    points_crs: str | None
    rational: bool
    colours: tuple[str, ...]
    palette: NDArray[np.uint8] | None
    masked: bool
    overviews: bool
    files: tuple[str, ...]

    def dtype_of(self, bands: tuple[int, ...]) -> np.dtype[Any]:
        """Return the type that holds the values of all of some bands."""
        return np.result_type(*(self.dtypes[band - 1] for band in bands))


class RasterFile:
    """An open raster file that many threads may read at once: each read borrows its own handle.

    Args:
        path: The file, or an ``https`` address.
        allow_network: Whether it may be read, or may name what is to be read, from elsewhere.
        parts: Whether to look into what a virtual raster names, before anything is fetched.

    Raises:
        AerialNotFoundError: No such file, or it may not be read.
        AerialUnreadableError: No raster, a format that is not read, or damaged.
        AerialError: It lies on the network, which was not allowed.
        DependencyError: rasterio is not installed.
    """

    def __init__(self, path: str, *, allow_network: bool = False, parts: bool = True) -> None:
        self.path = path
        self._driver = driver_of(path, allow_network=allow_network)
        self._allow_network = allow_network
        self._idle: list[Any] = []
        self._lock = threading.Lock()
        with self._borrowed() as dataset:
            self.facts = _facts(dataset)
        if self._driver == "VRT" and parts and not allow_network:
            _refuse_remote_parts(path, self.facts.files)

    def values(
        self, bands: tuple[int, ...], window: Window, columns: int, rows: int
    ) -> NDArray[Any]:
        """Return (bands, rows, columns) of a window, averaged down over what is valid."""
        how = {"window": _window(window), "resampling": _resampling(window, columns, rows)}
        with self._borrowed() as dataset:
            if len({self.facts.dtypes[band - 1] for band in bands}) == 1:
                values: NDArray[Any] = dataset.read(
                    list(bands), out_shape=(len(bands), rows, columns), **how
                )
                return values
            # Rasterio reads bands of different types one at a time only.
            return np.stack(
                [dataset.read(band, out_shape=(rows, columns), **how) for band in bands]
            )

    def mask(self, window: Window, columns: int, rows: int) -> NDArray[np.bool_]:
        """Say which of (rows, columns) are valid for the most part."""
        with self._borrowed() as dataset:
            mask = dataset.dataset_mask(
                window=_window(window),
                out_shape=(rows, columns),
                resampling=_resampling(window, columns, rows),
            )
            return np.asarray(mask >= 128)

    def revision(self) -> Revision:
        """Size and time of the file; with others that belong to it, of them all.

        Raises:
            AerialNotFoundError: The file was taken away.
        """
        if is_remote(self.path):
            return 0, 0
        try:
            Path(self.path).stat()
        except OSError as cause:
            raise AerialNotFoundError(
                f"{self.path!r} cannot be read any more: {cause.strerror or cause}.",
                hint="Bring the file back, and build again to go on.",
                path=self.path,
            ) from cause
        first, *others = _states(self.path, self.facts.files)
        return revision_of([first, *others]) if others else (first.size_bytes, first.mtime_ns)

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
            idle = self._idle
            dataset = idle.pop() if idle else None
        try:
            with _network(rasterio) if is_remote(self.path) else nullcontext():
                if dataset is None:
                    dataset = self._opened(rasterio)
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
                    # Closed meanwhile, or many threads met here once: it would stay open for ever.
                    kept = idle is self._idle and len(idle) < _MOST_IDLE
                    if kept:
                        idle.append(dataset)
                if not kept:
                    dataset.close()

    def _opened(self, rasterio: Any) -> Any:
        with decoder_warnings_silenced():
            dataset = rasterio.open(self.path, driver=self._driver)
        if not self._allow_network:
            # Overviews may lie elsewhere, and are looked for with the first question.
            try:
                refuse_remote(str(dataset.tags(ns="OVERVIEWS")), self.path)
            except AerialError:
                dataset.close()
                raise
        return dataset


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


def _network(rasterio: Any) -> Any:
    """GDAL's manners on the network: patience, but not for ever, and no guessing of other files."""
    return rasterio.Env(
        GDAL_HTTP_CONNECTTIMEOUT=30,
        GDAL_HTTP_TIMEOUT=60,
        GDAL_HTTP_MAX_RETRY=3,
        GDAL_HTTP_USERAGENT=USER_AGENT,
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
    )


def _refuse_remote_parts(path: str, files: tuple[str, ...]) -> None:
    """Look into all rasters that a virtual one names, which may be virtual again."""
    waiting, seen = [*files], {Path(path).resolve()}
    while waiting:
        named = Path(waiting.pop()).resolve()
        if named in seen:
            continue
        seen.add(named)
        # What is read otherwise, or not at all, is for GDAL to say.
        with suppress(AerialNotFoundError, AerialUnreadableError):
            part = RasterFile(str(named), parts=False)
            part.close()
            waiting += part.facts.files


def _states(path: str, files: tuple[str, ...]) -> Iterator[FileState]:
    """Of a file, and then of the others that there are, by their names as seen from it."""
    main = Path(path).resolve()
    for other in (main, *sorted({Path(f).resolve() for f in files} - {main})):
        try:
            status = other.stat()
        except OSError:
            continue
        name = os.path.relpath(other, main.parent)
        yield FileState(name, status.st_size, status.st_mtime_ns)


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
        dtypes=tuple(dataset.dtypes),
        crs=dataset.crs.to_wkt() if dataset.crs else None,
        affine=None if identity else tuple(dataset.transform)[:6],
        points=tuple((p.col, p.row, p.x, p.y) for p in points),
        points_crs=points_crs.to_wkt() if points_crs else None,
        rational=dataset.rpcs is not None,
        colours=tuple(c.name for c in dataset.colorinterp),
        palette=palette,
        masked=any(flags != [enums.MaskFlags.all_valid] for flags in dataset.mask_flag_enums),
        overviews=bool(dataset.count and dataset.overviews(1)),
        files=tuple(dataset.files),
    )


def _window(window: Window) -> Any:
    return _rasterio().windows.Window(*window)


def _resampling(window: Window, columns: int, rows: int) -> Any:
    kinds = _rasterio().enums.Resampling
    full = (window.width, window.height) == (columns, rows)
    return kinds.nearest if full else kinds.average
