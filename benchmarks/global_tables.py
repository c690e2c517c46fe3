"""The planet-scale evidence as tables for people, Markdown.

python benchmarks/global_tables.py classifiers
python benchmarks/global_tables.py ablations --table sigma
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from _record import RESULTS

REACH = "within_reach_of_training"


def main() -> None:
    """Print one part's accuracies and findings."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", help="classifiers, retrieval or ablations, or a result's name")
    parser.add_argument("--table", help="methods, partitions, k, …; all in place of one")
    arguments = parser.parse_args()
    path = RESULTS / f"global-{arguments.part}.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    keys = dict.fromkeys(
        row.split("|")[0] for one in found["systems"].values() for row in one["rows"]
    )
    print(accuracies({"guess": {"rows": found["guesses"]}}, "guesses"))
    for key in [arguments.table] if arguments.table else keys:
        print(f"**{key}**: photos within a radius, %, and the 95 % interval.\n")
        print(accuracies(found["systems"], key))
        for system, one in found["systems"].items():
            for note in [text for name, text in one["notes"].items() if name == key]:
                print(f"{system}: {note}\n")
    reach = ", ".join(f"{name} {100 * x:.1f} %" for name, x in found[REACH].items())
    print(f"Test photos with a training photo within: {reach}\n")
    print(findings(found["findings"]))


def accuracies(systems: dict[str, Any], table: str) -> str:
    """A row for each system and method, a column for each radius."""
    lines = []
    for system, one in systems.items():
        for row, numbers in one["rows"].items():
            key, name = row.split("|")
            if key != table:
                continue
            shown = {n: x for n, x in numbers.items() if n.startswith("accuracy@")}
            if not lines:
                heads = [f"within {name.removeprefix('accuracy@')}" for name in shown]
                lines = [
                    "| | " + " | ".join([*heads, "median, km, by seed"]) + " |",
                    "| --- " * (len(heads) + 2) + "|",
                ]
            medians = ", ".join(f"{x:,.0f}" for x in numbers.get("median_error_km", []) if x)
            cells = [*map(percent, shown.values()), medians]
            lines.append(f"| {system}: {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def percent(number: dict[str, Any]) -> str:
    """A value with its interval."""
    value, low, high = (100 * number[key] for key in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def findings(claims: list[dict[str, Any]]) -> str:
    """A row for each claim: what was measured and whether it holds, at each radius and at all."""
    lines = ["| claim | source | measured: b less a, points | holds |", "| --- | --- | --- | --- |"]
    for one in claims:
        beside = "less nine tenths of a: " if one["expected"] == "not lower" else ""
        measured = beside + "; ".join(
            f"{row['km']:g} km: {percent({**row, 'value': row['difference']})}, p {row['p']:g}, "
            f"{row['holds']}"
            for row in one["measured"]
        )
        lines.append(f"| {one['claim']} | {one['source']} | {measured} | **{one['holds']}** |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
