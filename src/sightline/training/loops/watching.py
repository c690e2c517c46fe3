"""What a run tells while it goes: to people through a watcher, to files as CSV and TensorBoard."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sightline.durable import output_error, write_text
from sightline.training.loops.task import Validation

STEPS_FILE = "log.csv"
VALIDATIONS_FILE = "validations.csv"
EVENTS_FOLDER = "tensorboard"
_STEP_COLUMNS = (
    "step",
    "stage",
    "epoch",
    "loss",
    "learning_rate",
    "gradient_norm",
    "pairs_per_second",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class StepReport:
    """How a run stands after a step.

    Args:
        step: Steps of the whole run.
        stage: Name of the stage.
        epoch: Epochs of the stage that are done, with a fraction.
        epochs: Epochs that the stage has at most.
        loss: Mean since the last report.
        learning_rate: Of the step.
        gradient_norm: Length of the gradient before it was bounded.
        pairs_per_second: Since the last report, of all processes together.
        seconds: Time of training so far, earlier parts of a resumed run included.
        remaining_s: Until the stage's last epoch, at this pace.
    """

    step: int
    stage: str
    epoch: float
    epochs: int
    loss: float
    learning_rate: float
    gradient_norm: float
    pairs_per_second: float
    seconds: float
    remaining_s: float


class Watcher(Protocol):
    """Is told how a run goes, in the first process."""

    def step(self, report: StepReport) -> None:
        """Take a report of a step."""
        ...

    def validation(self, stage: str, epoch: int, found: Validation, *, best: bool) -> None:
        """Take what a validation found, and whether it is the best so far."""
        ...

    def note(self, text: str) -> None:
        """Take a sentence: what was skipped, begun, refreshed or lost."""
        ...

    def preparing(self, what: str, done: int, total: int) -> None:
        """Take how far something is that comes before training."""
        ...


class Silent:
    """A watcher that says nothing."""

    def step(self, report: StepReport) -> None:
        """Say nothing."""

    def validation(self, stage: str, epoch: int, found: Validation, *, best: bool) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def preparing(self, what: str, done: int, total: int) -> None:
        """Say nothing."""


class RunLog:
    """``log.csv``, ``validations.csv`` and TensorBoard's event files of a run.

    Args:
        folder: The run's.
        step: Where the run goes on; later lines of an earlier try are left out.
        validated: The step whose validation is the last that counts; ``step`` if None.
    """

    def __init__(self, folder: Path, step: int = 0, *, validated: int | None = None) -> None:
        self._folder = folder
        _cut_after(folder / STEPS_FILE, step)
        _cut_after(folder / VALIDATIONS_FILE, step if validated is None else validated)
        self._events = _event_writer(folder / EVENTS_FOLDER, step)

    @property
    def has_events(self) -> bool:
        """Whether TensorBoard's files are written; they need the package ``tensorboard``."""
        return self._events is not None

    def step(self, report: StepReport) -> None:
        """Add a line."""
        row = {name: getattr(report, name) for name in _STEP_COLUMNS}
        self._add(STEPS_FILE, row)
        self._event(
            "training",
            report.step,
            {
                name: row[name]
                for name in (
                    "loss",
                    "learning_rate",
                    "gradient_norm",
                    "pairs_per_second",
                )
            },
        )

    def validation(self, step: int, stage: str, epoch: int, found: Validation) -> None:
        """Add a line."""
        self._add(
            VALIDATIONS_FILE,
            {"step": step, "stage": stage, "epoch": epoch, **found.values},
        )
        self._event("validation", step, found.values)

    def close(self) -> None:
        """Write what is left."""
        with self._telling():
            if self._events is not None:
                self._events.close()

    def _add(self, name: str, row: Mapping[str, Any]) -> None:
        path = self._folder / name
        text = io.StringIO()
        writer = csv.DictWriter(text, list(row), lineterminator="\n")
        try:
            if not path.exists():
                writer.writeheader()
            writer.writerow({key: _short(value) for key, value in row.items()})
            with path.open("a", encoding="utf-8") as file:
                file.write(text.getvalue())
        except OSError as error:
            raise output_error(path, error) from error

    def _event(self, group: str, step: int, values: Mapping[str, float]) -> None:
        if self._events is None:
            return
        with self._telling():
            for name, value in values.items():
                self._events.add_scalar(f"{group}/{name.replace('%', ' percent')}", value, step)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn what TensorBoard's writer raises, later and from a thread, into our error."""
        try:
            yield
        except OSError as error:
            raise output_error(self._folder / EVENTS_FOLDER, error) from error


def _short(value: Any) -> Any:
    return f"{value:.7g}" if isinstance(value, float) else value


def _cut_after(path: Path, step: int) -> None:
    """Leave out the lines of a log that come after a step, and one that was cut short."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [
        line
        for line in lines[1:]
        if line.endswith("\n") and line.split(",")[0].isdigit() and int(line.split(",")[0]) <= step
    ]
    if step == 0 or not lines or not lines[0].endswith("\n"):
        path.unlink()
    elif len(kept) + 1 != len(lines):
        write_text(path, "".join([lines[0], *kept]))


def _event_writer(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder, purge_step=step + 1 if step else None)
