"""The cut network says what the whole network says, and holds no more than it needs."""

from __future__ import annotations

import pytest
import torch

from sightline.errors import BundleError
from sightline.models.backbone import CutBackbone, build_backbone, set_input_size
from sightline.models.families import (
    MEASURED,
    RULE,
    candidate_features,
    default_feature,
    family_of,
    feature_maps,
)
from sightline.models.network import EncoderNetwork, optimised
from sightline.models.settings import EncoderSettings, Preprocessing

from .networks import build

CUTS = [
    ("mobilenetv2_100", {"pad_type": "same"}, "blocks.5.0.bn1", 96, "NCHW", 576),
    ("test_resnet", {}, "layer3", 64, "NCHW", None),
    ("test_convnext", {}, "stages.3.downsample.0", 64, "NCHW", None),
    ("test_efficientnet", {}, "bn2", 64, "NCHW", None),
    ("test_mambaout", {}, "stages.1", 64, "NHWC", None),
    ("test_vit", {}, "blocks.2", 160, "NLC", 64),
    ("test_vit", {}, "norm", 160, "NLC", 64),
    ("swin_tiny_patch4_window7_224", {"depths": (1, 1, 1, 1)}, "layers.1", 224, "NHWC", 192),
    ("test_resnet", {}, "global_pool", 64, "NC", None),
]


@pytest.mark.parametrize(
    ("architecture", "arguments", "feature", "side", "layout", "channels"), CUTS
)
def test_the_cut_equals_the_whole(
    architecture: str,
    arguments: dict[str, object],
    feature: str,
    side: int,
    layout: str,
    channels: int | None,
) -> None:
    whole = build(architecture, **arguments)
    seen: list[torch.Tensor] = []
    handle = whole.get_submodule(feature).register_forward_hook(
        lambda _m, _i, output: seen.append(output.clone())
    )
    pixels = torch.linspace(-2, 2, 2 * 3 * side * side).sin().reshape(2, 3, side, side)
    with torch.inference_mode():
        whole(pixels)
    handle.remove()
    stored = set(whole.state_dict())
    cut = CutBackbone(build(architecture, **arguments), feature, (side, side))
    with torch.inference_mode():
        grid, prefix = cut(pixels)
    expected = seen[0]
    if layout == "NHWC":
        expected = expected.permute(0, 3, 1, 2)
    if layout == "NC":
        expected = expected[:, :, None, None]
    if layout == "NLC":
        assert prefix is not None
        torch.testing.assert_close(prefix, expected[:, :1])
        expected = expected[:, 1:].mT.reshape(2, -1, side // 16, side // 16)
    torch.testing.assert_close(grid, expected, rtol=0, atol=0)
    assert cut.layout == layout
    assert cut.channels == (channels or expected.shape[1])
    assert cut.grid == tuple(expected.shape[2:])
    kept = set(cut.network.state_dict())
    assert kept < stored
    assert not any(p.requires_grad for p in cut.parameters())


def test_nothing_after_the_cut_is_stored() -> None:
    cut = CutBackbone(build("mobilenetv2_100", pad_type="same"), "blocks.5.0.bn1", (64, 64))
    keys = set(cut.network.state_dict())
    assert "blocks.5.0.bn1.weight" in keys
    assert not any(k.startswith(("blocks.5.0.conv_dw", "blocks.6", "conv_head")) for k in keys)
    whole = sum(p.numel() for p in build("mobilenetv2_100").parameters())
    assert sum(p.numel() for p in cut.parameters()) * 5 < whole


@pytest.mark.parametrize("architecture", ["mobilenetv2_100", "test_resnet", "test_convnext"])
def test_folding_batch_norms_keeps_the_vectors(architecture: str) -> None:
    network = build(architecture)
    feature = default_feature(network, (64, 64))
    settings = EncoderSettings(
        architecture, feature, "NCHW", regions=2, preprocessing=Preprocessing(size=(64, 64))
    )
    cut = EncoderNetwork(CutBackbone(network, feature, (64, 64)), settings).eval()
    norms = [m for m in cut.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    faster = optimised(cut)
    pixels = torch.arange(2 * 64 * 64 * 3).remainder(251).to(torch.uint8).reshape(2, 64, 64, 3)
    with torch.inference_mode():
        torch.testing.assert_close(faster(pixels), cut(pixels), rtol=1e-3, atol=1e-5)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in faster.modules())
    assert [m for m in cut.modules() if isinstance(m, torch.nn.BatchNorm2d)] == norms


def test_a_convolution_that_two_modules_read_is_not_folded() -> None:
    class Forked(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = torch.nn.Conv2d(3, 4, 3)
            self.norm = torch.nn.BatchNorm2d(4)
            self.other = torch.nn.ReLU()
            self.end = torch.nn.ReLU()

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            made = self.convolution(pixels)
            return self.end(self.norm(made) + self.other(made))

    settings = EncoderSettings("x", "end", "NCHW", preprocessing=Preprocessing(size=(8, 8)))
    network = EncoderNetwork(CutBackbone(Forked().eval(), "end", (8, 8)), settings).eval()
    assert any(isinstance(m, torch.nn.BatchNorm2d) for m in optimised(network).modules())


def test_input_sizes() -> None:
    network = build("test_vit")
    set_input_size(network, (64, 96))
    cut = CutBackbone(network, "norm", (64, 96))
    assert cut.grid == (4, 6)
    with pytest.raises(BundleError, match="cannot take photos"):
        set_input_size(build("swin_tiny_patch4_window7_224", depths=(1, 1, 1, 1)), (0, 0))
    convolutional = build("test_resnet")
    set_input_size(convolutional, (64, 96))
    assert CutBackbone(convolutional, "layer3", (64, 96)).grid == (4, 6)
    swin = build("swin_tiny_patch4_window7_224", depths=(1, 1, 1, 1))
    set_input_size(swin, (448, 448))
    assert CutBackbone(swin, "layers.1", (448, 448)).grid == (56, 56)


def test_refused_cuts() -> None:
    with pytest.raises(BundleError, match=r"no module 'blocks\.9'") as refused:
        CutBackbone(build("test_efficientnet"), "blocks.9", (64, 64))
    assert "blocks." in refused.value.hint
    with pytest.raises(BundleError, match="no module ''"):
        CutBackbone(build("test_efficientnet"), "", (64, 64))
    with pytest.raises(BundleError, match="not NHWC") as refused:
        CutBackbone(build("test_vit"), "norm", (160, 160), "NHWC")
    with pytest.raises(BundleError, match="no grid"):
        CutBackbone(build("test_vit3"), "attn_pool.q", (160, 160))


def test_a_map_as_deep_as_it_is_wide() -> None:
    ambiguous = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1))
    assert CutBackbone(ambiguous, "0", (8, 8)).layout == "NCHW"
    declared = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 1))
    declared.output_fmt = "NHWC"
    assert CutBackbone(declared, "0", (8, 8)).layout == "NHWC"


def test_a_module_that_is_never_run() -> None:
    class Idle(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.idle = torch.nn.ReLU()
            self.pair = Pair()

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.pair(pixels)[0]

    class Pair(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return pixels, pixels

    with pytest.raises(BundleError, match="is not run"):
        CutBackbone(Idle(), "idle", (8, 8))
    with pytest.raises(BundleError, match="gives no feature map"):
        CutBackbone(Idle(), "pair", (8, 8))


def test_a_network_that_the_cut_would_change_is_refused() -> None:
    class Forgetful(torch.nn.Module):
        """Answers differently each time."""

        def __init__(self) -> None:
            super().__init__()
            self.end = torch.nn.Conv2d(3, 2, 1)
            self.calls = 0

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.end(pixels * self.calls)

    with pytest.raises(BundleError, match="changed its output"):
        CutBackbone(Forgetful(), "end", (8, 8))


@pytest.mark.parametrize(
    ("architecture", "arguments", "cause"),
    [
        ("mobilenetv2_10", {}, "knows no architecture"),
        ("hf-hub:someone/anything", {}, "knows no architecture"),
        ("test_vit", {"checkpoint_path": "weights.pth"}, "may not be set"),
        ("test_vit", {"pretrained": True}, "may not be set"),
        ("test_vit", {"no_such_argument": 1}, "cannot be built"),
    ],
)
def test_refused_architectures(architecture: str, arguments: dict[str, object], cause: str) -> None:
    with pytest.raises(BundleError, match=cause):
        build_backbone(architecture, arguments)


def test_families() -> None:
    measured = family_of("mobilenetv2_100")
    assert (measured.feature, measured.size, measured.regions) == ("blocks.5.0.bn1", (448, 448), 2)
    assert measured.basis == MEASURED
    assert family_of("resnet50").basis == RULE
    assert family_of("resnet50").prefix == "resnet"
    assert family_of("something_new").size is None


@pytest.mark.parametrize(
    ("architecture", "side", "feature"),
    [
        ("mobilenetv2_100", 64, "blocks.5.0.bn1"),
        ("test_resnet", 64, "layer3"),
        ("test_vit", 160, "norm"),
        ("test_vit3", 160, "norm"),
        ("test_convnext", 64, "stages.3.downsample.0"),
    ],
)
def test_default_features(architecture: str, side: int, feature: str) -> None:
    network = build(architecture)
    assert default_feature(network, (side, side)) == feature
    assert feature in dict(feature_maps(network, (side, side)))
    candidates = candidate_features(network, (side, side))
    assert len(candidates) == len(set(candidates)) >= 1


def test_other_strides_and_no_map_at_all() -> None:
    shallow = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, stride=2, padding=1), torch.nn.ReLU())
    assert default_feature(shallow, (64, 64)) == "1"
    flat = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64, 2))
    with pytest.raises(BundleError, match="no module that returns"):
        default_feature(flat, (8, 8))
