"""Two branches: shared or separate weights, declared geometry, unit vectors."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load, save

from sightline.errors import UsageError
from sightline.models.architectures import build_network
from sightline.models.cross_view import BOTH, CrossViewNetwork, initialise_netvlad
from sightline.models.feature_recombination import FeatureRecombination
from sightline.models.heads import GlobalPooling
from sightline.models.netvlad import NetVLAD
from sightline.models.region_shifts import best_shifts
from sightline.models.trunk import Trunk
from sightline.models.view_geometry import Aerial, Panorama, Perspective


def images(count: int, *size: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, *size), generator=generator, dtype=torch.uint8)


def small(name: str, **changes: object) -> CrossViewNetwork:
    values = {
        "ground": "panorama",
        "backbone": "test_resnet",
        "ground_size": (64, 256),
        "aerial_size": (64, 64),
        **changes,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network(name, **values).eval()  # type: ignore[arg-type]


def test_vectors_have_unit_length_and_gradients() -> None:
    network = small("frgeo").train()
    ground, aerial = network(images(3, 64, 256), images(2, 64, 64))
    assert ground.shape == (3, network.dimension)
    assert aerial.shape == (2, network.dimension)
    for vectors in (ground, aerial):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))
    (ground @ aerial.T).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_separate_and_shared_weights() -> None:
    apart, together = small("frgeo"), small("frgeo", shared_weights=True)
    count = sum(p.numel() for p in together.parameters())
    assert sum(p.numel() for p in apart.parameters()) == 2 * count
    assert set(apart.trunks) == {"ground", "aerial"}
    assert set(together.trunks) == {BOTH}
    # A file of weights holds nothing twice, and is read back.
    state = load(save(together.state_dict()))
    again = small("frgeo", shared_weights=True)
    for parameter in again.parameters():
        torch.nn.init.zeros_(parameter)
    again.load_state_dict(state)
    with torch.inference_mode():
        for view, size in (("ground", (64, 256)), ("aerial", (64, 64))):
            encode = f"encode_{view}"
            torch.testing.assert_close(
                getattr(again, encode)(images(1, *size)),
                getattr(together, encode)(images(1, *size)),
            )


def test_the_branch_is_chosen_by_its_declared_geometry() -> None:
    """A square photo of 90 degrees stays a photo, with the same weights in both branches."""
    network = small("frgeo", ground="perspective:90", ground_size=(128, 128), shared_weights=True)
    square = images(1, 128, 128)
    with torch.inference_mode():
        ground, aerial = network.encode_ground(square), network.encode_aerial(square)
    assert not torch.allclose(ground, aerial)
    assert not network.regions_of(ground)[0, 1:].any()
    assert network.regions_of(aerial)[0].norm(dim=1).min() > 0


def test_known_and_unknown_headings() -> None:
    network = small("frgeo", ground="crop:180", ground_size=(64, 128), aerial_size=(128, 128))
    photos, patches = images(2, 64, 128), images(3, 128, 128)
    with torch.inference_mode():
        unknown = network.regions_of(network.encode_ground(photos))
        # Looking west, the left edge looks south, where region 0 begins.
        west = network.regions_of(network.encode_ground(photos, torch.full((2,), 270.0)))
        torch.testing.assert_close(unknown, west)
        north = network.regions_of(network.encode_ground(photos, torch.zeros(2)))
        torch.testing.assert_close(north, unknown.roll(1, dims=1))
        turned = network.encode_aerial_turned(patches, 2)
        plain = network.regions_of(network.encode_aerial(patches))
    assert turned.shape == (3, 2, 4, 96)
    torch.testing.assert_close(turned[:, 0] / 2, plain)
    score, shift = best_shifts(unknown, turned)
    assert score.shape == shift.shape == (2, 3)
    assert shift.max() < 8


def test_a_cosine_of_vectors_ranks_by_what_is_seen() -> None:
    """With unit regions an ordinary index ranks as the weighted mean cosine of regions does."""
    network = small(
        "frgeo", ground="perspective:120", ground_size=(64, 192), aerial_size=(128, 128)
    )
    photos, patches = images(3, 64, 192), images(6, 128, 128)
    with torch.inference_mode():
        ground = network.encode_ground(photos, torch.tensor([10.0, 100.0, 200.0]))
        aerial = network.encode_aerial(patches)
    q, a = network.regions_of(ground), network.regions_of(aerial)
    cosine = torch.einsum("brc,mrc->bm", q, a / a.norm(dim=2, keepdim=True))
    expected = (cosine / q.norm(dim=2).sum(dim=1)[:, None]).argsort(dim=1)
    assert torch.equal((ground @ aerial.T).argsort(dim=1), expected)


def test_netvlad_is_started_from_both_views() -> None:
    network = small("cvm-net-i", options={"clusters": 4, "projection": 16})
    layers = [m for m in network.modules() if isinstance(m, NetVLAD)]
    before = [layer.centroids.clone() for layer in layers]
    ground = [images(4, 64, 256, seed=i) for i in range(3)]
    aerial = [images(4, 64, 64, seed=i) for i in range(3)]
    alphas = initialise_netvlad(network, ground, aerial, per_image=4, limit=30)
    assert len(alphas) == 2
    assert min(alphas) > 0
    assert not any(torch.equal(layer.centroids, b) for layer, b in zip(layers, before, strict=True))
    assert not network.training
    shared = small("cvm-net-ii", options={"clusters": 4, "projection": 16}).train()
    assert len(initialise_netvlad(shared, ground, aerial)) == 1
    assert shared.training
    assert initialise_netvlad(small("gem"), ground, aerial) == []
    with pytest.raises(UsageError, match="Got none of one"):
        initialise_netvlad(network, ground, [])


def test_refusals() -> None:
    trunk = Trunk("test_resnet", (64, 64))
    trunks, heads = {BOTH: trunk}, {BOTH: GlobalPooling(96)}
    with pytest.raises(UsageError, match="Got Aerial"):
        CrossViewNetwork(Aerial(), trunks, heads)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Got 'panorama'"):
        CrossViewNetwork("panorama", trunks, heads)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Got ground"):
        CrossViewNetwork(Panorama(), {"ground": trunk}, heads)
    with pytest.raises(UsageError, match="Got none"):
        CrossViewNetwork(Panorama(), trunks, {})
    with pytest.raises(UsageError, match="Got Identity"):
        CrossViewNetwork(Panorama(), trunks, {BOTH: torch.nn.Identity()})
    pooled = CrossViewNetwork(Perspective(90), trunks, heads)
    assert pooled.regions == 1
    with pytest.raises(UsageError, match="no use of headings"):
        pooled.encode_ground(images(1, 64, 64), torch.zeros(1))
    with pytest.raises(UsageError, match="Got GlobalPooling"):
        pooled.encode_aerial_turned(images(1, 64, 64), 2)
    published = CrossViewNetwork(Panorama(), trunks, {BOTH: FeatureRecombination(96)})
    with pytest.raises(UsageError, match="no turns"):
        published.encode_aerial_turned(images(1, 64, 64), 2)


@pytest.mark.parametrize("name", ["frgeo", "frgeo-baseline", "cvm-net-i", "cvm-net-ii", "gem"])
def test_half_precision(name: str) -> None:
    """Under autocast and with half weights, close to float32, and sums in float32."""
    options = {"clusters": 3, "projection": 16} if name.startswith("cvm") else {}
    network = small(name, options=options)
    photos = images(2, 64, 256)
    with torch.inference_mode():
        expected = network.encode_ground(photos)
        with torch.autocast("cpu", torch.bfloat16):
            found = network.encode_ground(photos)
        half = network.to(torch.bfloat16).encode_ground(photos)
    for vectors in (found, half):
        assert vectors.dtype == torch.float32
        assert (vectors * expected).sum(dim=1).min() > 0.99
