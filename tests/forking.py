"""Processes forked from one that has imported what they need, and computed nothing.

Threads of a parent do not survive a fork: it must not have had any yet.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

import coverage
import torch


def forked(work: Callable[[], object]) -> int:
    """Run in a child; its number."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        torch.set_num_threads(1)
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - told, and the status says it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if coverage.Coverage.current() is not None:
            coverage.Coverage.current().save()
        os._exit(status)


def ended_well(child: int) -> None:
    """Wait for a child, which must end by itself and without an error."""
    _, status = os.waitpid(child, 0)
    assert status == 0, status
