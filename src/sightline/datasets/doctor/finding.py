"""What an examination comes to: findings, each with what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from sightline.datasets.layouts.layout import Recognition
from sightline.datasets.splits import SplitReport

Severity = Literal["fault", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a dataset that its user should know.

    Args:
        severity: ``fault``: it cannot be used like this, or not all of it; ``warning``: results
            may mislead; ``note``: good to know.
        kind: A stable word: ``archive``, ``missing``, ``row``, ``duplicate``, ``pair``, ``file``,
            ``coordinates``, ``count``, ``leak``, ``revision``, ``trap``, ``layout``.
        what: What was found, with its value, file and line.
        next_step: What to do.
        count: How many times, where that was counted.
    """

    severity: Severity
    kind: str
    what: str
    next_step: str
    count: int = 1


@dataclass(slots=True)
class Diagnosis:
    """What a folder holds, and what is wrong with it.

    Args:
        root: The folder.
        layout: The layout's name; None if nothing is known.
        title: What people call it.
        version: Which release, subset or label revision.
        made_by: What Sightline made it from, if it did.
        recognitions: All that it might be, the likeliest first.
        counts: Rows by table.
        splits: Photos by split.
        files_looked_at: How many image files were decoded.
        files_known: How many the lists name.
        leaks: What crosses the splits; None if there are no two.
        findings: What is wrong, the worst first.
    """

    root: Path
    layout: str | None = None
    title: str | None = None
    version: str | None = None
    made_by: dict[str, Any] | None = None
    recognitions: list[Recognition] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    splits: dict[str, int] = field(default_factory=dict)
    files_looked_at: int = 0
    files_known: int = 0
    leaks: SplitReport | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether no fault was found."""
        return not any(finding.severity == "fault" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "root": str(self.root),
            "sound": self.sound,
            "layout": self.layout,
            "title": self.title,
            "version": self.version,
            "made_by": self.made_by,
            "recognitions": [asdict(recognition) for recognition in self.recognitions],
            "counts": self.counts,
            "splits": self.splits,
            "files": {"known": self.files_known, "looked_at": self.files_looked_at},
            "leaks": None if self.leaks is None else self.leaks.to_json(),
            "findings": [asdict(finding) for finding in self.findings],
        }
