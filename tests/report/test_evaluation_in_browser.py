"""The report of an evaluation in a real browser, from disk, with every request refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.report import save_figures, write_evaluation_report

from . import evaluation_documents as made
from .browsing import Visit
from .markup import EVIL

SETS = {
    "models": lambda: [
        made.ordinary(EVIL, n=400),
        made.ordinary("東京.npz", n=400, seed=2),
        made.collapsed(n=400),
    ],
    "localization": lambda: [made.localization(n=80)],
    "comparison": lambda: [made.comparison()],
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("répört '#%")
    paths = {name: folder / f"{name}.html" for name in SETS}
    for name, path in paths.items():
        write_evaluation_report(path, SETS[name]())
    return paths


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_it_shows_without_complaint_request_or_sideways_scrolling(
    browser, reports: dict[str, Path], name: str, scheme: str, width: int
) -> None:
    visit = Visit(browser, reports[name], color_scheme=scheme)
    visit.page.set_viewport_size({"width": width, "height": 900})
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    plots = visit.page.locator("svg.plot")
    for index in range(plots.count()):
        box = plots.nth(index).bounding_box()
        assert box is not None
        assert box["width"] > 300
        assert box["height"] > 80
    visit.check()


def colour(visit: Visit, selector: str, paint: str) -> str:
    return visit.page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{paint}")


def test_figures_take_the_colours_of_the_page_in_light_and_dark(
    browser, reports: dict[str, Path]
) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        visit = Visit(browser, reports["models"], color_scheme=scheme)
        seen[scheme] = (
            colour(visit, "#figure-recall text.fill-ink", "fill"),
            colour(visit, "#figure-recall path.stroke-series-1", "stroke"),
            colour(visit, "body", "color"),
        )
        # What is drawn through a reference, such as ticks and markers, has them too.
        ticks = visit.page.locator("#figure-recall use.stroke-quiet").first
        assert ticks.evaluate("e => getComputedStyle(e).stroke") == colour(
            visit, "#figure-recall text.fill-quiet", "fill"
        )
        visit.check()
    assert seen["light"] == ("rgb(29, 35, 39)", "rgb(2, 77, 171)", "rgb(29, 35, 39)")
    assert seen["dark"] == ("rgb(232, 234, 236)", "rgb(74, 144, 245)", "rgb(232, 234, 236)")


def test_paper_is_white_even_in_the_dark(browser, reports: dict[str, Path]) -> None:
    visit = Visit(browser, reports["localization"], color_scheme="dark")
    visit.page.emulate_media(media="print", color_scheme="dark")
    assert colour(visit, "#figure-errors path.stroke-series-1", "stroke") == "rgb(2, 77, 171)"
    assert colour(visit, "#figure-errors text.fill-ink", "fill") == "rgb(0, 0, 0)"
    assert visit.page.locator("nav.contents").is_hidden()
    visit.check()


def test_the_alarm_and_the_way_to_each_part_can_be_seen_and_walked(
    browser, reports: dict[str, Path]
) -> None:
    visit = Visit(browser, reports["models"])
    alarm = visit.page.get_by_role("note", name="Collapse alarm")
    assert alarm.is_visible()
    assert colour(visit, ".alarm h2", "color") == "rgb(163, 33, 27)"
    for link in visit.page.locator("nav.contents a").all():
        link.click()
        assert visit.page.evaluate("location.hash") == link.get_attribute("href")
    visit.page.keyboard.press("Tab")
    visit.check()


def test_hostile_names_are_inert(browser, reports: dict[str, Path]) -> None:
    visit = Visit(browser, reports["models"])
    assert "<script>alert(1)</script>" in visit.page.locator("#evaluated").inner_text()
    assert visit.page.locator("script").count() == 0
    assert visit.page.locator("img").count() == 0
    visit.check()


def test_a_figure_of_its_own_opens_in_a_browser(browser, tmp_path: Path) -> None:
    paths = save_figures([made.localization(n=40)], tmp_path)
    for path in paths:
        visit = Visit(browser, path)
        assert visit.page.evaluate("document.documentElement.tagName") == "svg"
        assert visit.page.locator("path").count() > 5
        visit.check()
