from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest

import sightline
from sightline.errors import PhotoUnreadableError
from sightline.report import SCHEMA, Provenance, json_schema, locate_document

from .conftest import LUND, MakeEstimate, MakeResult, candidate
from .schema import violations

LOCATOR = SimpleNamespace(
    atlas=SimpleNamespace(path="/atlas", version=7, count=1234),
    encoder=SimpleNamespace(name="mobilenet", fingerprint="ab12"),
    mode="tree",
)


def test_the_document_is_the_contract(make_result: MakeResult) -> None:
    document = locate_document([make_result()], LOCATOR)
    assert document["schema"] == SCHEMA == "sightline.locate/1"
    (photo,) = document["photos"]
    assert list(photo) >= ["path", "sha256", "exif", "estimate", "candidates", "error"]
    assert {"path", "sha256", "exif", "estimate", "candidates", "error"} <= set(photo)
    assert (photo["estimate"]["lat"], photo["estimate"]["lon"]) == LUND
    assert photo["estimate"]["radius_50_m"] == 40.0
    assert photo["estimate"]["abstained"] is False
    assert photo["estimate"]["place"]["town"] == "Lund"
    assert photo["exif"]["to_estimate_m"] == 450.0
    assert photo["candidates"][0]["uri"] == "match.jpg"
    assert photo["candidates"][0]["distance"] == 0.5
    assert photo["error"] is None
    assert violations(document, json_schema()) == []


def test_provenance_names_versions_and_hashes(make_result: MakeResult) -> None:
    document = locate_document([], LOCATOR)
    assert document == {
        "schema": SCHEMA,
        "sightline_version": sightline.__version__,
        "atlas_path": "/atlas",
        "atlas_version": 7,
        "atlas_count": 1234,
        "encoder_name": "mobilenet",
        "encoder_fingerprint": "ab12",
        "search": "tree",
        "photos": [],
    }
    assert Provenance.of(None) == Provenance(sightline.__version__)
    assert violations(locate_document([]), json_schema()) == []


def test_a_failed_photo_has_its_error_and_the_others_their_places(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    error = PhotoUnreadableError("x.jpg is text.", hint="Give a photo.", path="x.jpg")
    failed = make_result("x.jpg", sha256=None, photo_place=None, estimate=None, error=error)
    tokyo = make_result(estimate=make_estimate(35.69, 139.69))
    document = locate_document([failed, make_result(), tokyo])
    assert violations(document, json_schema()) == []
    first, second, third = document["photos"]
    assert first["error"] == {
        "code": "photo.unreadable",
        "message": "x.jpg is text.",
        "hint": "Give a photo.",
        "path": "x.jpg",
    }
    assert (first["estimate"], first["candidates"], first["exif"]) == (None, [], None)
    assert second["estimate"]["place"]["country_code"] == "SE"
    assert third["estimate"]["place"]["country_code"] == "JP"


def test_what_is_not_finite_is_null(make_result: MakeResult, make_estimate: MakeEstimate) -> None:
    odd = candidate(0.0, 0.0, weight=float("nan"))
    estimate = make_estimate(
        radius_50_m=float("inf"), radius_90_m=float("nan"), margin=None, candidates=(odd,)
    )
    document = locate_document([make_result(estimate=estimate, exif_to_estimate_m=None)])
    text = json.dumps(document, allow_nan=False)
    photo = json.loads(text)["photos"][0]
    assert photo["estimate"]["radius_50_m"] is photo["estimate"]["radius_90_m"] is None
    assert photo["candidates"][0]["weight"] is None
    assert violations(document, json_schema()) == []


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"a b\n'\".jpg", "写真.jpg".encode()])
def test_any_file_name_survives(make_result: MakeResult, name: bytes) -> None:
    document = locate_document([make_result(os.fsdecode(name))])
    text = json.dumps(document, allow_nan=False)
    assert text.isascii()
    assert os.fsencode(json.loads(text)["photos"][0]["path"]) == name


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda d: d.pop("photos"), "photos"),
        (lambda d: d.update(schema="sightline.locate/2"), "schema"),
        (lambda d: d["photos"][0].pop("error"), "error"),
        (lambda d: d["photos"][0]["estimate"].update(lat=91), "lat"),
        (lambda d: d["photos"][0]["estimate"].update(abstained="no"), "abstained"),
        (lambda d: d["photos"][0].update(sha256="xyz"), "sha256"),
        (lambda d: d["photos"][0]["candidates"][0].update(distance="near"), "distance"),
        (lambda d: d["photos"][0]["estimate"]["place"].update(direction="UP"), "direction"),
    ],
)
def test_the_schema_refuses_what_breaks_the_contract(
    make_result: MakeResult, change, complaint: str
) -> None:
    document = locate_document([make_result()])
    change(document)
    assert any(complaint in violation for violation in violations(document, json_schema()))
