"""Photos in, estimates out, against aerial patches: a cross-view encoder and an aerial atlas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from sightline.errors import AtlasEmptyError, SightlineError, UsageError
from sightline.geo.circle import Circle
from sightline.geo.coordinates import LatLng
from sightline.imagery.photo import Photo
from sightline.locating.aerial_queries import AerialQuery, HeadingChoice, prepare_aerial_query
from sightline.locating.attempts import attempt_all
from sightline.locating.estimate import Candidate, Estimate
from sightline.locating.evidence import Floats, evidence_weights, require_number
from sightline.locating.judging import SHARES, judge
from sightline.locating.kinds import require_aerial
from sightline.locating.patch_refinement import REACH_STRIDES, refined_offset
from sightline.locating.patches import (
    Patches,
    apart,
    distinct_patches,
    moved,
    offsets_m,
    square_points,
)
from sightline.locating.searchable import AerialAtlas, SearchMode
from sightline.locating.spread import evidence_radii_m, place_margins
from sightline.locating.unrelated_patches import patch_weights, unrelated_patches
from sightline.models.protocol import CrossViewEncoder, GroundQueries

if TYPE_CHECKING:
    from sightline.geo.region import Region

METHOD = "cross-view"

# So many patches are compared, so that the places that do not show the photo are among them even
# where each overlaps with eight others.
_COMPARED_PATCHES = 200
# Two patches of one place may differ by this much in the heading that fits best.
_SAME_HEADING_DEGREES = 45.0
_TOO_FEW = (
    "Not judged: the atlas has too few places that do not overlap to tell what an unrelated one "
    "would score."
)
_NOT_ASKED = "Not judged: no threshold for abstaining was given."


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """One photo's query vectors, and where its views look."""

    queries: GroundQueries
    turns: NDArray[np.float64]


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
        mode: SearchMode = "auto",
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
        self.mode: SearchMode = mode
        self.heading = heading
        self.as_declared = as_declared
        self.abstain_below = abstain_below
        self.refine = refine

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
        asked = self._asked(queries)
        found = self._search(asked, max(self.k, _COMPARED_PATCHES), self.region)
        return [
            self._estimate(query, of_query, patches)
            for query, of_query, patches in zip(queries, asked, found, strict=True)
        ]

    def _asked(self, queries: Sequence[AerialQuery]) -> list[_Asked]:
        """Encode all views of all photos, those of known heading apart from the others."""
        found: dict[int, _Asked] = {}
        for known in (False, True):
            chosen = [n for n, q in enumerate(queries) if (q.heading_degrees is not None) == known]
            if not chosen:
                continue
            batch = np.stack([view for n in chosen for view in queries[n].views])
            turns = [np.array(queries[n].turns) for n in chosen]
            headings = None
            if known:
                headings = np.concatenate(
                    [queries[n].heading_degrees + t for n, t in zip(chosen, turns, strict=True)]
                )
            made = self.encoder.ground_queries(batch, headings)
            ends = np.cumsum([len(t) for t in turns])
            for n, turn, end in zip(chosen, turns, ends, strict=True):
                rows = slice(int(end) - len(turn), int(end))
                part = replace(
                    made,
                    vectors=made.vectors[rows],
                    headings=made.headings[rows],
                    scales=made.scales[rows],
                )
                found[n] = _Asked(part, turn)
        return [found[n] for n in range(len(queries))]

    def _search(
        self, asked: Sequence[_Asked], patches: int, region: Region | None
    ) -> list[Patches]:
        """The best distinct patches of every photo; rows of all turns are asked for."""
        vectors = np.concatenate(
            [one.queries.vectors.reshape(-1, 1, self.encoder.dimension) for one in asked]
        )
        matches = self.atlas.search(
            vectors,
            patches * self.encoder.aerial_turns,
            mode=self.mode,
            region=region,
            # What re-ranks and pools photos would mix patches of different places.
            rerank=0,
            pool_m=0.0,
            fingerprint=self.encoder.fingerprint,
        )
        found, start = [], 0
        for one in asked:
            stop = start + one.queries.headings.size
            rows = slice(start, stop)
            own = replace(
                matches,
                ids=matches.ids[rows],
                scores=matches.scores[rows],
                coordinates=matches.coordinates[rows],
                uris=matches.uris[rows],
                views=matches.views[rows],
                headings=matches.headings[rows],
            )
            found.append(distinct_patches(own, one.queries, one.turns))
            start = stop
        return found

    def _estimate(
        self, query: AerialQuery, asked: _Asked, patches: Patches
    ) -> Estimate | SightlineError:
        if not len(patches):
            return AtlasEmptyError(
                f"No patch is left to compare {query.name!r} with.", hint="Widen the region."
            )
        places = patches.scores[apart(patches, self.patch_m)]
        complete = len(patches) < max(self.k, _COMPARED_PATCHES)
        unrelated = unrelated_patches(places, len(places) if complete else self._places_in_all())
        named = patches.taken(slice(0, self.k))
        if unrelated is None:
            weights = evidence_weights(named.scores[None])[0]
        else:
            weights = patch_weights(named.scores, unrelated.spacing)
        lat, lon = self._place(asked, patches)
        radii, margin = self._spread((lat, lon), named, weights)
        threshold, otherwise = self.abstain_below, _NOT_ASKED
        if threshold == "atlas":
            threshold = None if unrelated is None else unrelated.threshold
            otherwise = _TOO_FEW
        best = float(patches.scores[0])
        abstained, reason = judge(best, threshold, otherwise)
        return Estimate(
            lat=lat,
            lon=lon,
            radius_50_m=radii[0],
            radius_90_m=radii[1],
            method=METHOD,
            abstained=abstained,
            reason=reason,
            margin=margin if best > 0 else None,
            candidates=self._candidates(named, weights),
            threshold=threshold,
            heading_degrees=_known(patches.headings[0]),
            patch_m=self.patch_m,
            notes=query.notes,
        )

    def _places_in_all(self) -> int:
        """About how many patches of the atlas lie side by side without overlap."""
        patches = self.atlas.count / self.encoder.aerial_turns
        return math.ceil(patches * min(1.0, self.stride_m / self.patch_m) ** 2)

    def _place(self, asked: _Asked, patches: Patches) -> tuple[float, float]:
        """The best patch's centre, moved by what its neighbours say."""
        centre = patches.coordinates[0]
        if not self.refine:
            return float(centre[0]), float(centre[1])
        around = Circle(LatLng(*centre), REACH_STRIDES * self.stride_m)
        # All patches of the circle: rarely more than nine, and never many.
        (near,) = self._search([asked], _COMPARED_PATCHES, around)
        if self.region is not None:
            near = near.taken(self.region.contains(near.coordinates))
        turned = np.abs(np.mod(near.headings - patches.headings[0] + 180.0, 360.0) - 180.0)
        near = near.taken(~(turned > _SAME_HEADING_DEGREES))
        away = offsets_m(centre, near.coordinates)
        return moved(centre, *refined_offset(away, near.scores, self.stride_m))

    def _spread(
        self, place: tuple[float, float], named: Patches, weights: Floats
    ) -> tuple[tuple[float, float], float]:
        """Radii that hold half and 90 % of the evidence, and the margin to the next place.

        A patch is no point: its weight is spread over its square.
        """
        point = np.array([place])
        points = square_points(named.coordinates, self.patch_m)
        each = np.repeat(weights / points.shape[1], points.shape[1])
        radii = evidence_radii_m(point, points.reshape(1, -1, 2), each[None], SHARES)[0]
        (margin,) = place_margins(
            point, named.coordinates[None], weights[None], place_m=self.patch_m
        )
        return (float(radii[0]), float(radii[1])), float(margin)

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
