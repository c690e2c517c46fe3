"""Losses, published and ours, against what the published functions returned."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sightline.losses import (
    CrossBatchMemory,
    HardestShare,
    InfoNCELoss,
    MaxMarginTripletLoss,
    PairLoss,
    SemiHardNegatives,
    SoftMarginTripletLoss,
    WeightedTupleLoss,
    all_negatives,
    mean_of_anchors,
    mixture_log_density,
)
from sightline.losses.mixture import unit_vectors
from sightline.losses.published import PUBLISHED, PublishedLoss, published_loss
from sightline.losses.published_mixture import VISLOC_FLOOR, geoclip_loss, visloc_mixture_loss

from .loss_files import MIXTURE, QUEUE, LossCase, LossFile, read_cases, read_files

DOUBLE = torch.float64
# Their only fault is to count the diagonal, which adds a constant without gradient.
CONSTANT_OFF = {
    "cvmnet_compute_loss",
    "safa_compute_loss",
    "vigor_compute_loss",
    "l2ltr_triplet",
    "witw_fov_triplet",
    "witw_fov_triplet_rawdist",
}
# A loss of its own on the pairs alone; broadcasting over the wrong axis; no gradient to negatives.
WITHOUT_OURS = {"geodtr_cfloss", "imagelocate_soft_margin", "imagelocate_max_margin"}


@pytest.fixture(scope="module")
def cases(conformance: Path) -> list[LossCase]:
    return read_cases(conformance)


def gradients(loss: Tensor, *tensors: Tensor) -> list[np.ndarray]:
    found = torch.autograd.grad(loss, tensors, retain_graph=True)
    return [gradient.double().numpy() for gradient in found]


def assert_gradients(found: list[np.ndarray], published: Any, name: str) -> None:
    for ours, theirs in zip(found, published, strict=True):
        # Zero in exact arithmetic is rounding here and there, far below any gradient that is not.
        tolerance = 1e-5 * np.abs(theirs).max() + 1e-12
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance, err_msg=name)


def row_of(case: LossCase) -> PublishedLoss:
    row = PUBLISHED[case.function]
    return PublishedLoss(
        **{field: getattr(row, field) for field in row.__dataclass_fields__} | case.settings
    )


def ours(case: LossCase) -> tuple[PairLoss, float] | None:
    """Return our loss, and what the published one adds to it; None where it got it wrong."""
    row = row_of(case)
    constant = 0.0
    if case.function in WITHOUT_OURS or row.hardest:
        return None
    if case.function in CONSTANT_OFF:
        constant = math.log(2) / (case.file.rows - 1)
    cosine = row.own_norm
    if row.kind == "tuples":
        return WeightedTupleLoss(row.alpha), constant
    if row.kind == "classes":
        loss = InfoNCELoss(1 / row.alpha, learned=False, label_smoothing=row.smoothing)
        return loss, constant
    if row.distance == "squared euclidean":
        kind = MaxMarginTripletLoss if row.hinge else SoftMarginTripletLoss
        return kind(row.alpha), constant
    miner = HardestShare(row.share) if row.share < 1 else all_negatives
    weight = row.alpha * (2 if cosine and row.distance == "2 - 2 dot" else 1)
    distance = "cosine" if cosine else "dot"
    return SoftMarginTripletLoss(weight, distance=distance, miner=miner), constant


def test_the_published_loss_in_float64(cases: list[LossCase]) -> None:
    for case in cases:
        if "value_f64" not in case.facts:
            continue
        ground, aerial, negatives = case.inputs(DOUBLE)
        loss = published_loss(case.function, ground, aerial, negatives=negatives, **case.settings)
        expected = pytest.approx(case.facts["value_f64"], rel=1e-9, abs=1e-12)
        assert loss.item() == expected, case.name
        if case.gradients is not None:
            assert_gradients(gradients(loss, ground, aerial), case.gradients, case.name)


def test_the_published_loss_in_float32(cases: list[LossCase]) -> None:
    """It overflows where the published code does."""
    for case in cases:
        ground, aerial, negatives = case.inputs(torch.float32)
        loss = published_loss(case.function, ground, aerial, negatives=negatives, **case.settings)
        for kind in {"value_f32", "tf_value"} & case.facts.keys():
            expected = pytest.approx(case.facts[kind], rel=1e-5, abs=1e-7)
            assert loss.item() == expected, (case.name, kind)
        if "f32_grad_finite" in case.facts:
            finite = all(np.isfinite(part).all() for part in gradients(loss, ground, aerial))
            assert finite == case.facts["f32_grad_finite"], case.name


def test_ours_is_what_the_published_code_got_right(cases: list[LossCase]) -> None:
    compared = 0
    for case in cases:
        found = ours(case)
        if found is None or "value_f64" not in case.facts:
            continue
        ground, aerial, _ = case.inputs(DOUBLE)
        loss = found[0](ground, aerial)
        expected = pytest.approx(case.facts["value_f64"] - found[1], rel=1e-9)
        assert loss.item() == expected, case.name
        if case.gradients is not None:
            assert_gradients(gradients(loss, ground, aerial), case.gradients, case.name)
        compared += 1
    assert compared or pytest.skip("no file has a loss that has its counterpart here")


def test_ours_in_float32_stays_finite_and_right(cases: list[LossCase]) -> None:
    """Where the published one overflows too: what it ought to be, it is in float64."""
    for case in cases:
        found = ours(case)
        if found is None or "value_f64" not in case.facts:
            continue
        ground, aerial, _ = case.inputs(torch.float32)
        loss = found[0](ground, aerial)
        expected = pytest.approx(case.facts["value_f64"] - found[1], rel=1e-5)
        assert loss.item() == expected, case.name
        for part in gradients(loss, ground, aerial):
            assert np.isfinite(part).all(), case.name


def test_image_locate_with_a_gradient_to_its_negatives(cases: list[LossCase]) -> None:
    some = [case for case in cases if case.function == "imagelocate_max_margin"]
    for case in some or pytest.skip("no file has image-locate's loss"):
        row = row_of(case)
        miner = SemiHardNegatives(row.alpha, nearest=True)
        loss = MaxMarginTripletLoss(row.alpha, miner=miner, reducer=mean_of_anchors)
        ground, aerial, negatives = case.inputs(DOUBLE)
        assert negatives is not None
        negatives.requires_grad_()
        value = loss.of_candidates(ground, aerial, negatives)
        if case.file.meta.get("norm") == "collapsed":
            # The text calls an equal distance semi-hard, so that a collapse is not for free.
            assert value.item() == pytest.approx(row.alpha, abs=1e-9), case.name
            continue
        assert value.item() == pytest.approx(case.facts["value_f64"], rel=1e-9), case.name
        (pushed,) = gradients(value, negatives)
        assert np.abs(pushed).max() > 0, case.name
        if case.gradients is not None:
            # The positives are pulled as they ought to be; the anchors lack the push.
            assert_gradients(gradients(value, aerial), case.gradients[1:], case.name)
            (anchors,) = gradients(value, ground)
            assert np.abs(anchors - case.gradients[0]).max() > 1e-5, case.name


def test_the_shared_files_leave_no_loss_out(whole: Path) -> None:
    cases = read_cases(whole)
    assert {case.function for case in cases} == set(PUBLISHED)
    assert all(ours(case) for case in cases if case.function not in WITHOUT_OURS | CONSTANT_OFF)
    assert read_files(whole, QUEUE)
    assert read_files(whole, MIXTURE)


def mixtures(file: LossFile) -> dict[str, float]:
    """Return what is added to the parameter of κ, by the prefix of a case."""
    names = [name for name in file.meta["results"] if name.startswith("prekappa")]
    return {name: float(name.removeprefix("prekappa").rstrip("/")) for name in names}


def test_vislocs_mixture(conformance: Path) -> None:
    for file in read_files(conformance, MIXTURE):
        for prefix, added in mixtures(file).items():
            inputs = {name: file.tensor(name, torch.float32) for name in ("features", "W", "b")}
            inputs |= {name: file.tensor(name) for name in ("mus_deg", "kappa_param")}
            for tensor in inputs.values():
                tensor.requires_grad_()
            features, weights, bias, means, parameter = inputs.values()
            logits = features @ weights.T + bias
            found = visloc_mixture_loss(
                logits, (parameter + added).exp(), means, file.tensor("labels_deg")
            )
            where = f"{file.name}:{prefix}"
            result = file.meta["results"][prefix]["loss"]
            assert found.loss.item() == pytest.approx(result, rel=1e-9), where
            # κ of e^16 and more multiplies the last bit of a cosine.
            np.testing.assert_allclose(
                found.density.detach(), file.arrays[f"{prefix}density"], rtol=1e-8, err_msg=where
            )
            np.testing.assert_array_equal(found.places.detach(), file.arrays[f"{prefix}pred"])
            parts = gradients(found.loss, *inputs.values())
            parts[3] = parts[3].T  # visloc's means are (2, N)
            names = ("features", "W", "b", "mus", "kappas")
            published = [file.arrays[f"{prefix}grad_{name}"] for name in names]
            assert_gradients(parts, published, where)


def test_our_mixture_is_vislocs_without_its_floor(conformance: Path) -> None:
    for file in read_files(conformance, MIXTURE):
        logits = file.tensor("features") @ file.tensor("W").T + file.tensor("b")
        means = unit_vectors(file.tensor("mus_deg"))
        places = unit_vectors(file.tensor("labels_deg"))
        for prefix, added in mixtures(file).items():
            log_kappa = file.tensor("kappa_param") + added
            logits.requires_grad_()
            ours = mixture_log_density(logits, log_kappa, means, places)
            density = file.arrays[f"{prefix}density"] - VISLOC_FLOOR
            above = density > 1e-3 * VISLOC_FLOOR
            # Theirs has the weights in float32, and what is left when the floor is taken away.
            tolerance = 1e-5 + 1e-6 * VISLOC_FLOOR / np.maximum(density, VISLOC_FLOOR)
            apart = np.abs(ours.detach().numpy()[above] - np.log(density[above]))
            assert (apart <= tolerance[above]).all(), (file.name, prefix)
            assert torch.isfinite(ours).all()
            # On the floor they have no gradient; ours has one everywhere.
            rows = torch.autograd.grad(-ours.sum(), logits)[0].abs().amax(dim=1)
            assert (rows > 0).all(), (file.name, prefix)


def test_geoclips_loss_and_ours(conformance: Path) -> None:
    for file in read_files(conformance, QUEUE):
        scale = file.meta["scale"]
        images, places = (file.tensor(name).requires_grad_() for name in ("img", "loc"))
        batch = len(images)
        one_way = InfoNCELoss(1 / scale, learned=False, bidirectional=False)
        allowed = ~torch.eye(batch, len(places), dtype=torch.bool)
        published = [file.arrays["grad_img"], file.arrays["grad_loc"]]
        for loss in (
            geoclip_loss(images, places, scale),
            one_way.of_candidates(images, places[:batch], places, allowed),
        ):
            # The file's value was computed in float32.
            assert loss.item() == pytest.approx(file.meta["loss"], rel=1e-6), file.name
            assert_gradients(gradients(loss, images, places), published, file.name)


def test_geoclips_queue_is_a_memory(conformance: Path) -> None:
    for file in read_files(conformance, QUEUE):
        dimension, capacity = file.arrays["queue_init"].shape
        memory = CrossBatchMemory(capacity, dimension, views=1)
        full = memory.state_dict() | {
            "vectors": file.tensor("queue_init", torch.float32).T[None],
            "written": torch.tensor(capacity),
        }
        memory.load_state_dict(full)
        steps = file.arrays["ptr_after"]
        for step, pointer in enumerate(steps):
            batch = file.tensor("gps", torch.float32)[step]
            seen = torch.cat([batch, memory.rows().views[0]])
            np.testing.assert_array_equal(seen, file.arrays["gps_all"][step], file.name)
            memory.enqueue(batch, labels=torch.arange(len(batch)))
            after = memory.rows().views[0].T
            np.testing.assert_array_equal(after, file.arrays["queue_after"][step], file.name)
            assert memory.next_row == pointer
