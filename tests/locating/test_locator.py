from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from sightline.atlas import Atlas
from sightline.errors import AtlasEmptyError, FingerprintError, UsageError, VectorError
from sightline.geo.distance import great_circle_m
from sightline.geo.region import Circle
from sightline.imagery.photo import Photo, open_photo
from sightline.locating import Locator, MethodSettings, locator_for, prepare_query
from sightline.locating.estimate import Estimate
from sightline.locating.judging import estimates_of
from sightline.locating.locator import UNMEASURED_THRESHOLD
from sightline.locating.queries import encode_queries, merge_views

from .encoders import MeanColours
from .photos import PER_PLACE, place, scene, write

METHODS = ["nearest", "density", "clusters"]


def photo(folder: Path, number: int, where: tuple[float, float] | None = None) -> Photo:
    return open_photo(write(folder / f"query-{number}.png", scene(number, 99), where))


@pytest.mark.parametrize("method", METHODS)
def test_a_photo_is_located_at_its_place(
    method: str, atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    locator = Locator(atlas, encoder, method=method)
    found = locator.locate(photo(tmp_path, 4))
    assert great_circle_m((found.lat, found.lon), place(4)) < 40.0
    assert found.method == method
    assert not found.abstained
    assert found.reason is None
    assert found.posterior is None
    assert found.threshold == atlas.null_similarity
    assert 0 <= found.radius_50_m <= found.radius_90_m
    assert found.radius_50_m < 100.0
    assert found.margin > 0.5
    assert len(found.candidates) == (90 if method == "density" else 10)
    assert sum(c.weight for c in found.candidates) == pytest.approx(1.0)
    scores = [c.score for c in found.candidates]
    assert scores == sorted(scores, reverse=True)
    for candidate in found.candidates:
        assert candidate.distance == pytest.approx(2 - 2 * candidate.score, abs=1e-5)
    assert all("04-" in c.uri for c in found.candidates[:PER_PLACE])


def test_the_clusters_answer_is_the_middle_of_the_place(
    atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    found = Locator(atlas, encoder, method="clusters").locate(photo(tmp_path, 7))
    assert great_circle_m((found.lat, found.lon), place(7)) < 0.1


@pytest.mark.parametrize("method", METHODS)
def test_what_the_file_says_never_reaches_the_estimate(
    method: str, atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    """The same pixels under three different EXIF places, one of them a reference's own."""
    locator = Locator(atlas, encoder, method=method)
    said = [None, (51.5, -0.1), tuple(place(20))]
    photos = [
        open_photo(write(tmp_path / f"{i}.png", scene(4, 99), where))
        for i, where in enumerate(said)
    ]
    assert [p.metadata.place is None for p in photos] == [True, False, False]
    assert photos[1].metadata.place.lat == pytest.approx(51.5)
    estimates = [locator.locate(p) for p in photos]
    assert estimates[0] == estimates[1] == estimates[2]
    for found in locator.locate_many(photos):
        # Rows of one matrix product differ in their last bits, and in nothing else.
        assert (found.lat, found.lon) == pytest.approx((estimates[0].lat, estimates[0].lon))
        assert [c.uri for c in found.candidates] == [c.uri for c in estimates[0].candidates]
    # By construction: what leaves towards encoder and atlas holds pixels and a name.
    query = prepare_query(photos[1], encoder)
    assert {f.name for f in dataclasses.fields(query)} == {"name", "views"}
    np.testing.assert_array_equal(query.views[0], prepare_query(photos[0], encoder).views[0])


def test_many_are_located_as_one_by_one(atlas: Atlas, encoder: MeanColours, tmp_path: Path) -> None:
    photos = [photo(tmp_path, number) for number in range(20)]
    locator = Locator(atlas, encoder, method="density", k=20)
    encoder.batches.clear()
    together = locator.locate_many(photos)
    assert encoder.batches == [16, 4]
    for number, found in enumerate(together):
        alone = locator.locate(photos[number])
        assert great_circle_m((found.lat, found.lon), (alone.lat, alone.lon)) < 0.01
        assert [c.uri for c in found.candidates] == [c.uri for c in alone.candidates]
        assert len(found.candidates) == 20
    assert locator.locate_many([]) == []


def test_pictures_of_different_shapes_go_through_together(atlas: Atlas, tmp_path: Path) -> None:
    encoder = MeanColours(keep_shape=True)
    pictures = [scene(4, 99), scene(5, 99).transpose(1, 0, 2), scene(6, 99)]
    queries = [
        prepare_query(open_photo(write(tmp_path / f"{i}.png", pixels)), encoder)
        for i, pixels in enumerate(pictures)
    ]
    vectors, owner = encode_queries(queries, encoder)
    assert sorted(encoder.batches) == [1, 2]
    np.testing.assert_array_equal(owner, [0, 1, 2])
    for query, vector in zip(queries, vectors, strict=True):
        np.testing.assert_array_equal(encoder.encode_prepared(query.views[0][None])[0], vector)


def panorama(*numbers: int) -> np.ndarray:
    """A 2:1 picture whose quarters show the scenes of four places, the first in the middle."""
    quarters = [np.kron(scene(n, 99)[:, ::1], np.ones((4, 1, 1))) for n in numbers]
    wide = np.concatenate([q[:192, :64].repeat(2, axis=1)[:, :96] for q in quarters], axis=1)
    return np.roll(wide, wide.shape[1] // 2 - 48, axis=1).astype(np.uint8)


def test_a_panorama_asks_with_four_views(
    atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    pixels = panorama(1, 2, 3, 4)
    assert pixels.shape == (192, 384, 3)
    opened = open_photo(write(tmp_path / "panorama.png", pixels))
    assert opened.metadata.panorama
    query = prepare_query(opened, encoder)
    assert len(query.views) == 4
    vectors, owner = encode_queries([query], encoder)
    np.testing.assert_array_equal(owner, [0, 0, 0, 0])
    single = [
        atlas.search(vectors[i : i + 1], 90, fingerprint=encoder.fingerprint) for i in range(4)
    ]
    # The slow way: of every reference the best score over the views.
    best: dict[int, float] = {}
    for matches in single:
        for reference, score in zip(matches.ids[0], matches.scores[0], strict=True):
            best[int(reference)] = max(best.get(int(reference), -2.0), float(score))
    ordinary = photo(tmp_path, 9)
    found, other = Locator(atlas, encoder, method="density").locate_many([opened, ordinary])
    scores = [c.score for c in found.candidates]
    np.testing.assert_allclose(scores, sorted(best.values(), reverse=True), atol=1e-5)
    assert len({c.uri for c in found.candidates}) == len(found.candidates) == 90
    alone = Locator(atlas, encoder, method="density").locate(ordinary)
    assert [c.uri for c in other.candidates] == [c.uri for c in alone.candidates]


def test_merging_pads_and_cuts(atlas: Atlas, encoder: MeanColours, tmp_path: Path) -> None:
    vectors = encoder.encode_regions([scene(n, 5) for n in (1, 1, 2)])
    near = (np.array([[np.nan, np.nan], [np.nan, np.nan], place(2)]), 1e8)
    matches = atlas.search(
        vectors, 4, fingerprint=encoder.fingerprint, exclude_within_m=near, pool_m=0.0
    )
    merged = merge_views(matches, np.array([0, 0, 2]), 3)
    # Two equal views are one; the second query has no view, the third no reference.
    np.testing.assert_array_equal(merged.ids[0], matches.ids[0])
    np.testing.assert_array_equal(merged.uris[0], matches.uris[0])
    np.testing.assert_array_equal(merged.coordinates[0], matches.coordinates[0])
    assert (merged.ids[1:] == -1).all()
    assert np.isnan(merged.scores[1:]).all()
    assert np.isnan(merged.coordinates[1:]).all()
    assert all(uri is None for uri in merged.uris[1:].ravel())
    assert (merged.views[1:] == -1).all()
    assert (merged.mode, merged.recall_estimate) == (matches.mode, matches.recall_estimate)
    estimates = estimates_of(merged, "nearest", MethodSettings(), None, "")
    assert isinstance(estimates[0], Estimate)
    assert estimates[1:] == [None, None]


def test_a_photo_like_nothing_abstains_but_still_guesses(
    atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    opened = photo(tmp_path, 4)
    found = Locator(atlas, encoder, pool_m=0.0, abstain_below=0.9999).locate(opened)
    assert found.abstained
    assert "below the threshold of 1.000" in found.reason
    assert found.threshold == 0.9999
    trusting = Locator(atlas, encoder, pool_m=0.0, abstain_below=-1.0).locate(opened)
    assert not trusting.abstained
    assert (found.lat, found.lon, found.candidates) == (
        trusting.lat,
        trusting.lon,
        trusting.candidates,
    )


def test_a_place_the_atlas_does_not_know_abstains(
    atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    """With the atlas's own threshold, most strangers abstain and no neighbour does."""
    locator = Locator(atlas, encoder)
    strangers = locator.locate_many([photo(tmp_path, number) for number in range(100, 130)])
    assert sum(found.abstained for found in strangers) >= 24
    neighbours = locator.locate_many([photo(tmp_path, number) for number in range(30)])
    assert not any(found.abstained for found in neighbours)


def test_without_a_threshold_the_estimate_says_so(
    atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    found = Locator(atlas, encoder, abstain_below=None).locate(photo(tmp_path, 4))
    assert not found.abstained
    assert found.threshold is None
    assert found.reason == "Not judged: no threshold for abstaining was given."


def test_an_atlas_that_measured_nothing_is_judged_by_a_stated_threshold(
    encoder: MeanColours, tmp_path: Path
) -> None:
    from sightline.atlas.build import build_atlas

    from .photos import write_references

    build_atlas(tmp_path / "atlas", write_references(tmp_path / "few")[:2], encoder)
    small = Atlas.open(tmp_path / "atlas")
    assert small.null_similarity is None
    found = Locator(small, encoder).locate(photo(tmp_path, 0))
    assert found.threshold == UNMEASURED_THRESHOLD
    assert found.abstained == (found.candidates[0].score < UNMEASURED_THRESHOLD)
    unjudged = Locator(small, encoder, abstain_below=None).locate(photo(tmp_path, 0))
    assert unjudged.threshold is None
    assert unjudged.abstained or unjudged.reason.startswith("Not judged")


def _scored(score: float):
    from sightline.atlas import Matches

    return Matches(
        ids=np.array([[3, 5]]),
        scores=np.array([[score, score - 0.1]], np.float32),
        coordinates=np.array([[[1.0, 2.0], [3.0, 4.0]]]),
        uris=np.array([["a", "b"]], object),
        views=np.zeros((1, 2), np.int16),
        headings=np.full((1, 2), np.nan, np.float32),
        mode="exact",
        recall_estimate=1.0,
    )


@pytest.mark.parametrize("threshold", [None, -1.0])
def test_scores_without_likeness_always_abstain(threshold: float | None) -> None:
    found = estimates_of(_scored(-0.2), "density", MethodSettings(), threshold, "none")[0]
    assert found.abstained
    assert "No reference resembles the photo: the best match scores -0.200" in found.reason
    assert found.margin is None
    assert [c.weight for c in found.candidates] == [0.5, 0.5]
    assert great_circle_m((found.lat, found.lon), (1.0, 2.0)) < 0.01


def test_methods_are_compared_without_a_classifier_too(
    atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    opened = photo(tmp_path, 4)
    encoder.batches.clear()
    (found,) = locator_for(atlas, encoder, compare=True).locate_many([opened])
    assert encoder.batches == [1]
    assert (found.method, [other.method for other in found.alternatives]) == (
        "nearest",
        ["density", "clusters"],
    )
    for other in found.alternatives:
        assert other == Locator(atlas, encoder, method=other.method).locate(opened)


def test_exclusions_take_evidence_away(atlas: Atlas, encoder: MeanColours, tmp_path: Path) -> None:
    opened = photo(tmp_path, 4)
    locator = Locator(atlas, encoder, k=90)
    far = locator.locate(opened, exclude_within_m=(place(4), 1000.0))
    assert great_circle_m((far.lat, far.lon), place(4)) > 1000.0
    assert len(far.candidates) == 87
    many = locator.locate_many(
        [opened, opened], exclude_within_m=([place(4), [np.nan, np.nan]], 1000.0)
    )
    assert [len(found.candidates) for found in many] == [87, 90]
    twin = open_photo(far.candidates[0].uri)
    less = locator.locate(twin, exclude_sha256=twin.sha256)
    assert far.candidates[0].uri not in {c.uri for c in less.candidates}
    assert len(less.candidates) == 89
    both = locator.locate_many([twin, twin], exclude_sha256=[twin.sha256, None])
    assert [len(found.candidates) for found in both] == [89, 90]


def test_a_region_is_all_there_is(atlas: Atlas, encoder: MeanColours, tmp_path: Path) -> None:
    locator = Locator(atlas, encoder, region=Circle(tuple(place(9)), 5000.0))
    found = locator.locate(photo(tmp_path, 4))
    assert len(found.candidates) == PER_PLACE
    assert all("09-" in candidate.uri for candidate in found.candidates)


def test_nothing_left_to_compare_with(atlas: Atlas, encoder: MeanColours, tmp_path: Path) -> None:
    with pytest.raises(AtlasEmptyError, match=r"No reference is left .*query-4.png"):
        Locator(atlas, encoder).locate(photo(tmp_path, 4), exclude_within_m=((0.0, 0.0), 1e8))


def test_a_photo_without_a_vector_is_an_error(
    atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    grey = open_photo(write(tmp_path / "grey.png", np.full((40, 40, 3), 128, np.uint8)))
    locator = Locator(atlas, encoder)
    with pytest.raises(VectorError, match="grey"):
        locator.locate(grey)
    queries = [prepare_query(p, encoder) for p in (photo(tmp_path, 1), grey, photo(tmp_path, 2))]
    first, second, third = locator.attempt(queries)
    assert isinstance(second, VectorError)
    assert isinstance(first, Estimate)
    assert isinstance(third, Estimate)


def test_another_encoder_is_refused_before_any_work(atlas: Atlas) -> None:
    other = MeanColours(salt="other")
    with pytest.raises(FingerprintError, match=other.fingerprint) as refused:
        Locator(atlas, other)
    assert refused.value.path == str(atlas.path)
    assert atlas.encoder_fingerprint in refused.value.message
    assert not other.batches


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "magic"}, "method must be one of nearest, density, clusters. Got 'magic'"),
        ({"k": 0}, "k must be a finite number, at least 1. Got 0"),
        ({"abstain_below": float("nan")}, "abstain_below"),
        ({"abstain_below": -1.5}, "abstain_below"),
        ({"abstain_below": "never"}, "abstain_below must be a score, 'atlas' or None"),
    ],
)
def test_impossible_arguments_are_refused(
    wrong: dict, words: str, atlas: Atlas, encoder: MeanColours
) -> None:
    with pytest.raises(UsageError, match=words):
        Locator(atlas, encoder, **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"exclude_sha256": ["0" * 64]},
        {"exclude_within_m": ([[0.0, 0.0]], 10.0)},
    ],
)
def test_exclusions_must_fit_the_photos(
    wrong: dict, atlas: Atlas, encoder: MeanColours, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="must have one entry for each photo"):
        Locator(atlas, encoder).locate_many([photo(tmp_path, 1), photo(tmp_path, 2)], **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"exponent": -1},
        {"sigma_m": 0},
        {"epsilon_m": -1},
        {"min_samples": 0},
        {"mean_exponent": -1},
        {"place_m": -1},
    ],
)
def test_impossible_settings_are_refused(wrong: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        MethodSettings(**wrong)


def test_the_settings_reach_the_methods(atlas: Atlas, encoder: MeanColours, tmp_path: Path) -> None:
    opened = photo(tmp_path, 4)
    wide = MethodSettings(sigma_m=5_000_000.0, exponent=1.0)
    far = Locator(atlas, encoder, method="density", settings=wide).locate(opened)
    assert great_circle_m((far.lat, far.lon), place(4)) > 10_000
    lonely = MethodSettings(epsilon_m=1.0, place_m=1.0)
    near = Locator(atlas, encoder, method="clusters", settings=lonely).locate(opened)
    best = near.candidates[0]
    assert great_circle_m((near.lat, near.lon), (best.lat, best.lon)) < 1e-3
    assert near.margin < 0.5


def test_a_match_alone_spreads_as_far_as_it_reaches() -> None:
    (found,) = estimates_of(_scored(0.5), "nearest", MethodSettings(), None, "")
    # Half and nine tenths of a Gaussian of 15 m in two dimensions.
    assert found.radius_50_m == pytest.approx(15 * math.sqrt(2 * math.log(2)))
    assert found.radius_90_m == pytest.approx(15 * math.sqrt(2 * math.log(10)))
    (point,) = estimates_of(_scored(0.5), "nearest", MethodSettings(reach_m=0.0), None, "")
    assert point.radius_50_m == point.radius_90_m == 0.0
