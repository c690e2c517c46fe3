"""Trainable backbones: their maps, their weights, and the two silent traps of weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sightline.errors import BundleError, UsageError
from sightline.models.trunk import Trunk

from .networks import build


def pixels(*shape: int) -> torch.Tensor:
    count = torch.tensor(shape).prod().item()
    return torch.arange(int(count)).remainder(251).reshape(shape).to(torch.uint8)


@pytest.mark.parametrize(
    ("architecture", "size", "grid", "channels", "tokens"),
    [
        ("test_resnet", (64, 96), (2, 3), 96, 0),
        ("test_convnext", (64, 128), (2, 4), 64, 0),
        ("test_efficientnet", (64, 64), (2, 2), 256, 0),
        ("test_mambaout", (64, 64), (2, 2), None, 0),
        ("test_vit", (32, 80), (2, 5), 64, 1),
        ("swin_tiny_patch4_window7_224", (224, 224), (7, 7), 768, 0),
    ],
)
def test_the_map_is_that_of_the_backbone(
    architecture: str, size: tuple[int, int], grid: tuple[int, int], channels: int, tokens: int
) -> None:
    arguments = {"depths": (1, 1, 1, 1)} if architecture.startswith("swin") else {}
    trunk = Trunk(architecture, size, model_args=arguments).eval()
    features, prefix = trunk(pixels(2, 3, *size))
    assert features.shape == (2, trunk.channels, *grid)
    assert trunk.grid == grid
    assert channels in (None, trunk.channels)
    assert (prefix is None) == (tokens == 0)
    assert all(p.requires_grad for p in trunk.parameters())
    features.sum().backward()
    unused = [n for n, p in trunk.named_parameters() if p.grad is None]
    assert not unused


def test_a_transformer_of_two_prefix_tokens_and_any_size() -> None:
    trunk = Trunk("deit_tiny_distilled_patch16_224", (48, 112), model_args={"depth": 1})
    features, prefix = trunk(pixels(1, 3, 48, 112))
    assert prefix is not None
    assert prefix.shape == (1, 2, 192)
    assert features.shape == (1, 192, 3, 7)
    dynamic = Trunk("test_vit", (64, 64), model_args={"dynamic_img_size": True})
    assert dynamic(pixels(1, 3, 32, 96))[0].shape[2:] == (2, 6)


def test_what_the_map_does_not_need_is_not_kept() -> None:
    trunk = Trunk("test_resnet", (64, 64))
    assert not [n for n, _ in trunk.named_parameters() if n.startswith("network.fc")]
    finer = Trunk("test_resnet", (64, 64), without=("maxpool",))
    assert finer.grid == (2 * trunk.grid[0], 2 * trunk.grid[1])
    with pytest.raises(UsageError, match=r"no module 'features\.99'"):
        Trunk("test_resnet", (64, 64), without=("features.99",))


def test_bytes_and_floats_are_the_same_pixels() -> None:
    trunk = Trunk("test_resnet", (64, 64)).eval()
    given = pixels(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(trunk(given)[0], trunk(given.float() / 255)[0])


def test_pixels_that_cannot_be() -> None:
    trunk = Trunk("test_resnet", (64, 64))
    with pytest.raises(UsageError, match=r"Got \(1, 64, 64, 3\)"):
        trunk(torch.zeros(1, 64, 64, 3))
    with pytest.raises(UsageError, match="int64"):
        trunk(torch.zeros(1, 3, 64, 64, dtype=torch.int64))


def test_networks_that_cannot_be() -> None:
    with pytest.raises(BundleError, match="knows no architecture"):
        Trunk("resnet_51", (64, 64))
    with pytest.raises(BundleError, match="cannot run on images of 64 x 64"):
        Trunk("test_resnet", (64, 64), model_args={"in_chans": 4})


def test_local_weights_and_their_normalisation(
    write_source: Callable[..., tuple[Path, Path]],
) -> None:
    _, weights = write_source("test_resnet")
    trunk = Trunk("test_resnet", (64, 64), weights=weights).eval()
    whole = build("test_resnet", num_classes=10)
    given = pixels(2, 3, 64, 64)
    with torch.inference_mode():
        expected = whole.forward_features((given / 255 - 0.5) / 0.5)  # type: ignore[operator]
        torch.testing.assert_close(trunk(given)[0], expected)
    # With the weights in every checkpoint.
    assert {"mean", "std"} <= trunk.state_dict().keys()
    assert trunk.std.flatten().tolist() == [0.5] * 3


def test_a_transformer_of_local_weights_is_stretched(
    write_source: Callable[..., tuple[Path, Path]],
) -> None:
    _, weights = write_source("test_vit")
    assert Trunk("test_vit", (32, 96), weights=weights).grid == (2, 6)


def test_weights_that_do_not_fit(
    write_source: Callable[..., tuple[Path, Path]], tmp_path: Path
) -> None:
    config, weights = write_source("test_resnet", model_args={"drop_rate": 0.0})
    with pytest.raises(UsageError, match="must be those of resnet18"):
        Trunk("resnet18", (64, 64), weights=weights)
    with pytest.raises(UsageError, match=r"'drop_rate' must be 0\.0"):
        Trunk("test_resnet", (64, 64), weights=weights, model_args={"drop_rate": 0.5})
    document = json.loads(config.read_text())
    config.write_text(json.dumps({**document, "num_classes": 11}))
    with pytest.raises(BundleError, match="do not fit"):
        Trunk("test_resnet", (64, 64), weights=weights)
    del document["pretrained_cfg"]["std"]
    config.write_text(json.dumps(document))
    with pytest.raises(BundleError, match="'std'"):
        Trunk("test_resnet", (64, 64), weights=weights)
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    shutil.copy(weights, lonely)
    with pytest.raises(BundleError, match=r"config cannot be read"):
        Trunk("test_resnet", (64, 64), weights=lonely / weights.name)


def test_folded_batch_norms_stay_as_they_are_in_training(
    write_source: Callable[..., tuple[Path, Path]],
) -> None:
    _, weights = write_source("test_resnet")
    trained = Trunk("test_resnet", (64, 64), weights=weights)
    norms = [m for m in trained.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(norm.training for norm in norms)
    state = load_file(weights)
    for key, tensor in state.items():
        if key.endswith("running_mean"):
            tensor.zero_()
        if key.endswith("running_var"):
            tensor.fill_(1.0)
    save_file(state, weights)
    folded = Trunk("test_resnet", (64, 64), weights=weights)
    assert folded.training
    given = pixels(2, 3, 64, 64)
    features, _ = folded.train()(given)
    torch.testing.assert_close(features, folded.eval()(given)[0])
    features.sum().backward()
    norm = next(m for m in folded.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert norm.weight.grad is not None
    # Random weights have the statistics of no data too, and learn them.
    fresh = Trunk("test_resnet", (64, 64))
    assert all(m.training for m in fresh.modules() if isinstance(m, torch.nn.BatchNorm2d))


def test_the_real_backbone_avoids_its_two_traps(shared_data: Path) -> None:
    folder = shared_data / "weights" / "mobilenetv2_100"
    weights = folder / "mobilenetv2_100.imagenet1k.safetensors"
    trunk = Trunk("mobilenetv2_100", (224, 224), weights=weights)
    assert trunk.mean.flatten().tolist() == [0.5] * 3
    assert type(trunk.network.conv_stem).__name__ == "Conv2dSame"
    with pytest.raises(UsageError, match="'pad_type' must be 'same'"):
        Trunk("mobilenetv2_100", (224, 224), weights=weights, model_args={"pad_type": ""})
