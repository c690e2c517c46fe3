"""Has the model mapped the world to a point, a line, or a handful of vectors?

Published code has scored such models as perfect, because a reference that is as close as the true
one did not count against it. Four numbers tell, each of which misses what another sees: exact
copies, near copies, the number of directions in which vectors differ, and how widely they spread.

What only directions show (near copies, uniformity) is held against vectors of length 1, where
directions are all there is, and against others only where they hardly differ in any way: a common
offset, or a single column of positive numbers, brings all directions together and changes no order
of Euclidean distances.

The thresholds stand far from anything that a network gives by itself. Measured on 163 real photos
(``tests/evaluation/test_collapse.py`` repeats the synthetic ones):

=========================================  =======  ==============  ==========  ==========
vectors                                    copies   closest other¹  eff. rank   uniformity
=========================================  =======  ==============  ==========  ==========
trained MobileNetV2, d 1280                0        1e-1            138         -1.7
seven untrained networks², d 192 to 4096   0        7e-4 to 9e-3    31 to 128   -0.13 to -1.7
random directions, d 8, n 50 to 2500       0        1e-2 to 9e-2    7.8 to 8.0  -3.1
random directions, d 64 to 2048            0        4e-1 to 9e-1    43 to 1760  -3.9 to -4.0
random mixtures of 1 or 2 directions       0        0 to 5e-5       1.0 to 2.6  -0.3 to -1.6
random mixtures of 4 directions, d 256     0        8e-5 to 1e-2    4.0 to 4.7  -0.9 to -2.4
collapsed (conformance files)              98-100%  0               0           0
30 % copies (conformance files)            30 %     0               14 to 16    -3.1 to -3.5
float16 copy of a unit vector, d 1280      0        3e-8            -           -
=========================================  =======  ==============  ==========  ==========

¹ the smallest cosine distance between two of them. ² ResNet-18 and -50, VGG-16, ViT-Ti,
ConvNeXt-T, MobileNetV3-S, EfficientNet-B0, two seeds each.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sightline.errors import VectorError
from sightline.evaluation.retrieval.vectors import Vectors, VectorsLike, blocks, open_vectors

Doubles = NDArray[np.float64]
_Float = TypeVar("_Float", bound=np.floating)

NEAR_COSINE_DISTANCE = 1e-6
"""Two vectors no further apart are near duplicates: above what float16 rounding parts (3e-8),
and hundreds of times below what untrained networks give to different photos (7e-4)."""

MANY_COPIES = 0.5
"""A side of which this share are copies, or near copies, is collapsed. Repeated photos and tiles
of water, or the 30 % of the conformance files, are worth a warning and no alarm."""

FEWEST_DIRECTIONS = 3.0
"""Effective rank below which vectors lie on a line or a plane; untrained networks have 31."""

LEAST_SPREAD = -1e-3
"""Uniformity above which all vectors point the same way within about a degree; untrained networks
have -0.13."""

ONE_POINT = 1e-4
"""Spread up to which vectors of any length count as one point."""

# Lengths that float16 rounding leaves of 1 differ from it by less.
_UNIT_SLACK = 1e-3

# In mean squared distance from the mean: float32 holds differences no finer than this.
_NO_DIFFERENCE = 1e-14
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Collapse:
    """How much of one side's vectors is one and the same.

    Attributes:
        rows: How many vectors there are.
        dimension: How many numbers each has.
        duplicates: Share of the vectors that equal an earlier one, number for number.
        near_duplicates: Share of the vectors whose direction an earlier one has within
            :data:`NEAR_COSINE_DISTANCE`, estimated from a sample that is compared with all.
        effective_rank: exp of the entropy of the normalised singular values (Roy & Vetterli, *The
            effective rank: a measure of effective dimensionality*, EUSIPCO 2007, definition 1) of a
            sample of directions, less their mean: a common offset changes no order of distances
            and would hide what does. 0 for vectors that do not differ; None for a single one.
        uniformity: log of the mean of exp(-2 ‖x - y‖²) over pairs of a sample of directions (Wang &
            Isola, *Understanding Contrastive Representation Learning through Alignment and
            Uniformity on the Hypersphere*, ICML 2020, section 4.1.2, t = 2): 0 for one point, about
            -4 for all directions. None for a single vector.
        spread: Root mean square distance of a sample of the vectors, as they are, from their mean,
            over their root mean square length: 0 for one point, 1 around the origin. None for a
            single vector.
        unit: Whether all vectors of the sample have length 1.
        digests: A hash of each vector's numbers, (rows,) of 16 bytes: the same for equal numbers in
            float16, float32 and float64. For :func:`~sightline.evaluation.sanity.same_content`.
    """

    rows: int
    dimension: int
    duplicates: float
    near_duplicates: float
    effective_rank: float | None
    uniformity: float | None
    spread: float | None
    unit: bool
    digests: NDArray[Any] = field(repr=False)

    @property
    def told_by_directions(self) -> bool:
        """Whether vectors that point the same way are the same to every distance."""
        return self.unit or (self.spread is not None and self.spread <= ONE_POINT)

    def to_json(self) -> dict[str, float | bool | None]:
        """Return what the document shows."""
        return {
            "duplicates": self.duplicates,
            "near_duplicates": self.near_duplicates,
            "effective_rank": self.effective_rank,
            "uniformity": self.uniformity,
            "spread": self.spread,
            "unit": self.unit,
        }


def collapse_of(
    vectors: VectorsLike,
    *,
    rng: np.random.Generator,
    sample: int = 4096,
    probes: int = 1024,
    name: str = "vectors",
) -> Collapse:
    """Look for collapse in one pass over the vectors and a sample of them.

    Args:
        vectors: (m, d), finite. Lengths do not matter, except that copies are copies number for
            number; a vector of zeros is a direction of its own.
        rng: Draws the sample.
        sample: How many vectors effective rank and uniformity are taken of.
        probes: How many vectors are compared with all earlier ones to find near duplicates.
        name: What to call the vectors in an error.

    Raises:
        EvaluationError: Not a table of floats.
        VectorError: A vector of the sample is not finite.
    """
    given = open_vectors(vectors, name)
    count, dimension = given.shape
    drawn = rng.permutation(count)
    digests, nearest = _one_pass(given, np.sort(drawn[:probes]), name)
    sampled = np.sort(drawn[:sample])
    rows = given.take(sampled)
    directions = _directions(rows, sampled, name)
    spread, unit = _spread(rows.astype(np.float64))
    return Collapse(
        rows=count,
        dimension=dimension,
        duplicates=1.0 - len(np.unique(digests)) / count,
        near_duplicates=float(np.mean(nearest <= NEAR_COSINE_DISTANCE)),
        effective_rank=_effective_rank(directions),
        uniformity=_uniformity(directions),
        spread=spread,
        unit=unit,
        digests=digests,
    )


def alarm(queries: Collapse, references: Collapse) -> list[str]:
    """Return why the model must be called collapsed, one sentence each; nothing if it is not."""
    return [*_reasons(queries, "queries"), *_reasons(references, "references")]


def _reasons(side: Collapse, name: str) -> list[str]:
    reasons = []
    if side.duplicates >= MANY_COPIES:
        reasons.append(f"{100 * side.duplicates:.3g} % of the {name} are copies of an earlier one.")
    elif side.near_duplicates >= MANY_COPIES and side.told_by_directions:
        reasons.append(
            f"{100 * side.near_duplicates:.3g} % of the {name} have an earlier one within a "
            f"cosine distance of {NEAR_COSINE_DISTANCE:g}."
        )
    # Few rows, or few dimensions, cannot differ in many directions, and one is no choice.
    possible = min(side.rows - 1, side.dimension)
    rank = side.effective_rank
    if rank is not None and possible > 1 and rank < min(FEWEST_DIRECTIONS, possible / 2):
        reasons.append(
            f"The {name} differ in {rank:.2g} directions of {possible} (effective rank)."
        )
    if side.uniformity is not None and side.uniformity > LEAST_SPREAD and side.told_by_directions:
        reasons.append(
            f"The {name} all point the same way: uniformity is {side.uniformity:.2g}, and about -4 "
            "for vectors that use all directions."
        )
    return reasons


def _one_pass(
    vectors: Vectors, probes: NDArray[np.int64], name: str
) -> tuple[NDArray[Any], Doubles]:
    """Return a digest of each row, and each probe's cosine distance to the nearest earlier row.

    Args:
        vectors: (m, d).
        probes: Row numbers in ascending order.
        name: What to call the vectors in an error.
    """
    count, dimension = vectors.shape
    digests = np.empty(count, f"S{_DIGEST_BYTES}")
    asked = _directions(vectors.take(probes), probes, name)
    singles = asked.astype(np.float32)
    best = np.full(len(probes), -np.inf, np.float32)
    nearest = probes.copy()
    for start, stop in blocks(count, dimension * 8 + len(probes) * 4):
        rows = vectors.rows(start, stop)
        digests[start:stop] = row_digests(rows)
        later = slice(np.searchsorted(probes, start, side="right"), None)
        others = _single_directions(rows)
        # The largest is the nearest, of vectors of length 1 and of zeros.
        scores = singles[later] @ others.T - 0.5 * np.square(others).sum(axis=1)
        scores[np.arange(start, stop) >= probes[later, None]] = -np.inf
        place = scores.argmax(axis=1)
        score = scores[np.arange(len(place)), place]
        better = score > best[later]
        best[later] = np.where(better, score, best[later])
        nearest[later] = np.where(better, start + place, nearest[later])
    # Half the squared distance, in float64: a cosine near 1 would drown in its rounding.
    others = _unit(vectors.take(nearest).astype(np.float64))
    distance = 0.5 * np.square(asked - others).sum(axis=1)
    return digests, np.where(nearest == probes, np.inf, distance)


def row_digests(rows: NDArray[np.floating]) -> NDArray[Any]:
    """Hash the numbers of each row: equal numbers give equal hashes, whatever their type.

    Args:
        rows: (n, d) of float16, float32 or float64.

    Returns:
        (n,) of 16 bytes (BLAKE2b).
    """
    with np.errstate(over="ignore"):
        singles = np.ascontiguousarray(rows, np.float32)
    # Adding zero makes -0.0 the 0.0 it equals.
    singles = singles + np.float32(0)
    packed = [hashlib.blake2b(row, digest_size=_DIGEST_BYTES).digest() for row in singles]
    if rows.dtype == np.float64:
        for row in np.flatnonzero((rows != singles).any(axis=1)):
            doubles = (rows[row] + 0.0).tobytes()
            packed[row] = hashlib.blake2b(doubles, digest_size=_DIGEST_BYTES).digest()
    return np.array(packed, f"S{_DIGEST_BYTES}")


def _directions(rows: NDArray[np.floating], numbers: NDArray[np.int64], name: str) -> Doubles:
    doubles = rows.astype(np.float64)
    finite = np.isfinite(doubles).all(axis=1)
    if not finite.all():
        row = int(numbers[np.argmin(finite)])
        raise VectorError(
            f"{name} row {row} is not finite.",
            hint="Find out what made it; a model with such outputs has no score.",
        )
    return _unit(doubles)


def _single_directions(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    if rows.dtype == np.float64:  # beyond the range of float32, perhaps
        return _unit(rows).astype(np.float32)
    return _unit(rows.astype(np.float32, copy=False))


def _unit(rows: NDArray[_Float]) -> NDArray[_Float]:
    """Rows of length 1; rows of zeros stay."""
    # Scaled first: squares of large numbers overflow, squares of small ones vanish.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / np.where(largest > 0, largest, 1)
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    return np.asarray(scaled / np.where(lengths > 0, lengths, 1), rows.dtype)


def _spread(rows: Doubles) -> tuple[float | None, bool]:
    """Return the spread of vectors and whether all have length 1."""
    # Scaled first: squares of large numbers overflow, squares of small ones vanish.
    largest = float(np.abs(rows).max()) or 1.0
    scaled = rows / largest
    lengths = np.linalg.norm(scaled, axis=1)
    unit = bool((np.abs(lengths * largest - 1.0) <= _UNIT_SLACK).all())
    if len(rows) < 2:
        return None, unit
    size = math.sqrt(np.square(lengths).mean())
    centred = scaled - scaled.mean(axis=0)
    away = math.sqrt(np.square(centred).sum(axis=1).mean())
    return (away / size if size else 0.0), unit


def _effective_rank(directions: Doubles) -> float | None:
    count, dimension = directions.shape
    if count < 2:
        return None
    centred = directions - directions.mean(axis=0)
    gram = centred.T @ centred if dimension < count else centred @ centred.T
    energy = np.maximum(np.linalg.eigvalsh(gram), 0.0)
    if energy.sum() / count <= _NO_DIFFERENCE:
        return 0.0
    singular = np.sqrt(energy[energy > energy.max() * count * np.finfo(np.float64).eps])
    shares = singular / singular.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _uniformity(directions: Doubles) -> float | None:
    count = len(directions)
    if count < 2:
        return None
    singles = directions.astype(np.float32)
    squares = np.square(singles).sum(axis=1)
    total = 0.0
    for start, stop in blocks(count, 4 * count):
        distance = squares[start:stop, None] + squares - 2 * (singles[start:stop] @ singles.T)
        kernel = np.exp(-2 * np.maximum(distance, 0))
        # A vector and itself are no pair; taken away later, they would leave their rounding.
        kernel[np.arange(stop - start), np.arange(start, stop)] = 0.0
        total += float(kernel.sum(dtype=np.float64))
    mean = total / (count * (count - 1))
    return math.log(min(mean, 1.0))
