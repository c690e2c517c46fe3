"""The methods by name, with their settings in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from numpy.typing import ArrayLike

from sightline.errors import UsageError
from sightline.locating.clusters import largest_cluster
from sightline.locating.density import density_mode
from sightline.locating.evidence import Placement, require_number
from sightline.locating.nearest import nearest_match

Method: TypeAlias = Literal["nearest", "density", "clusters"]
CellMethod: TypeAlias = Literal["within-cell", "classify"]
AnyMethod: TypeAlias = Method | CellMethod

METHODS: tuple[str, ...] = get_args(Method)
"""Those that read matches from anywhere."""

CELL_METHODS: tuple[str, ...] = get_args(CellMethod)
"""Those that ask a classifier first."""

# The papers' own: k = 100 (Im2GPS) and K = 10 (search within cell). Nearest answers with one match
# and needs others to say how sure it is.
DEFAULT_K: Mapping[str, int] = MappingProxyType(
    {"nearest": 10, "density": 100, "clusters": 10, "within-cell": 10}
)


@dataclass(frozen=True, slots=True)
class MethodSettings:
    """What the methods can be tuned by; each reads what concerns it.

    Attributes:
        exponent: m of the evidence weights ``max(score, 0) ** m``, for all methods.
        sigma_m: Of ``density``: standard deviation of a kernel in metres.
        epsilon_m: Of ``clusters``: matches at most this far apart are neighbours.
        min_samples: Of ``clusters``: neighbours, itself included, that make a core match.
        mean_exponent: Of ``clusters``: a of the weights ``max(score, 0) ** a`` in the mean.
        place_m: How far one place reaches when the margin to the next is taken.
        reach_m: From how far away a match shows the same thing: the standard deviation of a
            Gaussian on the ground that every match adds to the spread. 15 m is also the radius
            over which an atlas pools references into places.
    """

    exponent: float = 10.0
    sigma_m: float = 1000.0
    epsilon_m: float = 1000.0
    min_samples: int = 1
    mean_exponent: float = 0.0
    place_m: float = 1000.0
    reach_m: float = 15.0

    def __post_init__(self) -> None:
        require_number("exponent", self.exponent, at_least=0.0)
        require_number("sigma_m", self.sigma_m, at_least=1.0)
        require_number("epsilon_m", self.epsilon_m, at_least=0.0)
        require_number("min_samples", self.min_samples, at_least=1)
        require_number("mean_exponent", self.mean_exponent, at_least=0.0)
        require_number("place_m", self.place_m, at_least=0.0)
        require_number("reach_m", self.reach_m, at_least=0.0)


def check_method(method: str, known: Sequence[str] = METHODS) -> None:
    """Raise a UsageError unless ``method`` is the name of one of those ``known``."""
    if method not in known:
        names = ", ".join(known)
        raise UsageError(
            f"method must be one of {names}. Got {method!r}.",
            hint="Use nearest if you want the place of the best match.",
        )


def place(
    method: Method, coordinates: ArrayLike, scores: ArrayLike, settings: MethodSettings
) -> Placement:
    """Run one method on a batch of matches.

    Args:
        method: Its name.
        coordinates: Degrees (n, k, 2), NaN for padding.
        scores: (n, k), higher is better.
        settings: What it is tuned by.

    Returns:
        Points (n, 2) and weights (n, k).

    Raises:
        UsageError: The shapes do not fit, or there is no such method.
        CoordinateError: A coordinate is out of range.
    """
    check_method(method)
    if method == "density":
        return density_mode(
            coordinates, scores, sigma_m=settings.sigma_m, exponent=settings.exponent
        )
    if method == "clusters":
        return largest_cluster(
            coordinates,
            scores,
            epsilon_m=settings.epsilon_m,
            min_samples=settings.min_samples,
            mean_exponent=settings.mean_exponent,
            exponent=settings.exponent,
        )
    return nearest_match(coordinates, scores, exponent=settings.exponent)
