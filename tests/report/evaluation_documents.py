"""Evaluation documents as ``sightline evaluate --json`` prints them, made from simulated ranks.

The numbers follow from the ranks by the plainest formulas, so that what a page shows is what a
real evaluation would show; nothing of ``sightline.evaluation`` is used.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

SCHEMA = "sightline.evaluation/1"
POLICIES = "optimistic", "pessimistic", "expected"
THRESHOLDS_KM = [0.1, 1, 5, 10, 25, 200, 750, 2500]
REQUIRED = [0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.96, 0.97, 0.98, 0.99, 0.995, 1.0]

Ranks = NDArray[np.int64]
Document = dict[str, Any]


def ordinary(name: str = "model.npz", *, n: int = 8884, seed: int = 0, skill: float = 0.2):
    """A trained model: most queries find their reference early, with a long tail and few ties."""
    rng = np.random.default_rng(seed)
    rank = np.exp(rng.normal(skill, 2.2, n)).astype(np.int64)
    lost = rng.random(n) < 0.02
    better = np.where(lost, rng.integers(0, n, n), np.minimum(rank, n - 1))
    tied = np.where(rng.random(n) < 0.003, 1, 0)
    tied = np.minimum(tied, n - 1 - better)
    return retrieval(name, better, tied, n, dimension=1024)


def collapsed(name: str = "collapsed.npz", *, n: int = 2003) -> Document:
    """Every vector is the same: nothing is closer, everything is tied."""
    document = retrieval(name, np.zeros(n, np.int64), np.full(n, n - 1, np.int64), n, dimension=256)
    document["collapse"] = {
        "alarm": True,
        "reasons": [
            f"All {n:,} query vectors are copies of one vector.",
            "The effective rank of the references is 1.0 of 256 dimensions.",
        ],
        "queries": {
            "duplicates": 1.0,
            "near_duplicates": 1.0,
            "effective_rank": 1.0,
            "uniformity": 0.0,
        },
        "references": {
            "duplicates": 1.0,
            "near_duplicates": 1.0,
            "effective_rank": 1.0,
            "uniformity": 0.0,
        },
    }
    document["warnings"] = [
        "Recall@1 is 100 % only where ties count as hits: the model wins under optimistic ties."
    ]
    return document


def retrieval(name: str, better: Ranks, tied: Ranks, references: int, dimension: int) -> Document:
    """The document of one retrieval with one positive for each query."""
    n = len(better)
    ks = {f"{p}%": max(1, references * p // 100) for p in (1, 5, 10)}
    wanted = {f"recall@{k}": k for k in (1, 5, 10)} | {f"recall@{p}": k for p, k in ks.items()}
    policies = {policy: _numbers(better, tied, references, wanted, policy) for policy in POLICIES}
    metrics = {
        metric: {
            "value": value,
            **_interval(value, n, metric),
            "ties": abs(policies["optimistic"][metric] - policies["pessimistic"][metric]),
        }
        for metric in policies["expected"]
        for value in [policies[_headline_policy(metric)][metric]]
    }
    pssr = (references - (better + tied + 1)) / references
    counts, edges = np.histogram(pssr, bins=20, range=(0, 1))
    k = np.unique(np.rint(np.geomspace(1, references, 60)).astype(int))
    wins = {row: _recall(better, tied, k, row) for row in POLICIES}
    document = {
        "schema": SCHEMA,
        "kind": "retrieval",
        "name": name,
        "sightline_version": "0.1.0",
        "n_queries": n,
        "n_references": references,
        "dimension": dimension,
        "n_without_positive": 0,
        "settings": {
            "distance": "euclidean",
            "ties": "expected",
            "pssr_ties": "pessimistic",
            "tie_tolerance": 4.8e-07,
            "confidence": 0.95,
            "resamples": 10000,
            "seed": 0,
            "grouped_by": None,
            "n_groups": None,
            "k_of_percent": ks,
            "radius_m": None,
            "same_place_m": 5.0,
        },
        "metrics": metrics,
        "tie_policies": policies,
        "reverse": None,
        "conventions": _conventions(better, tied, references),
        "published": {
            "transgeo": {"accuracy": [100 * float((better < k).mean()) for k in (1, 5)]},
            "witw": {"ranks": {"mean": float((better + tied + 1).mean())}},
        },
        "baselines": {
            "random": {m: k / references for m, k in wanted.items()} | {"pssr": 0.5},
            "constant": {m: k / references for m, k in wanted.items()} | {"pssr": 0.0},
            "shuffled": {m: 1.1 * k / references for m, k in wanted.items()} | {"pssr": 0.4983},
        },
        "collapse": {
            "alarm": False,
            "reasons": [],
            "queries": {
                "duplicates": 0.0,
                "near_duplicates": 0.0012,
                "effective_rank": 321.4,
                "uniformity": -3.9,
            },
            "references": {
                "duplicates": 0.0,
                "near_duplicates": 0.0007,
                "effective_rank": 298.2,
                "uniformity": -3.8,
            },
        },
        "leakage": {
            "same_place": 12,
            "same_content": 1,
            "by": "hashes",
            "radius_m": 5.0,
            "examples": [[88, 4711]],
            "same_place_examples": [[17, 4021], [230, 8003]],
        },
        "histograms": {"pssr": {"edges": edges.tolist(), "counts": counts.tolist()}},
        "curves": {
            "recall": {"k": k.tolist(), **{row: wins[row] for row in POLICIES}},
            "search_space": {
                "recall": REQUIRED,
                "share": [_share_left(better + tied + 1, references, q) for q in REQUIRED],
            },
        },
        "warnings": [
            "12 queries stand within 5 m of a reference: see the list of leakage.",
        ],
    }
    return json.loads(json.dumps(document, allow_nan=False))


def with_reverse(document: Document) -> Document:
    """The same, with the other direction."""
    metrics = copy.deepcopy(document["metrics"])
    metrics["recall@1"] = {"value": 0.4711, "low": 0.4607, "high": 0.4815, "ties": 0.0}
    return {
        **document,
        "reverse": {"metrics": metrics, "tie_policies": copy.deepcopy(document["tie_policies"])},
    }


def minimal_retrieval() -> Document:
    """Two queries, one reference, everything undefined that may be."""
    undefined = {"value": None, "low": None, "high": None, "ties": None}
    return {
        "schema": SCHEMA,
        "kind": "retrieval",
        "name": "tiny.npz",
        "sightline_version": "0.1.0",
        "n_queries": 2,
        "n_references": 1,
        "dimension": 1,
        "n_without_positive": 2,
        "settings": {
            "distance": "euclidean",
            "ties": "expected",
            "tie_tolerance": 0.0,
            "confidence": 0.95,
            "resamples": 0,
            "seed": 0,
            "grouped_by": None,
            "n_groups": None,
            "k_of_percent": {"1%": 1},
            "radius_m": 25.0,
        },
        "metrics": {"recall@1": dict(undefined), "pssr": dict(undefined)},
        "tie_policies": {policy: {"recall@1": None, "pssr": None} for policy in POLICIES},
        "reverse": None,
        "conventions": {},
        "published": {},
        "baselines": {},
        "collapse": {
            "alarm": False,
            "reasons": [],
            "queries": {
                "duplicates": None,
                "near_duplicates": None,
                "effective_rank": None,
                "uniformity": None,
            },
            "references": {
                "duplicates": None,
                "near_duplicates": None,
                "effective_rank": None,
                "uniformity": None,
            },
        },
        "leakage": None,
        "histograms": {"pssr": {"edges": [0.0, 0.5, 1.0], "counts": [0, 0]}},
        "curves": {
            "recall": {
                "k": [1],
                "optimistic": [None],
                "expected": [None],
                "pessimistic": [None],
            },
            "search_space": {"recall": [], "share": []},
        },
        "warnings": [],
    }


def localization(
    name: str = "predictions.csv", *, n: int = 240, seed: int = 3, sigma: float = 2.2
) -> Document:
    """Photos around the world with errors from metres to antipodes, two of them abstained."""
    rng = np.random.default_rng(seed)
    cities = np.array(
        [(48.86, 2.35), (35.68, 139.69), (40.71, -74.0), (-33.87, 151.2), (-1.29, 36.82),
         (-23.55, -46.63), (55.7, 13.19), (28.61, 77.2), (-17.8, 177.9), (64.1, -21.9),
         (19.43, -99.13), (-36.85, 174.76), (30.04, 31.24), (1.35, 103.8), (49.28, -123.1)]
    )  # fmt: skip
    chosen = rng.integers(0, len(cities), n)
    truth = cities[chosen] + rng.normal(0, 3.0, (n, 2))
    truth[:, 1] = (truth[:, 1] + 180) % 360 - 180
    error_km = np.minimum(np.exp(rng.normal(np.log(120), sigma, n)), 19_000.0)
    answer = _moved(truth, rng.uniform(0, 360, n), error_km)
    unknown = np.arange(n) < 2
    photos = [
        {
            "id": f"photo-{row:04d}.jpg",
            "lat": None if unknown[row] else float(answer[row, 0]),
            "lon": None if unknown[row] else float(answer[row, 1]),
            "true_lat": float(truth[row, 0]),
            "true_lon": float(truth[row, 1]),
            "error_km": None if unknown[row] else float(error_km[row]),
        }
        for row in range(n)
    ]
    error_km[unknown] = np.inf
    grid = np.unique(np.concatenate([np.geomspace(0.01, 20_020, 80), THRESHOLDS_KM]))
    within = {f"accuracy@{t:g}km": float((error_km <= t).mean()) for t in THRESHOLDS_KM}
    values = within | {
        "median_error_km": _finite(np.median(error_km)),
        "mean_error_km": None,
        "mean_error_km_of_answered": float(error_km[~unknown].mean()),
        "score": float(np.where(unknown, 0, 5000 * np.exp(-error_km / 1492.7)).mean()),
    }
    regions = np.array(["Africa", "America", "Asia", "Europe", "Oceania"])[chosen % 5]
    document = {
        "schema": SCHEMA,
        "kind": "localization",
        "name": name,
        "sightline_version": "0.1.0",
        "n_photos": n,
        "n_answered": n - 2,
        "n_abstained": 1,
        "n_failed": 1,
        "settings": {
            "earth": "sphere",
            "confidence": 0.95,
            "resamples": 10000,
            "seed": 0,
            "grouped_by": "place",
            "n_groups": 123,
            "thresholds_km": THRESHOLDS_KM,
        },
        "metrics": {m: {"value": v, **_interval(v, n, m)} for m, v in values.items()},
        "groups": {
            "region": {
                str(region): {
                    "n": int((regions == region).sum()),
                    "metrics": _group(error_km[regions == region]),
                }
                for region in np.unique(regions)
            }
        },
        "conventions": {
            "im2gps": {m: v for m, v in within.items() if m != "accuracy@0.1km"},
            "osv5m": {
                **{m: within[m] for m in ("accuracy@1km", "accuracy@25km", "accuracy@200km")},
                "score": values["score"] * 1.004,
            },
        },
        "published": {"im2gps": {"1km": 12.5}, "osv5m": {"geoscore": 2345.67}},
        "baselines": {
            "prior": {
                "lat": 51.507,
                "lon": -0.128,
                "metrics": _baseline([0, 0.004, 0.01, 0.013, 0.02, 0.04, 0.11, 0.29]),
            },
            "random": {"metrics": _baseline([0, 0, 0, 0, 0, 0.001, 0.02, 0.08])},
            "shuffled": {"metrics": _baseline([0, 0, 0.002, 0.004, 0.01, 0.05, 0.08, 0.14])},
        },
        "photos": photos,
        "curves": {
            "error": {"km": grid.tolist(), "share": [float((error_km <= t).mean()) for t in grid]}
        },
        "calibration": {
            "stated": [0.5, 0.9],
            "observed": [0.4243, 0.7815],
            "n": [n - 2, n - 2],
        },
        "warnings": [],
    }
    return json.loads(json.dumps(document, allow_nan=False))


def minimal_localization() -> Document:
    """One photo without an answer."""
    nothing = {"value": None, "low": None, "high": None}
    return {
        "schema": SCHEMA,
        "kind": "localization",
        "name": "one.csv",
        "sightline_version": "0.1.0",
        "n_photos": 1,
        "n_answered": 0,
        "n_abstained": 1,
        "n_failed": 0,
        "settings": {
            "earth": "geodesic",
            "confidence": 0.95,
            "resamples": 0,
            "seed": 0,
            "grouped_by": None,
            "n_groups": None,
            "thresholds_km": [1],
        },
        "metrics": {
            "accuracy@1km": {"value": 0.0, "low": None, "high": None},
            "median_error_km": nothing,
        },
        "groups": {},
        "conventions": {},
        "published": {},
        "baselines": {},
        "photos": [
            {
                "id": "a",
                "lat": None,
                "lon": None,
                "true_lat": 1.0,
                "true_lon": 2.0,
                "error_km": None,
            }
        ],
        "curves": {"error": {"km": [], "share": []}},
        "calibration": None,
        "warnings": [],
    }


def comparison(a: str = "old.npz", b: str = "new.npz") -> Document:
    """Two systems on the same queries."""
    return {
        "schema": SCHEMA,
        "kind": "comparison",
        "a": {"name": a},
        "b": {"name": b},
        "n_queries": 8884,
        "sightline_version": "0.1.0",
        "settings": {
            "confidence": 0.95,
            "resamples": 10000,
            "seed": 0,
            "grouped_by": None,
            "n_groups": None,
        },
        "metrics": {
            "recall@1": _pair(0.512, 0.541, 0.0212, 0.0368, 0.0001),
            "recall@5": _pair(0.771, 0.774, -0.0041, 0.0101, 0.41),
            "recall@1%": _pair(0.983, 0.979, -0.0066, -0.0014, 0.003),
            "mean_rank": _pair(41.2, 37.9, -5.1, -1.4, 0.0007),
            "pssr": _pair(0.9954, 0.9957, None, None, None),
        },
        "warnings": [],
    }


def _pair(a: float, b: float, low: float | None, high: float | None, p: float | None) -> Document:
    return {
        "a": a,
        "b": b,
        "difference": b - a,
        "low": low,
        "high": high,
        "p_value": p,
        "p_value_holm": None if p is None else min(1.0, 4 * p),
        "exact": False,
    }


def _recall(better: Ranks, tied: Ranks, k: Ranks, policy: str) -> list[float]:
    if policy == "optimistic":
        hits = better[:, None] < k
    elif policy == "pessimistic":
        hits = (better + tied)[:, None] < k
    else:
        hits = np.clip((k - better[:, None]) / (tied + 1)[:, None], 0, 1)
    return hits.mean(axis=0).tolist()


def _numbers(
    better: Ranks, tied: Ranks, references: int, wanted: dict[str, int], policy: str
) -> dict[str, float]:
    first = {"optimistic": better + 1, "pessimistic": better + tied + 1}
    rank = first.get(policy, better + 1 + tied / 2)
    recall = _recall(better, tied, np.array(list(wanted.values())), policy)
    return {
        **dict(zip(wanted, recall, strict=True)),
        "mrr": float((1 / rank).mean()),
        "mean_rank": float(rank.mean()),
        "median_rank": float(np.median(rank)),
        "pssr": float(((references - rank) / references).mean()),
        **{f"search_space@{q}%": _share_left(rank, references, q / 100) for q in (90, 95, 99, 100)},
    }


def _headline_policy(metric: str) -> str:
    """PSSR counts ties against the model, and the search space with it."""
    return "pessimistic" if metric.startswith(("pssr", "search_space")) else "expected"


def _share_left(depth: np.ndarray, references: int, required: float) -> float:
    depth = np.sort(depth)
    return float(depth[max(0, int(np.ceil(required * len(depth))) - 1)] / references)


def _interval(value: float | None, n: int, metric: str) -> dict[str, float | None]:
    if value is None or metric.startswith("search_space"):
        return {"low": None, "high": None}
    if 0 <= value <= 1:
        half = 1.96 * float(np.sqrt(max(value * (1 - value), 0) / n))
        return {"low": max(0.0, value - half), "high": min(1.0, value + half)}
    return {"low": 0.93 * value, "high": 1.08 * value}


def _conventions(better: Ranks, tied: Ranks, references: int) -> Document:
    """What published code says: strict comparison, or off by one, or ties as misses."""
    one = references // 100
    at = {"recall@1": 1, "recall@5": 5, "recall@10": 10}
    strict = {m: float((better < k).mean()) for m, k in at.items()}
    shifted = {m: float((better <= k).mean()) for m, k in at.items()}
    late = {m: float((better + tied < k).mean()) for m, k in at.items()}
    percent = float((better < one).mean())
    return {
        "cvm-net": {"recall@1%": float((better < one + 1).mean())},
        "safa": {**strict, "recall@1%": percent},
        "transgeo": {
            "recall@1": strict["recall@1"],
            "recall@5": strict["recall@5"],
            "recall@1%": percent,
        },
        "sample4geo": {**strict, "recall@1%": percent},
        "witw": {**late, "recall@1%": float((better + tied < one).mean())},
        "image-locate": {
            **shifted,
            "recall@1%": float((better <= one).mean()),
            "recall@50": float((better <= 50).mean()),
            "pssr": float(((better + tied + 1) / references).mean()),
        },
    }


def _moved(truth: np.ndarray, bearing: np.ndarray, km: np.ndarray) -> np.ndarray:
    """Places reached on the sphere, by the spherical law of cosines."""
    lat, lon, angle, turn = (
        np.radians(truth[:, 0]),
        np.radians(truth[:, 1]),
        km / 6371.0,
        np.radians(bearing),
    )
    there = np.arcsin(np.sin(lat) * np.cos(angle) + np.cos(lat) * np.sin(angle) * np.cos(turn))
    east = np.arctan2(
        np.sin(turn) * np.sin(angle) * np.cos(lat), np.cos(angle) - np.sin(lat) * np.sin(there)
    )
    return np.column_stack([np.degrees(there), (np.degrees(lon + east) + 180) % 360 - 180])


def _group(error_km: np.ndarray) -> Document:
    within = {
        f"accuracy@{t:g}km": {"value": float((error_km <= t).mean()), "low": None, "high": None}
        for t in THRESHOLDS_KM
    }
    return within | {
        "median_error_km": {"value": _finite(np.median(error_km)), "low": None, "high": None}
    }


def _baseline(shares: list[float]) -> dict[str, float]:
    return {f"accuracy@{t:g}km": s for t, s in zip(THRESHOLDS_KM, shares, strict=True)}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
