"""How often the nearest references are of each set."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sightline.benchmark.ablations import SHARES_AT
from sightline.benchmark.neighbours import Search
from sightline.benchmark.results import SetShare
from sightline.evaluation.localization import LocalizationSettings
from sightline.evaluation.uncertainty import interval


def set_shares(search: Search, settings: LocalizationSettings) -> Iterator[SetShare]:
    """Yield the share of each set of references among all and among the nearest, with intervals.

    *Revisiting IM2GPS*, section 4.5.

    Args:
        search: Queries and references.
        settings: Confidence, resamples and seed.
    """
    found, count = search.anywhere(), len(search.references)
    answered = ~np.isnan(found.scores[:, 0])
    groups = search.queries.groups
    some = None if groups is None else [groups[row] for row in np.flatnonzero(answered)]
    total = sum(map(len, search.references))
    by_k = {k: found.shares(count, k)[answered] for k in SHARES_AT}
    for number, one in enumerate(search.references):
        rng = np.random.default_rng(settings.seed)
        among = {
            k: interval(
                values[:, number],
                rng=rng,
                groups=some,
                confidence=settings.confidence,
                resamples=settings.resamples,
            )
            for k, values in by_k.items()
        }
        yield SetShare(one.name, len(one) / total, among)
