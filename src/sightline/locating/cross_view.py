"""Photos in, estimates out, against aerial patches: a cross-view encoder and an aerial atlas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from sightline.atlas.matches import SearchWay
from sightline.errors import AtlasEmptyError, SightlineError, UsageError
from sightline.geo.circle import Circle
from sightline.geo.coordinates import LatLng
from sightline.geo.distance import great_circle_m
from sightline.imagery.photo import Photo
from sightline.locating.aerial_queries import (
    AerialQuery,
    HeadingChoice,
    checked_heading,
    prepare_aerial_query,
)
from sightline.locating.attempts import attempt_all
from sightline.locating.estimate import Candidate, Estimate
from sightline.locating.evidence import Floats, evidence_weights, require_number
from sightline.locating.judging import SHARES, judge
from sightline.locating.kinds import require_aerial
from sightline.locating.patch_refinement import reach_m, refined_offset
from sightline.locating.patch_search import Asked, Found, PatchSearch
from sightline.locating.patches import (
    Patches,
    apart,
    moved,
    offsets_m,
    square_points,
)
from sightline.locating.searchable import AerialAtlas
from sightline.locating.spread import evidence_radii_m
from sightline.locating.unrelated_patches import MOST_PLACES, patch_weights, unrelated_patches
from sightline.models.protocol import CrossViewEncoder

if TYPE_CHECKING:
    from sightline.geo.region import Region

METHOD = "cross-view"

_LEAST_COMPARED = 200
# Rows asked for at most: a patch may have sixteen, and a photo as many queries.
_MOST_ROWS = 4096
# The rest of the weight, which moves no radius, may lie on thousands of patches.
_HELD = 0.999
# Two patches of one place may differ by this much in the heading that fits best.
_SAME_HEADING_DEGREES = 45.0
_TOO_FEW = (
    "Not judged: the atlas has too few places that do not overlap to tell what an unrelated one "
    "would score."
)
_NOT_ASKED = "Not judged: no threshold for abstaining was given."


class CrossViewLocator:
    """Locates photos among aerial patches.

    Args:
        atlas: Opened; of aerial patches.
        encoder: Loaded; the cross-view model that built it.
        k: Patches that an estimate names.
        region: Only patches inside it.
        mode: How to search.
        heading: Bearing of the photos' centre columns; ``"unknown"`` to find it out; None to take
            what a photo's file says where the model needs one.
        as_declared: Take every picture for what the model's photos show.
        abstain_below: Best score below which an estimate abstains. ``"atlas"`` takes, for each
            photo, the score that the best of unrelated places stays under 95 times in 100
            (:mod:`.unrelated_patches`). None never abstains on that ground.
        refine: Place the photo between patches (:mod:`.patch_refinement`).

    Raises:
        FingerprintError: The atlas is not of patches, the encoder not of two views, or they do not
            belong together.
        UsageError: An argument that cannot be.
    """

    def __init__(
        self,
        atlas: AerialAtlas,
        encoder: CrossViewEncoder,
        *,
        k: int = 10,
        region: Region | None = None,
        mode: SearchWay = "auto",
        heading: HeadingChoice = None,
        as_declared: bool = False,
        abstain_below: float | Literal["atlas"] | None = "atlas",
        refine: bool = True,
    ) -> None:
        require_number("k", k, at_least=1)
        if isinstance(abstain_below, float | int):
            require_number("abstain_below", abstain_below, at_least=-1.0)
        elif abstain_below not in (None, "atlas"):
            raise UsageError(
                f"abstain_below must be a score, 'atlas' or None. Got {abstain_below!r}.",
                hint="Leave it out to measure it on the atlas for every photo.",
            )
        require_aerial(atlas, encoder)
        self.atlas = atlas
        self.patch_m = cast("float", atlas.patch_m)
        self.stride_m = cast("float", atlas.stride_m)
        self.encoder = encoder
        self.k = k
        self.region = region
        self.heading = checked_heading(heading)
        self.as_declared = as_declared
        self.abstain_below = abstain_below
        self.refine = refine
        self.mode: SearchWay = mode
        self._search = PatchSearch(atlas, encoder, mode)

    def prepare(self, photo: Photo) -> AerialQuery:
        """Make a photo ready; thread-safe. See :func:`~.aerial_queries.prepare_aerial_query`."""
        return prepare_aerial_query(
            photo, self.encoder, heading=self.heading, as_declared=self.as_declared
        )

    def locate(self, photo: Photo) -> Estimate:
        """Locate one photo.

        Args:
            photo: Its pixels are used, and where the model needs them its heading and its lens;
                never its place.

        Returns:
            The estimate; one too weak to be an answer says so in ``abstained`` and ``reason``.

        Raises:
            EncoderError: The photo is not what the model was trained with.
            AtlasEmptyError: There is no patch to compare with.
            VectorError: The encoder could not make a vector of it.
        """
        (answer,) = self._answers([self.prepare(photo)])
        if isinstance(answer, SightlineError):
            raise answer
        return answer

    def attempt(self, queries: Sequence[AerialQuery]) -> list[Estimate | SightlineError]:
        """Locate prepared photos; the error of one is its own answer and stops no other.

        Args:
            queries: What :meth:`prepare` made of n photos.

        Returns:
            n estimates or errors.
        """
        return attempt_all(self._answers, queries)

    def _answers(self, queries: Sequence[AerialQuery]) -> list[Estimate | SightlineError]:
        if not queries:
            return []
        asked = self._search.asked(queries)
        found = self._search.best(asked, self._compared(), self.region)
        return [
            self._estimate(query, of_query, answer)
            for query, of_query, answer in zip(queries, asked, found, strict=True)
        ]

    def _compared(self) -> int:
        """So many patches that those of unrelated places are among them, however they overlap."""
        overlapping = math.pi * (self.patch_m / self.stride_m) ** 2
        wanted = math.ceil(MOST_PLACES * overlapping)
        return max(self.k, _LEAST_COMPARED, min(wanted, _MOST_ROWS // self.encoder.aerial_turns))

    def _estimate(
        self, query: AerialQuery, asked: Asked, found: Found
    ) -> Estimate | SightlineError:
        patches = found.patches
        if not len(patches):
            return AtlasEmptyError(
                f"No patch is left to compare {query.name!r} with.",
                hint="Widen the region; `sightline atlas verify` says whether the atlas is whole.",
            )
        places = apart(patches, self.patch_m)
        in_all = len(places) if found.all_of_them else self._places_in_all()
        unrelated = unrelated_patches(patches.scores[places], in_all)
        if unrelated is None:
            weights = evidence_weights(patches.scores[None])[0]
        else:
            weights = patch_weights(patches.scores, unrelated)
        place = self._place(asked, patches)
        radii = self._radii(place, patches, weights)
        threshold, otherwise = self.abstain_below, _NOT_ASKED
        if threshold == "atlas":
            threshold = None if unrelated is None else unrelated.threshold
            otherwise = _TOO_FEW
        best = float(patches.scores[0])
        abstained, reason = judge(best, threshold, otherwise)
        return Estimate(
            lat=place[0],
            lon=place[1],
            radius_50_m=radii[0],
            radius_90_m=radii[1],
            method=METHOD,
            abstained=abstained,
            reason=reason,
            margin=self._margin(place, patches, weights, places) if best > 0 else None,
            candidates=self._candidates(patches.taken(slice(0, self.k)), weights[: self.k]),
            threshold=threshold,
            heading_degrees=_known(patches.headings[0]),
            patch_m=self.patch_m,
            notes=query.notes,
        )

    def _places_in_all(self) -> int:
        """About how many patches of the atlas lie side by side without overlap."""
        patches = self.atlas.count / self.encoder.aerial_turns
        return math.ceil(patches * min(1.0, self.stride_m / self.patch_m) ** 2)

    def _place(self, asked: Asked, patches: Patches) -> tuple[float, float]:
        """The best patch's centre, moved by what its neighbours say."""
        centre = patches.coordinates[0]
        unmoved = (float(centre[0]), float(centre[1]))
        if not self.refine:
            return unmoved
        around = reach_m(self.patch_m, self.stride_m)
        # All patches of the circle, of which there are never many.
        wanted = math.ceil((2.0 * around / self.stride_m + 2.0) ** 2)
        (found,) = self._search.best([asked], wanted, Circle(LatLng(*centre), around))
        near = found.patches
        if self.region is not None:
            near = near.taken(self.region.contains(near.coordinates))
        turned = np.abs(np.mod(near.headings - patches.headings[0] + 180.0, 360.0) - 180.0)
        # What fits under another heading only does not fit.
        scores = np.where(turned > _SAME_HEADING_DEGREES, near.scores.min(), near.scores)
        away = offsets_m(centre, near.coordinates)
        place = moved(centre, *refined_offset(away, scores, self.stride_m))
        inside = self.region is None or bool(self.region.contains([place])[0])
        return place if inside else unmoved

    def _radii(
        self, place: tuple[float, float], patches: Patches, weights: Floats
    ) -> tuple[float, float]:
        """Radii that hold half and 90 % of the evidence.

        A patch is no point: its weight is spread over its square.
        """
        heavy = np.cumsum(weights) - weights < _HELD * weights.sum()
        points = square_points(patches.coordinates[heavy], self.patch_m)
        each = np.repeat(weights[heavy] / points.shape[1], points.shape[1])
        found = evidence_radii_m([place], points.reshape(1, -1, 2), each[None], SHARES)[0]
        return float(found[0]), float(found[1])

    def _margin(
        self,
        place: tuple[float, float],
        patches: Patches,
        weights: Floats,
        places: NDArray[np.intp],
    ) -> float:
        """Weight around the answer less that around the next place; see ``place_margins``."""
        here = great_circle_m(patches.coordinates, place) <= self.patch_m
        others = patches.coordinates[places[~here[places]]]
        around = great_circle_m(others[:, None], patches.coordinates) <= self.patch_m
        following = (around @ np.where(here, 0.0, weights)).max(initial=0.0)
        return float(weights[here].sum() - following)

    def _candidates(self, named: Patches, weights: Floats) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(
                lat=float(lat),
                lon=float(lon),
                distance=2.0 - 2.0 * float(score),
                uri=str(uri),
                weight=float(weight),
                score=float(score),
                heading_degrees=_known(heading),
                patch_m=self.patch_m,
            )
            for (lat, lon), score, heading, uri, weight in zip(
                named.coordinates, named.scores, named.headings, named.uris, weights, strict=True
            )
        )


def _known(heading: float) -> float | None:
    return None if np.isnan(heading) else float(heading)
