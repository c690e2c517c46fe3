"""The JSON document of ``sightline evaluate --json`` as this room reads it.

``assets/evaluation.schema.json`` states it. Figures and pages are made from the document alone, so
that a result that was kept can be shown years later, on a machine without the embeddings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sightline.errors import EvaluationError
from sightline.evaluation.results.schema import SCHEMA
from sightline.report.document import read_schema
from sightline.report.text import file_name, visible

KINDS = "retrieval", "localization", "comparison"

Document = dict[str, Any]

_LONGEST_LABEL = 34


def evaluation_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the three kinds of document."""
    return read_schema("evaluation.schema.json")


def kind_of(documents: Sequence[Document]) -> str:
    """Return the one kind that all documents have.

    Raises:
        EvaluationError: There is no document, one is of another schema, a kind is unknown, they
            are of several kinds, or one lacks what every document of its kind has.
    """
    if not documents:
        raise EvaluationError("There is no evaluation to show.", hint="Give at least one document.")
    required = {kind: evaluation_json_schema()["$defs"][kind]["required"] for kind in KINDS}
    for number, document in enumerate(documents, 1):
        stated, kind = document.get("schema"), document.get("kind")
        if stated != SCHEMA or kind not in required:
            raise EvaluationError(
                f"Document {number} is {stated!r} of kind {kind!r}, and not {SCHEMA!r} "
                f"of kind {', '.join(KINDS)}.",
                hint="Give what `sightline evaluate --json` prints.",
            )
        missing = [name for name in required[kind] if name not in document]
        if missing:
            raise EvaluationError(
                f"Document {number} of kind {kind!r} lacks {', '.join(missing)}.",
                hint="Give what `sightline evaluate --json` prints, whole.",
            )
        if kind != documents[0]["kind"]:
            raise EvaluationError(
                f"Document {number} is of kind {kind!r}, and document 1 of kind "
                f"{documents[0]['kind']!r}.",
                hint="Show one kind at a time.",
            )
    return str(documents[0]["kind"])


def labels(documents: Sequence[Document]) -> list[str]:
    """Return a short name for each document, no two alike; hidden characters are shown.

    The last part of a path stands for it where that tells the documents apart.
    """
    full = [full_name(document) for document in documents]
    short = [" against ".join(map(file_name, _names(document))) for document in documents]
    kept = short if len(set(short)) == len(short) else full
    chosen = [_shortened(visible(name)) for name in kept]
    twice = len(set(chosen)) < len(chosen)
    return [f"{number}: {name}" if twice else name for number, name in enumerate(chosen, 1)]


def convention_names(documents: Sequence[Document]) -> list[str]:
    """Return the conventions that any document was asked for, each once, as they come."""
    return list(
        dict.fromkeys(name for document in documents for name in document["conventions"] or {})
    )


def convention_metrics(documents: Sequence[Document]) -> list[str]:
    """Return the metrics that two conventions or more speak of; all of them where none do.

    What one convention alone knows would be a column, or a panel, of gaps.
    """
    spoken = {
        (metric, name): None
        for document in documents
        for name, values in (document["conventions"] or {}).items()
        for metric in values
    }
    counts = Counter(metric for metric, _ in spoken)
    enough = min(2, max(counts.values(), default=0))
    return [
        metric
        for metric in dict.fromkeys([*documents[0]["metrics"], *counts])
        if metric in counts and counts[metric] >= enough
    ]


def full_name(document: Document) -> str:
    """Return what a document is about, as it says so."""
    return " against ".join(_names(document))


def _names(document: Document) -> list[str]:
    if document["kind"] == "comparison":
        return [str(document[side]["name"]) for side in "ba"]
    return [str(document["name"])]


def _shortened(name: str) -> str:
    """Cut in the middle: names of runs differ at their ends."""
    if len(name) <= _LONGEST_LABEL:
        return name
    half = (_LONGEST_LABEL - 1) // 2
    return f"{name[:half]}…{name[-half:]}"
