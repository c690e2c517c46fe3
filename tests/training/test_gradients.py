"""The gradient of parts is the gradient of the whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sightline.losses import InfoNCELoss
from sightline.training.loops.gradients import add_gradients, equal_parts
from sightline.training.loops.precision import MixedPrecision
from sightline.training.loops.processes import Processes

ROWS, DIMENSION = 11, 5
# Of at most four.
PARTS = slice(0, 3), slice(3, 7), slice(7, 11)
CPU = torch.device("cpu")


class TwoBranches(nn.Module):
    def __init__(self, *extra: nn.Module) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(4, 8), *extra, nn.Tanh(), nn.Linear(8, DIMENSION))
        self.second = nn.Linear(3, DIMENSION)

    def forward(self, a: Tensor, b: Tensor, _: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.first(a), self.second(b)


def built(
    *extra: nn.Module,
) -> tuple[TwoBranches, InfoNCELoss, tuple[Tensor, Tensor, None]]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = TwoBranches(*extra).double()
        inputs = torch.randn(ROWS, 4).double(), torch.randn(ROWS, 3).double(), None
    return model, InfoNCELoss(0.3).double(), inputs


def gradients(
    chunk_size: int, *, share: float = 1.0, extra: tuple[nn.Module, ...] = ()
) -> tuple[Tensor, dict[str, Tensor], nn.Module]:
    model, loss, inputs = built(*extra)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        value = add_gradients(
            model,
            inputs,
            lambda outputs: loss(*outputs),
            rows=ROWS,
            chunk_size=chunk_size,
            share=share,
            precision=MixedPrecision("float32", CPU),
            processes=Processes(),
            loss_parameters=list(loss.parameters()),
        )
    named = [*model.named_parameters(), *loss.named_parameters()]
    return value, {name: p.grad for name, p in named if p.grad is not None}, model


@pytest.mark.parametrize("chunk_size", [1, 3, 4, 10, 11, 100])
def test_chunks_have_the_gradient_of_the_whole_batch(chunk_size: int) -> None:
    value, found, _ = gradients(chunk_size)
    whole, wanted, _ = gradients(0)
    torch.testing.assert_close(value, whole, rtol=1e-12, atol=0)
    assert set(found) == set(wanted)
    assert "log_scale" in found
    for name, gradient in wanted.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-13, msg=name)


@pytest.mark.parametrize("chunk_size", [0, 3])
def test_a_share_of_the_loss_has_that_share_of_the_gradient(chunk_size: int) -> None:
    _, whole, _ = gradients(chunk_size)
    value, half, _ = gradients(chunk_size, share=0.5)
    torch.testing.assert_close(value, gradients(0)[0])
    for name, gradient in half.items():
        torch.testing.assert_close(gradient, whole[name] / 2)


@pytest.mark.parametrize(("rows", "most"), [(11, 4), (16, 5), (9, 8), (5, 1), (4, 4), (64, 63)])
def test_parts_are_few_and_alike(rows: int, most: int) -> None:
    parts = equal_parts(rows, most)
    sizes = [part.stop - part.start for part in parts]
    assert np.concatenate([np.arange(rows)[part] for part in parts]).tolist() == list(range(rows))
    assert len(parts) == -(-rows // most)
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1


def test_no_part_is_too_small_for_a_batch_norm() -> None:
    """In parts of five the eleventh row would be alone."""
    gradients(5, extra=(nn.BatchNorm1d(8),))


def test_dropout_drops_the_same_in_both_passes() -> None:
    """Against a graph of all chunks at once, with the same random numbers."""
    dropping = (nn.Dropout(0.5),)
    value, found, _ = gradients(4, extra=dropping)
    model, loss, (a, b, _) = built(*dropping)
    with torch.random.fork_rng():
        torch.manual_seed(7)
        parts = [model(a[part], b[part], None) for part in PARTS]
    whole = loss(*(torch.cat(column) for column in zip(*parts, strict=True)))
    whole.backward()
    torch.testing.assert_close(value, whole.detach())
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(found[name], parameter.grad, msg=name)


def test_random_numbers_go_on_as_after_one_pass() -> None:
    def after(run: Callable[[], object]) -> Tensor:
        with torch.random.fork_rng():
            run()
            return torch.rand(3)

    model, loss, inputs = built(nn.Dropout(0.5))

    def cached() -> None:
        torch.manual_seed(7)
        add_gradients(
            model,
            inputs,
            lambda outputs: loss(*outputs),
            rows=ROWS,
            chunk_size=4,
            precision=MixedPrecision("float32", CPU),
            processes=Processes(),
        )

    def plain() -> None:
        torch.manual_seed(7)
        for part in PARTS:
            model(inputs[0][part], inputs[1][part], None)

    torch.testing.assert_close(after(cached), after(plain), rtol=0, atol=0)


@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norms_count_each_batch_once(momentum: float | None) -> None:
    norm = nn.BatchNorm1d(8, momentum=momentum)
    _, _, model = gradients(4, extra=(norm,))
    plain, _, (a, b, _) = built(nn.BatchNorm1d(8, momentum=momentum))
    for part in PARTS:
        plain(a[part], b[part], None)
    wanted, found = plain.first[1], model.first[1]
    torch.testing.assert_close(found.running_mean, wanted.running_mean)
    torch.testing.assert_close(found.running_var, wanted.running_var)
    assert int(found.num_batches_tracked) == int(wanted.num_batches_tracked) == 3
    assert found.momentum == momentum


def test_bfloat16_gives_float32_embeddings_to_the_loss() -> None:
    model, loss, inputs = built()
    model.float()
    given = tuple(None if x is None else x.float() for x in inputs)
    seen = []

    def told(outputs: tuple[Tensor, ...]) -> Tensor:
        seen.extend(outputs)
        return loss(*outputs)

    for chunk_size in (0, 4):
        add_gradients(
            model,
            given,
            told,
            rows=ROWS,
            chunk_size=chunk_size,
            precision=MixedPrecision("bfloat16", CPU),
            processes=Processes(),
        )
    assert {one.dtype for one in seen} == {torch.float32}
