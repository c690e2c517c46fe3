"""The ablations of the papers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

from sightline.benchmark.method_tables import (
    answer_table,
    neighbours_table,
    partitions_table,
    sigma_table,
)
from sightline.benchmark.papers import Material
from sightline.benchmark.reference_tables import (
    background_table,
    references_table,
    residual_table,
    retrieval_table,
)
from sightline.benchmark.tables import AnswerSet

Ablation = Literal[
    "k", "sigma", "answer", "background", "retrieval", "residual", "references", "partitions"
]
ABLATIONS: tuple[Ablation, ...] = get_args(Ablation)

NEED_POOLED: tuple[Ablation, ...] = ("background", "retrieval", "residual")
"""Those made of the references' pooled vectors, which an atlas does not keep."""

COMPARE_VECTORS: tuple[Ablation, ...] = ("retrieval", "residual")
"""Those in which other models stand beside the one that is evaluated."""

SHARES_AT = (1, 10, 100, 1000)
"""Among so many nearest references the share of each set is told (*Revisiting IM2GPS*, 4.5)."""

TABLES: Mapping[Ablation, Callable[[Material], AnswerSet]] = {
    "k": neighbours_table,
    "sigma": sigma_table,
    "answer": answer_table,
    "background": background_table,
    "retrieval": retrieval_table,
    "residual": residual_table,
    "references": references_table,
    "partitions": partitions_table,
}
"""The table of each ablation."""


def neighbours_needed(wanted: Sequence[Ablation]) -> int:
    """How many neighbours of a query the tables look at."""
    return max(SHARES_AT) if "references" in wanted else 100
