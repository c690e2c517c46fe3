"""Tables of ``sightline evaluate global`` as people read them: on a terminal, and as files."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from sightline.cli.console import note, out, printable, say
from sightline.durable import make_folder, write_json, write_text

if TYPE_CHECKING:
    from sightline.benchmark import EvaluatedSet, GlobalEvaluation

DOCUMENT, TABLES, ANSWERS = "evaluation.json", "tables.md", "answers"

_SURE = 0.05
_LEFT_OUT = {
    "content": "that are queries' own files",
    "photographer": "by the queries' photographers",
    "unreadable": "that cannot be read",
}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.,-]+")


def show(document: Mapping[str, Any]) -> None:
    """Print the tables of a document."""
    for one in document["sets"]:
        say(f"{printable(document['name'])} on {printable(heading(one))}", style="bold")
        for line in references_lines(one):
            say(f"  {printable(line)}", style="dim")
        for table in one["tables"]:
            say("")
            say(f"{printable(table['title'])} ({table['source']})", style="bold")
            out.print(_rich(table))
            for line in [*table["notes"], *_row_notes(table), _stars(table)]:
                say(f"  {printable(line)}", style="dim")
        if one["shares"]:
            say("")
            say(
                "Share of each set among the nearest (Revisiting IM2GPS, section 4.5)", style="bold"
            )
            out.print(_rich_shares(one["shares"]))
        say("")


def heading(one: Mapping[str, Any]) -> str:
    """What a set is, in words."""
    words = f"{one['name']}: {one['n_photos']:,} photos"
    if one["n_photographers"] is not None:
        words += f" by {one['n_photographers']:,} photographers"
    return words + (f", {one['n_failed']:,} unreadable" if one["n_failed"] else "")


def references_lines(one: Mapping[str, Any]) -> list[str]:
    """What a set is compared with, a line for each set of references."""
    lines = []
    for given in one["references"]:
        line = f"references {given['name']}: {given['n_references']:,}"
        if given["n_background"] is not None:
            line += f", of which {given['n_background']:,} in the background collection"
        lost = [
            f"{given['left_out'][why]:,} {how}"
            for why, how in _LEFT_OUT.items()
            if given["left_out"].get(why)
        ]
        lines.append(line + (f"; left out: {', '.join(lost)}" if lost else ""))
    return lines


def save(found: GlobalEvaluation, document: Mapping[str, Any], folder: Path) -> None:
    """Write the document, the tables as Markdown, and every method's answers as CSV.

    Args:
        found: The evaluation.
        document: Its JSON.
        folder: Made if it is not there.

    Raises:
        OutputError: Something cannot be written.
    """
    make_folder(folder / ANSWERS)
    write_json(folder / DOCUMENT, dict(document))
    write_text(folder / TABLES, markdown(document))
    for one in found.sets:
        for row in one.tables[0].rows:
            name = _NOT_IN_NAMES.sub("-", f"{one.queries.name}--{row.answers.name}")
            write_text(folder / ANSWERS / f"{name}.csv", _answers(one, row.answers.points))
    note(printable(str(folder)))


def localization_documents(
    found: GlobalEvaluation, thresholds_km: tuple[float, ...] | None
) -> list[dict[str, Any]]:
    """One document of kind ``localization`` for every method and set: what reports are made of."""
    from dataclasses import replace

    from sightline.evaluation import Predictions, evaluate_localization

    settings = found.settings
    if thresholds_km is not None:
        settings = replace(settings, thresholds_km=thresholds_km)
    documents = []
    for one in found.sets:
        queries = one.queries
        prior = next(iter(one.guesses.values()))
        for row in one.tables[0].rows:
            if row.answers.kind == "guess":
                continue
            name = (
                f"{queries.name}: {row.answers.name}" if len(found.sets) > 1 else row.answers.name
            )
            predictions = Predictions.of(
                row.answers.points,
                queries.places,
                name=name,
                failed=queries.broken,
                ids=queries.ids,
                groups=queries.people if any(queries.people) else None,
            )
            result = evaluate_localization(predictions, settings, prior=prior)
            documents.append(result.to_json())
    return documents


def markdown(document: Mapping[str, Any]) -> str:
    """All tables of a document as Markdown."""
    lines = [f"# {document['name']}"]
    for one in document["sets"]:
        lines += ["", f"## {heading(one)}", "", *(f"- {line}" for line in references_lines(one))]
        for table in one["tables"]:
            columns = _columns(table)
            lines += ["", f"### {table['title']}", "", f"{table['source']}.", ""]
            lines += [f"| {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) - 1)}"]
            lines += [
                f"| {row['name']} | {' | '.join(' '.join(cell) for cell in _cells(row))} |"
                for row in table["rows"]
            ]
            notes = [*table["notes"], *_row_notes(table), _stars(table)]
            lines += ["", *(f"{line}  " for line in notes)]
        for share in one["shares"]:
            found = ", ".join(
                f"{_percent(value)} of the nearest {k}" for k, value in share["among"].items()
            )
            lines += ["", f"{share['name']}: {share['of_all']:.1%} of all references; {found}."]
    return "\n".join(lines) + "\n"


def _rich(table: Mapping[str, Any]) -> Table:
    first, *others = _columns(table)
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    made.add_column(f"  {first}", overflow="fold", min_width=14)
    for heading_ in others:
        made.add_column(heading_, justify="right", no_wrap=True)
    for row in table["rows"]:
        cells = _cells(row)
        style = "dim" if row["kind"] == "guess" else ""
        made.add_row(f"  {printable(row['name'])}", *(cell[0] for cell in cells), style=style)
        made.add_row("", *(cell[1] for cell in cells), style="dim")
    return made


def _rich_shares(shares: list[dict[str, Any]]) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    made.add_column("  set", overflow="fold", min_width=14)
    made.add_column("of all", justify="right", no_wrap=True)
    for k in shares[0]["among"]:
        made.add_column(f"of the nearest {int(k):,}", justify="right", no_wrap=True)
    for share in shares:
        cells = [_percent(value) for value in share["among"].values()]
        made.add_row(f"  {printable(share['name'])}", f"{share['of_all']:.1%}", *cells)
    return made


def _columns(table: Mapping[str, Any]) -> list[str]:
    from sightline.report.metric_text import metric_name

    return ["method", *(_short(metric_name(name)) for name in table["rows"][0]["metrics"])]


def _short(name: str) -> str:
    return name.removeprefix("Within ")


def _cells(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Value and interval of each column; a star where it differs from the row of comparison."""
    from sightline.report.metric_text import metric_interval, metric_value

    cells = []
    for name, found in row["metrics"].items():
        difference = row["differences"].get(name, {})
        sure = (difference.get("p_value_holm") or 1.0) < _SURE
        value = metric_value(name, found["value"]).removesuffix(" %") + ("*" if sure else "")
        ends = metric_interval(name, found["low"], found["high"]).removesuffix(" %")
        cells.append((value, f"({ends.replace(' to ', '–')})" if ends else ""))
    return cells


def _row_notes(table: Mapping[str, Any]) -> list[str]:
    return [f"{row['name']}: {row['note']}" for row in table["rows"] if row["note"]]


def _stars(table: Mapping[str, Any]) -> str:
    return (
        f"Shares in percent. * differs from {table['against']!r} (sign flips, Holm over the table, "
        f"p < {_SURE:g})."
    )


def _percent(value: Mapping[str, float | None]) -> str:
    return "undefined" if value["value"] is None else f"{value['value']:.1%}"


def _answers(one: EvaluatedSet, points: Any) -> str:
    """As ``sightline evaluate localization`` reads them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "lat", "lon", "true_lat", "true_lon", "group", "error"])
    queries = one.queries
    rows = zip(
        queries.ids,
        points.tolist(),
        queries.places.tolist(),
        queries.people,
        queries.broken.tolist(),
        strict=True,
    )
    for name, (lat, lon), (true_lat, true_lon), person, broken in rows:
        answered = not broken and lat == lat
        place = [lat, lon] if answered else ["", ""]
        said = "cannot be read" if broken else ""
        writer.writerow([name, *place, true_lat, true_lon, person or "", said])
    return text.getvalue()
