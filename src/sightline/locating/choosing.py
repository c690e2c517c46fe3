"""The locator that an atlas and a model need: of photos, of cells, or of aerial patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from sightline.atlas.matches import SearchWay
from sightline.errors import UsageError
from sightline.locating.aerial_queries import HeadingChoice
from sightline.locating.cell_locator import CellLocator
from sightline.locating.comparing import ComparingLocator
from sightline.locating.cross_view import CrossViewLocator
from sightline.locating.kinds import is_aerial, require_aerial
from sightline.locating.locator import Locator
from sightline.locating.methods import (
    CELL_METHODS,
    DEFAULT_K,
    METHODS,
    AnyMethod,
    CellMethod,
    Method,
    check_method,
)
from sightline.locating.searchable import AerialAtlas, SearchableAtlas
from sightline.locating.within_cell import WithinCellSettings
from sightline.models.protocol import CellEncoder, CrossViewEncoder, Encoder

if TYPE_CHECKING:
    from sightline.geo.region import Region

DEFAULT_PATCHES = 10


def locator_for(
    atlas: SearchableAtlas | None,
    encoder: Encoder,
    *,
    method: AnyMethod | None = None,
    region: Region | None = None,
    k: int | None = None,
    mode: SearchWay = "auto",
    heading: HeadingChoice = None,
    as_declared: bool = False,
    cells: int | None = None,
    mass: float | None = None,
    levels: bool = False,
    compare: bool = False,
) -> Locator | CellLocator | ComparingLocator | CrossViewLocator:
    """Make the locator that fits an atlas and a model.

    Args:
        atlas: Opened, of photos or of aerial patches; None for ``classify`` alone.
        encoder: The one that built it.
        method: Of photos: ``nearest``, ``density`` or ``clusters``; of a model that holds a
            classifier also ``within-cell`` and ``classify``. None chooses: see
            :func:`default_method`.
        region: Only references inside it.
        k: Matches to use.
        mode: How to search; see :meth:`sightline.atlas.Atlas.search`.
        heading: Of patches: where the photos look; see :class:`CrossViewLocator`.
        as_declared: Of patches: take pictures for what the model's photos show.
        cells: Of ``within-cell``: how many cells to search; see :class:`WithinCellSettings`.
        mass: Of ``within-cell``: how much probability the searched cells must hold.
        levels: Of a classifier: an answer for each level of detail too.
        compare: Of photos: what every other method says too; see :class:`ComparingLocator`.

    Raises:
        FingerprintError: Atlas and encoder are of two kinds, or do not belong together.
        EncoderError: A method that asks a classifier, of a model without one.
        AtlasEmptyError: No reference to search within cells.
        UsageError: A heading for an atlas of photos, a method for one of patches, or an argument
            that cannot be.
    """
    of_cells = _given(cells=cells, mass=mass, levels=levels or None)
    of_photos = [*of_cells, *_given(compare=compare or None)]
    if atlas is not None and is_aerial(atlas):
        require_aerial(atlas, encoder)
        if method not in (None, "nearest") or of_photos:
            what = f"The option {of_photos[0]!r}" if of_photos else f"The method {method!r}"
            raise UsageError(
                f"{what} reads matches with photos; {str(atlas.path)!r} is an atlas "
                "of aerial patches, which has one way of its own.",
                hint="Leave the method and its options out.",
            )
        return CrossViewLocator(
            cast("AerialAtlas", atlas),
            cast("CrossViewEncoder", encoder),
            region=region,
            k=DEFAULT_PATCHES if k is None else k,
            mode=mode,
            heading=heading,
            as_declared=as_declared,
        )
    if heading is not None or as_declared:
        asked = (
            "A classifier takes photos"
            if atlas is None
            else f"{str(atlas.path)!r} is an atlas of photos, which are compared"
        )
        raise UsageError(
            f"{asked} whatever they look at.",
            hint="Leave out the heading, and --as-declared: they are for aerial atlases.",
        )
    chosen = default_method(encoder, region, mode) if method is None else method
    check_method(chosen, (*METHODS, *CELL_METHODS))
    if chosen not in CELL_METHODS and of_cells:
        raise UsageError(
            f"The option {of_cells[0]!r} is for methods that ask a classifier. "
            f"Got the method {chosen!r}.",
            hint="Use the method within-cell or classify, with a model that holds a classifier.",
        )
    found: Locator | CellLocator
    if chosen in CELL_METHODS:
        if region is not None:
            raise UsageError(
                f"The method {chosen!r} asks a classifier for the region. Got another one.",
                hint="Leave the region out, or use the method nearest, density or clusters.",
            )
        found = _of_cells(atlas, encoder, cast("CellMethod", chosen), k, mode, cells, mass, levels)
    elif atlas is None:
        raise UsageError(
            f"The method {chosen!r} searches an atlas. Got none.",
            hint="Give an atlas; only the method classify needs none.",
        )
    else:
        found = Locator(
            atlas, encoder, method=cast("Method", chosen), region=region, k=k, mode=mode
        )
    if not compare:
        return found
    return ComparingLocator(found, _others(atlas, encoder, chosen, region, mode))


def _others(
    atlas: SearchableAtlas | None,
    encoder: Encoder,
    chosen: AnyMethod,
    region: Region | None,
    mode: SearchWay,
) -> list[Locator | CellLocator]:
    """The methods beside the chosen one that can answer, as they are by default."""
    others: list[Locator | CellLocator] = []
    if atlas is not None:
        others += [
            Locator(atlas, encoder, method=cast("Method", method), region=region, mode=mode)
            for method in METHODS
            if method != chosen
        ]
    if isinstance(encoder, CellEncoder):
        possible = CELL_METHODS if atlas is not None and _is_free(region, mode) else ("classify",)
        others += [
            CellLocator(atlas, encoder, method=cast("CellMethod", method))
            for method in possible
            if method != chosen
        ]
    return others


def default_method(encoder: Encoder, region: Region | None, mode: SearchWay) -> AnyMethod:
    """The method where nobody named one.

    ``within-cell`` if the model holds a classifier, so that all of it is used; ``nearest`` without
    one, and where a region or a way to search is named, which are not the classifier's to choose.
    """
    asks = isinstance(encoder, CellEncoder) and _is_free(region, mode)
    return "within-cell" if asks else "nearest"


def _is_free(region: Region | None, mode: SearchWay) -> bool:
    """Whether it is the classifier's to choose where references are searched."""
    return region is None and mode in ("auto", "exact")


def _of_cells(
    atlas: SearchableAtlas | None,
    encoder: Encoder,
    method: CellMethod,
    k: int | None,
    mode: SearchWay,
    cells: int | None,
    mass: float | None,
    levels: bool,
) -> CellLocator:
    searching = _given(cells=cells, mass=mass, k=k)
    if method == "classify" and searching:
        raise UsageError(
            f"The method 'classify' searches no cells. Got the option {searching[0]!r}.",
            hint="Leave it out, or use the method within-cell.",
        )
    search = None
    if method == "within-cell":
        wanted = DEFAULT_K[method] if k is None else k
        search = WithinCellSettings(cells=cells, mass=mass, k=wanted)
    return CellLocator(atlas, encoder, method=method, search=search, levels=levels, mode=mode)


def _given(**options: object) -> list[str]:
    return [name for name, value in options.items() if value is not None]
