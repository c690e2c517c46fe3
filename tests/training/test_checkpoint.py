from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from sightline.errors import CheckpointError, OutputError
from sightline.training.loops.checkpoint import (
    Checkpoint,
    load_exactly,
    load_optimiser,
    optimiser_tensors,
    part_named,
    read_checkpoint,
    save_checkpoint,
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    tied = {"a": model.weight, "b": model.weight}
    given = Checkpoint(
        {**part_named("model", model.state_dict()), **part_named("x", tied)}, {"n": 3}
    )
    save_checkpoint(tmp_path / "c", given)
    found = read_checkpoint(tmp_path / "c")
    assert found.state["n"] == 3
    assert set(found.part("model")) == {"weight", "bias"}
    torch.testing.assert_close(found.part("x")["b"], model.weight.detach(), rtol=0, atol=0)
    load_exactly(nn.Linear(3, 2), found.part("model"), "network")
    with pytest.raises(CheckpointError, match=r"network does not fit: .*size mismatch"):
        load_exactly(nn.Linear(4, 2), found.part("model"), "network")


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        read_checkpoint(tmp_path / "c")
    (tmp_path / "c").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="or damaged"):
        read_checkpoint(tmp_path / "c")
    save_file({"a": torch.zeros(1)}, tmp_path / "c")
    with pytest.raises(CheckpointError, match="or damaged"):
        read_checkpoint(tmp_path / "c")
    save_file(
        {"a": torch.zeros(1)},
        tmp_path / "c",
        metadata={"state": '{"schema": "other/9"}'},
    )
    with pytest.raises(CheckpointError, match="written as 'other/9'"):
        read_checkpoint(tmp_path / "c")


def test_a_folder_that_is_not_there_is_no_place_to_write(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        save_checkpoint(tmp_path / "none" / "c", Checkpoint({"a": torch.zeros(1)}))


class Counting(torch.optim.SGD):
    """Keeps a plain number in its state, as some optimisers do."""

    def step(self, closure: None = None) -> None:
        super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["steps"] = state.get("steps", 0) + 1
                parameter.data -= 0.01 * state["steps"]


def fused(parameters: Iterable[nn.Parameter], lr: float) -> torch.optim.Optimizer:
    """What the loop trains with."""
    return torch.optim.AdamW(parameters, lr=lr, fused=True)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD, Counting, fused])
def test_an_optimiser_goes_on_where_it_was(kind: Callable[..., torch.optim.Optimizer]) -> None:
    def network() -> nn.Module:
        # As the loop's networks of images are: files hold weights in another order than memory.
        found = nn.Sequential(nn.Conv2d(3, 2, 2), nn.Flatten(), nn.Linear(2, 2))
        return found.to(memory_format=torch.channels_last)

    def steps(model: nn.Module, optimiser: torch.optim.Optimizer, numbers: range) -> None:
        for number in numbers:
            optimiser.zero_grad()
            x = torch.arange(24.0).reshape(2, 3, 2, 2).sub(number).sin()
            model(x).square().sum().backward()
            optimiser.step()

    settings = {"momentum": 0.9} if kind is torch.optim.SGD else {}
    whole, half = network(), network()
    half.load_state_dict(whole.state_dict())
    first = kind(whole.parameters(), lr=0.01, **settings)
    steps(whole, first, range(4))
    second = kind(half.parameters(), lr=0.01, **settings)
    steps(half, second, range(2))
    tensors, rest = optimiser_tensors(second)
    read = {name: tensor.contiguous() for name, tensor in tensors.items()}
    third = kind(half.parameters(), lr=0.01, **settings)
    load_optimiser(third, read, rest)
    steps(half, third, range(2, 4))
    for found, wanted in zip(half.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)
    with pytest.raises(CheckpointError, match="state for 4 parameters, this one has 1"):
        load_optimiser(kind([next(whole.parameters())], lr=0.01, **settings), tensors, rest)
