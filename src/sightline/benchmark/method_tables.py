"""Tables of methods: how neighbours and beliefs become one place."""

from __future__ import annotations

import numpy as np

from sightline.benchmark.answers import (
    DEGREE_M,
    Answers,
    average,
    clusters,
    density,
    nearest,
    or_representative,
)
from sightline.benchmark.papers import (
    FINE_KM,
    FIVE_KM,
    IM2GPS,
    NEAREST,
    OWN_SIGMA_M,
    SIGMAS_DEGREES,
    VISLOC,
    K,
    Material,
    fell_back,
    within_cell,
)
from sightline.benchmark.seen import Beliefs
from sightline.benchmark.tables import BEST_SINGLE, AnswerSet

KS = (1, 5, 10, 15, 20)

WITHIN = f"within cell, K {K}"


def main_table(given: Material) -> AnswerSet:
    """The methods beside each other and beside guessing."""
    found, finest = given.search.anywhere(), given.queries.beliefs[-1]
    rows = [
        *_classified(finest),
        Answers(NEAREST, "retrieval", nearest(found)),
        Answers("density, sigma 1 km", "retrieval", density(found, OWN_SIGMA_M)),
        Answers("density, sigma 4°", "retrieval", density(found, 4 * DEGREE_M)),
        Answers(f"clusters, K {K}", "retrieval", clusters(found, K)),
        within_cell(given, WITHIN, lambda near: clusters(near, K)),
        *(
            Answers(name, "guess", np.tile([place.lat, place.lon], (len(given.queries), 1)))
            for name, place in given.guesses.items()
        ),
    ]
    return AnswerSet(
        "methods",
        "Methods",
        f"{IM2GPS}, figure 8 and table 1; {VISLOC}, table 1",
        rows,
        given.columns(FIVE_KM),
        BEST_SINGLE,
        (
            (
                "All are compared with the best single one, a classifier or retrieval alone, of "
                "the highest mean score on these very photos."
            ),
        ),
    )


def neighbours_table(given: Material) -> AnswerSet:
    """Search within cell by the number of neighbours."""
    rows = [
        within_cell(given, f"within cell, K {k}", lambda near, k=k: clusters(near, k))  # type: ignore[misc]
        for k in KS
    ]
    return AnswerSet(
        "k",
        "Neighbours of search within cell",
        f"{VISLOC}, table 5",
        rows,
        given.columns(FINE_KM),
        WITHIN,
    )


def sigma_table(given: Material) -> AnswerSet:
    """Density by the width of its kernels."""
    found = given.search.anywhere()
    rows = [Answers(NEAREST, "retrieval", nearest(found))]
    rows += [
        Answers(f"density, sigma {sigma:g}°", "retrieval", density(found, sigma * DEGREE_M))
        for sigma in SIGMAS_DEGREES
    ]
    return AnswerSet(
        "sigma",
        "Width of the kernels of density",
        f"{IM2GPS}, figure 8",
        rows,
        given.columns(FIVE_KM),
        NEAREST,
        ("k = 100, m = 10; the width in degrees of a great circle, 111.2 km each.",),
    )


def answer_table(given: Material) -> AnswerSet:
    """Search within cell by how its neighbours become one place."""
    rows = [
        within_cell(given, "average", lambda near: average(near, K)),
        within_cell(given, "density, sigma 1 km", lambda near: density(near, OWN_SIGMA_M, K)),
        within_cell(given, "density, sigma 4°", lambda near: density(near, 4 * DEGREE_M, K)),
        within_cell(given, "clusters", lambda near: clusters(near, K)),
    ]
    return AnswerSet(
        "answer",
        f"Answer from the {K} neighbours within the cell",
        f"{VISLOC}, table 6",
        rows,
        given.columns(FINE_KM),
        "clusters",
    )


def partitions_table(given: Material) -> AnswerSet:
    """The model's partitions, from coarse to fine, alone and with a search within them."""
    rows: list[Answers] = []
    beliefs = given.queries.beliefs
    plain = [one.name for one in beliefs]
    # Two partitions may have as many cells.
    names = [
        f"{name} ({number})" if plain.count(name) > 1 else name
        for number, name in enumerate(plain, 1)
    ]
    for number, one in enumerate(beliefs):
        near = given.search.in_cells(number)
        points, empty = or_representative(clusters(near, K), given.queries, number)
        rows += [
            Answers(f"classify, {names[number]}", "classification", one.points),
            Answers(f"within cell, {names[number]}", "within cell", points, note=fell_back(empty)),
        ]
    finest = beliefs[-1]
    if finest.by_radius:
        rows.append(
            Answers(
                "classify, a place for each radius",
                "classification",
                finest.points,
                finest.by_radius,
                "Where most probability lies within it. The median error is that of classify.",
            )
        )
    return AnswerSet(
        "partitions",
        "Partitions from coarse to fine",
        f"{IM2GPS}, figures 2 and 8",
        rows,
        given.columns(FIVE_KM),
        f"classify, {names[-1]}",
    )


def _classified(beliefs: Beliefs) -> list[Answers]:
    """The classifier alone; of a mixture also as the paper answers, by the heaviest component."""
    rows = [Answers(f"classify, {beliefs.name}", "classification", beliefs.points)]
    if not np.array_equal(beliefs.points, beliefs.representatives):
        name = f"classify, heaviest of {beliefs.name}"
        rows.append(Answers(name, "classification", beliefs.representatives))
    return rows
