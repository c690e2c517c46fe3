"""Packages that load what they promise only when it is asked for."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "package", ["sightline", "sightline.evaluation", "sightline.geo", "sightline.training"]
)
def test_all_that_is_promised_is_there_and_nothing_else(package: str) -> None:
    module = import_module(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match=rf"module '{package}' has no attribute 'nothing'"):
        _ = module.nothing
