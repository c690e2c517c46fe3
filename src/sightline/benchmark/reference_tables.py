"""Tables of references: which photos, and which vectors, queries are compared by."""

from __future__ import annotations

from sightline.benchmark.answers import DEGREE_M, Answers, clusters, density, nearest
from sightline.benchmark.papers import (
    FIVE_KM,
    IM2GPS,
    NEAREST,
    SIGMAS_DEGREES,
    VISLOC,
    K,
    Material,
    within_cell,
)
from sightline.benchmark.tables import AnswerSet


def background_table(given: Material) -> AnswerSet:
    """References that the classifier places rightly against all."""
    chosen = given.search
    total = sum(len(one) for one in chosen.references)
    kept = sum(int(one.placed.sum()) for one in chosen.references if one.placed is not None)
    rows = [
        Answers("nearest, background", "retrieval", nearest(chosen.anywhere(background=True))),
        Answers("nearest, all", "retrieval", nearest(chosen.anywhere())),
        within_cell(given, "within cell, background", lambda n: clusters(n, K), background=True),
        within_cell(given, "within cell, all", lambda near: clusters(near, K)),
    ]
    return AnswerSet(
        "background",
        "Background collection",
        f"{VISLOC}, section 3.3.3 and table 4",
        rows,
        given.columns(FIVE_KM),
        "nearest, all",
        (
            (
                f"The classifier places {kept:,} of {total:,} references in their own cell "
                f"({kept / total:.1%})."
            ),
        ),
    )


def retrieval_table(given: Material) -> AnswerSet:
    """The nearest reference by other vectors."""
    rows = [
        Answers(name, "retrieval", nearest(one.anywhere())) for name, one in given.others.items()
    ]
    return AnswerSet(
        "retrieval",
        "Vectors for retrieval, nearest reference",
        f"{VISLOC}, table 2; {IM2GPS}, section 4.3",
        rows,
        given.columns(FIVE_KM),
        rows[0].name,
    )


def residual_table(given: Material) -> AnswerSet:
    """The nearest reference by residual modules with and without their residual connection."""
    rows = [
        Answers(
            f"{name}, {'with' if skip else 'without'} residual",
            "retrieval",
            nearest(given.others[name].anywhere()),
        )
        for skip in (True, False)
        for name, own in given.connections.items()
        if own is skip
    ]
    return AnswerSet(
        "residual",
        "Residual connection, nearest reference",
        f"{VISLOC}, table 3",
        rows,
        given.columns(FIVE_KM),
        rows[0].name,
    )


def references_table(given: Material) -> AnswerSet:
    """Each set of references alone, and all together."""
    names = [one.name for one in given.search.references]
    sets: dict[str, list[int] | None] = {name: [number] for number, name in enumerate(names)}
    if len(names) > 1:
        sets["together"] = None
    rows = []
    for name, numbers in sets.items():
        found = given.search.anywhere(numbers)
        rows.append(Answers(f"{NEAREST}, {name}", "retrieval", nearest(found)))
        rows += [
            Answers(
                f"density, sigma {sigma:g}°, {name}", "retrieval", density(found, sigma * DEGREE_M)
            )
            for sigma in SIGMAS_DEGREES[:2]
        ]
    return AnswerSet(
        "references",
        "Sets of references",
        f"{IM2GPS}, table 2",
        rows,
        given.columns(FIVE_KM),
        f"{NEAREST}, {names[0]}",
    )
