"""Every named architecture runs, and is what its source says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch

from sightline.errors import BundleError, UsageError
from sightline.models.architectures import ARCHITECTURES, architecture, build_network
from sightline.models.feature_recombination import FeatureRecombination
from sightline.models.heads import GlobalPooling, TokenProjection

SMALL = {"vgg16": "test_resnet", "resnet50": "test_resnet", "convnext_tiny": "test_convnext"}


def small_backbone(name: str) -> str:
    return SMALL.get(architecture(name).backbone, "test_vit")


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("ground", ["panorama", "perspective:90"])
@pytest.mark.parametrize("name", list(ARCHITECTURES))
def test_every_architecture_runs(name: str, ground: str, shared: bool) -> None:
    options = {"clusters": 3, "projection": 32} if name.startswith("cvm") else {}
    network = build_network(
        name,
        ground=ground,
        ground_size=(128, 128),
        aerial_size=(128, 128),
        backbone=small_backbone(name),
        shared_weights=shared,
        options=options,
    )
    pixels = torch.linspace(0, 1, 2 * 3 * 128 * 128).sin().abs().reshape(2, 3, 128, 128)
    vectors = network(pixels, pixels)
    for found in vectors:
        assert found.shape == (2, network.dimension)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(2))
    (vectors[0] * vectors[1]).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_the_published_rows() -> None:
    """Backbones exist, and what the sources state of sizes and dimensions holds."""
    for row in ARCHITECTURES.values():
        assert timm.is_model(row.backbone), row.name
        assert row.source
        assert ARCHITECTURES[row.name] is row
    assert ARCHITECTURES["vgg16-fc"].options["widths"] == (512, 256, 256)
    assert ARCHITECTURES["cvm-net-i"].options == {"clusters": 64, "projection": 4096}


def test_frgeo_has_four_times_the_channels_and_no_parameters_of_its_own() -> None:
    """Its text: recombination introduces no parameters beyond the baseline's."""
    sizes = {"ground_size": (64, 256), "aerial_size": (64, 64), "backbone": "test_convnext"}
    frgeo = build_network("frgeo", ground="panorama", **sizes)  # type: ignore[arg-type]
    baseline = build_network("frgeo-baseline", ground="panorama", **sizes)  # type: ignore[arg-type]
    assert frgeo.dimension == 4 * baseline.dimension
    counts = [sum(p.numel() for p in n.parameters()) for n in (frgeo, baseline)]
    assert counts[0] == counts[1]
    assert isinstance(baseline.heads["ground"], GlobalPooling)


@pytest.mark.parametrize(
    ("ground", "options", "split", "unit_regions"),
    [
        ("panorama", {}, "published", False),
        ("crop:180", {}, "area", True),
        ("panorama", {"regions": 8}, "area", False),
        ("crop:180", {"split": "published", "unit_regions": False}, "published", False),
        ("panorama", {"split": "area", "unit_regions": True}, "area", True),
    ],
)
def test_how_regions_are_split(
    ground: str, options: dict[str, object], split: str, unit_regions: bool
) -> None:
    network = build_network(
        "frgeo",
        ground=ground,
        ground_size=(64, 256),
        aerial_size=(64, 64),
        backbone="test_convnext",
        options=options,
    )
    for head in network.heads.values():
        assert isinstance(head, FeatureRecombination)
        assert (head.split, head.unit_regions) == (split, unit_regions)
    assert network.regions == options.get("regions", 4)


def test_options_reach_the_head() -> None:
    network = build_network(
        "transgeo",
        ground="panorama",
        ground_size=(32, 96),
        aerial_size=(64, 64),
        backbone="deit_tiny_distilled_patch16_224",
        model_args={"depth": 1},
        options={"dimension": 24},
    )
    head = network.heads["ground"]
    assert isinstance(head, TokenProjection)
    assert len(head.projections) == 2
    assert network.dimension == 24
    raw = build_network(
        "cvm-net-i",
        ground="panorama",
        ground_size=(64, 64),
        aerial_size=(64, 64),
        backbone="test_resnet",
        options={"projection": 0, "clusters": 5},
    )
    assert raw.tail is None
    assert raw.dimension == 5 * 96


def test_cvm_net_leaves_out_the_last_pooling_of_its_own_backbone() -> None:
    network = build_network(
        "cvm-net-ii",
        ground="panorama",
        ground_size=(32, 64),
        aerial_size=(32, 32),
        shared_weights=True,
        options={"clusters": 2, "projection": 0},
    )
    trunk = network.trunks["both"]
    assert trunk.grid == (2, 2)
    assert trunk.channels == 512
    # The 13 convolutions of VGG16, and none of its fully connected layers.
    assert sum(p.numel() for p in trunk.parameters()) == 14_714_688


def test_local_weights(write_source: Callable[..., tuple[Path, Path]]) -> None:
    _, weights = write_source("test_resnet")
    network = build_network(
        "gem",
        ground="panorama",
        ground_size=(64, 64),
        aerial_size=(64, 64),
        backbone="test_resnet",
        weights=weights,
    )
    first, second = (network.trunks[view].state_dict() for view in ("ground", "aerial"))
    assert all(torch.equal(first[key], second[key]) for key in first)
    with pytest.raises(UsageError, match="must be those of resnet50"):
        build_network("gem", ground="panorama", weights=weights)


def test_one_transformer_for_two_sizes() -> None:
    sizes = {"ground_size": (32, 128), "aerial_size": (64, 64), "backbone": "test_vit"}
    with pytest.raises(UsageError, match="only for images of one size"):
        build_network("transgeo-frm", ground="panorama", shared_weights=True, **sizes)  # type: ignore[arg-type]
    network = build_network(
        "transgeo-frm",
        ground="panorama",
        shared_weights=True,
        model_args={"dynamic_img_size": True},
        **sizes,  # type: ignore[arg-type]
    )
    found = network(torch.rand(2, 3, 32, 128), torch.rand(2, 3, 64, 64))
    assert found[0].shape == found[1].shape
    assert network.input_sizes == {"ground": (32, 128), "aerial": (64, 64)}
    with pytest.raises(UsageError, match="only for images of one size"):
        build_network("safa", ground="panorama", shared_weights=True, backbone="test_resnet")


def test_names_and_options_that_are_none() -> None:
    with pytest.raises(UsageError, match="no cross-view architecture 'frgo'") as refused:
        build_network("frgo", ground="panorama")
    assert "'frgeo'" in refused.value.hint
    with pytest.raises(UsageError, match="no option 'cluster'") as refused:
        build_network("cvm-net-i", ground="panorama", options={"cluster": 3})
    assert "'clusters'" in refused.value.hint
    with pytest.raises(UsageError, match="must be panorama"):
        build_network("frgeo", ground="square")
    with pytest.raises(UsageError, match="Got aerial"):
        build_network("frgeo", ground="aerial")
    with pytest.raises(BundleError, match="knows no architecture"):
        build_network("gem", ground="panorama", backbone="resnet_51")
    with pytest.raises(UsageError, match="class token"):
        build_network("transgeo", ground="panorama", backbone="test_resnet")
