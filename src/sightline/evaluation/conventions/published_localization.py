"""The table of how published functions measure and count localization errors.

Six peers, three Earths, and ``<`` here where there stands ``<=`` there. For places far apart the
Earths differ by up to 40 km, for a threshold of 1 km by 5 metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Unit: TypeAlias = Literal["fraction", "percent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLocalization:
    """One row of the table of localization conventions.

    Attributes:
        peer: The name that users know it by.
        function: What the function is called in the peer's code.
        source: Repository, file and function.
        earth_radius_m: Of its sphere; None for the geodesic on the WGS84 ellipsoid.
        inclusive: Whether a distance that equals the threshold is within it.
        accuracy_key: What it calls the share within so many kilometres.
        thresholds_km: Those that it uses unless told otherwise.
        unit: ``fraction`` of 1, or ``percent``.
        single: Whether its numbers are rounded to float32.
        score: Whether it reports a score, ``exact`` or ``rounded`` for each photo.
        mean_key: What it calls the mean distance, a float32; None if it returns none.
        score_key: What it calls the mean score; None if it returns none.
        statistics: Further numbers that it prints or returns elsewhere, under our names.
    """

    peer: str
    function: str
    source: str
    earth_radius_m: float | None
    inclusive: bool
    accuracy_key: str
    thresholds_km: tuple[float, ...] = (1, 25, 200, 750, 2500)
    unit: Unit = "fraction"
    single: bool = False
    score: Literal["exact", "rounded"] | None = None
    mean_key: str | None = None
    score_key: str | None = None
    statistics: tuple[str, ...] = ()


def _haversine_metrics(peer: str, source: str) -> PublishedLocalization:
    return PublishedLocalization(
        peer=peer,
        function="HaversineMetrics",
        source=source,
        earth_radius_m=6_371_000.0,
        inclusive=False,
        accuracy_key="Accuracy_{}_km_radius",
        single=True,
        score="exact",
        mean_key="Haversine",
        score_key="Geoguessr",
    )


# Within a peer, the first function is the one its scores are reported by.
LOCALIZATION: dict[str, PublishedLocalization] = {
    "im2gps": PublishedLocalization(
        peer="im2gps",
        function="main_im2gps_test",
        source="lugiavn/revisiting-im2gps:main_im2gps_test.m",
        earth_radius_m=6_371_000.0,
        inclusive=True,
        accuracy_key="{}",
    ),
    "osv5m": _haversine_metrics(
        "osv5m", "gastruc/osv5m:metrics/distance_based.py:HaversineMetrics"
    ),
    "plonk": _haversine_metrics(
        "plonk", "nicolas-dufour/plonk:plonk/metrics/distance_based.py:HaversineMetrics"
    ),
    "pigeon": PublishedLocalization(
        peer="pigeon",
        function="compute_geoguessr_metrics",
        source="LukasHaas/PIGEON:evaluation/metrics.py:percentage_within_radius, geoguessr_score",
        earth_radius_m=6_378_137.0,
        inclusive=False,
        accuracy_key="Under_{}_km",
        score="rounded",
        score_key="geoguessr",
        statistics=("mean_error_km", "median_error_km"),
    ),
    "geoclip": PublishedLocalization(
        peer="geoclip",
        function="eval_images",
        source="VicenteVivan/geo-clip:geoclip/train/eval.py:eval_images, distance_accuracy",
        earth_radius_m=None,
        inclusive=True,
        accuracy_key="acc_{}_km",
        statistics=("mean_error_km",),
    ),
    "visloc_evaluation": PublishedLocalization(
        peer="visloc",
        function="evaluation.pprint_results",
        source="mever-team/visloc-estimation:evaluation.py:pprint_results",
        earth_radius_m=6_371_000.0,
        inclusive=False,
        accuracy_key="{}",
        thresholds_km=(0.1, 1, 25, 200, 750, 2500),
        unit="percent",
        statistics=("median_error_km",),
    ),
    "visloc_train_calc_acc": PublishedLocalization(
        peer="visloc",
        function="modules.calc_acc",
        source="mever-team/visloc-estimation:src/modules.py:_calc_acc",
        earth_radius_m=6_371_000.0,
        inclusive=True,
        accuracy_key="{}km",
        single=True,
    ),
}

LOCALIZATION_PEERS: dict[str, tuple[str, ...]] = {
    peer: tuple(name for name, row in LOCALIZATION.items() if row.peer == peer)
    for peer in dict.fromkeys(row.peer for row in LOCALIZATION.values())
}
"""The functions of each peer, the one its scores are reported by first."""
