"""Where a run stands, and how fast it goes."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from sightline.training.loops.task import Stage
from sightline.training.loops.watching import StepReport


@dataclass(frozen=True, slots=True)
class Position:
    """Where a run stands.

    Args:
        stage: Number of the stage; as many as there are when the run is over.
        epoch: Epochs of the stage that are done.
        batch: Batches of the epoch that are done.
        step: Steps of the whole run.
        stale: Validations of the stage since the last improvement.
        best_score: Of all validations; None before the first.
        best_epoch: Epochs of its stage that were done then.
        best_stage: Number of its stage.
        seconds: Time of training.
    """

    stage: int = 0
    epoch: int = 0
    batch: int = 0
    step: int = 0
    stale: int = 0
    best_score: float | None = None
    best_epoch: int = 0
    best_stage: int = 0
    seconds: float = 0.0


class Pace:
    """Time, rate and mean loss since the last report.

    Args:
        position: Where an epoch begins or goes on.
        every: Steps between two reports.
        begun: ``time.monotonic()`` when work on the epoch began, its mining included.
    """

    def __init__(self, position: Position, every: int, begun: float) -> None:
        self._before, self._begun = position.seconds, begun
        self._every = every
        self._since, self._batch = time.monotonic(), position.batch
        self._losses: list[float] = []
        self._rows = 0

    @property
    def seconds(self) -> float:
        """Time of training, that of earlier parts included."""
        return self._before + time.monotonic() - self._begun

    def report(
        self,
        position: Position,
        stage: Stage,
        total: int,
        loss: float,
        norm: float,
        rate: float,
        rows: int,
    ) -> StepReport | None:
        """A report, where one is due."""
        self._losses.append(loss)
        self._rows += rows
        if position.step % self._every and position.batch < total:
            return None
        passed = max(time.monotonic() - self._since, 1e-9)
        steps = len(self._losses)
        epoch = position.epoch + position.batch / total
        left = (stage.epochs - epoch) * total * passed / max(position.batch - self._batch, 1)
        report = StepReport(
            position.step,
            stage.name,
            epoch,
            stage.epochs,
            math.fsum(self._losses) / steps,
            rate,
            norm,
            self._rows / passed,
            self.seconds,
            left,
        )
        self._since, self._losses, self._rows = time.monotonic(), [], 0
        self._batch = position.batch
        return report
