"""Photos among aerial patches: a painted plain where matching is right, and the planet."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sightline.atlas import Atlas, build_derived
from sightline.atlas.hashing import HashSettings
from sightline.atlas.store import Store
from sightline.atlas.structures import build_structure
from sightline.errors import (
    AtlasEmptyError,
    EncoderError,
    FingerprintError,
    UsageError,
    VectorError,
)
from sightline.geo.box import BoundingBox
from sightline.geo.distance import great_circle_m
from sightline.locating import CrossViewLocator, Estimate, Locator, locate_paths, locator_for
from sightline.locating.cross_view import METHOD
from sightline.models.cross_view_encoder import TorchCrossViewEncoder

from .aerial_atlases import write_aerial_atlas
from .encoders import MeanColours
from .painted_world import (
    PATCH_M,
    REGIONS,
    STRIDE_M,
    grid,
    painted_encoder,
    patch,
    photo,
    place,
    view,
)

REACH = 9
PLACES = np.random.default_rng(4).uniform(-120, 120, (24, 2))
HEADINGS = np.random.default_rng(5).uniform(0, 360, 24)


@pytest.fixture(scope="module")
def painter() -> TorchCrossViewEncoder:
    return painted_encoder("panorama", turns=2)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory, painter: TorchCrossViewEncoder) -> Atlas:
    metres, centres = grid(REACH)
    folder = tmp_path_factory.mktemp("painted") / "atlas"
    pictures = [patch(*pair) for pair in metres]
    return write_aerial_atlas(
        folder, painter, centres, pictures, patch_m=PATCH_M, stride_m=STRIDE_M
    )


def panoramas() -> list:
    return [
        photo(view(*where, heading), name=f"{n}.png")
        for n, (where, heading) in enumerate(zip(PLACES, HEADINGS, strict=True))
    ]


def errors_m(estimates: list) -> np.ndarray:
    found = np.array([(e.lat, e.lon) for e in estimates])
    return great_circle_m(found, np.array([place(*where) for where in PLACES]))


def assert_same(one: object, other: object) -> None:
    """The same answer; products of larger batches round otherwise in the last digit."""
    assert isinstance(one, Estimate)
    assert isinstance(other, Estimate)
    assert great_circle_m((one.lat, one.lon), (other.lat, other.lon)) < 0.01
    assert one.heading_degrees == other.heading_degrees
    assert one.abstained == other.abstained
    assert one.candidates[0].uri == other.candidates[0].uri
    assert one.radius_90_m == pytest.approx(other.radius_90_m, rel=1e-3)


def test_place_and_heading_are_found(painted: Atlas, painter: TorchCrossViewEncoder) -> None:
    """Better than half the stride, and the heading to half of a turn."""
    estimates = [CrossViewLocator(painted, painter).locate(one) for one in panoramas()]
    plain = [CrossViewLocator(painted, painter, refine=False).locate(one) for one in panoramas()]
    refined, centres = errors_m(estimates), errors_m(plain)
    assert np.median(refined) < 0.25 * STRIDE_M < 0.3 * STRIDE_M < np.median(centres)
    assert (refined < STRIDE_M).mean() > 0.9
    assert np.mean([one.abstained for one in estimates]) < 0.5
    right = refined < STRIDE_M
    turned = np.abs(np.array([e.heading_degrees for e in estimates]) - HEADINGS)
    assert np.minimum(turned, 360 - turned)[right].max() <= 360 / (REGIONS * 2)
    for one, before in zip(estimates, plain, strict=True):
        assert one.method == METHOD
        assert one.patch_m == PATCH_M
        assert len(one.candidates) == 10
        assert len({(c.lat, c.lon) for c in one.candidates}) == 10
        assert [c.score for c in one.candidates] == sorted(
            (c.score for c in one.candidates), reverse=True
        )
        assert 0.2 < sum(c.weight for c in one.candidates) < 1 + 1e-9
        assert one.candidates[0].heading_degrees == one.heading_degrees
        assert one.candidates[0].distance == pytest.approx(2 - 2 * one.candidates[0].score)
        assert 0 < one.radius_50_m <= one.radius_90_m
        assert (before.lat, before.lon) == (one.candidates[0].lat, one.candidates[0].lon)
    # Half of a square lies within 0.39 to 0.41 of its side from its middle.
    assert min(one.radius_50_m for one in plain) > 0.38 * PATCH_M
    inside = refined <= [one.radius_90_m for one in estimates]
    assert inside.mean() > 0.9


def test_what_is_named_changes_no_answer(painted: Atlas, painter: TorchCrossViewEncoder) -> None:
    """Place, spread and judgement follow from what is compared, not from what is shown of it."""
    for one in panoramas()[:6]:
        few, some, many = (
            CrossViewLocator(painted, painter, k=k).locate(one) for k in (1, 10, 150)
        )
        assert [len(e.candidates) for e in (few, some, many)] == [1, 10, 150]
        for other in (few, many):
            assert_same(some, other)
            assert other.radius_50_m == pytest.approx(some.radius_50_m, rel=1e-3)
            assert other.margin == pytest.approx(some.margin)
            assert other.threshold == pytest.approx(some.threshold)
            assert other.candidates[0].weight == pytest.approx(some.candidates[0].weight)


def test_more_is_asked_for_than_there_is(painted: Atlas, painter: TorchCrossViewEncoder) -> None:
    found = CrossViewLocator(painted, painter, k=5000).locate(panoramas()[0])
    assert len(found.candidates) == (2 * REACH + 1) ** 2
    assert sum(c.weight for c in found.candidates) == pytest.approx(1)


def test_small_strides_are_judged_too(tmp_path: Path) -> None:
    """At an eighth of a patch, 200 patches and more overlap with the best one."""
    encoder = painted_encoder("panorama", turns=1)
    steps = np.arange(-20, 21) * PATCH_M / 8
    metres = np.array([(east, north) for north in steps for east in steps])
    atlas = write_aerial_atlas(
        tmp_path / "fine",
        encoder,
        np.array([place(*pair) for pair in metres]),
        [patch(*pair) for pair in metres],
        patch_m=PATCH_M,
        stride_m=PATCH_M / 8,
    )
    locator = CrossViewLocator(atlas, encoder)
    found = locator.locate(photo(view(31, -47, 40.0)))
    assert found.threshold is not None
    assert great_circle_m((found.lat, found.lon), place(31, -47)) < PATCH_M / 8


def test_a_known_heading_is_kept_to(painted: Atlas, painter: TorchCrossViewEncoder) -> None:
    for where, heading in zip(PLACES[:6], HEADINGS[:6], strict=True):
        asked = photo(view(*where, heading))
        found = CrossViewLocator(painted, painter, heading=float(heading)).locate(asked)
        assert found.heading_degrees == pytest.approx(heading)
        assert {round(c.heading_degrees, 6) for c in found.candidates} == {round(heading, 6)}
    wrong = CrossViewLocator(painted, painter, heading=float(HEADINGS[0]) + 90).locate(
        photo(view(*PLACES[0], HEADINGS[0]))
    )
    right = CrossViewLocator(painted, painter).locate(photo(view(*PLACES[0], HEADINGS[0])))
    assert wrong.candidates[0].score < right.candidates[0].score


def test_photos_of_elsewhere_abstain(painted: Atlas, painter: TorchCrossViewEncoder) -> None:
    """Of places that the atlas does not show, one in twenty may get an answer."""
    locator = CrossViewLocator(painted, painter)
    elsewhere = np.random.default_rng(6).uniform(300, 470, (20, 2))
    found = [locator.locate(photo(view(*where, 0.0))) for where in elsewhere]
    assert sum(not one.abstained for one in found) <= 3
    assert all(one.threshold is not None for one in found)
    assert "below the threshold" in (found[0].reason or "")
    never = CrossViewLocator(painted, painter, abstain_below=None).locate(
        photo(view(*elsewhere[0], 0.0))
    )
    assert (never.abstained, never.threshold) == (False, None)
    assert "Not judged" in (never.reason or "")
    strict = CrossViewLocator(painted, painter, abstain_below=0.999).locate(panoramas()[0])
    assert (strict.abstained, strict.threshold) == (True, 0.999)


def test_photos_together_and_alone(painted: Atlas, painter: TorchCrossViewEncoder) -> None:
    locator = CrossViewLocator(painted, painter)
    queries = [locator.prepare(one) for one in panoramas()[:5]]
    queries[2] = replace(queries[2], heading_degrees=float(HEADINGS[2]))
    together = locator.attempt(queries)
    for one, query in zip(together, queries, strict=True):
        assert_same(locator.attempt([query])[0], one)
    assert locator.attempt([]) == []


def test_one_bad_photo_stops_no_other(painted: Atlas, painter: TorchCrossViewEncoder) -> None:
    locator = CrossViewLocator(painted, painter)
    good, bad = (locator.prepare(one) for one in panoramas()[:2])
    floats = (bad.views[0].astype(np.float64),)
    answers = locator.attempt([good, replace(bad, views=floats)])  # type: ignore[arg-type]
    assert_same(answers[0], locator.locate(panoramas()[0]))
    assert isinstance(answers[1], EncoderError)


def test_regions(painted: Atlas, painter: TorchCrossViewEncoder) -> None:
    south, west = place(-100, -100)
    north, east = place(0, 100)
    region = BoundingBox(south, west, place(100, 0)[0], place(0, 0)[1])
    locator = CrossViewLocator(painted, painter, region=region)
    for one in panoramas()[:8]:
        found = locator.locate(one)
        assert region.contains([(c.lat, c.lon) for c in found.candidates]).all()
    nowhere = CrossViewLocator(painted, painter, region=BoundingBox(0, 0, 1, 1))
    with pytest.raises(AtlasEmptyError):
        nowhere.locate(panoramas()[0])
    del north, east


def test_too_few_places_to_judge(tmp_path: Path, painter: TorchCrossViewEncoder) -> None:
    metres, centres = grid(1)
    small = write_aerial_atlas(
        tmp_path / "small",
        painter,
        centres,
        [patch(*pair) for pair in metres],
        patch_m=PATCH_M,
        stride_m=STRIDE_M,
    )
    found = CrossViewLocator(small, painter).locate(photo(view(3, 4, 20.0)))
    assert "too few places" in (found.reason or "")
    assert not found.abstained
    assert len(found.candidates) == 9
    assert great_circle_m((found.lat, found.lon), place(3, 4)) < STRIDE_M / 2


def test_an_atlas_whose_rows_are_of_no_turn(tmp_path: Path, painter: TorchCrossViewEncoder) -> None:
    """A photo of known heading may be compared with none of them."""
    metres, centres = grid(2)
    pictures = [patch(*pair) for pair in metres]
    written = tmp_path / "written"
    write_aerial_atlas(written, painter, centres, pictures, patch_m=PATCH_M, stride_m=STRIDE_M)
    store = Store.open(written)
    rows = store.take(np.arange(store.count), store.schema.names)
    number = rows.schema.get_field_index("view")
    views = pa.array(np.full(store.count, 7, np.int16))
    Store.create(tmp_path / "damaged", store.card).append(rows.set_column(number, "view", views))
    locator = CrossViewLocator(Atlas.open(tmp_path / "damaged"), painter, heading=20.0)
    with pytest.raises(AtlasEmptyError, match=r"No patch is left to compare 'lost.png' with") as c:
        locator.locate(photo(view(3, 4, 20.0), name="lost.png"))
    assert "sightline atlas verify" in c.value.hint


def test_a_search_that_did_not_see_everything(
    tmp_path: Path, painter: TorchCrossViewEncoder
) -> None:
    """Of a structure's answer nobody knows whether it is all: the atlas says how much there is."""
    metres, centres = grid(4)
    pictures = [patch(*pair) for pair in metres]
    folder = tmp_path / "hashed"
    write_aerial_atlas(folder, painter, centres, pictures, patch_m=PATCH_M, stride_m=STRIDE_M)
    build_derived(folder)
    build_structure(folder, HashSettings(tables=4, bits=2))
    one = photo(view(3, 4, 20.0))
    hashed, exact = (
        CrossViewLocator(Atlas.open(folder), painter, mode=mode).locate(one)
        for mode in ("lsh", "exact")
    )
    assert_same(hashed, exact)
    assert hashed.threshold == pytest.approx(exact.threshold, abs=0.05)


def test_a_panorama_asks_a_model_of_90_degrees(tmp_path: Path) -> None:
    """Four views, each of which knows where it looks from the centre."""
    narrow = painted_encoder("crop:90", turns=2)
    metres, centres = grid(5)
    atlas = write_aerial_atlas(
        tmp_path / "narrow",
        narrow,
        centres,
        [patch(*pair) for pair in metres],
        patch_m=PATCH_M,
        stride_m=STRIDE_M,
    )
    locator = CrossViewLocator(atlas, narrow)
    found = locator.locate(photo(view(30, -40, 75.0)))
    assert "cut into 4 views" in found.notes[0]
    assert great_circle_m((found.lat, found.lon), place(30, -40)) < STRIDE_M
    assert abs(found.heading_degrees - 75.0) <= 360 / (REGIONS * 2)
    single = locator.locate(photo(view(30, -40, 75.0, 90.0)))
    assert "no field of view" in single.notes[0]


def test_files_go_through_the_same_door(
    painted: Atlas, painter: TorchCrossViewEncoder, tmp_path: Path
) -> None:
    from PIL import Image

    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(view(*PLACES[number], HEADINGS[number])).save(paths[-1])
    (tmp_path / "flat.png").write_bytes(b"")
    Image.fromarray(view(0, 0, 0, 90.0)).save(tmp_path / "flat.png")
    locator = CrossViewLocator(painted, painter)
    *good, flat = locate_paths([*paths, tmp_path / "flat.png"], locator)
    for one, alone in zip(good, panoramas()[:3], strict=True):
        assert_same(one.estimate, locator.locate(alone))
    assert isinstance(flat.error, EncoderError)
    assert "is none" in str(flat.error)


def test_kinds_are_not_mixed_up(
    painted: Atlas, painter: TorchCrossViewEncoder, atlas, tmp_path: Path
) -> None:
    photos = MeanColours()
    with pytest.raises(FingerprintError, match="of photos, and 'painted panorama' is a cross-view"):
        Locator(atlas, painter)
    with pytest.raises(FingerprintError, match="is asked as one of photos"):
        Locator(painted, painter)
    with pytest.raises(FingerprintError, match="asked as one of aerial patches"):
        CrossViewLocator(atlas, painter)
    with pytest.raises(FingerprintError, match="'mean-colours' encodes photos only"):
        CrossViewLocator(painted, photos)  # type: ignore[arg-type]
    with pytest.raises(FingerprintError, match="'mean-colours' encodes photos only"):
        locator_for(painted, photos)
    with pytest.raises(FingerprintError, match="do not compare"):
        CrossViewLocator(painted, painted_encoder("panorama", turns=3))


def test_the_locator_that_an_atlas_needs(
    painted: Atlas, painter: TorchCrossViewEncoder, atlas
) -> None:
    found = locator_for(painted, painter, k=4, heading="unknown", as_declared=True)
    assert isinstance(found, CrossViewLocator)
    assert (found.k, found.heading, found.as_declared) == (4, "unknown", True)
    assert isinstance(locator_for(atlas, MeanColours(), k=4), Locator)
    with pytest.raises(UsageError, match="'density'"):
        locator_for(painted, painter, method="density")
    for option in ({"levels": True}, {"compare": True}, {"cells": 3}, {"mass": 0.5}):
        with pytest.raises(UsageError, match=f"The option '{next(iter(option))}'"):
            locator_for(painted, painter, **option)  # type: ignore[arg-type]
    with pytest.raises(FingerprintError, match="is of aerial patches"):
        locator_for(painted, MeanColours(), method="within-cell")
    for wrong in ({"heading": 3.0}, {"as_declared": True}):
        with pytest.raises(UsageError, match="an atlas of photos"):
            locator_for(atlas, MeanColours(), **wrong)  # type: ignore[arg-type]


def test_refusals(painted: Atlas, painter: TorchCrossViewEncoder) -> None:
    with pytest.raises(UsageError, match="k must"):
        CrossViewLocator(painted, painter, k=0)
    with pytest.raises(UsageError, match="abstain_below"):
        CrossViewLocator(painted, painter, abstain_below="never")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="abstain_below"):
        CrossViewLocator(painted, painter, abstain_below=-2.0)
    for heading in ("north", float("nan")):
        with pytest.raises(UsageError, match="heading must be degrees"):
            CrossViewLocator(painted, painter, heading=heading)  # type: ignore[arg-type]
    assert issubclass(VectorError, ValueError)
