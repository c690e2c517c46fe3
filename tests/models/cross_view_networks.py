"""Small cross-view networks with random weights, and pictures for them."""

from __future__ import annotations

import numpy as np
import torch

from sightline.models.bundle import CrossViewBundle, CrossViewSettings, ModelCard
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.cross_view_encoder import TorchCrossViewEncoder


def settings(name: str = "frgeo", **changes: object) -> CrossViewSettings:
    values = {
        "ground": "panorama",
        "backbone": "test_resnet",
        "ground_size": (64, 256),
        "aerial_size": (64, 64),
        **changes,
    }
    return CrossViewSettings.of(name, **values)  # type: ignore[arg-type]


def built(found: CrossViewSettings, seed: int = 0) -> CrossViewNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return found.build().eval()


def bundle(name: str = "frgeo", seed: int = 0, **changes: object) -> CrossViewBundle:
    found = settings(name, **changes)
    card = ModelCard("tiny", licence="Apache-2.0", provenance="here", intended_use="tests")
    return CrossViewBundle(card, found, built(found, seed))


def encoder(name: str = "frgeo", seed: int = 0, **changes: object) -> TorchCrossViewEncoder:
    return bundle(name, seed, **changes).encoder()


def turning(ground: str = "perspective:90", turns: int = 3, **changes: object) -> object:
    """An encoder for photos of unknown heading."""
    size = (64, 256) if ground == "panorama" else (64, 96)
    return encoder(
        ground=ground,
        heading="unknown",
        turns=turns,
        options={"split": "area", **changes},
        ground_size=size,
    )


def pictures(count: int, size: tuple[int, int], seed: int = 0) -> list[np.ndarray]:
    """Smooth coloured pictures, each of its own kind."""
    from sightline.models.runtimes import sample_inputs

    return list(sample_inputs(count + seed, size)[seed:])
