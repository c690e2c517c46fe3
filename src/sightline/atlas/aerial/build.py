"""Build an atlas of aerial patches, or add patches to one: resumable, in parallel, nothing twice.

The same run as for photos: worker threads cut and prepare patches while the calling thread encodes
and commits.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.atlas.aerial.grid import LEAST_STRIDE_M, AerialGrid
from sightline.atlas.aerial.intake import AerialIntake, PatchRecords
from sightline.atlas.aerial.sources import is_whole_earth
from sightline.atlas.build import check_folder, new_card, open_or_create, put_in_order
from sightline.atlas.lock import writer_lock
from sightline.atlas.problems import PROBLEMS_NAME
from sightline.atlas.run import BuildReport, Progress, Run
from sightline.atlas.store import Store
from sightline.errors import (
    AerialOutsideError,
    AtlasEmptyError,
    AtlasError,
    EncoderError,
    UsageError,
)
from sightline.imagery.aerial.tangent_plane import checked_patch

if TYPE_CHECKING:
    from sightline.geo.region import Region
    from sightline.imagery.aerial import AerialSource
    from sightline.models.protocol import Encoder

MIN_VALID = 0.9
"""Share of a patch that must be shown, if the caller does not say."""

_POINTS_ACROSS = 16


def build_aerial_atlas(
    out: str | Path,
    source: AerialSource,
    encoder: Encoder,
    *,
    patch_m: float,
    stride_m: float,
    within: Region | None = None,
    min_valid: float = MIN_VALID,
    workers: int | None = None,
    batch: int = 16,
    progress: Callable[[Progress], None] | None = None,
    compact: bool = True,
    commit_rows: int = 4096,
    commit_seconds: float = 5.0,
    licence: str | None = None,
    description: str | None = None,
) -> BuildReport:
    """Build the atlas ``out`` from imagery, go on with a stopped build, or add to a finished one.

    Args:
        out: Folder of the atlas; new, empty, half-built, or an aerial atlas of the same encoder,
            patch and stride.
        source: The imagery; see :func:`sightline.atlas.aerial.open_aerial`.
        encoder: A cross-view encoder.
        patch_m: Side of a patch on the ground, metres.
        stride_m: Metres between the middles of neighbouring patches.
        within: Only patches whose middles lie in this region.
        min_valid: Patches with a smaller share of valid pixels are left out and counted.
        workers: Threads that cut patches; by default one per processor.
        batch: Patches per forward pass.
        progress: Called from time to time, in the calling thread.
        compact: Order the rows by S2 id at the end.
        commit_rows: Commit at the latest after so many patches.
        commit_seconds: Commit at the latest after so many seconds.
        licence: Licence of the whole collection; by default the source's.
        description: Free text; written when the atlas is created.

    Raises:
        UsageError: A side, stride or share that cannot be, or a source of the whole Earth without
            a region.
        EncoderError: The encoder has no aerial view.
        AerialOutsideError: The region lies outside the source, or a patch is larger than it.
        AtlasEmptyError: No patch could be used.
        FingerprintError: The atlas was built with another encoder.
        AtlasError: The folder holds something else, other patches, or another source of the same
            name; or another process writes to it.
        OutputError: The disk is full or closed; what was committed is kept.
        BuildInterrupted: Ctrl-C; what was finished is committed.
    """
    folder = Path(out)
    size_px = _input_px(encoder)
    checked_patch(patch_m, size_px)
    _check_share(min_valid)
    grid = _grid(source, stride_m, within, patch_m, min_valid)
    check_folder(folder)
    with writer_lock(folder):
        card = partial(
            new_card,
            folder,
            encoder,
            licence=licence or source.licence,
            description=description,
            kind="aerial",
            patch_m=float(patch_m),
            stride_m=float(stride_m),
            aerial_sources={source.name: source_facts(source)},
        )
        store = open_or_create(folder, encoder, card, "aerial")
        store = _joined(store, source, patch_m, stride_m)
        run = Run(store, encoder, batch, commit_rows, commit_seconds, progress, "aerial")
        intake = AerialIntake(
            source,
            encoder,
            run.catalogue,
            patch_m=patch_m,
            size_px=size_px,
            min_valid=min_valid,
        )
        report = run.over(PatchRecords(grid, source), intake, workers or os.cpu_count() or 1)
        _refuse_empty(folder, report, min_valid)
        if compact:
            put_in_order(run.writer.store, report)
        return report


def source_facts(source: AerialSource) -> dict[str, object]:
    """Return what an atlas keeps of a source, so that a patch can be cut again."""
    return {
        "location": source.location,
        "options": dict(source.options),
        "revision": list(source.revision),
        "attribution": source.attribution,
        "licence": source.licence,
    }


def require_aerial(encoder: Encoder) -> None:
    """Refuse a model that cannot read patches; raises EncoderError."""
    if "aerial" not in encoder.branches:
        raise EncoderError(
            f"{encoder.name} encodes ground photos only, not aerial patches.",
            hint="Use a cross-view model for --aerial, or build an atlas of --photos.",
        )


def _input_px(encoder: Encoder) -> int:
    require_aerial(encoder)
    return max(encoder.decode_size_of("aerial"))


def _check_share(min_valid: float) -> None:
    if not 0.0 < min_valid <= 1.0:
        raise UsageError(
            f"min_valid must be more than 0 and at most 1. Got {min_valid!r}.",
            hint=f"{MIN_VALID} is the default.",
        )


def _grid(
    source: AerialSource, stride_m: float, within: Region | None, patch_m: float, min_valid: float
) -> AerialGrid:
    footprint = source.footprint
    regions = (footprint,) if within is None else (footprint, within)
    grid = AerialGrid(stride_m, *regions)
    if within is None and is_whole_earth(footprint):
        raise UsageError(
            f"{source.name!r} shows the whole Earth: patches of all of it would never end.",
            hint="Say where with --within, such as --within 55.69,13.17,55.71,13.21.",
        )
    side_m = math.sqrt(footprint.area_km2) * 1000.0
    if side_m * side_m < min_valid * patch_m * patch_m:
        raise AerialOutsideError(
            f"A patch of {patch_m:g} m is larger than {source.name!r}, which shows "
            f"{side_m:.4g} m × {side_m:.4g} m.",
            hint="Use smaller patches, or more imagery.",
            path=source.location,
        )
    if next(iter(grid), None) is None:
        where = footprint.bounds.describe()
        if within is None:
            raise AerialOutsideError(
                f"No point of the grid of {stride_m:g} m lies in {source.name!r} ({where}).",
                hint="Use a smaller stride.",
                path=source.location,
            )
        if _meets(footprint, within, stride_m):
            raise AerialOutsideError(
                f"No point of the grid of {stride_m:g} m lies in the region "
                f"({within.describe()}) and in {source.name!r} ({where}).",
                hint="Use a smaller stride, or a larger region.",
                path=source.location,
            )
        raise AerialOutsideError(
            f"The region ({within.describe()}) lies outside {source.name!r} ({where}).",
            hint="Choose a region that the imagery shows, or leave --within out.",
            path=source.location,
        )
    return grid


def _meets(footprint: Region, within: Region, stride_m: float) -> bool:
    """Whether two regions have ground in common that only a finer grid finds."""
    side_m = math.sqrt(min(footprint.area_km2, within.area_km2)) * 1000.0
    finer_m = max(side_m / _POINTS_ACROSS, LEAST_STRIDE_M)
    return (
        finer_m < stride_m and next(iter(AerialGrid(finer_m, footprint, within)), None) is not None
    )


def _joined(store: Store, source: AerialSource, patch_m: float, stride_m: float) -> Store:
    """Make sure that the atlas may hold these patches, and that its card names their source."""
    card = store.card
    if not store.count:
        # Nothing came of the builds before, perhaps because these sides were wrong.
        card = dataclasses.replace(
            card, patch_m=float(patch_m), stride_m=float(stride_m), aerial_sources={}
        )
    if (card.patch_m, card.stride_m) != (patch_m, stride_m):
        raise AtlasError(
            f"The atlas {str(store.path)!r} has patches of {card.patch_m:g} m every "
            f"{card.stride_m:g} m, not of {patch_m:g} m every {stride_m:g} m.",
            hint="Use the same patch and stride, or build another atlas.",
            path=store.path,
        )
    facts, known = source_facts(source), card.aerial_sources.get(source.name)
    if known is not None:
        _refuse_another(store, source, known, facts)
    if known != facts:
        sources = {**card.aerial_sources, source.name: facts}
        dataclasses.replace(card, aerial_sources=sources).write(store.path)
        return store.refreshed()
    return store


def _refuse_another(
    store: Store, source: AerialSource, known: Mapping[str, object], facts: Mapping[str, object]
) -> None:
    """A source may move or be renewed; but one that does both is another of the same name."""
    same_pixels = known["revision"] == facts["revision"] and _shown(known) == _shown(facts)
    if known["location"] == facts["location"]:
        # What is stored would be taken for unchanged, though it is seen in another way now.
        other = known["revision"] == facts["revision"] and not same_pixels
        what = f"opened with other options: {known['options']}"
    else:
        other = not same_pixels
        what = f"another, {known['location']!r}"
    if other:
        raise AtlasError(
            f"The atlas {str(store.path)!r} has a source named {source.name!r} already, {what}.",
            hint="Give this one another name (--source-name).",
            path=store.path,
        )


def _shown(facts: Mapping[str, Any]) -> dict[str, object]:
    """The options that pixels depend on: bounds only say where to look for them."""
    return {key: value for key, value in facts["options"].items() if key != "bounds"}


def _refuse_empty(folder: Path, report: BuildReport, min_valid: float) -> None:
    if report.rows:
        return
    if report.problems:
        first = report.problems[0]
        raise AtlasEmptyError(
            f"None of {len(report.problems) + report.blank} patches could be used; the first: "
            f"{first.message}",
            hint=f"{str(folder / PROBLEMS_NAME)!r} lists the reason for each.",
            path=folder,
        )
    raise AtlasEmptyError(
        f"None of {report.blank} patches shows at least {min_valid:.0%} of its ground.",
        hint="Use smaller patches, a smaller --min-valid, or imagery without such gaps.",
        path=folder,
    )
