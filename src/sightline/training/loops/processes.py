"""Several processes that train one network, as ``torchrun`` starts them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sightline.errors import UsageError

_PATIENCE = timedelta(days=2)
"""How long a process waits for another: the first one may make or decode images for hours."""


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among all of a run.

    Args:
        rank: Its number, from 0.
        count: How many there are.
        device: Where it computes.
    """

    rank: int = 0
    count: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this is the one that writes and speaks."""
        return self.rank == 0

    def wrap(self, module: nn.Module, apart: Collection[str] = ()) -> nn.Module:
        """The module, averaging gradients over all processes when it goes backward.

        Args:
            module: The same in every process, but for what stands apart.
            apart: Names of parameters that are another in each process, and stay so.
        """
        if self.count == 1:
            return module
        if apart:
            shared = [one for name, one in module.named_parameters() if name not in apart]
            if not any(one.requires_grad for one in shared):
                return module
            # Torch has no public way to leave parameters out.
            DistributedDataParallel._set_params_and_buffers_to_ignore_for_model(  # type: ignore[no-untyped-call]  # noqa: SLF001
                module, list(apart)
            )
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=ids)

    def without_sync(self, module: nn.Module) -> AbstractContextManager[Any]:
        """Within it, gradients are added up in each process alone."""
        if isinstance(module, DistributedDataParallel):
            return module.no_sync()
        return nullcontext()

    def average_(self, gradients: list[Tensor]) -> None:
        """Average tensors over all processes, in place."""
        if self.count > 1:
            for gradient in gradients:
                dist.all_reduce(gradient)
                gradient /= self.count

    def share_(self, tensors: Iterable[Tensor]) -> None:
        """Give all processes the first one's values, in place."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def agreed(self, *, word: bool) -> bool:
        """The first one's word, which all go by."""
        told = torch.tensor(word, device=self.device)
        self.share_([told])
        return bool(told)

    def wait(self) -> None:
        """Return when all have come here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def joined(device: str = "auto") -> Iterator[Processes]:
    """Join the other processes, if ``torchrun`` started some.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:1``.

    Yields:
        This process. When the block ends the processes part.

    Raises:
        UsageError: There is no such device.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    found = find_device(device, int(os.environ.get("LOCAL_RANK", "0")) if count > 1 else None)
    if count == 1:
        yield Processes(device=found)
        return
    if found.type == "cuda":
        torch.cuda.set_device(found)
    dist.init_process_group("nccl" if found.type == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Processes(rank, count, found)
    finally:
        dist.destroy_process_group()


def find_device(name: str, local_rank: int | None = None) -> torch.device:
    """The device of a name; ``cuda`` is the local rank's own where several processes run.

    Raises:
        UsageError: There is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as cause:
        raise UsageError(
            f"There is no device {name!r}.", hint="Write auto, cpu, cuda or cuda:0."
        ) from cause
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            f"The device {name!r} cannot be used: torch sees no GPU.",
            hint="Write cpu, or install a build of torch for this GPU.",
        )
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"Training runs on cpu or cuda. Got {name!r}.", hint="Write auto.")
    return device if name != "cuda" else torch.device("cuda", local_rank or 0)
