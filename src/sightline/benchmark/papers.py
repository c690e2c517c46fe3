"""What the papers' tables have in common: their radii and names, and what they are made of.

*Revisiting IM2GPS* is Vo, Jacobs and Hays (2017); *Leveraging EfficientNet* is Kordopatis-Zilos,
Galopoulos, Papadopoulos and Kompatsiaris (2021).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sightline.benchmark.answers import Answers, or_representative
from sightline.benchmark.neighbours import Neighbours, Search
from sightline.benchmark.seen import Floats, Queries
from sightline.geo.coordinates import LatLng

IM2GPS = "Revisiting IM2GPS"
VISLOC = "Leveraging EfficientNet"

FIVE_KM = (1.0, 25.0, 200.0, 750.0, 2500.0)
"""Street, city, region, country and continent: both papers."""

EIGHT_KM = (0.1, 1.0, 5.0, 10.0, 25.0, 200.0, 750.0, 2500.0)
"""Table 1 of *Leveraging EfficientNet*: these five, and 100 m, 5 km and 10 km."""

FINE_KM = (0.1, 1.0, 5.0, 10.0)
"""Its tables 5 and 6."""

LONDON = LatLng(51.5074, -0.1278)
"""What *Revisiting IM2GPS* compares with: "always outputting London"."""

SIGMAS_DEGREES = (1.0, 4.0, 16.0)
"""Of *Revisiting IM2GPS*, figure 8."""

K = 10
"""Of search within cell: *Leveraging EfficientNet*, section 4.2."""

OWN_SIGMA_M = 1000.0
"""The width of `sightline locate --method density`."""

NEAREST = "nearest"


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What tables are made of.

    Attributes:
        search: Queries and references, by the model's own vectors for retrieval.
        guesses: Places that are always answered, by what they are called.
        others: The same queries and references by other vectors, by their name; for ``retrieval``.
        connections: Of ``others``, those made by residual modules on the model's own features, and
            whether each has its residual connection; for ``residual``.
        thresholds_km: In place of each table's own; None to leave them.
    """

    search: Search
    guesses: Mapping[str, LatLng]
    others: Mapping[str, Search]
    connections: Mapping[str, bool] = field(default_factory=dict)
    thresholds_km: tuple[float, ...] | None = None

    @property
    def queries(self) -> Queries:
        """The photos that are asked about."""
        return self.search.queries

    def columns(self, own: tuple[float, ...]) -> tuple[float, ...]:
        """The thresholds of a table."""
        return self.thresholds_km or own


def within_cell(
    given: Material, name: str, answer: Callable[[Neighbours], Floats], *, background: bool = False
) -> Answers:
    """Search within the most probable cell of the finest partition."""
    number = len(given.queries.beliefs) - 1
    found = given.search.in_cells(number, background=background)
    points, empty = or_representative(answer(found), given.queries, number)
    return Answers(name, "within cell", points, note=fell_back(empty))


def fell_back(empty: int) -> str:
    """What is said of photos whose cell holds no reference."""
    return f"{empty:,} photos whose cell holds no reference: the classifier's own." if empty else ""
