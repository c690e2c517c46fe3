"""Kills the processes that read images, and looks at what still comes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from sightline.errors import TrainingWorkerError
from sightline.training.data.loading import BatchLoader, PairPixels

COUNT = 24


class Suicidal:
    """Pixels of numbers; the process that reads one of them is killed, while a file is there."""

    size = (2, 2)

    def __init__(self, fatal: Path) -> None:
        self.fatal = fatal

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if 10 in rows and self.fatal.exists():
            if self.fatal.read_text() == "once":
                self.fatal.unlink()
            if self.fatal.exists() and self.fatal.read_text() == "error":
                raise RuntimeError("no death")
            os.kill(os.getpid(), signal.SIGKILL)
        pixels = np.zeros((len(rows), 3, 2, 2), np.uint8)
        pixels += rows[:, None, None, None].astype(np.uint8)
        return pixels, np.zeros(len(rows), bool)


def main(folder: Path) -> None:
    # torch looks whether its workers live every five seconds, in which nothing happens.
    _MultiProcessingDataLoaderIter._try_get_data.__defaults__ = (0.2,)
    fatal = folder / "fatal"
    notes: list[str] = []
    source = Suicidal(fatal)
    pairs = np.stack([np.arange(COUNT)] * 2, axis=1)
    loader = BatchLoader(PairPixels(pairs, source, source), workers=1, pin=False, note=notes.append)
    batches = np.split(np.arange(COUNT), 6)
    fatal.write_text("once")
    seen = [one.ground[:, 0, 0, 0].tolist() for one in loader.load(batches)]
    assert seen == [batch.tolist() for batch in batches], seen
    assert len(notes) == 1, notes
    sys.stdout.write("replaced once\n")
    for worker in multiprocessing.active_children():
        os.kill(worker.pid or 0, signal.SIGKILL)
    assert len(list(loader.load(batches))) == len(batches)
    assert len(notes) == 2, notes
    sys.stdout.write("replaced between two passes\n")
    fatal.write_text("error")
    with pytest.raises(RuntimeError, match="no death"):
        list(loader.load(batches))
    assert len(notes) == 2, notes
    sys.stdout.write("told of an error\n")
    fatal.write_text("always")
    seen = []
    with pytest.raises(TrainingWorkerError, match="died 4 times") as error:
        seen.extend(one.rows.tolist() for one in loader.load(batches))
    assert "workers" in error.value.hint
    sys.stdout.write("gave up\n")
    assert seen == [batch.tolist() for batch in batches[:2]][: len(seen)], seen


if __name__ == "__main__":
    main(Path(sys.argv[1]))
