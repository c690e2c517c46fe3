"""Pictures to encode, and sources to import."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from sightline.models.runtimes import sample_inputs

from .networks import build


@pytest.fixture(scope="session")
def pictures() -> list[np.ndarray]:
    """Eight pictures of several sizes and proportions."""
    wide = list(sample_inputs(4, (90, 130)))
    return wide + list(sample_inputs(4, (150, 80)))


@pytest.fixture
def write_source(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Write config.json and model.safetensors of a tiny network."""

    def write(architecture: str = "test_efficientnet", **config: object) -> tuple[Path, Path]:
        network = build(architecture, num_classes=10)
        folder = tmp_path / "source"
        folder.mkdir(exist_ok=True)
        document = {
            "architecture": architecture,
            "num_classes": 10,
            "pretrained_cfg": {
                "input_size": [3, 64, 64] if "vit" not in architecture else [3, 160, 160],
                "mean": [0.5, 0.5, 0.5],
                "std": [0.5, 0.5, 0.5],
                "interpolation": "bicubic",
                "crop_pct": 0.9,
                "license": "apache-2.0",
            },
            **config,
        }
        (folder / "config.json").write_text(json.dumps(document))
        save_file(network.state_dict(), folder / "model.safetensors")
        return folder / "config.json", folder / "model.safetensors"

    return write
