"""How long a bootstrap takes: only what a statistic sees is drawn, beside drawing every query.

    python benchmarks/bootstrap.py

Every case has the same queries on both sides, in one process, in turns. The plain bootstrap, numpy
drawing an index for every query of every resample, is timed on fewer resamples and scaled; its
standard error must agree with ours. Processor time is given beside the clock's, because it does
not depend on how many cores the machine has.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special

from _record import record
from sightline.evaluation.uncertainty import interval, paired_test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=100_000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--plain-resamples", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="Print and record nothing.")
    arguments = parser.parse_args()
    results = {}
    for name, case in cases(arguments.queries).items():
        results[name] = compare(case, arguments)
        print(
            f"{name}: {results[name]['ours_s']:.3f} s, plain {results[name]['plain_s']:.1f} s, "
            f"{results[name]['times_faster']:.0f} times as fast"
        )
    results["paired test of real numbers"] = paired(arguments)
    print(f"paired test: {results['paired test of real numbers']['ours_s']:.3f} s")
    if not arguments.dry:
        sizes = {"queries": arguments.queries, "resamples": arguments.resamples}
        print(record("bootstrap", {**sizes, "results": results}))


def cases(count: int) -> dict[str, dict[str, Any]]:
    """Values, statistic and groups by what they are an example of."""
    rng = np.random.default_rng(0)
    recall = (rng.random(count) < 0.4).astype(float)
    errors = rng.lognormal(5.0, 3.0, count)
    many = rng.integers(0, max(2, count // 3), count)
    few = rng.integers(0, 100, count)
    alike = errors * np.exp(rng.normal(size=many.max() + 1))[many]
    return {
        "mean of zeros and ones": {"values": recall},
        "mean of real numbers": {"values": errors},
        "median": {"values": errors, "statistic": "median"},
        "95 % quantile": {"values": errors, "statistic": 0.95},
        "mean of zeros and ones, 100 groups": {"values": recall, "groups": few},
        "mean of real numbers, 100 groups": {"values": errors, "groups": few},
        "median, 100 groups": {"values": errors, "statistic": "median", "groups": few},
        "mean of zeros and ones, groups of 3": {"values": recall, "groups": many},
        "mean of real numbers, groups of 3": {"values": alike, "groups": many},
        "median, groups of 3": {"values": alike, "statistic": "median", "groups": many},
    }


def compare(case: dict[str, Any], arguments: argparse.Namespace) -> dict[str, float]:
    """Time both in turns; the plain one is scaled to as many resamples."""
    ours, processor, theirs, errors, ours_errors = [], [], [], [], []
    scale = arguments.resamples / arguments.plain_resamples
    for turn in range(arguments.rounds):
        found, clock, cpu = timed(
            lambda turn=turn: interval(
                **case, resamples=arguments.resamples, rng=np.random.default_rng(turn)
            )
        )
        ours.append(clock)
        processor.append(cpu)
        ours_errors.append((found.high - found.low) / (2 * scipy.special.ndtri(0.975)))
        drawn, clock, _ = timed(lambda turn=turn: plain(case, arguments.plain_resamples, turn))
        theirs.append(clock * scale)
        errors.append(drawn.std())
    error, ours_error = statistics.mean(errors), statistics.mean(ours_errors)
    assert abs(ours_error / error - 1.0) < 0.25, (ours_error, error)
    return {
        "ours_s": round(statistics.median(ours), 4),
        "ours_processor_s": round(statistics.median(processor), 4),
        "plain_s": round(statistics.median(theirs), 2),
        "times_faster": round(statistics.median(theirs) / statistics.median(ours), 1),
        "least_times_faster_in_a_round": round(
            min(b / a for a, b in zip(ours, theirs, strict=True)), 1
        ),
        "our_standard_error_over_the_plain_one": round(ours_error / error, 3),
    }


def plain(case: dict[str, Any], resamples: int, seed: int) -> np.ndarray:
    """The bootstrap as it is told, as fast as numpy draws.

    Groups are drawn by their sums and sizes for a mean, and by how often each was drawn for a
    median: putting all drawn values together would take several times as long.
    """
    rng = np.random.default_rng(seed)
    values, groups, share = case["values"], case.get("groups"), case.get("statistic", "mean")
    share = {"mean": None, "median": 0.5}.get(share, share)
    if groups is None:
        rank = None if share is None else int(np.ceil(share * len(values))) - 1

        def one() -> float:
            drawn = values[rng.integers(len(values), size=len(values))]
            return drawn.mean() if rank is None else np.partition(drawn, rank)[rank]

    else:
        order = np.argsort(values, kind="stable")
        ranked, owners = values[order], groups[order]
        sizes = np.bincount(groups)
        sums = np.bincount(groups, weights=values)

        def one() -> float:
            picks = rng.integers(len(sizes), size=len(sizes))
            if share is None:
                return sums[picks].sum() / sizes[picks].sum()
            drawn = np.cumsum(np.bincount(picks, minlength=len(sizes))[owners])
            return ranked[np.searchsorted(drawn, share * drawn[-1])]

    return np.array([one() for _ in range(resamples)])


def paired(arguments: argparse.Namespace) -> dict[str, float]:
    """Time the test of two systems, ours alone: every flip of every query is drawn."""
    rng = np.random.default_rng(1)
    a, b = rng.lognormal(size=(2, arguments.queries))
    times = [
        timed(lambda: paired_test(a, b, resamples=arguments.resamples, rng=rng))[1:]
        for _ in range(arguments.rounds)
    ]
    clock, cpu = (statistics.median(x) for x in zip(*times, strict=True))
    return {"ours_s": round(clock, 4), "ours_processor_s": round(cpu, 4)}


def timed(function: Callable[[], Any]) -> tuple[Any, float, float]:
    """Return the result, seconds by the clock, and seconds of processor time."""
    start, cpu = time.perf_counter(), time.process_time()
    result = function()
    return result, time.perf_counter() - start, time.process_time() - cpu


if __name__ == "__main__":
    main()
