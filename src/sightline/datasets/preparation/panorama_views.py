"""Photos with a limited field of view, cut from panoramas, by known or unknown heading.

Two ways of cutting are in use: what a camera would have taken, and columns of the panorama as they
are (:func:`cut_columns`), which is how limited fields of view are tested (Shi et al. 2020, DSM;
360, 180, 90 and 70°). :func:`four_views` are the four views of 90° that Debnath et al. (PSSR,
section 3) added to their training photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.seeding import uniform_of_ids
from sightline.errors import UsageError
from sightline.geo.coordinates import FloatArray
from sightline.imagery import VIEW_HEADINGS, perspective_views

FIELDS_OF_VIEW_DEGREES = (360.0, 180.0, 90.0, 70.0)
"""The horizontal angles that cross-view methods are tested at."""

Cut: TypeAlias = Literal["perspective", "columns"]
HeadingRule: TypeAlias = Literal["known", "unknown"]
Pixels: TypeAlias = NDArray[np.uint8]

_PURPOSE = "heading of a view"


@dataclass(frozen=True, slots=True, eq=False)
class PanoramaView:
    """One view of a panorama.

    Args:
        id: The panorama's id, ``#`` and the turn in whole degrees, such as ``cvusa/0000008#090``.
        pixels: uint8 (h, w, 3).
        turn_degrees: How far it looks to the right of the panorama's centre column.
        heading_degrees: Its compass direction; None if the panorama's is not known.
        fov_degrees: Its horizontal angle.
    """

    id: str
    pixels: Pixels
    turn_degrees: float
    heading_degrees: float | None
    fov_degrees: float


def four_views(
    panorama_id: str,
    pixels: Pixels,
    *,
    heading_degrees: float | None = None,
    cut: Cut = "perspective",
    size: int | tuple[int, int] | None = None,
) -> list[PanoramaView]:
    """Cut a panorama into four views of 90°: before, to the right, behind and to the left.

    Args:
        panorama_id: The panorama's id.
        pixels: uint8 (h, w, 3), equirectangular, all the way round.
        heading_degrees: Compass direction of its centre column, if known.
        cut: ``perspective`` gives what a camera would have taken, and needs a panorama from zenith
            to nadir (:func:`sightline.imagery.whole_sphere` completes a cut one); ``columns``
            takes a quarter of the columns as they are, which also suits a band of the sphere such
            as CVUSA's panoramas.
        size: (height, width) of each view, or the side of a square one; with ``perspective`` only.

    Raises:
        UsageError: The pixels, the cut or the size are impossible.
    """
    if cut not in ("perspective", "columns") or (cut == "columns" and size is not None):
        raise UsageError(
            f"cut must be perspective, or columns without a size. Got {cut!r} and {size!r}.",
            hint="Resize columns after they are cut.",
        )
    if cut == "columns":
        cuts = [cut_columns(pixels, 90.0, turn) for turn in VIEW_HEADINGS]
    else:
        cuts = perspective_views(pixels, fov_degrees=90.0, headings=VIEW_HEADINGS, size=size)
    return [
        PanoramaView(
            id=f"{panorama_id}#{round(turn):03d}",
            pixels=view,
            turn_degrees=turn,
            heading_degrees=None if heading_degrees is None else (heading_degrees + turn) % 360.0,
            fov_degrees=90.0,
        )
        for turn, view in zip(VIEW_HEADINGS, cuts, strict=True)
    ]


def cut_columns(pixels: Pixels, fov_degrees: float, turn_degrees: float = 0.0) -> Pixels:
    """Cut the columns of a panorama that a field of view takes in, across the seam if need be.

    Args:
        pixels: uint8 (h, w, 3), all the way round; any part of the height.
        fov_degrees: Horizontal angle, more than 0 and up to 360.
        turn_degrees: How far the cut's centre lies to the right of the panorama's, rounded to
            whole columns; at 360° the whole panorama is turned.

    Returns:
        uint8 (h, round(w · fov / 360), 3).

    Raises:
        UsageError: The pixels or the angles are impossible.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise UsageError(
            f"pixels must have shape (h, w, 3). Got {pixels.shape}.", hint="Pass Photo.pixels."
        )
    _check_fov(fov_degrees)
    if not np.isfinite(turn_degrees):
        raise UsageError(
            f"turn_degrees must be a finite number. Got {turn_degrees!r}.",
            hint="Give degrees clockwise from the panorama's centre column.",
        )
    width = pixels.shape[1]
    taken = max(1, round(width * fov_degrees / 360.0))
    start = round(width * turn_degrees / 360.0) + (width - taken) // 2
    return np.ascontiguousarray(pixels[:, np.arange(start, start + taken) % width])


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """How panoramas are cut for training or testing.

    Args:
        fov_degrees: Horizontal angle, more than 0 and up to 360.
        heading: ``known`` keeps the panorama's centre in the middle; ``unknown`` turns each by a
            random angle of its own.
        seed: Decides the angles.

    Raises:
        UsageError: The angle or the rule is impossible.
    """

    fov_degrees: float = 360.0
    heading: HeadingRule = "known"
    seed: int = 0

    def __post_init__(self) -> None:
        _check_fov(self.fov_degrees)
        if self.heading not in ("known", "unknown"):
            raise UsageError(
                f"heading must be known or unknown. Got {self.heading!r}.",
                hint="unknown turns every panorama by a random angle.",
            )


def view_headings(
    ids: Sequence[str], settings: ViewSettings, *, epoch: int | None = None
) -> FloatArray:
    """Return how far each panorama is turned to the right, (n,) degrees in [0, 360).

    An id's angle depends on its text, the seed and the epoch alone: not on other photos, their
    order, or the machine.

    Args:
        ids: (n,) panoramas.
        settings: How to cut.
        epoch: The epoch, in training. None in testing, where the angle of a photo never changes.
    """
    if settings.heading == "known":
        return np.zeros(len(ids))
    return 360.0 * uniform_of_ids(ids, _PURPOSE, seed=settings.seed, epoch=epoch)[:, 0]


def view_of(
    panorama_id: str,
    pixels: Pixels,
    settings: ViewSettings,
    *,
    heading_degrees: float | None = None,
    epoch: int | None = None,
) -> PanoramaView:
    """Cut one panorama as the settings say.

    Args:
        panorama_id: Its id, which decides a random angle.
        pixels: uint8 (h, w, 3), all the way round.
        settings: How to cut.
        heading_degrees: Compass direction of its centre column, if known.
        epoch: The epoch, in training; None in testing.

    Raises:
        UsageError: The pixels are impossible.
    """
    turn = float(view_headings([panorama_id], settings, epoch=epoch)[0])
    return PanoramaView(
        id=f"{panorama_id}#{int(turn):03d}",
        pixels=cut_columns(pixels, settings.fov_degrees, turn),
        turn_degrees=turn,
        heading_degrees=None if heading_degrees is None else (heading_degrees + turn) % 360.0,
        fov_degrees=settings.fov_degrees,
    )


def _check_fov(fov_degrees: float) -> None:
    if not 0 < fov_degrees <= 360:
        raise UsageError(
            f"fov_degrees must be more than 0 and at most 360. Got {fov_degrees!r}.",
            hint="360, 180, 90 and 70 are the usual ones.",
        )
