"""The report in a real browser, from disk, with every request refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sightline.errors import PhotoUnreadableError
from sightline.report import write_report

from .browsing import Visit
from .conftest import MakeEstimate, MakeResult, candidate, write_picture

EVIL = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\n\u202ex.jpg"
KINDS = "located", "antimeridian", "pole", "world", "failed"


@pytest.fixture
def report(tmp_path: Path, make_result: MakeResult, make_estimate: MakeEstimate) -> Path:
    photo = str(write_picture(tmp_path / "photo.jpg"))
    match = str(write_picture(tmp_path / "match.jpg", seed=1))
    near = [candidate(55.7040 + i * 2e-4, 13.1920, uri=match) for i in range(12)]
    near[1] = candidate(55.7043, 13.1925, uri=EVIL)
    across = (candidate(-17.0, 179.9999, uri=match), candidate(-17.0, -179.9999, uri=match))
    far_east = make_estimate(-17.0, 179.9999, candidates=across)
    results = [
        make_result(photo, estimate=make_estimate(candidates=tuple(near))),
        make_result(EVIL, estimate=far_east, photo_place=None),
        make_result(photo, estimate=make_estimate(89.99, 0.0), photo_place=None),
        make_result(photo, estimate=make_estimate(48.0, 2.0, radius_90_m=1.9e7)),
        make_result(
            EVIL,
            estimate=None,
            photo_place=None,
            error=PhotoUnreadableError(EVIL, hint=EVIL, path=EVIL),
        ),
    ]
    out = tmp_path / "répört '#%.html"
    write_report(out, results)
    return out


def test_the_map_lives_without_network(browser, report: Path) -> None:
    visit = Visit(browser, report)
    page = visit.page
    article = page.locator("#photo-1")
    article.scroll_into_view_if_needed()
    article.locator(".leaflet-container").wait_for()
    assert article.locator(".marker-match").count() == 10
    assert article.locator(".marker-match-small").count() == 2
    assert article.locator(".marker-estimate").count() == 1
    assert article.locator(".marker-exif").count() == 1
    assert article.locator(".live-map path.radius-50").count() == 1
    assert re.fullmatch(r"\d+ (m|km)", article.locator(".leaflet-control-scale-line").inner_text())
    assert article.locator(".graticule").count() >= 4
    # Every picture of the first photo is there and was decoded.
    widths = article.locator("img:not([hidden])").evaluate_all(
        "all => Promise.all(all.map(one => one.decode().then(() => one.naturalWidth)))"
    )
    # The photo, the match beside it, and nine of ten cards.
    assert len(widths) == 11
    assert min(widths) > 0
    visit.check()


def test_matches_can_be_chosen_by_mouse_and_keyboard(browser, report: Path) -> None:
    visit = Visit(browser, report)
    article = visit.page.locator("#photo-1")
    pressed = article.locator(".match[aria-pressed=true]")
    assert pressed.get_attribute("data-rank") == "1"
    article.locator(".match[data-rank='2']").focus()
    visit.page.keyboard.press("Enter")
    assert pressed.get_attribute("data-rank") == "2"
    assert article.locator(".compare-rank").inner_text() == "2"
    # Match 2 has no picture: it says so, and the old one goes.
    assert article.locator(".compare .absent").is_visible()
    assert article.locator(".compare img").is_hidden()
    article.locator(".marker-match").nth(8 - 1).focus()
    visit.page.keyboard.press("Enter")
    assert pressed.get_attribute("data-rank") == "8"
    assert article.locator(".compare img").is_visible()
    assert article.locator(".compare .absent").is_hidden()
    assert article.locator(".marker-match.chosen").inner_text() == "8"
    visit.check()


def test_pan_zoom_and_views(browser, report: Path) -> None:
    visit = Visit(browser, report)
    article = visit.page.locator("#photo-1")
    article.locator(".leaflet-container").wait_for()
    scale = article.locator(".leaflet-control-scale-line")
    near = scale.inner_text()
    article.locator("button[data-view=world]").click()
    assert scale.inner_text().endswith("000 km")
    # From afar the outlines are drawn.
    assert article.locator("canvas").evaluate(
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v)"
    )
    article.locator("button[data-view=matches]").click()
    article.locator("button[data-view=evidence]").click()
    assert scale.inner_text() == near
    article.locator(".leaflet-control-zoom-in").click()
    visit.page.wait_for_timeout(400)  # the zoom is animated
    article.locator(".map").scroll_into_view_if_needed()
    marker = article.locator(".marker-estimate")
    before = marker.bounding_box()
    box = article.locator(".leaflet-container").bounding_box()
    visit.page.mouse.move(box["x"] + 30, box["y"] + box["height"] - 120)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + 130, box["y"] + box["height"] - 120, steps=4)
    visit.page.mouse.up()
    visit.page.wait_for_timeout(400)
    assert marker.bounding_box()["x"] > before["x"] + 50
    assert re.fullmatch(r"-?\d+\.\d{6}, -?\d+\.\d{6}", article.locator(".readout").inner_text())
    visit.check()


def test_far_and_strange_places(browser, report: Path) -> None:
    visit = Visit(browser, report)
    for number, kind in enumerate(KINDS[1:-1], 2):
        article = visit.page.locator(f"#photo-{number}")
        article.scroll_into_view_if_needed()
        article.locator(".leaflet-container").wait_for()
        assert article.locator(".marker-estimate").is_visible(), kind
    # Both sides of the antimeridian are neighbours on the map.
    pins = visit.page.locator("#photo-2 .marker-match")
    left, right = (pins.nth(i).bounding_box()["x"] for i in (0, 1))
    assert 5 < right - left < 400
    visit.check()


def test_hostile_names_are_inert(browser, report: Path) -> None:
    visit = Visit(browser, report)
    assert "<script>alert(1)</script>" in visit.page.locator("#photo-5").inner_text()
    assert visit.page.locator("script").count() == 3
    visit.page.locator("nav a").last.click()
    visit.check()


def test_coordinates_are_copied(browser, report: Path) -> None:
    visit = Visit(browser, report, permissions=["clipboard-read", "clipboard-write"])
    button = visit.page.locator("#photo-1 .copy")
    button.click()
    button.get_by_text("Copied").wait_for()
    copied = visit.page.evaluate("navigator.clipboard.readText()")
    assert copied == "55.704000, 13.192000"
    visit.check()


def test_without_script_and_on_paper_the_still_map_stands(browser, report: Path) -> None:
    plain = Visit(browser, report, java_script_enabled=False)
    assert plain.page.locator("#photo-1 svg.still-map").is_visible()
    assert plain.page.locator("#photo-1 .buttons").is_hidden()
    plain.check()
    visit = Visit(browser, report)
    visit.page.locator("#photo-1 .leaflet-container").wait_for()
    assert visit.page.locator("#photo-1 svg.still-map").is_hidden()
    visit.page.emulate_media(media="print")
    assert visit.page.locator("#photo-1 svg.still-map").is_visible()
    assert visit.page.locator("#photo-1 .live-map").is_hidden()
    visit.check()


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_width_scrolls_sideways(browser, report: Path, width: int, scheme: str) -> None:
    visit = Visit(browser, report, color_scheme=scheme)
    visit.page.set_viewport_size({"width": width, "height": 900})
    wide = visit.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    visit.check()
