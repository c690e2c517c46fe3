"""The whole main job in three calls: open an atlas, open a model, locate."""

from __future__ import annotations

import os
from pathlib import Path

from sightline.atlas import Atlas
from sightline.atlas.matches import SearchWay
from sightline.errors import UsageError
from sightline.geo.region import Region, parse_region
from sightline.locating import AnyLocator, HeadingChoice, locate_paths, locator_for
from sightline.locating.methods import AnyMethod
from sightline.models.bundle import load_model
from sightline.models.protocol import Encoder
from sightline.report.notebook import Located

MODEL_FOLDER = "model"

PathLike = str | os.PathLike[str]


def open_atlas(path: PathLike) -> Atlas:
    """Open an atlas folder for searching.

    Raises:
        AtlasNotFoundError: There is no atlas in that folder.
        AtlasDamagedError: It is half-built or its files contradict each other.
        AtlasVersionError: A newer Sightline wrote it.
    """
    return Atlas.open(path)


def open_model(path: PathLike) -> Encoder:
    """Open a model bundle, or the one that an atlas keeps of its own.

    Args:
        path: A bundle's folder, or an atlas's; or the name of a bundle that comes with Sightline.

    Raises:
        BundleError: The folder holds no bundle, or a damaged one.
    """
    folder = Path(path)
    kept = folder / MODEL_FOLDER
    return load_model(kept if kept.is_dir() else folder)


def locate(
    photo: PathLike | bytes,
    atlas: Atlas | None,
    model: Encoder,
    *,
    method: AnyMethod | None = None,
    within: Region | str | None = None,
    k: int | None = None,
    mode: SearchWay = "auto",
    heading: HeadingChoice = None,
    as_declared: bool = False,
    cells: int | None = None,
    mass: float | None = None,
    levels: bool = False,
    compare: bool = False,
) -> Located:
    """Locate one photo.

    Args:
        photo: A file's path, or its bytes.
        atlas: From :func:`open_atlas`; of photos or of aerial patches. None with ``classify``.
        model: From :func:`open_model`; the encoder that built the atlas.
        method: ``nearest``, ``density`` or ``clusters``, and of a model that holds a classifier
            ``within-cell`` or ``classify``; unused among aerial patches. None is ``within-cell`` if
            the model holds a classifier, and ``nearest`` otherwise, see
            :func:`sightline.locating.default_method`.
        within: Only references inside this region; text is read like the option ``--within``.
        k: How many matches to use; by default 10, and 100 for ``density``.
        mode: How to search; see :meth:`sightline.atlas.Atlas.search`.
        heading: Among aerial patches, where the photo looks, in degrees clockwise from north;
            ``"unknown"`` to find it out; None to take what its file says if the model needs it.
        as_declared: Among aerial patches, take the picture for what the model's photos show.
        cells: Of ``within-cell``: so many of the most probable cells are searched, 1 by default.
        mass: Of ``within-cell``: as many cells as hold this much probability.
        levels: Of a classifier: answers for street, city, region, country and continent too.
        compare: Among photos: what every other method says of the same photo too.

    Returns:
        What the photo's own file says, and the estimate; in a notebook it shows itself as a map.

    Raises:
        PhotoError: The photo cannot be used.
        FingerprintError: The atlas was built with another encoder.
        EncoderError: The method asks a classifier, and the model holds none.
        RegionError: ``within`` cannot be read.
        AtlasError: The structure that ``mode`` names was not built.
    """
    region = parse_region(within) if isinstance(within, str) else within
    if atlas is not None:
        atlas.require(mode)
    locator = locator_for(
        atlas,
        model,
        method=method,
        region=region,
        k=k,
        mode=mode,
        heading=heading,
        as_declared=as_declared,
        cells=cells,
        mass=mass,
        levels=levels,
        compare=compare,
    )
    source = ("photo", photo) if isinstance(photo, bytes) else photo
    (result,) = locate_paths([source], locator, workers=1)
    if result.error is not None:
        raise result.error
    return Located.of(result)


def open_locator(
    atlas: PathLike | None,
    *,
    model: PathLike | None = None,
    method: AnyMethod | None = None,
    within: str | None = None,
    k: int | None = None,
    mode: SearchWay = "auto",
    heading: HeadingChoice = None,
    as_declared: bool = False,
    cells: int | None = None,
    mass: float | None = None,
    levels: bool = False,
    compare: bool = False,
    few: bool = False,
) -> AnyLocator:
    """Open an atlas and its model, and make them a locator.

    Args:
        atlas: The atlas folder; None for ``classify`` with a model alone.
        model: The bundle; None for the one that the atlas keeps.
        method: See :func:`locate`.
        within: A GeoJSON file, an ISO country code, or a box ``south,west,north,east``.
        k: How many matches to use.
        mode: See :func:`locate`.
        heading: See :func:`locate`.
        as_declared: See :func:`locate`.
        cells: See :func:`locate`.
        mass: See :func:`locate`.
        levels: See :func:`locate`.
        compare: See :func:`locate`.
        few: Only some photos will be asked: finding out what computes fastest would take longer
            than they do. The vectors are the same.

    Raises:
        UsageError: The atlas keeps no model and none was given, or neither is named.
        SightlineError: What :func:`open_atlas`, :func:`open_model` and the locator raise.
    """
    region = None if within is None else parse_region(within)
    opened = None if atlas is None else Atlas.open(atlas)
    if opened is not None:
        opened.require(mode)
    bundle = _kept_model(atlas) if model is None else model
    if few:
        encoder = load_model(bundle, precision="float32", runtime="torch")
    else:
        encoder = load_model(bundle)
    return locator_for(
        opened,
        encoder,
        method=method,
        region=region,
        k=k,
        mode=mode,
        heading=heading,
        as_declared=as_declared,
        cells=cells,
        mass=mass,
        levels=levels,
        compare=compare,
    )


def _kept_model(atlas: PathLike | None) -> Path:
    if atlas is None:
        raise UsageError(
            "Neither an atlas nor a model is named.",
            hint="Name an atlas: --atlas DIR; or a classifier: --model DIR --method classify.",
        )
    kept = Path(atlas) / MODEL_FOLDER
    if not kept.is_dir():
        raise UsageError(
            f"The atlas {str(atlas)!r} keeps no model of its own.",
            hint="Name the bundle that it was built with: --model DIR.",
            path=kept,
        )
    return kept
