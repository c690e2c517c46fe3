"""From a classifier's probabilities to estimates: how far they reach, and whether they say much."""

from __future__ import annotations

import math

import numpy as np

from sightline.geo.distance import great_circle_m
from sightline.geo.partition import LEVELS_KM, Partition
from sightline.locating.cell_beliefs import Beliefs
from sightline.locating.classification import answers_by_level, choose_cells
from sightline.locating.estimate import CellBelief, Estimate, LevelAnswer
from sightline.locating.evidence import Floats
from sightline.locating.judging import SHARES, AbstainBelow, judge_cell
from sightline.locating.spread import evidence_radii_m
from sightline.locating.within_cell import WithinCellAnswers

SHOWN_CELLS = 10
"""The most probable cells that an estimate names."""


def cell_estimates(beliefs: Beliefs, method: str, abstain_below: AbstainBelow) -> list[Estimate]:
    """Turn beliefs alone into estimates, without any reference.

    The radii are those around the point that hold half and 90 % of the probability, each cell's
    counting at its representative; a cell is no point, so that the radius of a disc as large as the
    answered cell adds to them. The margin is the probability of the best cell less that of the
    next.

    Args:
        beliefs: Of n photos.
        method: What the estimates call it.
        abstain_below: Probability of the best cell below which an estimate abstains. ``"atlas"``
            takes the share of the places that the cells were made of that lies in it, which
            somebody would say who has not seen the photo. None never abstains.
    """
    partition = beliefs.partition
    radii = _radii_m(beliefs)
    found = cells_of(beliefs)
    answers = []
    for photo, cells in enumerate(found):
        row = int(beliefs.log_probabilities[photo].argmax())
        expected = _expected(partition, row) if abstain_below == "atlas" else None
        threshold = expected if abstain_below == "atlas" else abstain_below
        best, following = cells[0], cells[1]
        abstained, reason = judge_cell(best.name, best.probability, threshold, expected)
        answers.append(
            Estimate(
                lat=float(beliefs.points[photo, 0]),
                lon=float(beliefs.points[photo, 1]),
                radius_50_m=float(radii[photo, 0]),
                radius_90_m=float(radii[photo, 1]),
                method=method,
                abstained=abstained,
                reason=reason,
                margin=best.probability - following.probability,
                candidates=(),
                threshold=threshold,
                cells=cells,
            )
        )
    return answers


def cells_of(beliefs: Beliefs) -> list[tuple[CellBelief, ...]]:
    """Return the most probable cells of each photo, best first, at most :data:`SHOWN_CELLS`."""
    partition = beliefs.partition
    chosen = choose_cells(beliefs.log_probabilities, partition, cells=SHOWN_CELLS).rows
    return [
        tuple(
            CellBelief(
                name=partition.names[row],
                lat=float(partition.representatives[row, 0]),
                lon=float(partition.representatives[row, 1]),
                probability=float(np.exp(logs[row], dtype=np.float64)),
            )
            for row in rows.tolist()
        )
        for rows, logs in zip(chosen, beliefs.log_probabilities, strict=True)
    ]


def levels_of(beliefs: Beliefs) -> list[tuple[LevelAnswer, ...]]:
    """Return the answers of each photo for street, city, region, country and continent.

    See :func:`~sightline.locating.answers_by_level`.
    """
    found = answers_by_level(beliefs.log_probabilities, beliefs.partition)
    return [
        tuple(
            LevelAnswer(name, LEVELS_KM[name], float(lat), float(lon), float(probability))
            for name, (lat, lon), probability in zip(found.levels, points, mass, strict=True)
        )
        for points, mass in zip(found.points, found.mass, strict=True)
    ]


def radii_with_doubt_m(beliefs: Beliefs, found: WithinCellAnswers) -> Floats:
    """How far answers of search within cell reach, if the cell may be another, metres (n, 2).

    The radii around each answer that hold half and 90 % of what the classifier believes: the
    searched cells' probability lies where their references are, as the evidence weighs them, and
    every other cell's at its representative.

    Args:
        beliefs: Of n photos.
        found: Of the same.

    Returns:
        NaN for a photo that no reference answered.
    """
    partition = beliefs.partition
    radii = np.full((len(beliefs.points), len(SHARES)), np.nan)
    for photo in np.flatnonzero(~found.fell_back).tolist():
        rows = found.cells[photo]
        others = np.exp(beliefs.log_probabilities[photo], dtype=np.float64)
        others /= others.sum()
        others[rows[rows >= 0]] = 0.0
        held = found.weights[photo] * (1.0 - others.sum())
        (radii[photo],) = evidence_radii_m(
            found.points[[photo]],
            np.concatenate([found.matches.coordinates[photo], partition.representatives])[None],
            np.concatenate([held, others])[None],
            SHARES,
        )
    return radii


def _radii_m(beliefs: Beliefs) -> Floats:
    """Return metres (n, 2)."""
    partition = beliefs.partition
    radii = np.empty((len(beliefs.points), len(SHARES)))
    for photo, logs in enumerate(beliefs.log_probabilities):
        shares = np.exp(logs, dtype=np.float64)
        (spread,) = evidence_radii_m(
            beliefs.points[[photo]],
            partition.representatives[None],
            (shares / shares.sum())[None],
            SHARES,
        )
        reach = _reach_m(partition, int(logs.argmax()))
        # A disc holds a share of itself within the square root of that share of its radius.
        radii[photo] = np.hypot(spread, reach * np.sqrt(SHARES))
    return radii


def _reach_m(partition: Partition, row: int) -> float:
    """Radius of a disc as large as a cell; half the way to the next where cells have no edges."""
    areas = partition.areas_km2
    if areas is not None:
        return 1000.0 * math.sqrt(areas[row] / math.pi)
    apart = great_circle_m(partition.representatives[row], partition.representatives)
    return float(np.partition(apart, 1)[1]) / 2.0


def _expected(partition: Partition, row: int) -> float:
    """The probability of a cell for somebody who has not seen the photo."""
    members = partition.members
    if members is None or not members.sum():
        return 1.0 / len(partition)
    return float(members[row] / members.sum())
