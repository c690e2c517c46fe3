"""Search within cell against the plain way: rank everything, keep what lies in the cell."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.atlas.clouds import card

from sightline.atlas import Atlas
from sightline.atlas.store import Store
from sightline.errors import AtlasEmptyError, FingerprintError, PartitionError, UsageError
from sightline.geo.distance import great_circle_m
from sightline.geo.partition import (
    BoxSettings,
    Centres,
    Partition,
    S2Settings,
    adaptive_boxes,
    adaptive_s2,
)
from sightline.locating import WithinCellSettings, classify, largest_cluster, search_within_cells

from .encoders import MeanColours
from .photos import PER_PLACE, PLACES, place, scene

# As the paper has it: similarity alone decides.
PLAIN = WithinCellSettings(rerank=0, pool_m=0.0)
MIDDLES = np.array([place(number) for number in range(PLACES)])


def partition_of(kind: str) -> Partition:
    if kind == "s2":
        return adaptive_s2(MIDDLES, S2Settings(cells=9))
    boxes = adaptive_boxes(MIDDLES, BoxSettings(cells=9))
    if kind == "boxes":
        return boxes
    return Partition(Centres(boxes.representatives), boxes.representatives)


@pytest.fixture(scope="module", params=["s2", "boxes", "centres"])
def partition(request: pytest.FixtureRequest) -> Partition:
    return partition_of(request.param)


@pytest.fixture(scope="module")
def vectors(encoder: MeanColours) -> np.ndarray:
    return encoder.encode_regions([scene(number, 99) for number in range(PLACES)])


def sure(rows: np.ndarray, cells: int, share: float = 0.9) -> np.ndarray:
    """A classifier that believes in one cell each, and a little in every other."""
    values = np.full((len(rows), cells), (1.0 - share) / (cells - 1))
    values[np.arange(len(rows)), rows] = share
    return np.log(values)


def ranked(atlas: Atlas, encoder: MeanColours, vectors: np.ndarray):
    return atlas.search(
        vectors, PLACES * PER_PLACE, mode="exact", rerank=0, pool_m=0.0,
        fingerprint=encoder.fingerprint,
    )  # fmt: skip


@pytest.mark.parametrize("settings", [PLAIN, replace(PLAIN, cells=3), replace(PLAIN, k=4)])
def test_the_best_of_the_cell_are_the_best_of_all_that_lie_in_it(
    settings, partition, atlas, encoder, vectors
) -> None:
    right = partition.assign(MIDDLES)
    wrong = (right + 1) % len(partition)
    every = ranked(atlas, encoder, vectors)
    owner = partition.assign(every.coordinates.reshape(-1, 2)).reshape(every.ids.shape)
    for rows in (right, wrong):
        beliefs = sure(rows, len(partition))
        found = search_within_cells(
            beliefs, partition, atlas, vectors, fingerprint=encoder.fingerprint, settings=settings
        )
        assert not found.fell_back.any()
        assert (found.cells[:, 0] == rows).all()
        for photo in range(PLACES):
            inside = np.isin(owner[photo], found.cells[photo])
            expected = every.ids[photo, inside][: settings.k]
            assert found.matches.ids[photo, : len(expected)].tolist() == expected.tolist()
            assert (found.matches.ids[photo, len(expected) :] == -1).all()
            scores = every.scores[photo, inside][: settings.k]
            assert found.matches.scores[photo, : len(expected)] == pytest.approx(scores, abs=1e-6)
        valid = np.where(found.matches.ids >= 0, found.matches.scores, np.nan)
        cluster = largest_cluster(found.matches.coordinates, valid)
        assert great_circle_m(found.points, cluster.points).max() < 1e-3
        assert found.weights.sum(axis=1) == pytest.approx(np.ones(PLACES))


def test_right_cells_lead_to_the_place(partition, atlas, encoder, vectors) -> None:
    beliefs = sure(partition.assign(MIDDLES), len(partition))
    found = search_within_cells(
        beliefs, partition, atlas, vectors, fingerprint=encoder.fingerprint, settings=PLAIN
    )
    assert great_circle_m(found.points, MIDDLES).max() < 1.0
    # The three photos of the place are one cluster, and the cell's other places are smaller ones.
    assert found.mass == pytest.approx(0.9)
    coarse = great_circle_m(classify(beliefs, partition), MIDDLES)
    assert coarse.max() > 100_000


def test_photos_come_back_in_their_order_however_they_are_asked(atlas, encoder, vectors) -> None:
    held = partition_of("s2")
    beliefs = sure(held.assign(MIDDLES), len(held))
    together = search_within_cells(beliefs, held, atlas, vectors, fingerprint=encoder.fingerprint)
    for photo in (0, 7, 29):
        alone = search_within_cells(
            beliefs[[photo]], held, atlas, vectors[[photo]], fingerprint=encoder.fingerprint
        )
        assert alone.points[0] == pytest.approx(together.points[photo])
        assert alone.matches.uris[0].tolist() == together.matches.uris[photo].tolist()
        assert alone.cells.tolist() == together.cells[[photo]].tolist()
    none = search_within_cells(
        beliefs[:0], held, atlas, vectors[:0], fingerprint=encoder.fingerprint
    )
    assert none.points.shape == (0, 2)
    assert none.fell_back.tolist() == []


def test_a_mass_chooses_how_many_cells_are_searched(atlas, encoder, vectors) -> None:
    held = partition_of("boxes")
    beliefs = np.log(np.tile(np.linspace(1, 9, 9) / 45, (PLACES, 1)))
    settings = replace(PLAIN, cells=9, mass=0.5)
    found = search_within_cells(
        beliefs, held, atlas, vectors, fingerprint=encoder.fingerprint, settings=settings
    )
    assert found.cells.tolist() == [[8, 7, 6]] * PLACES
    assert found.mass == pytest.approx(np.full(PLACES, 24 / 45))
    alone = search_within_cells(
        beliefs, held, atlas, vectors, fingerprint=encoder.fingerprint,
        settings=WithinCellSettings(mass=0.5),
    )  # fmt: skip
    assert alone.cells.tolist() == found.cells.tolist()


def test_an_empty_cell_falls_back_and_says_so(atlas, encoder, vectors) -> None:
    # Nothing was photographed near the south pole.
    everywhere = np.concatenate([MIDDLES, [[-89.0, 10.0], [-88.0, 15.0]]])
    held = adaptive_s2(everywhere, S2Settings(max_members=1, max_level=8))
    empty = int(held.assign([[-89.0, 10.0]])[0])
    rows = held.assign(MIDDLES)
    rows[5] = empty
    beliefs = sure(rows, len(held))
    found = search_within_cells(beliefs, held, atlas, vectors, fingerprint=encoder.fingerprint)
    assert np.flatnonzero(found.fell_back).tolist() == [5]
    assert found.points[5].tolist() == held.representatives[empty].tolist()
    assert found.matches.ids[5].tolist() == [-1] * 10
    assert found.weights[5].sum() == 0
    name = held.cells.names()[empty]
    assert found.reasons[5] == (
        f"The atlas has no reference to compare with in the cell {name}: the answer is the "
        f"representative of the cell {name}."
    )
    strict = WithinCellSettings(empty="error")
    with pytest.raises(AtlasEmptyError, match=f"S2 cell {name}"):
        search_within_cells(
            beliefs, held, atlas, vectors, fingerprint=encoder.fingerprint, settings=strict
        )


def test_references_left_out_may_leave_nothing(atlas, encoder, vectors) -> None:
    held = adaptive_s2(MIDDLES, S2Settings(max_members=1))
    beliefs = sure(held.assign(MIDDLES), len(held))[:3]
    near = (np.array([MIDDLES[0], [np.nan, np.nan], MIDDLES[2]]), 500.0)
    found = search_within_cells(
        beliefs, held, atlas, vectors[:3], fingerprint=encoder.fingerprint, exclude_within_m=near,
        exclude_sha256=[None, None, "0" * 64], settings=replace(PLAIN, cells=2),
    )  # fmt: skip
    # Their second cells hold somebody else; alone, their own ones are empty.
    assert found.fell_back.tolist() == [False, False, False]
    alone = search_within_cells(
        beliefs, held, atlas, vectors[:3], fingerprint=encoder.fingerprint, exclude_within_m=near
    )
    assert alone.fell_back.tolist() == [True, False, True]
    assert "2 most probable cells" not in alone.reasons[0]


def test_several_empty_cells_are_told_as_such(atlas, encoder, vectors) -> None:
    poles = np.array([[-89.0, 10.0], [-88.0, 15.0], [-85.0, 100.0]])
    held = adaptive_s2(np.concatenate([MIDDLES, poles]), S2Settings(max_members=1, max_level=8))
    rows = held.assign(poles)
    beliefs = np.full((1, len(held)), 0.0)
    beliefs[0, rows[:2]] = 0.5
    with np.errstate(divide="ignore"):
        beliefs = np.log(beliefs)
    found = search_within_cells(
        beliefs, held, atlas, vectors[:1], fingerprint=encoder.fingerprint,
        settings=WithinCellSettings(cells=2),
    )  # fmt: skip
    assert found.reasons[0].startswith("The atlas has no reference to compare with in the 2 most")


def test_what_does_not_fit_together(atlas, encoder, vectors, tmp_path: Path) -> None:
    held = partition_of("s2")
    beliefs = sure(held.assign(MIDDLES), len(held))

    def ask(values=beliefs, rows=vectors, **changes):
        kept = {"fingerprint": encoder.fingerprint, **changes}
        return search_within_cells(values, held, atlas, rows, **kept)

    ask(partition_fingerprint=held.fingerprint)
    with pytest.raises(PartitionError, match="other ones"):
        ask(partition_fingerprint="0" * 64)
    with pytest.raises(PartitionError, match="classes and the partition"):
        ask(beliefs[:, :-1])
    with pytest.raises(PartitionError, match="8 classes and the partition"):
        ask(beliefs[:, :8], partition_fingerprint="0" * 64)
    with pytest.raises(UsageError, match=r"shape \(n, cells\)"):
        ask(1.0)
    with pytest.raises(UsageError, match="sum to"):
        ask(beliefs + 1.0)
    with pytest.raises(UsageError, match="one row of log-probabilities for each photo"):
        ask(rows=vectors[:2])
    with pytest.raises(FingerprintError):
        ask(fingerprint="another")
    Store.create(tmp_path / "empty", card(48, 2))
    with pytest.raises(AtlasEmptyError, match="has no references"):
        search_within_cells(
            beliefs, held, Atlas.open(tmp_path / "empty"), vectors, fingerprint=encoder.fingerprint
        )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"cells": 0}, "cells must be"),
        ({"k": 0}, "k must be"),
        ({"empty": "guess"}, "empty must be 'classify' or 'error'. Got 'guess'"),
    ],
)
def test_settings_that_cannot_be(settings, said) -> None:
    with pytest.raises(UsageError, match=said):
        WithinCellSettings(**settings)
