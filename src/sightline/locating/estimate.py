"""The answer to one photo."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A match behind an estimate.

    Attributes:
        lat: Degrees.
        lon: Degrees, [-180, 180).
        distance: Squared Euclidean distance of the unit vectors, ``2 - 2 * score``.
        uri: Where the reference photo is, as the atlas names it.
        weight: Its share of the evidence. The candidates of an estimate sum to 1; aerial patches to
            less, as many more are compared than named.
        score: Similarity in [-1, 1], higher is better; what ranked it.
        heading_degrees: Of an aerial patch: the bearing of the photo's centre column that fits it
            best, in [0, 360); None if the model does not tell.
        patch_m: Of an aerial patch: its side, metres on the ground, with ``lat`` and ``lon`` at its
            centre; None for a photo.
    """

    lat: float
    lon: float
    distance: float
    uri: str
    weight: float
    score: float
    heading_degrees: float | None = None
    patch_m: float | None = None


@dataclass(frozen=True, slots=True)
class CellBelief:
    """A cell that a classifier thinks probable.

    Attributes:
        name: Of the cell in its partition: the token of an S2 cell, the number of another.
        lat: Degrees, of its representative.
        lon: Degrees, [-180, 180).
        probability: What the classifier gives it.
    """

    name: str
    lat: float
    lon: float
    probability: float


@dataclass(frozen=True, slots=True)
class LevelAnswer:
    """The answer to a question of one level of detail.

    Attributes:
        level: Its name, such as ``country``.
        radius_km: How far off an answer may be on this level.
        lat: Degrees.
        lon: Degrees, [-180, 180).
        probability: Of the cells whose representatives lie within the radius.
    """

    level: str
    radius_km: float
    lat: float
    lon: float
    probability: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where a photo was taken, as far as the matches tell.

    Attributes:
        lat: Degrees; the best guess, also when abstained.
        lon: Degrees, [-180, 180); the best guess, also when abstained.
        radius_50_m: The circle around the point that holds half of the evidence's weight. It is the
            spread of the evidence, not a confidence interval. Of ``within-cell`` the evidence is
            the classifier's too: what it believes of other cells lies there.
        radius_90_m: The same for 90 % of the weight.
        method: ``nearest``, ``density`` or ``clusters``, a convention following after a slash;
            ``within-cell`` or ``classify`` where a classifier was asked; or ``cross-view`` among
            aerial patches.
        abstained: The evidence is too weak to be an answer.
        reason: Why it abstained; or, when it did not, that there was no threshold to judge by.
        margin: Weight of the place answered less that of the next distinct place, -1 to 1
            (:func:`~.spread.place_margins`); None where no match is more similar than nothing.
        candidates: The matches, best first.
        threshold: The best score below which it abstains, or the probability of the best cell where
            a classifier alone answered; None if there was none.
        posterior: The place of a calibrated probability over cells. None: this estimate has none,
            and nothing in it may be read as one.
        heading_degrees: Bearing of the photo's centre column, in [0, 360), if the model tells it.
        patch_m: Side of the aerial patches that were compared; None for an atlas of photos.
        notes: What was done to the photo, or taken for granted, before it was compared; in which
            cells references were searched, and why not where there were none.
        cells: The cells that a classifier finds most probable, best first; empty without one.
        mass: Probability of the cells in which references were searched; None where it was not in
            cells.
        levels: An answer for each level of detail, where they were asked for.
        alternatives: What other methods say of the same photo, where they were asked.
    """

    lat: float
    lon: float
    radius_50_m: float
    radius_90_m: float
    method: str
    abstained: bool
    reason: str | None
    margin: float | None
    candidates: tuple[Candidate, ...]
    threshold: float | None = None
    posterior: None = None
    heading_degrees: float | None = None
    patch_m: float | None = None
    notes: tuple[str, ...] = ()
    cells: tuple[CellBelief, ...] = ()
    mass: float | None = None
    levels: tuple[LevelAnswer, ...] = ()
    alternatives: tuple[Estimate, ...] = ()
