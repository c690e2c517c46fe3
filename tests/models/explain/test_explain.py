"""Heatmaps against occlusion, finite differences and slow arithmetic, on pairs that are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.models.networks import build, make_encoder
from torch import nn

from sightline.errors import EncoderError, UsageError
from sightline.models.architectures import build_network
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.explain import Explanation, explain, pair_of
from sightline.models.region_shifts import best_shifts

from .symbols import SIZE, pairs, peaks_inside, share_inside, tensor, trained

AREA = (12 / SIZE) ** 2


def small(name: str, **changes: object) -> CrossViewNetwork:
    values = {
        "ground": "panorama",
        "backbone": "test_resnet",
        "ground_size": (64, 128),
        "aerial_size": (96, 96),
        **changes,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network(name, **values).eval()  # type: ignore[arg-type]


def noise(count: int, *size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def occluded() -> Explanation:
    data = pairs(8, seed=2)
    return explain(pair_of(trained()), data.first, data.second, method="occlusion", window=8)


def test_occlusion_finds_what_the_pictures_share(occluded):
    data = pairs(8, seed=2)
    assert peaks_inside(occluded.first, data.in_first) == 1
    assert share_inside(occluded.first, data.in_first) > 5 * AREA
    assert share_inside(occluded.second, data.in_second) > 5 * AREA


# Grad-CAM's averages over the last, smallest map can be negative everywhere: then it shows nothing.
@pytest.mark.parametrize(
    ("layer", "method"),
    [("layer1", "gradient"), ("layer2", "gradient"), ("layer1", "grad-cam")],
)
def test_gradients_point_where_occlusion_does(occluded, method, layer):
    data = pairs(8, seed=2)
    found = explain(pair_of(trained()), data.first, data.second, method=method, layer=layer)
    assert peaks_inside(found.first, data.in_first) >= 0.6
    assert peaks_inside(found.second, data.in_second) >= 0.6
    for heat, corners, slow in (
        (found.first, data.in_first, occluded.first),
        (found.second, data.in_second, occluded.second),
    ):
        assert share_inside(heat, corners) > 2 * AREA
        alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(heat, slow, strict=True)]
        assert np.mean(alike) > 0.15
    assert found.layers == (layer, layer)
    assert found.method == method
    np.testing.assert_allclose(found.similarities, occluded.similarities, atol=1e-5)


def test_maps_are_as_large_as_the_pictures_and_from_0_to_1(occluded):
    network = small("frgeo")
    ground, aerial = noise(3, 64, 128), noise(3, 96, 96, seed=1)
    for method in ("gradient", "grad-cam", "occlusion"):
        window = 32 if method == "occlusion" else None
        found = explain(pair_of(network), ground, aerial, method=method, window=window)
        for heat, size in ((found.first, (64, 128)), (found.second, (96, 96))):
            assert heat.dtype == np.float32
            assert heat.shape == (3, *size)
            assert heat.min() >= 0
            largest = heat.max(axis=(1, 2))
            assert ((np.abs(largest - 1) < 1e-6) | (largest == 0)).all()
    ground_vectors = network.encode_ground(tensor(ground))
    wanted = torch.linalg.vecdot(ground_vectors, network.encode_aerial(tensor(aerial)))
    np.testing.assert_allclose(found.similarities, wanted.detach().numpy(), atol=1e-5)
    assert found.layers == ("pixels", "pixels")


@pytest.mark.parametrize("name", ["frgeo", "safa", "resnet50-fc", "max"])
def test_the_heat_of_a_place_is_what_a_stronger_place_adds(name):
    """Finite differences: scale one place of the last map, and the similarity follows."""
    network = small(name)
    ground, aerial = tensor(noise(1, 64, 128)), tensor(noise(1, 96, 96, seed=1))
    pair = pair_of(network.double())
    seen = {}
    from sightline.models.explain.gradient import gradient_heat

    first, second, _, names = gradient_heat(pair, ground, aerial, (None, None), averaged=False)
    assert names == ("the last map", "the last map")
    for view, heat in (("ground", first), ("aerial", second)):
        trunk = network.trunks[view]
        for place in ((0, 0), (heat.shape[1] - 1, heat.shape[2] - 1)):
            values = []
            for step in (-1e-4, 1e-4):

                def scaled(_m, _given, output, place=place, step=step):
                    features = output[0].clone()
                    features[:, :, place[0], place[1]] *= 1 + step
                    return (features, output[1])

                handle = trunk.register_forward_hook(scaled)
                with torch.no_grad():
                    values.append(pair.similarity(ground, aerial).item())
                handle.remove()
            slope = (values[1] - values[0]) / 2e-4
            seen[view, place] = slope
            assert heat[0][place].item() == pytest.approx(slope, rel=1e-3, abs=1e-7)
    assert any(abs(slope) > 1e-7 for slope in seen.values())


def test_grad_cam_is_the_published_sum():
    """Equations 1 and 2 written out, with gradients through the whole graph."""
    network = small("frgeo")
    ground, aerial = noise(2, 64, 128), noise(2, 96, 96, seed=1)
    kept = {}
    handles = []
    for view in ("ground", "aerial"):

        def keep(_m, _given, output, view=view):
            output[0].retain_grad()
            kept[view] = output[0]

        handles.append(network.trunks[view].register_forward_hook(keep))
    one, other = network(tensor(ground), tensor(aerial))
    (one * other).sum().backward()
    for handle in handles:
        handle.remove()
    found = explain(pair_of(network), ground, aerial, method="grad-cam")
    for view, heat in (("ground", found.first), ("aerial", found.second)):
        features = kept[view].detach()
        alpha = kept[view].grad.mean(dim=(2, 3))
        cam = torch.einsum("nk,nkhw->nhw", alpha, features).clamp(min=0)[:, None]
        cam = nn.functional.interpolate(cam, heat.shape[1:], mode="bilinear")[:, 0]
        largest = cam.amax(dim=(1, 2), keepdim=True)
        wanted = torch.where(largest > 0, cam / largest.clamp(min=1e-30), 0.0)
        np.testing.assert_allclose(heat, wanted.numpy(), atol=2e-4)


def test_batches_change_nothing():
    network = small("frgeo")
    ground, aerial = noise(5, 64, 128), noise(5, 96, 96, seed=1)
    whole = explain(pair_of(network), ground, aerial)
    parts = explain(pair_of(network), ground, aerial, batch=2)
    np.testing.assert_allclose(whole.first, parts.first, atol=1e-3)
    np.testing.assert_allclose(whole.second, parts.second, atol=1e-3)
    none = explain(pair_of(network), ground[:0], aerial[:0])
    assert none.first.shape == (0, 64, 128)
    assert none.second.shape == (0, 96, 96)
    assert none.similarities.shape == (0,)


def test_the_network_is_left_as_it_was():
    network = small("average").train()
    frozen = next(network.parameters()).requires_grad_(requires_grad=False)
    network.heads["ground"].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    explain(pair_of(network), noise(2, 64, 128), noise(2, 96, 96), layer="layer1")
    assert [module.training for module in network.modules()] == modes
    assert not frozen.requires_grad
    assert all(p.requires_grad for p in network.parameters() if p is not frozen)
    assert all(p.grad is None for p in network.parameters())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not any(module._forward_hooks for module in network.modules())


def test_an_unknown_heading_is_compared_under_its_best_turn():
    options = {"split": "area", "regions": 4, "unit_regions": True}
    network = small("frgeo", options=options)
    ground, aerial = noise(3, 64, 128), noise(3, 96, 96, seed=1)
    found = explain(pair_of(network, phases=2), ground, aerial)
    with torch.no_grad():
        regions = network.regions_of(network.encode_ground(tensor(ground)))
        turned = network.encode_aerial_turned(tensor(aerial), 2)
        best, _ = best_shifts(regions, turned)
    np.testing.assert_allclose(found.similarities, best.diagonal().numpy(), atol=1e-5)
    assert (found.first.max(axis=(1, 2)) > 0.99).all()
    aligned = pair_of(network, heading_degrees=0.0)
    wanted = torch.linalg.vecdot(
        network.encode_ground(tensor(ground), torch.zeros(3)), network.encode_aerial(tensor(aerial))
    )
    np.testing.assert_allclose(
        explain(aligned, ground, aerial).similarities, wanted.detach().numpy(), atol=1e-5
    )


def test_the_heat_of_an_unrolled_patch_lies_on_the_patch():
    network = small(
        "frgeo",
        ground="crop:90",
        ground_size=(64, 64),
        polar_size=(64, 256),
        options={"regions": 8, "split": "area", "unit_regions": True},
    )
    photo, patch = noise(1, 64, 64), noise(1, 12, 12, seed=1).repeat(8, 1).repeat(8, 2)
    pair = pair_of(network, phases=1)
    heats = [explain(pair, photo, given) for given in (patch, np.rot90(patch, axes=(1, 2)))]
    heat, turned = (np.asarray(found.second[0]) for found in heats)
    south, east = np.mgrid[-1:1:96j, -1:1:96j]
    away = np.hypot(south, east)
    assert not heat[away > 1.02].any()
    assert heat[away < 1].any()
    # A patch that is turned by two regions fits the photo two shifts on, and for the same reasons.
    assert np.corrcoef(np.rot90(heat).ravel(), turned.ravel())[0, 1] > 0.95
    assert np.corrcoef(heat.ravel(), turned.ravel())[0, 1] < 0.5


def test_two_photos_of_a_photo_encoder():
    encoder = make_encoder()
    first, second = noise(2, 64, 64), noise(2, 64, 64, seed=1)
    found = explain(pair_of(encoder), first, second, layer="blocks.1")
    vectors = [encoder.encode(list(pictures)) for pictures in (first, second)]
    np.testing.assert_allclose(found.similarities, (vectors[0] * vectors[1]).sum(axis=1), atol=1e-4)
    assert found.first.shape == (2, 64, 64)
    assert (found.first.max(axis=(1, 2)) > 0.99).all()
    swapped = explain(pair_of(encoder), second, first, layer="blocks.1")
    np.testing.assert_allclose(found.first, swapped.second, atol=1e-4)


def test_equal_pictures_have_no_place_that_would_make_them_more_alike():
    encoder = make_encoder()
    same = noise(1, 64, 64)
    found = explain(pair_of(encoder), same, same)
    assert found.similarities[0] == pytest.approx(1, abs=1e-5)


# Attention.


def vit_encoder(**changes: object):
    return make_encoder(
        **{
            "architecture": "test_vit",
            "feature": "blocks.5",
            "layout": "NLC",
            "pooling": "average",
            "regions": 1,
            "model_args": {"img_size": 64},
            **changes,
        }
    )


@pytest.mark.parametrize("pooling", ["average", "class"])
def test_rollout_is_the_product_of_the_blocks(pooling):
    encoder = vit_encoder(pooling=pooling)
    pictures = noise(2, 64, 64)
    found = explain(pair_of(encoder), pictures, pictures[::-1].copy(), method="attention")
    network = encoder.network.backbone.network
    tokens = tensor(pictures).permute(0, 2, 3, 1).float() * encoder.network.scale.flatten()
    tokens = (tokens + encoder.network.shift.flatten()).permute(0, 3, 1, 2)
    with torch.no_grad():
        x = network._pos_embed(network.patch_embed(tokens))
        x = network.norm_pre(x)
        rolled = torch.eye(x.shape[1])[None]
        for number, block in enumerate(list(network.blocks)[:6]):
            normed = block.norm1(x)
            qkv = block.attn.qkv(normed).unflatten(-1, (3, block.attn.num_heads, -1))
            q, k, _ = qkv.permute(2, 0, 3, 1, 4).unbind(0)
            attention = ((q @ k.transpose(-2, -1)) * block.attn.scale).softmax(-1).mean(dim=1)
            rolled = (0.5 * attention + 0.5 * torch.eye(x.shape[1])) @ rolled
            x = block(x) if number < 5 else x
    side = int((x.shape[1] - 1) ** 0.5)
    read = rolled[:, 0] if pooling == "class" else rolled[:, 1:].mean(dim=1)
    torch.testing.assert_close(rolled.sum(dim=-1), torch.ones(2, x.shape[1]))
    maps = read[:, 1:].reshape(2, 1, side, side)
    large = nn.functional.interpolate(maps, (64, 64), mode="bilinear")[:, 0]
    wanted = large / large.amax(dim=(1, 2), keepdim=True)
    np.testing.assert_allclose(found.first, wanted.numpy(), atol=1e-4)
    np.testing.assert_allclose(found.second, wanted.flip(0).numpy(), atol=1e-4)
    assert found.layers == ("all blocks", "all blocks")
    assert all(block.attn.fused_attn for block in list(network.blocks)[:6])


def test_gradients_of_a_class_token_are_read_one_block_earlier():
    encoder = vit_encoder(pooling="class")
    found = explain(pair_of(encoder), noise(1, 64, 64), noise(1, 64, 64, seed=1))
    assert found.layers == ("blocks.4", "blocks.4")
    assert found.first.max() == pytest.approx(1)
    tokens = small("transgeo", backbone="test_vit", ground_size=(64, 128), aerial_size=(64, 64))
    found = explain(pair_of(tokens), noise(1, 64, 128), noise(1, 64, 64, seed=1))
    assert found.layers == ("blocks.4", "blocks.4")
    assert found.first.shape == (1, 64, 128)
    with pytest.raises(UsageError, match="No place of the layer"):
        explain(pair_of(tokens), noise(1, 64, 128), noise(1, 64, 64, seed=1), layer="blocks.5")


def test_a_layer_of_a_network_with_channels_last():
    swin = small(
        "average",
        backbone="swin_tiny_patch4_window7_224",
        ground_size=(64, 64),
        aerial_size=(64, 64),
        model_args={"embed_dim": 16, "depths": (1, 1), "num_heads": (1, 2), "window_size": 4},
    )
    assert swin.trunks["ground"].layout == "NHWC"
    first, second = noise(1, 64, 64), noise(1, 64, 64, seed=1)
    last = explain(pair_of(swin), first, second)
    named = explain(pair_of(swin), first, second, layer="layers.0")
    assert last.first.shape == named.first.shape == (1, 64, 64)
    assert named.layers == ("layers.0", "layers.0")
    assert last.first.max() == named.first.max() == 1
    with pytest.raises(UsageError, match="global attention"):
        explain(pair_of(swin), first, second, method="attention")


# Refusals.


class Wrapped(nn.Module):
    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"map": x}


class Unwrapped(nn.Module):
    def forward(self, x: dict[str, torch.Tensor]) -> torch.Tensor:
        return x["map"]


def test_a_layer_that_gives_no_tensor_is_refused():
    network = small("average")
    for view in ("ground", "aerial"):
        inside = network.trunks[view].network
        inside.layer1 = nn.Sequential(inside.layer1, Wrapped(), Unwrapped())
    pictures = noise(1, 64, 128), noise(1, 96, 96)
    with pytest.raises(UsageError, match=r"'layer1\.1' must run once .*They ran 0 times") as caught:
        explain(pair_of(network), *pictures, layer="layer1.1")
    assert caught.value.hint == "Name a block of the trunk."
    assert explain(pair_of(network), *pictures, layer="layer1.2").layers == 2 * ("layer1.2",)


def test_a_trunk_of_another_kind_is_refused():
    network = small("average")
    network.trunks["ground"] = nn.Identity()
    with pytest.raises(UsageError, match=r"The ground trunk is a Identity\. Use a Trunk"):
        pair_of(network)


def test_what_cannot_be_explained():
    network = small("average")
    pair = pair_of(network)
    ground, aerial = noise(2, 64, 128), noise(2, 96, 96)
    with pytest.raises(UsageError, match="method must be one of"):
        explain(pair, ground, aerial, method="saliency")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Got 2 and 1"):
        explain(pair, ground, aerial[:1])
    with pytest.raises(UsageError, match=r"uint8 \(n, 64, 128, 3\)"):
        explain(pair, aerial, aerial)
    with pytest.raises(UsageError, match="Got float32"):
        explain(pair, ground.astype(np.float32), aerial)
    with pytest.raises(UsageError, match=r"no layer 'layer9'.*layer4"):
        explain(pair, ground, aerial, layer="layer9")
    with pytest.raises(UsageError, match="rolled out of transformers"):
        explain(pair, ground, aerial, method="attention")
    for window in (65, 0):
        with pytest.raises(UsageError, match=f"window must be .* Got {window}"):
            explain(pair, ground, aerial, method="occlusion", window=window)
    for method in ("occlusion", "attention"):
        with pytest.raises(UsageError, match=f"{method} has no layer. Got 'layer1'"):
            explain(pair, ground, aerial, method=method, layer="layer1")
    with pytest.raises(UsageError, match=r"gradient has no window\. Got 8"):
        explain(pair, ground, aerial, window=8)
    with pytest.raises(UsageError, match=r"heading must be a finite number .* Got nan"):
        pair_of(network, heading_degrees=float("nan"))
    with pytest.raises(UsageError, match=r"photos alone has no use of headings\. Got 30"):
        pair_of(make_encoder(), heading_degrees=30.0)
    with pytest.raises(UsageError, match="must run once"):
        explain(pair_of(trained()), *([noise(1, SIZE, SIZE)] * 2), layer=("layer1", "layer2"))
    with pytest.raises(EncoderError, match="averages four crops"):
        pair_of(make_encoder(views="four"))
    with pytest.raises(EncoderError, match="Got ResNet"):
        pair_of(build("test_resnet"))


def test_a_layer_without_places():
    from sightline.models.explain.gradient import _grid

    (view, _) = pair_of(vit_encoder()).views
    assert _grid(view, "a block", torch.zeros(1, 17, 64)).shape == (1, 64, 4, 4)
    for shape in ((1, 64), (1, 1, 64), (1, 15, 64)):
        with pytest.raises(UsageError, match="must give a map of places"):
            _grid(view, "a block", torch.zeros(shape))


def test_a_class_token_without_blocks():
    from sightline.models.explain.gradient import _layer
    from sightline.models.explain.pair import ViewTrunk

    trunk = small("average").trunks["ground"]
    view = ViewTrunk(trunk, (64, 128), trunk, reads_tokens=True)
    with pytest.raises(UsageError, match="has no blocks before"):
        _layer(view, None)
    assert _layer(view, "layer1") == "layer1"
