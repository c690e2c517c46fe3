"""What the published variants get wrong, on purpose. That they are right copies: conformance."""

from __future__ import annotations

import math

import pytest
import torch

from sightline.errors import UsageError, VectorError
from sightline.losses import SoftMarginTripletLoss
from sightline.losses.published import PUBLISHED, published_loss
from sightline.losses.published_mixture import VISLOC_FLOOR, visloc_mixture_loss

from .examples import pairs

SEPARATE = [name for name, row in PUBLISHED.items() if row.kind == "separate negatives"]
LOG_2 = math.log(2)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("cvmnet_compute_loss", 5 / 4 * LOG_2),
        ("l2ltr_triplet", 5 / 4 * LOG_2),
        ("witw_fov_triplet", 5 / 4 * LOG_2),
        ("geodtr_softmargin", LOG_2),
        ("geodtr_cfloss", LOG_2),
        ("transgeo_softtriplet", LOG_2),
        ("frgeo_wbloss", math.log(5)),
        ("sample4geo_infonce", math.log(5)),
        ("witw_baseline_hard", 1.0),
        ("imagelocate_max_margin", 0.0),
        ("imagelocate_soft_margin", 5 / 4 * LOG_2),
    ],
)
def test_a_collapsed_batch(function: str, expected: float) -> None:
    rows = torch.nn.functional.normalize(torch.ones(5, 4, dtype=torch.float64))
    negatives = rows if function in SEPARATE else None
    found = published_loss(function, rows, rows, negatives=negatives)
    assert found.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("function", ["cvmnet_compute_loss", "l2ltr_triplet"])
def test_a_short_batch_is_divided_by_the_batch_size_of_the_settings(function: str) -> None:
    ground, aerial = pairs(rows=5)
    right = published_loss(function, ground, aerial)
    short = published_loss(function, ground, aerial, batch_size=32)
    torch.testing.assert_close(short, right * (5 * 4) / (32 * 31))
    with_own = published_loss("geodtr_softmargin", ground, aerial, batch_size=32)
    torch.testing.assert_close(with_own, published_loss("geodtr_softmargin", ground, aerial))


def test_raw_distances_overflow_where_ours_do_not() -> None:
    ground, aerial = (8 * rows.float() for rows in pairs())
    assert published_loss("geodtr_softmargin", ground, aerial).isinf()
    assert SoftMarginTripletLoss(distance="dot")(ground, aerial).isfinite()


def test_a_row_of_zeros_is_nan_where_lengths_are_divided_by() -> None:
    ground, aerial = pairs()
    ground[0] = 0
    assert published_loss("transgeo_softtriplet", ground, aerial).isnan()
    assert SoftMarginTripletLoss(20.0, distance="cosine")(ground, aerial).isfinite()


@pytest.mark.parametrize("function", SEPARATE)
def test_image_locate_has_no_gradient_to_its_negatives(function: str) -> None:
    ground, aerial = (rows.requires_grad_() for rows in pairs())
    negatives = pairs(1)[0].requires_grad_()
    published_loss(function, ground, aerial, negatives=negatives).backward()
    assert negatives.grad is None
    torch.testing.assert_close(ground.grad, -aerial.grad)


def test_vislocs_floor_has_no_gradient() -> None:
    logits = torch.zeros(1, 2, dtype=torch.float64, requires_grad=True)
    kappas = torch.full((2,), math.exp(16), dtype=torch.float64)
    means = torch.tensor([[10.0, 10.0], [20.0, 20.0]], dtype=torch.float64)
    found = visloc_mixture_loss(logits, kappas, means, torch.tensor([[-50.0, 0.0]]).double())
    assert found.loss.item() == pytest.approx(-math.log2(VISLOC_FLOOR))
    found.loss.backward()
    assert (logits.grad == 0).all()


def test_every_row_names_its_peer_and_source() -> None:
    for name, row in PUBLISHED.items():
        assert row.peer, name
        assert row.source.count(":") == 2, name


class TestBadInput:
    def test_an_unknown_function(self) -> None:
        with pytest.raises(UsageError, match=r"function must be one of cvmnet.* Got 'triplet'"):
            published_loss("triplet", *pairs())

    def test_negatives(self) -> None:
        ground, aerial = pairs()
        with pytest.raises(UsageError, match="Got none for imagelocate_max_margin"):
            published_loss("imagelocate_max_margin", ground, aerial)
        with pytest.raises(UsageError, match="Got some for frgeo_wbloss"):
            published_loss("frgeo_wbloss", ground, aerial, negatives=ground)

    def test_shapes(self) -> None:
        ground, aerial = pairs()
        with pytest.raises(VectorError, match="aerial must have the shape of ground"):
            published_loss("frgeo_wbloss", ground, aerial[:3])
        with pytest.raises(VectorError, match="negatives must have the shape of ground"):
            published_loss("imagelocate_max_margin", ground, aerial, negatives=ground[:2])
