"""Where the shared material is, and what to say when it is not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# A check that decides whether work lands draws the same examples every time; others go on looking.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


def _shared(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable, ROOT / default)).resolve()
    if not folder.is_dir():
        pytest.skip(f"{variable} names no folder ({folder}): the shared material is not here")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    return _shared("SIGHTLINE_DATA", "../shared/data")


@pytest.fixture(scope="session")
def conformance() -> Path:
    return _shared("SIGHTLINE_CONFORMANCE", "../shared/conformance")
