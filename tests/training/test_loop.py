from __future__ import annotations

import csv
import math
import resource
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sightline.errors import (
    CheckpointError,
    OutputError,
    TrainingDivergedError,
    TrainingMemoryError,
    VectorError,
)
from sightline.losses import InfoNCELoss
from sightline.training.loops.checkpoint import read_checkpoint
from sightline.training.loops.faults import told_of_divergence, told_of_memory
from sightline.training.loops.loop import Loop, step_seed
from sightline.training.loops.optimisation import learning_rate
from sightline.training.loops.task import LoopSettings, Stage, TaskBatch
from sightline.training.loops.watching import RunLog, StepReport

from .conftest import Listener
from .linear_task import BATCH, ROWS, LinearTask, Scale

ONE = Stage(name="one", epochs=3, learning_rate=0.05)
TWO = Stage(name="two", epochs=2, learning_rate=0.01)
STEPS = ROWS // BATCH


class EndsEarly(LinearTask):
    """Has one batch less than it promises in each epoch."""

    def batches(self, first: int) -> Iterator[TaskBatch]:
        yield from islice(super().batches(first), STEPS - 1)


def loop(task: LinearTask, folder: Path, watcher: Any = None, **settings: Any) -> Loop:
    given = {"log_steps": 1, "checkpoint_minutes": 0.0, **settings}
    return Loop(task, LoopSettings(**given), folder, watcher=watcher)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_an_epoch_whose_batches_end_early_ends_with_them(
    tmp_path: Path, listener: Listener
) -> None:
    end = loop(EndsEarly(ONE), tmp_path, listener).run()
    assert (end.stage, end.epoch, end.step) == (1, 0, 3 * (STEPS - 1))
    assert len(listener.validations) == 3


def test_only_embeddings_that_are_not_finite_are_called_diverged(tmp_path: Path) -> None:
    rows = torch.ones(4, 3)
    with (
        pytest.raises(VectorError, match=r"must have the shape of"),
        told_of_divergence(7, tmp_path),
    ):
        InfoNCELoss()(rows, rows[:2])
    rows[1] = torch.nan
    with pytest.raises(TrainingDivergedError, match="step 7"), told_of_divergence(7, tmp_path):
        InfoNCELoss()(rows, rows)


def test_a_run_learns_and_says_so(tmp_path: Path, listener: Listener) -> None:
    task = LinearTask(ONE)
    end = loop(task, tmp_path, listener).run()
    assert (end.stage, end.step) == (1, 3 * STEPS)
    assert task.begun == [(0, 0), (0, 1), (0, 2)]
    losses = [report.loss for report in listener.steps]
    assert len(losses) == 3 * STEPS
    assert losses[-1] < losses[0]
    last = listener.steps[-1]
    # In the middle of the last of five batches.
    assert last.learning_rate == learning_rate(ONE, 2 + 4.5 / STEPS)
    assert (last.epoch, last.epochs, last.stage) == (3.0, 3, "one")
    assert last.remaining_s == 0
    assert listener.steps[0].remaining_s > 0
    assert last.pairs_per_second > 0
    assert listener.steps[0].learning_rate == pytest.approx(0.05, rel=0.01)
    assert next(best for *_, best in listener.validations)
    logged = rows(tmp_path / "log.csv")
    assert [int(row["step"]) for row in logged] == list(range(1, 3 * STEPS + 1))
    assert float(logged[-1]["loss"]) == pytest.approx(losses[-1], rel=1e-6)
    assert [row["epoch"] for row in rows(tmp_path / "validations.csv")] == [
        "1",
        "2",
        "3",
    ]
    assert list((tmp_path / "tensorboard").iterdir())
    best = read_checkpoint(tmp_path / "checkpoints" / "best.safetensors")
    assert (
        best.state["score"]
        == end.best_score
        == max(found.score for _, _, found, _ in listener.validations)
    )


def test_reports_are_means_over_the_steps_between(tmp_path: Path) -> None:
    every, some = Listener(), Listener()
    loop(LinearTask(ONE), tmp_path / "a", every).run()
    loop(LinearTask(ONE), tmp_path / "b", some, log_steps=3).run()
    losses = [report.loss for report in every.steps]
    # At every third step, and at the end of each epoch of five.
    assert [report.step for report in some.steps] == [3, 5, 6, 9, 10, 12, 15]
    assert some.steps[0].loss == pytest.approx(math.fsum(losses[:3]) / 3)
    assert some.steps[1].loss == pytest.approx(math.fsum(losses[3:5]) / 2)


class StoppedError(Exception):
    pass


class StopsAt(Listener):
    """Breaks a run off after a step."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.last = step

    def step(self, report: StepReport) -> None:
        super().step(report)
        if report.step == self.last:
            raise StoppedError


SETTINGS: dict[str, Any] = {
    "average_decay": 0.9,
    "accumulate": 2,
    "clip_norm": 1.0,
    "weight_decay": 0.1,
    "backbone_rate": 0.5,
    "validate_every_epochs": 2,
}


@pytest.mark.parametrize("minutes", [0.0, 1000.0])
def test_a_run_that_is_broken_off_anywhere_ends_with_the_same_weights(
    tmp_path: Path, minutes: float
) -> None:
    whole = loop(LinearTask(ONE, TWO), tmp_path / "whole", **SETTINGS)
    end = whole.run()
    wanted = read_checkpoint(whole.last)
    assert end.step == 5 * 3
    for step in range(1, end.step + 1):
        folder = tmp_path / f"{step}"
        with pytest.raises(StoppedError):
            loop(
                LinearTask(ONE, TWO),
                folder,
                StopsAt(step),
                **{**SETTINGS, "checkpoint_minutes": minutes},
            ).run()
        resumed = loop(LinearTask(ONE, TWO), folder, **SETTINGS)
        saved = (folder / "checkpoints" / "last.safetensors").is_file()
        found_end = resumed.run(resume=saved)
        assert replace(found_end, seconds=0.0) == replace(end, seconds=0.0)
        found = read_checkpoint(resumed.last)
        assert set(found.tensors) == set(wanted.tensors)
        for name, tensor in wanted.tensors.items():
            assert torch.equal(found.tensors[name], tensor), (step, name)
        for name in ("task", "optimiser", "average_steps"):
            assert found.state[name] == wanted.state[name]
        # Lines after the checkpoint are written once.
        assert [row["step"] for row in rows(folder / "log.csv")] == [
            str(n) for n in range(1, end.step + 1)
        ]
        assert len(rows(folder / "validations.csv")) == 3


class StopsAtValidation(Listener):
    """Breaks a run off when a validation is logged, and its checkpoint is not written yet."""

    def validation(self, *told: Any, **said: Any) -> None:
        super().validation(*told, **said)
        raise StoppedError


def test_a_validation_that_is_made_again_is_logged_once(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        loop(LinearTask(ONE), tmp_path, StopsAtValidation()).run()
    kept = read_checkpoint(tmp_path / "checkpoints" / "last.safetensors").state["position"]
    assert (kept["epoch"], kept["batch"]) == (0, STEPS)
    loop(LinearTask(ONE), tmp_path).run(resume=True)
    found = rows(tmp_path / "validations.csv")
    assert [row["step"] for row in found] == ["5", "10", "15"]


def test_a_run_that_lost_its_patience_goes_on_to_the_next_stage(tmp_path: Path) -> None:
    """Broken off at every step; the scores stop both stages early."""
    stages = replace(ONE, epochs=20, patience=2), replace(TWO, epochs=20, patience=1)
    scores = [1.0, 3.0, 2.0, 3.0, 2.5]
    whole = loop(LinearTask(*stages, scores=scores), tmp_path / "whole", average_decay=0.9)
    end = whole.run()
    wanted = read_checkpoint(whole.last)
    assert end.step == 5 * STEPS
    for step in range(1, end.step + 1):
        folder = tmp_path / str(step)
        with pytest.raises(StoppedError):
            loop(LinearTask(*stages, scores=scores), folder, StopsAt(step), average_decay=0.9).run()
        resumed = loop(LinearTask(*stages, scores=scores), folder, average_decay=0.9)
        saved = resumed.last.is_file()
        assert replace(resumed.run(resume=saved), seconds=0.0) == replace(end, seconds=0.0)
        found = read_checkpoint(resumed.last)
        assert all(torch.equal(found.tensors[k], t) for k, t in wanted.tensors.items()), step


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path, listener: Listener) -> None:
    first = loop(LinearTask(ONE), tmp_path).run()
    assert loop(LinearTask(ONE), tmp_path, listener).run(resume=True) == first
    assert not listener.steps


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        loop(LinearTask(ONE), tmp_path).run(resume=True)


def test_a_stage_ends_when_it_no_longer_improves(tmp_path: Path, listener: Listener) -> None:
    patient = replace(ONE, epochs=20, patience=2)
    task = LinearTask(patient, replace(TWO, patience=1), scores=[1.0, 3.0, 2.0, 3.0, 2.5])
    end = loop(task, tmp_path, listener).run()
    assert task.begun == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0)]
    assert [best for *_, best in listener.validations] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert (end.best_score, end.best_stage, end.best_epoch) == (3.0, 0, 2)
    assert "Stage two begins." in listener.notes


def test_the_second_stage_begins_from_the_best_weights(tmp_path: Path) -> None:
    task = LinearTask(ONE, TWO, scores=[1.0, 5.0, 2.0, 3.0, 4.0])
    stopping = loop(task, tmp_path, StopsAt(3 * STEPS + 1), average_decay=0.5)
    with pytest.raises(StoppedError):
        stopping.run()
    best = read_checkpoint(stopping.best)
    # The first step of the second stage is small: its rate is that of the stage.
    begin = task.model.first.weight.detach()
    apart = (begin - best.part("model")["first.weight"]).abs().max()
    assert 0 < float(apart) <= 0.0101
    assert stopping.average is not None
    assert stopping.average.steps == 1


@pytest.mark.parametrize("accumulate", [2, 3])
def test_batches_are_added_up_for_a_step(tmp_path: Path, accumulate: int) -> None:
    task = LinearTask(replace(ONE, epochs=1))
    seen = []
    run = loop(task, tmp_path, accumulate=accumulate, optimiser="sgd", momentum=0.0)
    run.task.spoil = lambda step, value: seen.append(step) or value  # type: ignore[attr-defined]
    assert run.run().step == -(-STEPS // accumulate)
    assert seen == [n // accumulate for n in range(STEPS)]


def test_a_step_of_several_batches_is_that_of_their_mean(tmp_path: Path) -> None:
    task, plain = LinearTask(replace(ONE, epochs=1)), LinearTask(replace(ONE, epochs=1))
    for one in (task, plain):
        one.model.between = torch.nn.Sequential()
        one.begin_stage(0)
    plain.begin_epoch(0, 0)
    losses = [plain.loss(plain.model(*batch.inputs), batch, 0) for batch in plain.batches(0)]
    (sum(losses) / len(losses)).backward()  # type: ignore[union-attr]
    rate = learning_rate(task.stages[0], 0.5)
    wanted = plain.model.first.weight - rate * plain.model.first.weight.grad  # type: ignore[operator]
    loop(task, tmp_path, accumulate=STEPS, optimiser="sgd", momentum=0.0).run()
    torch.testing.assert_close(task.model.first.weight, wanted)


def test_a_long_gradient_makes_a_short_step(tmp_path: Path) -> None:
    task = LinearTask(replace(ONE, epochs=1, schedule="constant"), spoil=lambda _, v: 1e4 * v)
    before = torch.cat([p.detach().flatten().clone() for p in task.model.parameters()])
    loop(task, tmp_path, clip_norm=0.1, accumulate=STEPS, optimiser="sgd", momentum=0.0).run()
    after = torch.cat([p.detach().flatten() for p in task.model.parameters()])
    assert 0 < float((after - before).norm()) <= 1.01 * 0.05 * 0.1


def test_sharpness_takes_two_gradients_for_a_step(tmp_path: Path) -> None:
    seen = []
    task = LinearTask(replace(ONE, epochs=1), spoil=lambda step, v: seen.append(step) or v)
    plain = LinearTask(replace(ONE, epochs=1))
    loop(task, tmp_path / "a", sharpness=0.5).run()
    loop(plain, tmp_path / "b").run()
    assert seen == [n // 2 for n in range(2 * STEPS)]
    assert not torch.equal(task.model.first.weight, plain.model.first.weight)


def test_chunks_do_not_change_what_is_learnt(tmp_path: Path) -> None:
    found = []
    for chunk_size in (0, 3):
        task = LinearTask(ONE)
        task.model.between = torch.nn.Sequential()
        loop(task, tmp_path / str(chunk_size), chunk_size=chunk_size, clip_norm=0.5).run()
        found.append(task.model.first.weight.detach())
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_not_finite_stops_the_run_before_it_does_harm(tmp_path: Path, what: str) -> None:
    def spoil(step: int, value: Tensor) -> Tensor:
        if step != STEPS + 2:
            return value
        # The root has an infinite slope at 0.
        return value * math.nan if what == "loss" else value + (value - value).sqrt()

    run = loop(LinearTask(ONE, spoil=spoil), tmp_path)
    with pytest.raises(TrainingDivergedError, match=rf"{what}.* of step {STEPS + 2} is nan") as e:
        run.run()
    assert e.value.path == str(run.last)
    assert "learning_rate" in e.value.hint
    kept = read_checkpoint(run.last)
    assert kept.state["position"]["step"] == STEPS + 2
    assert all(torch.isfinite(t).all() for t in kept.part("model").values())
    begin = loop(LinearTask(ONE, spoil=lambda step, v: v * math.inf), tmp_path / "b")
    with pytest.raises(TrainingDivergedError, match="no checkpoint yet"):
        begin.run()


def test_weights_that_are_not_finite_are_never_kept(tmp_path: Path) -> None:
    """Loss and gradient of the first step are finite, and the step is too long."""
    wild = replace(ONE, learning_rate=1e38)
    task = LinearTask(wild, spoil=lambda step, value: 1e6 * value)
    run = loop(task, tmp_path, optimiser="sgd", momentum=0.0)
    with pytest.raises(TrainingDivergedError, match=r"weight 'model/.*no checkpoint yet"):
        run.run()
    assert not torch.isfinite(task.model.first.weight).all()
    assert not run.last.exists()


def test_the_loss_learns_where_the_network_is(tmp_path: Path) -> None:
    """Each stage makes its own loss; on a GPU its temperature would stay behind."""
    moved: list[torch.device] = []

    class Moving(Scale):
        def to(self, device: torch.device) -> Moving:  # type: ignore[override]
            moved.append(device)
            return super().to(device)

    class Task(LinearTask):
        def begin_stage(self, stage: int) -> None:
            super().begin_stage(stage)
            self.loss_module = Moving()

    loop(Task(ONE, TWO), tmp_path).run()
    assert moved == [torch.device("cpu")] * 2
    loop(Task(ONE, TWO), tmp_path).run(resume=True)
    assert len(moved) == 3


def test_mining_is_part_of_the_time_of_training(tmp_path: Path) -> None:
    class Slow(LinearTask):
        def begin_epoch(self, stage: int, epoch: int) -> None:
            super().begin_epoch(stage, epoch)
            time.sleep(0.05)

    assert loop(Slow(ONE), tmp_path).run().seconds >= 3 * 0.05


def test_full_memory_is_an_error_with_numbers(tmp_path: Path) -> None:
    def greedy(step: int, value: Tensor) -> Tensor:
        return value + torch.ones(1 << 44).sum()

    with pytest.raises(TrainingMemoryError, match="8 pairs at once") as error:
        loop(LinearTask(ONE, spoil=greedy), tmp_path).run()
    assert "--set chunk_size=4" in error.value.hint
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 36, hard))
    try:
        with (
            pytest.raises(TrainingMemoryError, match="5 pairs at once"),
            told_of_memory(9, 5),
        ):
            bytearray(1 << 40)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    with pytest.raises(TrainingMemoryError) as error, told_of_memory(9, 1):
        raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED")
    assert "smaller images" in error.value.hint
    with pytest.raises(RuntimeError, match="another"), told_of_memory(9, 5):
        raise RuntimeError("another")


def test_randomness_hangs_on_seed_step_and_process() -> None:
    seeds = {step_seed(*x) for x in ((0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0))}
    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_no_global_randomness_is_touched(tmp_path: Path) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    loop(LinearTask(ONE), tmp_path).run()
    assert torch.equal(torch.rand(3), wanted)


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    log = RunLog(tmp_path)
    (tmp_path / "log.csv").mkdir()
    report = StepReport(1, "one", 0.5, 1, 1.0, 0.1, 1.0, 10.0, 1.0, 1.0)
    with pytest.raises(OutputError, match=r"log\.csv"):
        log.step(report)
    log.close()


def test_a_log_that_was_cut_in_its_first_line_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("step,sta")
    log = RunLog(tmp_path, 4)
    log.step(StepReport(5, "one", 0.5, 1, 1.0, 0.1, 1.0, 10.0, 1.0, 1.0))
    log.close()
    assert [row["step"] for row in rows(tmp_path / "log.csv")] == ["5"]


def test_events_that_cannot_be_written_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorBoard writes later, in a thread, which dies of it."""
    died: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: died.append(str(args.exc_value)))
    before = set(threading.enumerate())
    log = RunLog(tmp_path)
    assert log.has_events
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OutputError, match="tensorboard"):
            for step in range(20_000):
                log._event("training", step, {"loss": 1.0})
            log.close()
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert all("File too large" in reason for reason in died), died


def test_without_tensorboard_there_are_no_event_files(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    loop(LinearTask(replace(ONE, epochs=1)), tmp_path, listener).run()
    assert listener.notes == ["No TensorBoard files: the package `tensorboard` is missing."]
    assert not (tmp_path / "tensorboard").exists()
    assert rows(tmp_path / "log.csv")
