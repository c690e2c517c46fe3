"""Small networks with random weights."""

from __future__ import annotations

import timm
import torch

from sightline.models.backbone import CutBackbone
from sightline.models.encoder import TorchEncoder
from sightline.models.settings import EncoderSettings, Preprocessing


def build(architecture: str, seed: int = 0, **arguments: object) -> torch.nn.Module:
    """A network whose batch norms have statistics of their own, as trained ones have."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = timm.create_model(architecture, pretrained=False, **arguments).eval()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, std=0.1)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
                torch.nn.init.uniform_(module.weight, 0.5, 2.0)
                torch.nn.init.normal_(module.bias, std=0.1)
    return network


def make_encoder(**changes: object) -> TorchEncoder:
    """A tiny convolutional encoder, 2 x 2 regions, 64 px."""
    options = {k: changes.pop(k) for k in ("precision", "runtime", "threads") if k in changes}
    seed = changes.pop("seed", 0)
    values = {
        "architecture": "test_efficientnet",
        "feature": "blocks.4.0.bn1",
        "layout": "NCHW",
        "regions": 2,
        "preprocessing": Preprocessing(size=(64, 64)),
        **changes,
    }
    settings = EncoderSettings(**values)  # type: ignore[arg-type]
    network = build(settings.architecture, seed, **settings.model_args)  # type: ignore[arg-type]
    backbone = CutBackbone(network, settings.feature, settings.preprocessing.size)
    return TorchEncoder(
        backbone,
        settings,
        name="tiny",
        **{"precision": "float32", "runtime": "torch", **options},  # type: ignore[arg-type]
    )
