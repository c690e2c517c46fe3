"""The cross-view evidence as tables for people.

python benchmarks/cross_view_tables.py frgeo
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from _record import RESULTS

TITLES = {
    "seen-centred": "Towns trained in, other places; photo at the patch's centre",
    "seen-offset": "Towns trained in, other places; photo in the patch's middle quarter",
    "unseen-centred": "Countries never seen; photo at the patch's centre",
    "unseen-offset": "Countries never seen; photo in the patch's middle quarter",
}


def main() -> None:
    """Print one part's tables over the settings that are measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part")
    parser.add_argument("--metric", default="recall@1")
    arguments = parser.parse_args()
    found = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(RESULTS.glob(f"cross-view-{arguments.part}-*.json"))
    ]
    for test, title in TITLES.items():
        print(f"**{title}**: {arguments.metric}, %, and its 95 % interval.\n")
        print(table(found, test, arguments.metric))
    print(comparisons(found, arguments.metric))


def table(found: list[dict[str, Any]], test: str, metric: str) -> str:
    """A row for each system, a column for each setting."""
    settings = [one["setting"] for one in found]
    lines = ["| | " + " | ".join(settings) + " |", "| --- " * (len(settings) + 1) + "|"]
    for system in found[0]["systems"]:
        rows = [one["systems"][system] for one in found]
        cells = [cell(row[test][metric]) if test in row else "diverged" for row in rows]
        lines.append(f"| {system} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell(number: dict[str, Any]) -> str:
    value, low, high = (100 * number[key] for key in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def comparisons(found: list[dict[str, Any]], metric: str) -> str:
    """In how many tests b is better or worse than a, by the paired test at 5 % after Holm."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    rows = (row for one in found for row in one["comparisons"] if row["metric"] == metric)
    for row in rows:
        sure = row["p"] < 0.05
        how = "same" if not sure else "better" if row["difference"] > 0 else "worse"
        counts.setdefault((row["a"], row["b"]), Counter())[how] += 1
    lines = ["| b against a | better | no difference shown | worse |", "| --- | --- | --- | --- |"]
    for (a, b), own in counts.items():
        lines.append(f"| {b} against {a} | {own['better']} | {own['same']} | {own['worse']} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
