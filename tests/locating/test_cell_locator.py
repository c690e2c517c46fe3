"""A classifier that was taught a little world, and an atlas of it: cells first, then references."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.atlas.clouds import card
from tests.models.global_networks import bundle, taught

from sightline.atlas import Atlas
from sightline.atlas.build import build_atlas
from sightline.atlas.store import Store
from sightline.errors import (
    AtlasEmptyError,
    EncoderError,
    FingerprintError,
    PhotoError,
    UsageError,
    VectorError,
)
from sightline.geo.distance import great_circle_m
from sightline.geo.partition import Centres, Partition, S2Settings, adaptive_s2
from sightline.geo.region import Circle
from sightline.imagery.photo import Photo, open_photo
from sightline.locating import (
    CellLocator,
    ComparingLocator,
    Estimate,
    Locator,
    WithinCellSettings,
    answers_by_level,
    believe,
    choose_cells,
    classify,
    default_method,
    evidence_radii_m,
    largest_cluster,
    locate_paths,
    locator_for,
    prepare_query,
)
from sightline.locating.judging import judge_cell
from sightline.locating.methods import MethodSettings
from sightline.models.global_encoder import TorchGlobalEncoder

from .encoders import MeanColours
from .photos import PER_PLACE, PLACES, place, scene, write, write_references

MIDDLES = np.array([place(number) for number in range(PLACES)])
POLES = np.array([[-89.0, 10.0], [-88.0, 15.0]])
# One place to a cell, and two cells where nobody put a reference.
CELLS = adaptive_s2(np.concatenate([MIDDLES, POLES]), S2Settings(max_members=1, max_level=8))
SHOWN = [scene(n, variant) for n in range(PLACES) for variant in (3, 4)]
PLACED = np.repeat(MIDDLES, 2, axis=0)


@pytest.fixture(scope="module")
def encoder() -> TorchGlobalEncoder:
    return taught(bundle(partitions=[CELLS], residual_hidden=8), SHOWN, PLACED).encoder()


@pytest.fixture(scope="module")
def atlas(encoder: TorchGlobalEncoder, tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    folder = tmp_path_factory.mktemp("cells")
    build_atlas(folder / "atlas", write_references(folder / "references"), encoder)
    return Atlas.open(folder / "atlas")


def photo(folder: Path, number: int, where: tuple[float, float] | None = None) -> Photo:
    return open_photo(write(folder / f"query-{number}.png", scene(number, 99), where))


def apart_m(found: Estimate, number: int) -> float:
    return float(great_circle_m((found.lat, found.lon), place(number)))


def radii_by_hand(answer: Estimate, log_probabilities: np.ndarray) -> list[float]:
    """One place after the other, from near to far, until they hold enough."""
    shares = np.exp(log_probabilities, dtype=np.float64)
    shares /= shares.sum()
    searched = {cell.name for cell in answer.cells[:1]}
    places = [(one.lat, one.lon, answer.mass * one.weight) for one in answer.candidates]
    for row, (lat, lon) in enumerate(CELLS.representatives):
        if CELLS.names[row] not in searched:
            places.append((lat, lon, shares[row]))
    away = sorted(
        (float(great_circle_m((answer.lat, answer.lon), (lat, lon))), weight)
        for lat, lon, weight in places
    )
    found = []
    for share in (0.5, 0.9):
        held, radius_m = 0.0, 0.0
        for away_m, weight in away:
            if held < share:
                held, radius_m = held + weight, away_m
        of_one_m = MethodSettings().reach_m * math.sqrt(-2 * math.log(1 - share))
        found.append(math.hypot(radius_m, of_one_m))
    return found


def test_a_photo_is_located_within_its_cell(atlas, encoder, tmp_path: Path) -> None:
    locator = CellLocator(atlas, encoder)
    photos = [photo(tmp_path, number) for number in range(PLACES)]
    found = locator.locate_many(photos)
    beliefs = believe([prepare_query(one, encoder) for one in photos], encoder)
    right = choose_cells(beliefs.log_probabilities, CELLS).rows[:, 0] == CELLS.assign(MIDDLES)
    assert right.mean() > 0.9
    for number in np.flatnonzero(right).tolist():
        answer = found[number]
        assert apart_m(answer, number) < 1.0
        assert answer.method == "within-cell"
        assert len(answer.candidates) == PER_PLACE
        assert sum(one.weight for one in answer.candidates) == pytest.approx(1.0)
        radii = (answer.radius_50_m, answer.radius_90_m)
        assert radii == pytest.approx(radii_by_hand(answer, beliefs.log_probabilities[number]))
        # All references that answer are within some metres, and all doubt is farther away.
        for radius_m, share in zip(radii, (0.5, 0.9), strict=True):
            assert (radius_m < 100.0) == (answer.mass >= share)
        assert answer.threshold == atlas.null_similarity
        assert answer.margin == pytest.approx(1.0)
        assert answer.mass == pytest.approx(answer.cells[0].probability)
        assert len(answer.cells) == 10
        name = CELLS.cells.names()[int(CELLS.assign(MIDDLES[[number]])[0])]
        assert answer.cells[0].name == name
        assert answer.notes[0].startswith(f"Searched in the cell {name}, to which the classifier")
        assert answer.levels == ()
    assert sum(answer.abstained for answer in found) <= 2
    # The same within the place's radius, its spread and all: the clusters of the same references.
    first = found[int(np.flatnonzero(right)[0])]
    places = np.array([[(one.lat, one.lon) for one in first.candidates]])
    scores = np.array([[one.score for one in first.candidates]])
    assert largest_cluster(places, scores).points[0] == pytest.approx((first.lat, first.lon))


@pytest.mark.parametrize("mass", [0.45, 0.55, 0.85, 0.95])
def test_doubt_about_the_cell_reaches_as_far_as_the_cells_it_is_about(
    atlas, encoder, tmp_path: Path, mass: float
) -> None:
    beliefs = believe([prepare_query(photo(tmp_path, 4), encoder)], encoder)
    row = int(CELLS.assign(MIDDLES[[4]])[0])
    others = [one for one in range(len(CELLS)) if one != row][:4]
    shares = np.zeros(len(CELLS))
    shares[row], shares[others] = mass, (1.0 - mass) * np.array([0.4, 0.3, 0.2, 0.1])
    with np.errstate(divide="ignore"):
        logs = np.log(shares[None]).astype(np.float32)
    (answer,) = CellLocator(atlas, encoder).estimates(replace(beliefs, log_probabilities=logs))
    assert answer.mass == pytest.approx(mass)
    radii = (answer.radius_50_m, answer.radius_90_m)
    assert radii == pytest.approx(radii_by_hand(answer, logs[0]))
    assert [radius_m < 100.0 for radius_m in radii] == [mass >= 0.5, mass >= 0.9]


def test_the_classifier_alone(atlas, encoder, tmp_path: Path) -> None:
    photos = [photo(tmp_path, number) for number in range(8)]
    queries = [prepare_query(one, encoder) for one in photos]
    beliefs = believe(queries, encoder)
    points = classify(beliefs.log_probabilities, CELLS)
    alone = CellLocator(None, encoder, method="classify")
    for number, answer in enumerate(alone.locate_many(photos)):
        assert (answer.lat, answer.lon) == pytest.approx(points[number])
        assert answer.method == "classify"
        assert answer.candidates == ()
        assert answer.mass is None
        assert answer.notes == ()
        best, following, *_ = answer.cells
        assert answer.margin == pytest.approx(best.probability - following.probability)
        shares = np.exp(beliefs.log_probabilities[number], dtype=np.float64)
        assert best.probability == pytest.approx(shares.max())
        row = int(shares.argmax())
        assert answer.threshold == pytest.approx(1 / CELLS.members.sum())
        assert not answer.abstained
        assert answer.reason is None
        spread = evidence_radii_m(points[[number]], CELLS.representatives[None], shares[None])
        disc = np.sqrt(CELLS.areas_km2[row] * 1e6 / np.pi * np.array([0.5, 0.9]))
        radii = (answer.radius_50_m, answer.radius_90_m)
        assert radii == pytest.approx(np.hypot(spread[0], disc))
    # With an atlas it says the same, and the atlas is told.
    with_atlas = CellLocator(atlas, encoder, method="classify")
    assert with_atlas.locate_many(photos[:1])[0] == alone.locate(photos[0])
    assert alone.locate_many([]) == []


def test_several_cells_and_a_mass(atlas, encoder, tmp_path: Path) -> None:
    opened = photo(tmp_path, 4)
    wide = CellLocator(atlas, encoder, search=WithinCellSettings(cells=5)).locate(opened)
    assert len({(round(one.lat), round(one.lon)) for one in wide.candidates}) > 1
    assert wide.mass == pytest.approx(sum(cell.probability for cell in wide.cells[:5]))
    assert wide.notes[0].startswith("Searched in 5 cells, to which the classifier gives")
    everything = CellLocator(atlas, encoder, search=WithinCellSettings(mass=1.0)).locate(opened)
    assert everything.mass == pytest.approx(1.0)
    clusters = Locator(atlas, encoder, method="clusters").locate(opened)
    assert [one.uri for one in everything.candidates] == [one.uri for one in clusters.candidates]
    assert (everything.lat, everything.lon) == pytest.approx((clusters.lat, clusters.lon))
    assert everything.radius_90_m == pytest.approx(clusters.radius_90_m)
    few = CellLocator(atlas, encoder, search=WithinCellSettings(k=2)).locate(opened)
    assert len(few.candidates) == 2


def test_an_empty_cell_is_answered_by_the_classifier_and_told(encoder, atlas, tmp_path) -> None:
    """A photo of a place that the classifier knows, and the atlas does not."""
    shown = [*SHOWN, scene(200, 3), scene(200, 4)]
    made = taught(
        bundle(partitions=[CELLS], residual_hidden=8),
        shown,
        np.concatenate([PLACED, POLES[[0, 0]]]),
    )
    knowing = made.encoder()
    # Only the head was taught, so that the atlas is still the encoder's.
    assert knowing.fingerprint == encoder.fingerprint
    assert knowing.classifier_fingerprint != encoder.classifier_fingerprint
    found = CellLocator(atlas, knowing, levels=True).locate(photo(tmp_path, 200))
    row = int(CELLS.assign(POLES[:1])[0])
    name = CELLS.cells.names()[row]
    assert (found.lat, found.lon) == pytest.approx(CELLS.representatives[row])
    assert found.method == "within-cell"
    assert found.candidates == ()
    assert found.notes[0].startswith(
        f"The atlas has no reference to compare with in the cell {name}"
    )
    assert "gives what was searched a probability of" in found.notes[0]
    assert found.mass == pytest.approx(found.cells[0].probability)
    alone = CellLocator(None, knowing, method="classify", levels=True).locate(photo(tmp_path, 200))
    assert replace(found, notes=(), mass=None, method="classify") == alone
    # Around it, references that are left out leave nothing either.
    near = (np.array([place(4)]), 1000.0)
    (left,) = CellLocator(atlas, encoder).locate_many([photo(tmp_path, 4)], exclude_within_m=near)
    assert left.candidates == ()
    assert "has no reference" in left.notes[0]
    both = CellLocator(atlas, encoder).locate_many(
        [photo(tmp_path, 4), photo(tmp_path, 5)],
        exclude_sha256=[None, open_photo(found_uri(atlas, encoder, tmp_path)).sha256],
    )
    assert [len(one.candidates) for one in both] == [3, 2]


def test_an_empty_cell_among_others_keeps_its_own_answer(atlas, encoder, tmp_path: Path) -> None:
    wide = open_photo(write(tmp_path / "panorama.png", panorama(1, 2, 3, 4)))
    photos = [photo(tmp_path, 4), wide, photo(tmp_path, 5), photo(tmp_path, 6)]
    beliefs = believe([prepare_query(one, encoder) for one in photos], encoder)
    places = np.full((4, 2), np.nan)
    # All references of the two cells that the second and third photo are looked for in.
    places[1:3] = CELLS.representatives[beliefs.log_probabilities[1:3].argmax(axis=1)]
    found = CellLocator(atlas, encoder).locate_many(photos, exclude_within_m=(places, 5000.0))
    assert [bool(one.candidates) for one in found] == [True, False, False, True]
    alone = CellLocator(None, encoder, method="classify").locate_many(photos)
    for number in (1, 2):
        assert replace(found[number], notes=(), mass=None, method="classify") == alone[number]
    some = beliefs.of([1, 3])
    assert some.owner.tolist() == [0, 0, 0, 0, 1]
    np.testing.assert_array_equal(some.vectors, beliefs.vectors[[1, 2, 3, 4, 6]])
    np.testing.assert_array_equal(some.log_probabilities, beliefs.log_probabilities[[1, 3]])
    np.testing.assert_array_equal(some.points, beliefs.points[[1, 3]])
    assert len(beliefs.of([]).points) == len(beliefs.of([]).vectors) == 0


def found_uri(atlas: Atlas, encoder: TorchGlobalEncoder, folder: Path) -> str:
    return CellLocator(atlas, encoder).locate(photo(folder, 5)).candidates[0].uri


def test_levels_are_those_of_the_probabilities(encoder, tmp_path: Path) -> None:
    opened = photo(tmp_path, 4)
    found = CellLocator(None, encoder, method="classify", levels=True).locate(opened)
    beliefs = believe([prepare_query(opened, encoder)], encoder)
    expected = answers_by_level(beliefs.log_probabilities, CELLS)
    assert tuple(one.level for one in found.levels) == expected.levels
    assert [one.radius_km for one in found.levels] == [1, 25, 200, 750, 2500]
    for one, point, mass in zip(found.levels, expected.points[0], expected.mass[0], strict=True):
        assert (one.lat, one.lon, one.probability) == pytest.approx((*point, mass))
    probabilities = [one.probability for one in found.levels]
    assert probabilities == sorted(probabilities)


@pytest.mark.parametrize("head", ["multi", "hierarchical", "mixture"])
def test_every_head_answers_in_its_finest_cells(head: str, tmp_path: Path) -> None:
    family = [adaptive_s2(MIDDLES, S2Settings(cells=6)), adaptive_s2(MIDDLES, S2Settings(cells=24))]
    cells = family[-1:] if head == "mixture" else family
    answering = taught(bundle(head, partitions=cells), SHOWN, PLACED).encoder()
    photos = [photo(tmp_path, number) for number in range(6)]
    beliefs = believe([prepare_query(one, answering) for one in photos], answering)
    assert beliefs.log_probabilities.shape == (6, len(family[-1]))
    found = CellLocator(None, answering, method="classify").locate_many(photos)
    points = np.array([(one.lat, one.lon) for one in found])
    if head == "mixture":
        modes = answering.modes(beliefs.log_probabilities)
        np.testing.assert_allclose(points, modes)
    else:
        np.testing.assert_allclose(points, classify(beliefs.log_probabilities, family[-1]))
    rows = family[-1].assign(MIDDLES[:6])
    best = choose_cells(beliefs.log_probabilities, family[-1]).rows[:, 0]
    assert (best == rows).mean() > 0.6


def test_cells_without_edges_reach_half_way_to_the_next(encoder, tmp_path: Path) -> None:
    held = Partition(Centres(MIDDLES), MIDDLES)
    answering = taught(bundle(partitions=[held]), SHOWN, PLACED).encoder()
    found = CellLocator(None, answering, method="classify").locate(photo(tmp_path, 4))
    assert found.cells[0].name == "4"
    assert found.threshold == pytest.approx(1 / PLACES)
    apart = np.sort(great_circle_m(place(4), MIDDLES))[1]
    assert found.cells[0].probability > 0.5
    assert found.radius_50_m == pytest.approx(apart / 2 * np.sqrt(0.5))


def panorama(*numbers: int) -> np.ndarray:
    """A 2:1 picture whose quarters show four scenes, the first in the middle."""
    quarters = [np.kron(scene(n, 99), np.ones((4, 1, 1))) for n in numbers]
    wide = np.concatenate([q[:192, :64].repeat(2, axis=1)[:, :96] for q in quarters], axis=1)
    return np.roll(wide, wide.shape[1] // 2 - 48, axis=1).astype(np.uint8)


def test_a_panorama_believes_the_mean_of_its_views(atlas, encoder, tmp_path: Path) -> None:
    opened = open_photo(write(tmp_path / "panorama.png", panorama(1, 2, 3, 4)))
    assert opened.metadata.panorama
    query = prepare_query(opened, encoder)
    single = [encoder.classify_prepared(view[None]) for view in query.views]
    mean = np.mean([np.exp(one.log_probabilities[-1][0]) for one in single], axis=0)
    beliefs = believe([query, prepare_query(photo(tmp_path, 4), encoder)], encoder)
    np.testing.assert_allclose(np.exp(beliefs.log_probabilities[0]), mean, rtol=1e-4)
    assert beliefs.owner.tolist() == [0, 0, 0, 0, 1]
    locator = CellLocator(atlas, encoder, search=WithinCellSettings(cells=4))
    wide, plain = locator.locate_many([opened, photo(tmp_path, 4)])
    alone = locator.locate(photo(tmp_path, 4))
    assert [one.uri for one in plain.candidates] == [one.uri for one in alone.candidates]
    # Of every reference of the four cells, the best score over the views.
    rows = choose_cells(beliefs.log_probabilities[:1], CELLS, cells=4).rows[0]
    best: dict[str, float] = {}
    for one in single:
        asked = atlas.search(
            one.vectors, 90, region=CELLS.region(rows), fingerprint=encoder.fingerprint
        )
        for uri, score in zip(asked.uris[0], asked.scores[0], strict=True):
            if uri is not None:
                best[uri] = max(best.get(uri, -2.0), float(score))
    scores = [one.score for one in wide.candidates]
    np.testing.assert_allclose(scores, sorted(best.values(), reverse=True)[:10], atol=1e-5)


def test_what_the_file_says_never_reaches_the_estimate(atlas, encoder, tmp_path: Path) -> None:
    for locator in (CellLocator(atlas, encoder), CellLocator(None, encoder, method="classify")):
        said = [None, (51.5, -0.1), tuple(place(20))]
        found = [locator.locate(photo(tmp_path / str(i), 4, one)) for i, one in enumerate(said)]
        assert found[0] == found[1] == found[2]


def test_files_in_answers_out(atlas, encoder, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.png", scene(n, 99), tuple(place(n))) for n in range(3)]
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = list(locate_paths([*paths, tmp_path / "broken.png"], CellLocator(atlas, encoder)))
    assert isinstance(found[-1].error, PhotoError)
    for number, one in enumerate(found[:3]):
        assert apart_m(one.estimate, number) < 1.0
        assert one.exif_to_estimate_m < 2.0


def test_abstaining(atlas, encoder, tmp_path: Path) -> None:
    opened = photo(tmp_path, 4)
    within = CellLocator(atlas, encoder, abstain_below=1.5).locate(opened)
    assert within.abstained
    assert "below the threshold of 1.500" in within.reason
    never = CellLocator(atlas, encoder, abstain_below=None).locate(opened)
    assert not never.abstained
    assert never.reason.startswith("Not judged")
    alone = {"method": "classify"}
    strict = CellLocator(None, encoder, abstain_below=1.0, **alone).locate(opened)
    assert strict.abstained
    assert "below the threshold of 1" in strict.reason
    never = CellLocator(None, encoder, abstain_below=None, **alone).locate(opened)
    assert (never.abstained, never.threshold) == (False, None)
    assert never.reason.startswith("Not judged")
    lax = CellLocator(None, encoder, abstain_below=0.01, **alone).locate(opened)
    assert (lax.abstained, lax.reason, lax.threshold) == (False, None, 0.01)
    # A head without weights gives every cell the same, as who has seen nothing does.
    blind = bundle(partitions=[CELLS], residual_hidden=8)
    blind.classifier.head.linear.weight.data.zero_()
    blind.classifier.head.linear.bias.data.zero_()
    found = CellLocator(None, blind.encoder(), **alone).locate(opened)
    assert found.abstained
    assert "sees nothing in the photo" in found.reason
    said = judge_cell("89c25", 0.004, 0.005, 0.005)
    assert said[0]
    assert "the most probable cell, 89c25, has a probability of 0.004, and holds 0.005" in said[1]


def test_a_photo_without_a_vector_is_an_error_of_its_own(atlas, encoder, tmp_path: Path) -> None:
    broken = bundle(partitions=[CELLS], residual_hidden=8)
    for parameter in broken.classifier.trunk.network.parameters():
        parameter.data.fill_(float("nan"))
    answering = broken.encoder()
    locator = CellLocator(None, answering, method="classify")
    with pytest.raises(VectorError):
        locator.locate(photo(tmp_path, 1))
    queries = [prepare_query(photo(tmp_path, number), answering) for number in (1, 2)]
    assert all(isinstance(one, VectorError) for one in locator.attempt(queries))


def test_the_locator_that_a_model_needs(atlas, encoder) -> None:
    assert default_method(encoder, None, "auto") == "within-cell"
    assert default_method(encoder, None, "tree") == "nearest"
    assert default_method(encoder, Circle(tuple(place(9)), 10.0), "auto") == "nearest"
    assert default_method(MeanColours(), None, "auto") == "nearest"
    found = locator_for(atlas, encoder, cells=3, mass=0.5, k=4, levels=True)
    assert isinstance(found, CellLocator)
    assert found.method == "within-cell"
    assert found.search == WithinCellSettings(cells=3, mass=0.5, k=4)
    assert found.levels
    assert locator_for(atlas, encoder).search == WithinCellSettings()
    assert isinstance(locator_for(None, encoder, method="classify"), CellLocator)
    for method in ("nearest", "density", "clusters"):
        assert isinstance(locator_for(atlas, encoder, method=method), Locator)
    inside = locator_for(atlas, encoder, region=Circle(tuple(place(9)), 10.0))
    assert (type(inside), inside.method) == (Locator, "nearest")


def test_one_pass_compares_every_method(atlas, encoder, tmp_path: Path) -> None:
    photos = [photo(tmp_path, number) for number in range(4)]
    comparing = locator_for(atlas, encoder, compare=True)
    assert isinstance(comparing, ComparingLocator)
    assert (comparing.atlas, comparing.encoder, comparing.mode) == (atlas, encoder, "auto")
    found = comparing.locate_many(photos)
    alone = {
        method: locator_for(atlas, encoder, method=method).locate_many(photos)
        for method in ("within-cell", "nearest", "density", "clusters", "classify")
    }
    for number, answer in enumerate(found):
        assert replace(answer, alternatives=()) == alone["within-cell"][number]
        said = [other.method for other in answer.alternatives]
        assert said == ["nearest", "density", "clusters", "classify"]
        for other in answer.alternatives:
            assert other == alone[other.method][number]
    chosen = locator_for(atlas, encoder, method="density", compare=True, k=3)
    (one, *_) = chosen.attempt([chosen.prepare(photos[0])])
    assert len(one.candidates) == 3
    said = [other.method for other in one.alternatives]
    assert said == ["nearest", "clusters", "within-cell", "classify"]
    assert chosen.attempt([]) == []
    # In a region, the classifier is not asked where to search; it may still be asked alone.
    region = Circle(tuple(place(9)), 5000.0)
    inside = locator_for(atlas, encoder, region=region, compare=True).locate_many(photos[:1])[0]
    assert [other.method for other in inside.alternatives] == ["density", "clusters", "classify"]
    # What has no answer is left out, unless it was the one that was asked.
    everywhere = (np.zeros((1, 2)), 1e8)
    (none,) = comparing.locate_many(photos[:1], exclude_within_m=everywhere)
    assert [other.method for other in none.alternatives] == ["classify"]
    (refused,) = chosen.locate_many(photos[:1], exclude_within_m=everywhere)
    assert isinstance(refused, AtlasEmptyError)
    with pytest.raises(UsageError, match="no other method to compare 'classify' with"):
        locator_for(None, encoder, method="classify", compare=True)
    with pytest.raises(UsageError, match="must share one encoder"):
        again = bundle(partitions=[CELLS], residual_hidden=8).encoder()
        ComparingLocator(CellLocator(None, encoder, method="classify"),
                         [CellLocator(None, again, method="classify")])  # fmt: skip


def test_what_cannot_be_is_refused_before_any_work(atlas, encoder, tmp_path: Path) -> None:
    region = Circle(tuple(place(9)), 10.0)
    wrong: list[tuple[type, str, object, dict]] = [
        (UsageError, "method must be one of nearest, density, clusters, within-cell, classify",
         atlas, {"method": "magic"}),
        (UsageError, "'within-cell' searches an atlas. Got none", None, {}),
        (UsageError, "'nearest' searches an atlas. Got none", None, {"method": "nearest"}),
        (UsageError, "Got another one", atlas, {"method": "classify", "region": region}),
        (UsageError, "Got another one", atlas, {"method": "within-cell", "region": region}),
        (UsageError, "Got the search 'tree'", atlas, {"method": "within-cell", "mode": "tree"}),
        (UsageError, "'cells' is for methods", atlas, {"method": "nearest", "cells": 2}),
        (UsageError, "'mass' is for methods", atlas, {"method": "density", "mass": 0.5}),
        (UsageError, "'levels' is for methods", atlas, {"method": "clusters", "levels": True}),
        (UsageError, "Got the option 'cells'", None, {"method": "classify", "cells": 2}),
        (UsageError, "Got the option 'k'", None, {"method": "classify", "k": 2}),
        (UsageError, "cells must be", atlas, {"cells": 0}),
        (UsageError, "mass must be above 0", atlas, {"mass": 1.5}),
        (UsageError, "mass must be above 0", atlas, {"mass": float("nan")}),
        (UsageError, "k must be", atlas, {"k": 0}),
        (UsageError, "A classifier takes photos", None, {"method": "classify", "heading": 3.0}),
    ]  # fmt: skip
    for kind, said, where, options in wrong:
        with pytest.raises(kind, match=said):
            locator_for(where, encoder, **options)
    other = bundle(partitions=[CELLS], seed=7).encoder()
    for method in ("within-cell", "classify"):
        with pytest.raises(FingerprintError, match="do not compare"):
            locator_for(atlas, other, method=method)
        with pytest.raises(EncoderError, match=f"'mean-colours' holds no classifier.*{method}"):
            locator_for(atlas, MeanColours(), method=method)
    with pytest.raises(UsageError, match="abstain_below"):
        CellLocator(atlas, encoder, abstain_below=-2.0)
    with pytest.raises(UsageError, match="method must be one of within-cell, classify"):
        CellLocator(atlas, encoder, method="nearest")
    empty = replace(card(encoder.dimension, 1), fingerprint=encoder.fingerprint)
    Store.create(tmp_path / "empty", empty)
    with pytest.raises(AtlasEmptyError, match="no cell holds any"):
        CellLocator(Atlas.open(tmp_path / "empty"), encoder)
    with pytest.raises(UsageError, match="one entry for each photo"):
        CellLocator(atlas, encoder).locate_many([photo(tmp_path, 1)], exclude_sha256=[])
