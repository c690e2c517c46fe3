"""Processes to be killed, forked from one that has imported what they need and done nothing else.

A hundred of them would spend a minute or two on imports alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path
from typing import Any
from unittest import mock

SURROUNDINGS = {
    # It looks for what it imports in no path of ours before Python 3.12.8 (python/cpython#117378).
    "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
    "OMP_NUM_THREADS": "1",
    # Its threads would not survive; it has none before it does something.
    "PYTHONWARNINGS": "ignore:lance is not fork-safe",
}

_SERVER = multiprocessing.get_context("forkserver")


class Forked:
    """A process, and what it says on its standard output and standard error."""

    def __init__(self, work: Callable[..., object], *arguments: object) -> None:
        # Here, because training asks for other modules as it is imported.
        _SERVER.set_forkserver_preload(["atlas.child", "atlas.aerial.child"])
        with mock.patch.dict(os.environ, SURROUNDINGS):
            forkserver.ensure_running()
        receiving, sending = _SERVER.Pipe(duplex=False)
        self._process = _SERVER.Process(target=_run, args=(sending, work, arguments), daemon=True)
        self._process.start()
        # Its end comes when the process has ended, however it does.
        sending.close()
        self.says = os.fdopen(os.dup(receiving.fileno()))
        receiving.close()

    def kill(self) -> tuple[list[str], bool]:
        """Kill it.

        Returns:
            What it had still said, and whether the kill came in time; that it ended well if not.
        """
        self._process.kill()
        said = self.says.read().splitlines()
        self.says.close()
        self._process.join()
        killed = self._process.exitcode == -signal.SIGKILL
        assert killed or self._process.exitcode == 0, said
        self._process.close()
        return said, killed


def _run(sending: Any, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    os.dup2(sending.fileno(), 1)
    os.dup2(sending.fileno(), 2)
    sending.close()
    work(*arguments)
