"""Layers against what published code returned, values and gradients.

Files are found by what is in them; a file may be called anything and hold any number of cases.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sightline.errors import UsageError
from sightline.models.feature_recombination import FeatureRecombination
from sightline.models.netvlad import NetVLAD
from sightline.models.residual_retrieval import from_published
from sightline.models.view_geometry import Aerial, Geometry, Panorama

# The fixtures are float32 results; ours are computed in float64 on the same float32 inputs.
ROUNDING = 2e-6
GRADIENT_ROUNDING = 1e-5

NETVLAD = {"conv_weight", "centroids", "x", "y"}
RECOMBINATION = {"x", "recombined", "full_ln"}


@dataclass(frozen=True)
class Case:
    name: str
    facts: dict[str, Any]
    shared: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray]


def cases(folder: Path, keys: set[str]) -> list[Case]:
    """Every group ``case/key`` of any file of ``layers`` that has these keys."""
    found = []
    for path in sorted((folder / "layers").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(str(arrays["meta"])).get("cases", {}) if "meta" in arrays else {}
        shared = {name: value for name, value in arrays.items() if "/" not in name}
        for prefix in sorted({name.split("/")[0] for name in arrays if "/" in name}):
            group = {k.split("/", 1)[1]: v for k, v in arrays.items() if k.startswith(f"{prefix}/")}
            if group.keys() >= keys:
                found.append(Case(f"{path.name}:{prefix}", facts.get(prefix, {}), shared, group))
    return found or pytest.skip(f"no file in {folder / 'layers'} has cases with {sorted(keys)}")


def tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array).double()


def close(found: torch.Tensor, expected: np.ndarray, rounding: float, name: str) -> None:
    scale = max(1.0, float(np.abs(expected).max()))
    apart = np.abs(found.detach().numpy() - expected.astype(np.float64)).max()
    assert apart <= rounding * scale, f"{name}: {apart}"


def netvlad(case: Case) -> NetVLAD:
    clusters, channels = case.arrays["centroids"].shape
    bias = "conv_bias" in case.arrays
    layer = NetVLAD(
        channels, clusters, normalise_input=case.name.endswith("norm1"), bias=bias
    ).double()
    with torch.no_grad():
        layer.centroids.copy_(tensor(case.arrays["centroids"]))
        layer.assignment.weight.copy_(tensor(case.arrays["conv_weight"]))
        if bias:
            assert layer.assignment.bias is not None
            layer.assignment.bias.copy_(tensor(case.arrays["conv_bias"]))
    return layer


def test_netvlad_equals_the_published_layer(conformance: Path) -> None:
    for case in cases(conformance, NETVLAD):
        layer = netvlad(case)
        features = tensor(case.arrays["x"]).requires_grad_()
        found = layer(features)
        close(found, case.arrays["y"], ROUNDING, case.name)
        if "cotangent" not in case.arrays:
            continue
        (found * tensor(case.arrays["cotangent"])).sum().backward()
        for name, gradient in (
            ("grad_x", features.grad),
            ("grad_conv_weight", layer.assignment.weight.grad),
            ("grad_centroids", layer.centroids.grad),
        ):
            if name in case.arrays:
                assert gradient is not None
                close(gradient, case.arrays[name], GRADIENT_ROUNDING, f"{case.name}/{name}")


def test_the_start_of_netvlad_uses_distances_where_the_published_code_used_indices(
    conformance: Path,
) -> None:
    for case in cases(conformance, {"clsts", "traindescs"}):
        centres, local = tensor(case.arrays["clsts"]), tensor(case.arrays["traindescs"])
        layer = NetVLAD(centres.shape[1], len(centres), bias=False).double()
        alpha = layer.initialise_from(centres, local)
        # The published start without a bias is right, and ours is the same.
        close(layer.assignment.weight[:, :, 0, 0], case.arrays["conv_weight"], 1e-5, case.name)
        info = json.loads(str(case.shared["meta"])).get("info", {})
        if "init_v1_alpha" in info:
            assert alpha == pytest.approx(info["init_v1_alpha"], rel=1e-6)
        corrected = NetVLAD(centres.shape[1], len(centres)).double().initialise_from(centres, local)
        assert corrected > 0
        if "init_v2_alpha" in info:
            assert corrected != pytest.approx(info["init_v2_alpha"], rel=1e-3)


def geometry_of(case: Case) -> Geometry:
    """The branch that the published code took, which went by height == width."""
    height, width = case.arrays["x"].shape[2:]
    branch = case.facts.get("branch", "square" if height == width else "panorama")
    return Aerial() if branch.startswith("square") else Panorama()


def test_feature_recombination_equals_the_published_module(conformance: Path) -> None:
    for case in cases(conformance, RECOMBINATION):
        channels = case.arrays["x"].shape[1]
        plain = FeatureRecombination(channels, normalise=False).double()
        whole = FeatureRecombination(channels).double()
        with torch.no_grad():
            whole.norm.weight.copy_(tensor(case.shared["ln_weight"]))
            whole.norm.bias.copy_(tensor(case.shared["ln_bias"]))
        features = tensor(case.arrays["x"]).requires_grad_()
        geometry = geometry_of(case)
        if not np.isfinite(case.arrays["recombined"]).all():
            with pytest.raises(UsageError, match="must"):
                plain(features, geometry)
            continue
        found = plain(features, geometry)
        close(found, case.arrays["recombined"], ROUNDING, case.name)
        normalised = whole(features, geometry)
        close(normalised, case.arrays["full_ln"], 1e-5, case.name)
        if "cotangent" in case.arrays:
            (normalised * tensor(case.arrays["cotangent"])).sum().backward()
            assert features.grad is not None
            close(features.grad, case.arrays["grad_x"], GRADIENT_ROUNDING, case.name)


def test_residual_retrieval_equals_the_published_module(conformance: Path) -> None:
    tested = 0
    for path in sorted((conformance / "layers").glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        state = {k.removeprefix("state/"): v for k, v in arrays.items() if k.startswith("state/")}
        if "res.fc1.weight" not in state:
            continue
        tested += 1
        module = from_published({k: torch.from_numpy(v) for k, v in state.items()}).double()
        features = tensor(arrays["x"]).requires_grad_()
        found = module(features)
        close(found, arrays["y"], ROUNDING, path.name)
        close(module.norm_in(features), arrays["after_norm"], 1e-5, path.name)
        (found * tensor(arrays["cotangent"])).sum().backward()
        assert features.grad is not None
        close(features.grad, arrays["grad_x"], GRADIENT_ROUNDING, path.name)
        assert module.hidden.bias.grad is not None
        close(module.hidden.bias.grad, arrays["grad_fc1_bias"], GRADIENT_ROUNDING, path.name)
    if not tested:
        pytest.skip("no file of a retrieval module is here")


def test_the_published_residual_is_the_inner_part_of_the_module(conformance: Path) -> None:
    """Its class takes any hidden width, which the published module does not hand on."""
    for case in cases(conformance, {"norm.weight", "fc1.weight", "fc2.weight", "y"}):
        state = {f"res.{k}": torch.from_numpy(v) for k, v in case.arrays.items() if k != "y"}
        dimension = case.arrays["norm.weight"].shape[0]
        state |= {"norm.weight": torch.ones(dimension), "norm.bias": torch.zeros(dimension)}
        module = from_published(state).double()
        module.norm_in = torch.nn.Identity()  # type: ignore[assignment]
        found = module(tensor(case.shared["x"]))
        expected = torch.nn.functional.normalize(tensor(case.arrays["y"]), dim=1)
        close(found, expected.numpy(), ROUNDING, case.name)


def test_the_shared_folder_has_every_layer(whole: Path) -> None:
    """Or the tests above could pass by finding nothing."""
    assert {case.name.split(":")[1] for case in cases(whole, NETVLAD)} == {
        "v1_norm0",
        "v1_norm1",
        "v2_norm0",
        "v2_norm1",
    }
    found = cases(whole, RECOMBINATION)
    assert {str(geometry_of(case)) for case in found} == {"aerial", "panorama"}
    assert any(case.arrays["x"].shape[3] % 4 for case in found)
    assert (whole / "layers" / "visloc_rrm.npz").exists()
