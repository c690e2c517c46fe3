"""The training loop: one, visible, for every task.

It knows a task by :class:`sightline.training.task.Task` alone. What is random in a step hangs on
the seed and the step's number, and all else is in the checkpoint: a run that is killed at any
moment and resumed ends with the same weights, bit by bit on a processor.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sightline.durable import make_folder, remove_leftovers
from sightline.training.loops.checkpoint import (
    Checkpoint,
    load_exactly,
    part_named,
    read_checkpoint,
    save_checkpoint,
)
from sightline.training.loops.faults import diverged, told_of_divergence, told_of_memory
from sightline.training.loops.gradients import add_gradients
from sightline.training.loops.optimisation import (
    build_optimiser,
    clip,
    learning_rate,
    set_learning_rate,
    sharpest_nearby,
)
from sightline.training.loops.pace import Pace, Position
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes
from sightline.training.loops.slices import (
    load_whole,
    load_whole_optimiser,
    sliced_parameters,
    slices_of,
    whole_gradient_norm,
    whole_optimiser_tensors,
    whole_state,
)
from sightline.training.loops.task import LoopSettings, Stage, Task, TaskBatch, Validation
from sightline.training.loops.watching import RunLog, Silent, Watcher
from sightline.training.loops.weight_average import WeightAverage

CHECKPOINTS = "checkpoints"
LAST = "last.safetensors"
BEST = "best.safetensors"


class Loop:
    """Trains a task to its end, from its beginning or from a checkpoint.

    Args:
        task: What is trained.
        settings: How.
        folder: The run's; checkpoints and logs go there.
        processes: All that train together.
        watcher: Is told how it goes.
    """

    def __init__(
        self,
        task: Task,
        settings: LoopSettings,
        folder: Path,
        processes: Processes | None = None,
        watcher: Watcher | None = None,
    ) -> None:
        self.task, self.settings, self.folder = task, settings, folder
        self.processes = processes or Processes()
        self.watcher: Watcher = watcher or Silent()
        self.position = Position()
        self.precision = MixedPrecision(settings.precision, self.processes.device)
        task.model.to(self.processes.device)
        self._slices = sliced_parameters(task.model)
        self.model = self.processes.wrap(task.model, apart=slices_of(task.model))
        self.average = (
            WeightAverage(task.model, settings.average_decay) if settings.average_decay else None
        )

    @property
    def last(self) -> Path:
        """The latest checkpoint."""
        return self.folder / CHECKPOINTS / LAST

    @property
    def best(self) -> Path:
        """The weights of the best validation."""
        return self.folder / CHECKPOINTS / BEST

    def run(self, *, resume: bool = False) -> Position:
        """Train.

        Args:
            resume: Go on from the latest checkpoint.

        Returns:
            Where the run ended; its best weights stand in :attr:`best`.

        Raises:
            CheckpointError: There is no checkpoint to resume, or it does not fit.
            TrainingDivergedError: A loss or gradient is not finite.
            TrainingMemoryError: A batch does not fit into memory.
            OutputError: A checkpoint or log cannot be written; the checkpoint before it stays.
        """
        device = self.processes.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            self._begin(resume=resume)
            log = self._log() if self.processes.first else None
            if log is not None and not log.has_events:
                self.watcher.note("No TensorBoard files: the package `tensorboard` is missing.")
            try:
                while self.position.stage < len(self.task.stages):
                    stage = self.task.stages[self.position.stage]
                    while not self._over(stage):
                        self._run_epoch(stage, log)
                    self._next_stage()
            finally:
                if log is not None:
                    log.close()
        return self.position

    def _begin(self, *, resume: bool) -> None:
        make_folder(self.folder / CHECKPOINTS)
        if self.processes.first:
            remove_leftovers(self.folder / CHECKPOINTS)
        if resume:
            self._load()
        else:
            self._begin_stage(0)

    def _log(self) -> RunLog:
        # A checkpoint within an epoch is older than the validation at the epoch's end.
        within = self.position.batch > 0
        return RunLog(self.folder, self.position.step, validated=self.position.step - within)

    def _begin_stage(self, number: int) -> None:
        self.task.begin_stage(number)
        self.task.loss_module.to(self.processes.device)
        self.optimiser = build_optimiser(
            self.settings,
            self.task.model,
            self.task.loss_module,
            self.task.backbone_parameters(),
        )

    def _over(self, stage: Stage) -> bool:
        tired = 0 < stage.patience <= self.position.stale
        return self.position.epoch >= stage.epochs or tired

    def _next_stage(self) -> None:
        """Begin the next stage, from the best weights so far."""
        number = self.position.stage + 1
        self.position = replace(self.position, stage=number, epoch=0, batch=0, stale=0)
        if number < len(self.task.stages):
            best = read_checkpoint(self.best)
            load_whole(self.task.model, best.part("model"), "network")
            if self.average is not None:
                self.average.restart(self.task.model)
            self._begin_stage(number)
            self.watcher.note(f"Stage {self.task.stages[number].name} begins.")
        self._save()

    def _run_epoch(self, stage: Stage, log: RunLog | None) -> None:
        begun = time.monotonic()
        if self.position.batch == 0:
            with told_of_divergence(self.position.step, self.last):
                self.task.begin_epoch(self.position.stage, self.position.epoch)
        total = self.task.batches_in_epoch()
        pace = Pace(self.position, self.settings.log_steps, begun)
        saved_at = time.monotonic()
        self.model.train()
        batches = self.task.batches(self.position.batch)
        for group in _groups(batches, self.settings.accumulate, total - self.position.batch):
            middle = self.position.batch + len(group) / 2
            rate = learning_rate(stage, self.position.epoch + middle / total)
            set_learning_rate(self.optimiser, rate)
            loss, norm = self._step(group)
            rows = sum(batch.rows for batch in group) * self.processes.count
            self.position = replace(
                self.position,
                batch=self.position.batch + len(group),
                step=self.position.step + 1,
                seconds=pace.seconds,
            )
            report = pace.report(self.position, stage, total, loss, norm, rate, rows)
            if report is not None and log is not None:
                log.step(report)
                self.watcher.step(report)
            if self._due(saved_at):
                self._save()
                saved_at = time.monotonic()
        self.position = replace(
            self.position, epoch=self.position.epoch + 1, batch=0, seconds=pace.seconds
        )
        self._agree()
        self._validate(stage, log)
        self._save()

    def _due(self, saved_at: float) -> bool:
        """Whether it is time for a checkpoint."""
        due = time.monotonic() - saved_at >= 60.0 * self.settings.checkpoint_minutes
        # Slices are gathered by all at the same step, and clocks differ.
        return self.processes.agreed(word=due) if self._slices else due

    def _agree(self) -> None:
        """Give all processes one network: batch norms have seen other rows in each."""
        self.processes.share_(self.task.model.buffers())
        if self.average is not None:
            self.processes.share_(self.average.model.buffers())

    def _step(self, group: list[TaskBatch]) -> tuple[float, float]:
        """One step of the optimiser; the loss and the length of the gradient."""
        step = self.position.step
        torch.manual_seed(step_seed(self.settings.seed, step, self.processes.rank))
        rows = max(batch.rows for batch in group)
        with (
            told_of_memory(rows, self.settings.chunk_size),
            told_of_divergence(step, self.last),
        ):
            loss, norm = self._gradient(group, step)
            if self.settings.sharpness:
                with sharpest_nearby(self.optimiser, self.settings.sharpness):
                    _, norm = self._gradient(group, step)
            if self.settings.clip_norm:
                clip(self.optimiser, norm, self.settings.clip_norm)
            self.precision.step(self.optimiser)
            self.optimiser.zero_grad(set_to_none=True)
            if self.average is not None:
                self.average.update(self.task.model)
            self.task.after_step()
        return float(loss), float(norm)

    def _gradient(self, group: list[TaskBatch], step: int) -> tuple[Tensor, Tensor]:
        """Leave the gradient of a step in the parameters."""
        share = 1.0 / len(group)
        parameters = [p for p in self.task.loss_module.parameters() if p.requires_grad]
        total: Tensor | float = 0.0
        for number, batch in enumerate(group):
            loss = add_gradients(
                self.model,
                batch.inputs,
                lambda outputs, batch=batch: self.task.loss(outputs, batch, step),  # type: ignore[misc]
                rows=batch.rows,
                chunk_size=self.settings.chunk_size,
                share=share,
                precision=self.precision,
                processes=self.processes,
                loss_parameters=[*parameters, *self._slices],
                sync=number == len(group) - 1,
            )
            total = total + loss * share
        assert isinstance(total, Tensor)  # noqa: S101 - a group is never empty
        self.processes.average_([p.grad for p in parameters if p.grad is not None])
        if not bool(torch.isfinite(total)):
            raise diverged("loss", float(total), step, self.last)
        self.precision.unscale(self.optimiser)
        norm = whole_gradient_norm(self.optimiser, self.task.model)
        if not self.precision.scales and not bool(torch.isfinite(norm)):
            raise diverged("gradient's length", float(norm), step, self.last)
        return total, norm

    def _validate(self, stage: Stage, log: RunLog | None) -> None:
        position = self.position
        ending = position.epoch >= stage.epochs
        if position.epoch % self.settings.validate_every_epochs and not ending:
            return
        begun = time.monotonic()
        model = self.task.model if self.average is None else self.average.model
        model.eval()
        with told_of_divergence(position.step, self.last):
            found = self.task.validate(model)
        better = position.best_score is None or found.score > position.best_score
        self.position = replace(
            position,
            stale=0 if better else position.stale + 1,
            seconds=position.seconds + time.monotonic() - begun,
        )
        if better:
            self.position = replace(
                self.position,
                best_score=found.score,
                best_epoch=position.epoch,
                best_stage=position.stage,
            )
            self._save_best(model, found)
        if log is not None:
            log.validation(position.step, stage.name, position.epoch, found)
            self.watcher.validation(stage.name, position.epoch, found, best=better)

    def _save_best(self, model: nn.Module, found: Validation) -> None:
        weights = whole_state(model)
        if self.processes.first:
            state = {
                "score": found.score,
                "values": dict(found.values),
                **asdict(self.position),
            }
            save_checkpoint(self.best, Checkpoint(part_named("model", weights), state))
        self.processes.wait()

    def _save(self) -> None:
        if not self.processes.first and not self._slices:
            return
        checkpoint = self._checkpoint()
        if not self.processes.first:
            return
        # A step may be too long although its gradient is finite: the good checkpoint stays.
        for name, tensor in checkpoint.tensors.items():
            if not name.startswith("optimiser/") and not bool(torch.isfinite(tensor).all()):
                raise diverged(f"weight {name!r}", float("nan"), self.position.step, self.last)
        save_checkpoint(self.last, checkpoint)

    def _checkpoint(self) -> Checkpoint:
        steps, rest = whole_optimiser_tensors(self.optimiser, self.task.model)
        tensors = {
            **part_named("model", whole_state(self.task.model)),
            **part_named("loss", self.task.loss_module.state_dict()),
            **part_named("optimiser", steps),
            **part_named("task", self.task.tensors()),
        }
        state: dict[str, Any] = {
            "position": asdict(self.position),
            "optimiser": rest,
            "scale": self.precision.state_dict(),
            "task": self.task.state(),
        }
        if self.average is not None:
            tensors |= part_named("average", whole_state(self.average.model))
            state["average_steps"] = self.average.steps
        return Checkpoint(tensors, state)

    def _load(self) -> None:
        checkpoint = read_checkpoint(self.last)
        state = checkpoint.state
        self.position = Position(**state["position"])
        load_whole(self.task.model, checkpoint.part("model"), "network")
        # After the last stage there is nothing to begin; its loss is the one that was saved.
        self._begin_stage(min(self.position.stage, len(self.task.stages) - 1))
        load_exactly(self.task.loss_module, checkpoint.part("loss"), "loss")
        steps = checkpoint.part("optimiser")
        load_whole_optimiser(self.optimiser, self.task.model, steps, state["optimiser"])
        self.precision.load_state_dict(state["scale"])
        if self.average is not None:
            load_whole(self.average.model, checkpoint.part("average"), "average")
            self.average.steps = int(state["average_steps"])
        self.task.load(checkpoint.part("task"), state["task"])


def step_seed(seed: int, step: int, rank: int) -> int:
    """The seed of what is random in a step of a process."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0] >> 1)


def _groups(batches: Iterator[TaskBatch], size: int, left: int) -> Iterator[list[TaskBatch]]:
    """Batches in groups, one for each step of the optimiser."""
    while left > 0:
        group = list(islice(batches, min(size, left)))
        if not group:
            return
        left -= len(group)
        yield group
