"""What a run writes down of the machine that it ran on, whatever is missing there."""

from __future__ import annotations

import json

import pytest
import torch

from sightline.training import run_folder
from sightline.training.run_folder import surroundings


def test_what_a_run_ran_on() -> None:
    told = surroundings()
    assert told["versions"]["torch"] == torch.__version__.split("+")[0]
    assert told["machine"]["threads"] == torch.get_num_threads()
    json.dumps(told, allow_nan=False)


def test_packages_and_programs_that_are_not_there_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_folder, "_PACKAGES", ("numpy", "no-package-of-this-name"))
    monkeypatch.setenv("PATH", "")  # no git
    told = surroundings()
    assert set(told["versions"]) == {"python", "numpy"}
    assert told["commit"] is None
