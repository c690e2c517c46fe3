"""The report of an evaluation: one HTML file that holds everything and asks no network.

It is made from the JSON document alone. Figures are drawn by matplotlib as text and shapes inside
the page; there is no script.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from os import PathLike
from typing import Any

from markupsafe import Markup

from sightline.durable import write_text
from sightline.report.evaluation_checks import (
    baselines_table,
    conventions_table,
    group_tables,
    leakage_tables,
    leakage_words,
    published_table,
    spread_table,
)
from sightline.report.evaluation_document import Document, full_name, kind_of, labels
from sightline.report.evaluation_tables import (
    Table,
    comparison_table,
    localization_table,
    retrieval_table,
)
from sightline.report.evaluation_words import facts, headline, sentences
from sightline.report.figures import evaluation_figures, render
from sightline.report.figures.palette import palette_css, series
from sightline.report.page import asset_text, moment_text, security_policy
from sightline.report.templating import environment
from sightline.report.text import visible

# For one document, and for several.
_QUESTIONS = {
    "retrieval": (
        "How well does this model find the place?",
        "How well do these models find the place?",
    ),
    "localization": ("How far off are these answers?", "How far off are these answers?"),
    "comparison": ("Do these two systems differ?", "Do these systems differ?"),
}


def write_evaluation_report(
    path: str | PathLike[str],
    documents: Sequence[Document],
    *,
    created: datetime | None = None,
) -> None:
    """Write an HTML report of evaluations.

    Args:
        path: The file to write.
        documents: What ``sightline evaluate --json`` prints, one or several of one kind; several
            stand side by side in the same tables and figures.
        created: The time that the report states; now by default.

    Raises:
        DependencyError: matplotlib is not installed.
        EvaluationError: There is no document, or they are of several kinds, or one is none.
        OutputError: The file cannot be written.
    """
    write_text(path, evaluation_report_html(documents, created=created))


def evaluation_report_html(
    documents: Sequence[Document], *, created: datetime | None = None
) -> str:
    """Return the report as text; see :func:`write_evaluation_report`."""
    kind = kind_of(documents)
    style = "\n".join([palette_css(), asset_text("page.css", "evaluation.css")])
    return (
        environment()
        .get_template("evaluation.html.jinja")
        .render(
            kind=kind,
            question=_QUESTIONS[kind][len(documents) > 1],
            models=[
                _model(number, label, document)
                for number, (label, document) in enumerate(
                    zip(labels(documents), documents, strict=True)
                )
            ],
            sections=list(_sections(kind, documents)),
            figures=_figures(documents),
            created=moment_text(created),
            policy=security_policy(style),
            style=Markup(style),  # noqa: S704 - our own files
        )
    )


def _model(number: int, label: str, document: Document) -> dict[str, Any]:
    """What the head of the page shows of one document."""
    collapse = document.get("collapse") or {"alarm": False, "reasons": []}
    reasons = list(collapse["reasons"]) if collapse["alarm"] else []
    return {
        "swatch": series(number).name,
        "label": label,
        "name": full_name(document),
        "version": document.get("sightline_version"),
        "headline": headline(document),
        "facts": facts(document),
        "sentences": tuple(sentences(document)),
        "alarm": collapse["alarm"],
        "reasons": reasons,
        "warnings": [
            # A warning that only repeats the alarm is said once.
            text
            for text in document["warnings"]
            if not any(reason in text for reason in reasons)
        ],
        "settings": _settings(document),
    }


def _settings(document: Document) -> list[tuple[str, str]]:
    """Every setting under its own name, as the document has it."""
    return [
        (visible(name), visible(_setting(value)))
        for name, value in document.get("settings", {}).items()
    ]


def _setting(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_setting(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_setting(inner) for inner in value)
    return str(value)


def _sections(kind: str, documents: Sequence[Document]) -> Iterator[dict[str, Any]]:
    """The tables of the page under their headings; ``figures`` marks where figures stand."""
    named = list(zip(documents, labels(documents), strict=True))
    yield _section("result", "Result", _results(kind, documents))
    if kind == "comparison":
        yield {"id": "figures", "title": "Figures"}
        return
    conventions = [
        table
        for make in (conventions_table, published_table)
        for document, label in named
        if (table := make(document, label))
    ]
    if conventions:
        yield _section(
            "conventions",
            "What published code would say",
            conventions,
            "The same input, counted by the code of published work, its off-by-ones included. "
            "Nothing but the counting differs.",
        )
    yield {"id": "figures", "title": "Figures"}
    if kind == "localization":
        groups = [table for document, label in named for table in group_tables(document, label)]
        if groups:
            yield _section("groups", "By group", groups)
    checks = [table for document, label in named if (table := baselines_table(document, label))]
    if kind == "retrieval":
        checks += [spread_table(document, label) for document, label in named]
    if checks:
        yield _section(
            "sanity",
            "Baselines and sanity",
            checks,
            "What knows nothing, under the same metrics: a model that is not clearly above them "
            "has learnt nothing that these metrics see.",
        )
    if kind == "retrieval":
        yield _leakage(named)


def _results(kind: str, documents: Sequence[Document]) -> list[Table]:
    if kind == "comparison":
        return [comparison_table(document) for document in documents]
    if kind == "localization":
        return [localization_table(documents)]
    tables = [retrieval_table(documents)]
    if any(document["reverse"] is not None for document in documents):
        tables.append(retrieval_table(documents, reverse=True))
    return tables


def _leakage(named: Sequence[tuple[Document, str]]) -> dict[str, Any]:
    several = len(named) > 1
    words = [
        f"{label}: {leakage_words(document['leakage'])}"
        if several
        else leakage_words(document["leakage"])
        for document, label in named
    ]
    tables = [table for document, label in named for table in leakage_tables(document, label)]
    return _section("leakage", "Leakage", tables, *words)


def _section(name: str, title: str, tables: Sequence[Table], *paragraphs: str) -> dict[str, Any]:
    return {"id": name, "title": title, "tables": tables, "paragraphs": paragraphs}


def _figures(documents: Sequence[Document]) -> list[dict[str, Any]]:
    return [
        {
            "name": figure.name,
            "title": figure.title,
            "caption": figure.caption,
            "wide": figure.is_wide,
            "svg": Markup(render(figure, "svg").decode("utf-8")),  # noqa: S704 - escaped there
        }
        for figure in evaluation_figures(documents)
    ]
