from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from sightline.errors import OutputError, PhotoUnreadableError
from sightline.report import report_html, write_report

from .conftest import MakeEstimate, MakeResult, candidate, write_picture
from .markup import EVIL, Page

LOCATOR = SimpleNamespace(
    atlas=SimpleNamespace(path=f"/atlas/{EVIL}", version=7, count=1234),
    encoder=SimpleNamespace(name=EVIL, fingerprint="ab12cd"),
    mode="auto",
)


@pytest.fixture
def hostile(make_result: MakeResult, make_estimate: MakeEstimate) -> str:
    """A report in which every text from outside is hostile."""
    estimate = make_estimate(
        abstained=True, reason=EVIL, method=EVIL, candidates=(candidate(55.7, 13.2, uri=EVIL),)
    )
    error = PhotoUnreadableError(EVIL, hint=EVIL, path=EVIL)
    results = [
        make_result(EVIL, estimate=estimate, photo_place=None, place_problem=EVIL),
        make_result(os.fsdecode(b"\xff\xfe.jpg"), estimate=None, photo_place=None, error=error),
    ]
    return report_html(results, LOCATOR)


def test_hostile_text_is_only_text(hostile: str) -> None:
    page = Page(hostile)
    assert [attrs.get("type") for tag, attrs in page.tags if tag == "script"] == [
        "application/json",
        "application/json",
        None,
    ]
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\\n\\u202e&amp;" in page.text
    assert "\\xff\\xfe.jpg" in page.text
    assert "\u202e" not in hostile
    hostile.encode("utf-8")


def test_nothing_points_outside_but_one_plain_link(hostile: str) -> None:
    page = Page(hostile)
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.attributes("src"))
    links = [href for href in page.attributes("href") if not href.startswith("#")]
    assert links
    assert all(href.startswith("https://www.openstreetmap.org/?mlat=") for href in links)
    assert all(
        attrs["rel"] == "noreferrer noopener"
        for tag, attrs in page.tags
        if tag == "a" and attrs["href"] in links
    )
    assert not [tag for tag, _ in page.tags if tag in {"link", "iframe", "object", "embed", "base"}]
    assert not re.search(r"@import|url\(", next(text for kind, text in page.raw if kind == "style"))


def test_the_policy_allows_our_script_and_style_by_hash_and_nothing_else(hostile: str) -> None:
    page = Page(hostile)
    (policy,) = (
        attrs["content"]
        for tag, attrs in page.tags
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for kind in ("script", "style"):
        text = [text for tag, text in page.raw if tag == kind][-1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"


def test_the_map_data_is_numbers_only(hostile: str) -> None:
    blocks = [text for tag, text in Page(hostile).raw if tag == "script"]
    maps, world = json.loads(blocks[0]), json.loads(blocks[1])
    assert set(maps[0]) == {"lat", "lon", "circles", "matches", "squares", "shown", "exif"}
    assert maps[1] is None
    assert set(world) == {"per_degree", "land", "borders"}
    assert "alert" not in blocks[0]


def test_one_photo_says_everything(
    tmp_path: Path, make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    photo = write_picture(tmp_path / "photo.jpg", size=(1600, 1200))
    matches = tuple(
        candidate(55.704, 13.192, uri=str(write_picture(tmp_path / f"{i}.jpg", seed=i)))
        for i in range(12)
    )
    estimate = make_estimate(candidates=(*matches[:9], candidate(55.7, 13.2), *matches[9:]))
    locator = SimpleNamespace(
        atlas=SimpleNamespace(path="/a", version=7, count=1234),
        encoder=SimpleNamespace(name="mobilenet", fingerprint="ab12cd"),
        mode="tree",
    )
    moment = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    out = tmp_path / "report.html"
    write_report(out, [make_result(str(photo), estimate=estimate)], locator, created=moment)
    text = out.read_text(encoding="utf-8")
    assert text == report_html(
        [make_result(str(photo), estimate=estimate)], locator, created=moment
    )
    assert len(text) < 1_500_000
    assert "SECRETCAMERA" not in text
    page = Page(text)
    for words in (
        "Where was this photo taken?",
        "Lund, Skåne, Sweden",
        "1,234 references; search: tree",
        "Half of the evidence lies within 40 m of this point, 90 % within 120 m.",
        "55.704000, 13.192000",
        "Its EXIF states 55.700000, 13.190000, looking towards 90°, altitude 37 m.",
        "ab" * 32,
        "/a, version 7, 1,234 references",
        "mobilenet, fingerprint ab12cd",
        "not here",
        "3 more matches took part",
        "not a calibrated probability",
        "Use it responsibly",
        "2026-01-02 03:04 UTC",
    ):
        assert words in re.sub(r"\s+", " ", page.text), words
    pictures = [attrs for tag, attrs in page.tags if tag == "img"]
    assert all(attrs["alt"] for attrs in pictures if "hidden" not in attrs)
    # The photo, the match beside it, and nine of the ten shown matches, whose file is there.
    assert len(pictures) == 11


def test_many_photos_have_an_index_and_stay_small(
    tmp_path: Path, make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    photo = str(write_picture(tmp_path / "photo.jpg", size=(640, 480)))
    here = (candidate(55.704, 13.192, uri=photo),) * 8
    error = PhotoUnreadableError("No picture at all.", hint="Give a photo.")
    results = [make_result(photo, estimate=make_estimate(candidates=here))] * 198
    results.append(make_result(estimate=make_estimate(abstained=True, radius_90_m=float("nan"))))
    results.append(make_result("bad.jpg", estimate=None, photo_place=None, error=error))
    text = report_html(results)
    assert len(text) < 40_000_000
    page = Page(text)
    ids = set(page.attributes("id"))
    jumps = [href[1:] for href in page.attributes("href") if href.startswith("#photo-")]
    assert len(jumps) == 200
    assert set(jumps) <= ids
    words = re.sub(r"\s+", " ", page.text)
    assert "198 located 1 not sure 1 failed" in words
    assert "No picture at all." in words
    assert "unknown" in words


def test_no_photos_and_no_answer_are_pages_too(make_result: MakeResult) -> None:
    assert "<b>0</b> photos" in report_html([])
    assert "No answer." in report_html([make_result(estimate=None, photo_place=None)] * 2)


def test_a_reason_without_abstention_is_shown(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    text = report_html([make_result(estimate=make_estimate(reason="Not judged"))])
    assert "Not judged." in text
    unknown = make_estimate(radius_50_m=float("inf"), margin=None)
    assert "The spread of the evidence is unknown." in report_html([make_result(estimate=unknown)])


def test_a_place_that_cannot_be_written_is_one_error(
    tmp_path: Path, make_result: MakeResult
) -> None:
    with pytest.raises(OutputError, match="Cannot write"):
        write_report(tmp_path / "missing" / "report.html", [make_result()])
