"""Which set of files is asked to be complete."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = (Path(__file__).resolve().parents[2] / "../shared/conformance").resolve()


@pytest.fixture(scope="session")
def whole(conformance: Path) -> Path:
    """The shared folder, which holds everything; another may hold as little as it likes."""
    if conformance != SHARED:
        pytest.skip(f"only {SHARED} has to hold everything, and these files are {conformance}")
    return conformance
