"""What a run does not know of the task that its recipe names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sightline.datasets import Manifest
from sightline.models.cross_view_bundle import CrossViewBundle
from sightline.models.global_bundle import GlobalBundle
from sightline.training.loops.loop import Loop
from sightline.training.loops.task import Task
from sightline.training.loops.watching import Watcher


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of a run's best weights, in the first process.

    Attributes:
        test: The document of the one evaluation on the test split; None without one.
        bundle: The model.
        facts: What else ``run.json`` says.
    """

    test: dict[str, Any] | None
    bundle: CrossViewBundle | GlobalBundle
    facts: Mapping[str, Any] = field(default_factory=dict)


class Job(Protocol):
    """The data, the network and the end of one task's run.

    It is made before there is a folder: what a recipe alone can get wrong shows then. The steps
    come in the order of these methods.
    """

    def read(self, root: Path | None, folder: Path, watcher: Watcher) -> Manifest:
        """Open the data, making what can be made, and refuse what cannot be trained on."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of the data."""
        ...

    def open_pixels(
        self, folder: Path, watcher: Watcher, *, left_out: Sequence[int] | None
    ) -> list[int]:
        """Open what is read of the data again and again.

        Args:
            folder: Where pixels are kept.
            watcher: Is told how far it is.
            left_out: Of a run that goes on: the training rows it was begun without.

        Returns:
            The training rows that are left out because they are broken.
        """
        ...

    def facts(self) -> Mapping[str, Any]:
        """What ``run.json`` says: ``dimension``, ``parameters``, ``data`` and what else is."""
        ...

    def task(self, folder: Path, watcher: Watcher, *, goes_on: bool) -> Task:
        """What the loop is given; the run's folder is for records."""
        ...

    def finish(self, loop: Loop, manifest: Manifest) -> Outcome | None:
        """Take the best weights and test them once; None in all processes but the first."""
        ...

    def card_text(self, about: Mapping[str, Any], test: Mapping[str, Any] | None) -> str:
        """The card for people, Markdown."""
        ...
