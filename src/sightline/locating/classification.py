"""From probabilities over the cells of a partition to cells and places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import UsageError
from sightline.geo.coordinates import from_unit_vectors, unit_vectors
from sightline.geo.distance import great_circle_m
from sightline.geo.partition import LEVELS_KM, Partition
from sightline.locating.evidence import Floats, require_number

Rows = NDArray[np.int64]

# float32 softmax over 32,768 classes sums to 1 within a few millionths.
_NOT_NORMALISED = 1e-3
_ROWS_AT_ONCE = 64
# Below this length a mean direction is made of rounding errors.
_SHORTEST_MEAN = 1e-12


class ChosenCells(NamedTuple):
    """The cells that a classifier believes in.

    Attributes:
        rows: int64 (n, c), rows of the partition, most probable first; -1 for padding.
        mass: float64 (n,), the probability they hold together.
    """

    rows: Rows
    mass: Floats


class LevelAnswers(NamedTuple):
    """One answer for each level of detail.

    Attributes:
        levels: L names, such as ``street``.
        points: float64 (n, L, 2), degrees.
        mass: float64 (n, L), the probability of the cells counted within the level's radius of it.
    """

    levels: tuple[str, ...]
    points: Floats
    mass: Floats


def choose_cells(
    log_probabilities: ArrayLike,
    partition: Partition,
    *,
    cells: int | None = None,
    mass: float | None = None,
) -> ChosenCells:
    """Choose the most probable cells of each photo; of equally probable ones the first.

    Args:
        log_probabilities: (n, m), what a classifier's log-softmax gave over the partition's cells.
        partition: Of m cells.
        cells: How many, at most; if None one, or with a ``mass`` as many as it takes.
        mass: Stop earlier, as soon as the chosen ones hold this much probability.

    Raises:
        PartitionError: Not as many classes as cells.
        UsageError: No log-probabilities, or numbers that cannot be.
    """
    if cells is None:
        cells = 1 if mass is None else len(partition)
    require_number("cells", cells, at_least=1)
    require_mass(mass)
    values = checked_log_probabilities(log_probabilities, partition)
    width = min(int(cells), len(partition))
    chosen: list[Rows] = []
    held = np.zeros(len(values))
    for photo, beliefs in enumerate(values):
        best = _best(beliefs, width)
        sums = np.cumsum(np.exp(beliefs[best], dtype=np.float64))
        # A sum of tenths must count as the whole it stands for.
        enough = width if mass is None else int(np.searchsorted(sums, mass * (1.0 - 1e-9))) + 1
        chosen.append(best[:enough].copy())
        held[photo] = sums[min(enough, width) - 1]
    rows = np.full((len(values), max(map(len, chosen), default=1)), -1, np.int64)
    for photo, best in enumerate(chosen):
        rows[photo, : len(best)] = best
    return ChosenCells(rows, np.minimum(held, 1.0))


def classify(log_probabilities: ArrayLike, partition: Partition, *, cells: int = 1) -> Floats:
    """Answer with the representative of the most probable cell.

    Args:
        log_probabilities: (n, m), log-softmax over the partition's cells.
        partition: Of m cells.
        cells: 1 is the paper's way; of more, the mean on the sphere of their representatives,
            each weighing what its cell's probability is. Where those cancel out, the best one's.

    Returns:
        Points, float64 (n, 2), degrees.

    Raises:
        PartitionError: Not as many classes as cells.
        UsageError: No log-probabilities, or numbers that cannot be.
    """
    chosen = choose_cells(log_probabilities, partition, cells=cells)
    points = partition.representatives[chosen.rows[:, 0]]
    if chosen.rows.shape[1] == 1:
        return points
    values = np.asarray(log_probabilities)
    weights = np.exp(np.take_along_axis(values, chosen.rows, axis=1), dtype=np.float64)
    vectors = unit_vectors(partition.representatives[chosen.rows])
    mean = np.einsum("nc,ncd->nd", weights, vectors)
    found = np.linalg.norm(mean, axis=1) > _SHORTEST_MEAN * weights.sum(axis=1)
    points[found] = from_unit_vectors(mean[found])
    return points


def answers_by_level(
    log_probabilities: ArrayLike,
    partition: Partition,
    *,
    levels_km: Mapping[str, float] = LEVELS_KM,
    cells: int = 256,
) -> LevelAnswers:
    """Answer each level with the place that most probability lies around.

    Who is asked for the country should not name the street that is a little likelier than any
    other. For a radius, the best answer is the place with the largest probability of the truth
    being within it; here the best of the cells' representatives, a cell counting where its own
    representative is. The coarse classifiers of *Revisiting IM2GPS* (section 4.1) win at continent
    level for that reason; this reads it off the fine one.

    Args:
        log_probabilities: (n, m), log-softmax over the partition's cells.
        partition: Of m cells.
        levels_km: Radii by name; by default street 1, city 25, region 200, country 750 and
            continent 2500 km.
        cells: How many of the most probable cells are looked at; the rest counts nowhere.

    Raises:
        PartitionError: Not as many classes as cells.
        UsageError: No log-probabilities, no level, or numbers that cannot be.
    """
    if not levels_km:
        raise UsageError("levels_km must name a level. Got none.", hint="Leave it out for five.")
    for name, radius_km in levels_km.items():
        require_number(f"levels_km[{name!r}]", radius_km, at_least=0.0)
    values = checked_log_probabilities(log_probabilities, partition)
    chosen = choose_cells(values, partition, cells=cells).rows
    points = np.empty((len(values), len(levels_km), 2))
    mass = np.empty((len(values), len(levels_km)))
    for photo, rows in enumerate(chosen):
        places = partition.representatives[rows]
        weights = np.exp(values[photo, rows], dtype=np.float64)
        apart_m = great_circle_m(places[:, None], places[None])
        for level, radius_km in enumerate(levels_km.values()):
            around = (apart_m <= radius_km * 1000.0) @ weights
            best = int(np.argmax(around))
            points[photo, level], mass[photo, level] = places[best], around[best]
    return LevelAnswers(tuple(levels_km), points, np.minimum(mass, 1.0))


def require_mass(mass: float | None) -> None:
    """Raise a UsageError unless a share of the probability is None, or above 0 and at most 1."""
    if mass is not None and not 0.0 < mass <= 1.0:
        raise UsageError(
            f"mass must be above 0 and at most 1. Got {mass!r}.", hint="Use 0.9 for nine tenths."
        )


def checked_log_probabilities(values: ArrayLike, partition: Partition) -> NDArray[np.floating]:
    """Return log-probabilities (n, m) as they are, or say what is wrong with them.

    Raises:
        PartitionError: Not as many classes as the partition has cells.
        UsageError: Another shape, NaN, or rows whose probabilities do not sum to 1.
    """
    given = np.asarray(values)
    if given.ndim != 2 or given.dtype.kind != "f":
        raise UsageError(
            f"Log-probabilities must be floats of shape (n, cells). Got {given.dtype} of shape "
            f"{given.shape}.",
            hint="Give one row for each photo.",
        )
    partition.require_classes(given.shape[1])
    for start in range(0, len(given), _ROWS_AT_ONCE):
        some = given[start : start + _ROWS_AT_ONCE]
        total = np.exp(some, dtype=np.float64).sum(axis=1)
        # NaN compares false.
        bad = ~(np.abs(total - 1.0) <= _NOT_NORMALISED)
        if bad.any():
            row = int(np.argmax(bad))
            raise UsageError(
                f"Log-probabilities must have exponentials that sum to 1. Those of row "
                f"{start + row} sum to {total[row]:.6g}.",
                hint="Give what log_softmax returns, not logits or probabilities.",
            )
    return given


def _best(beliefs: NDArray[np.floating], count: int) -> Rows:
    """Return the rows of the highest values, best first, equal ones by row."""
    if count == 1:
        return np.array([int(beliefs.argmax())])
    if count < len(beliefs):
        least = np.partition(beliefs, len(beliefs) - count)[len(beliefs) - count]
        some = np.flatnonzero(beliefs >= least)
    else:
        some = np.arange(len(beliefs))
    return some[np.argsort(-beliefs[some], kind="stable")][:count]
