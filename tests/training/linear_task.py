"""A small task that the loop can train: a line through points, with its own state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from sightline.training.loops.task import Outputs, Stage, TaskBatch, Validation

ROWS, BATCH = 40, 8


class Scale(nn.Module):
    """A loss with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))


class OneOutput(nn.Module):
    """A small network whose single output comes in a tuple, as the loop wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(3, 8), nn.Linear(8, 1)
        self.between = nn.Sequential(nn.BatchNorm1d(8), nn.Dropout(0.2))

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (self.last(self.between(self.first(x))),)


class LinearTask:
    """Fits y = w x with dropout; batches are shuffled, and each epoch has a random offset."""

    def __init__(
        self,
        *stages: Stage,
        scores: list[float] | None = None,
        spoil: Callable[[int, Tensor], Tensor] | None = None,
    ) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.model = OneOutput()
            self.x = torch.randn(ROWS, 3)
        self.y = self.x.sum(dim=1, keepdim=True)
        self.loss_module: nn.Module = nn.Identity()
        self.stages = stages or (Stage(name="one", epochs=2, learning_rate=0.05),)
        self.scores = scores
        self.spoil = spoil
        self.begun: list[tuple[int, int]] = []
        self.offset = torch.zeros(1)
        self.order: list[list[int]] = []
        self.validated = 0
        self.memory = 0.0

    def backbone_parameters(self) -> list[nn.Parameter]:
        return list(self.model.first.parameters())

    def begin_stage(self, stage: int) -> None:
        self.loss_module = Scale()
        self.stage = stage

    def begin_epoch(self, stage: int, epoch: int) -> None:
        self.begun.append((stage, epoch))
        generator = torch.Generator().manual_seed(10 * stage + epoch)
        # Depends on the weights, as mined neighbours do.
        self.offset = torch.rand(1, generator=generator) * self.model.first.weight.detach().sum()
        self._shuffle(stage, epoch)

    def _shuffle(self, stage: int, epoch: int) -> None:
        self.place = stage, epoch
        generator = torch.Generator().manual_seed(100 * stage + epoch)
        self.order = torch.randperm(ROWS, generator=generator).reshape(-1, BATCH).tolist()

    def batches_in_epoch(self) -> int:
        return len(self.order)

    def batches(self, first: int) -> Iterator[TaskBatch]:
        for rows in self.order[first:]:
            yield TaskBatch((self.x[rows],), len(rows), self.y[rows])

    def loss(self, outputs: Outputs, batch: TaskBatch, step: int) -> Tensor:
        (found,) = outputs
        apart = (found - batch.about + 0.01 * self.offset).square().mean()
        value = apart * self.loss_module.scale.exp() - self.loss_module.scale  # type: ignore[operator]
        value = value + 0.001 * self.memory
        return value if self.spoil is None else self.spoil(step, value)

    def after_step(self) -> None:
        self.memory = 0.5 * self.memory + float(self.model.last.bias.detach())

    def validate(self, model: nn.Module) -> Validation:
        assert not model.training
        with torch.no_grad():
            error = float((model(self.x)[0] - self.y).square().mean())
        score = -error if self.scores is None else self.scores[self.validated]
        self.validated += 1
        return Validation(score, {"score": score, "error": error})

    def tensors(self) -> dict[str, Tensor]:
        return {"offset": self.offset}

    def state(self) -> dict[str, Any]:
        return {
            "place": list(self.place),
            "memory": self.memory,
            "validated": self.validated,
        }

    def load(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        self.offset = tensors["offset"]
        self.memory, self.validated = state["memory"], state["validated"]
        self._shuffle(*state["place"])
