from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from sightline.errors import PhotoUnreadableError
from sightline.report import Located, estimate_html

from .conftest import MakeEstimate, MakeResult, candidate, write_picture


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)


def test_an_answer_shows_itself_with_map_and_matches(
    tmp_path: Path, make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    match = write_picture(tmp_path / "match.jpg", seed=1)
    photo = write_picture(tmp_path / "photo.jpg")
    near = (candidate(55.704, 13.192, uri=str(match)), candidate(55.704, 13.192, uri="gone.jpg"))
    result = make_result(str(photo), estimate=make_estimate(candidates=near))
    html = Located.of(result)._repr_html_()
    assert Tags(html).names.count("svg") == 1
    assert Tags(html).names.count("img") == 2
    for words in ("Lund, Skåne, Sweden", "55.704000, 13.192000", "not here", "EXIF (not used)"):
        assert words in html
    assert "script" not in Tags(html).names
    assert not re.search(r"(src|href)=\"(?!data:)", html)


def test_it_stays_a_located_photo(make_result: MakeResult) -> None:
    result = make_result()
    shown = Located.of(result)
    assert shown.estimate is result.estimate
    assert shown.path == result.path
    assert Located.of(shown) == shown


def test_an_abstention_and_an_error_say_so(
    make_result: MakeResult, make_estimate: MakeEstimate
) -> None:
    unsure = make_result(estimate=make_estimate(abstained=True, reason="Too weak"))
    assert "<b>Not sure:</b> Too weak. This is the best guess" in Located.of(unsure)._repr_html_()
    error = PhotoUnreadableError("<b>x</b> is text.", hint="Give a photo.")
    failed = make_result(estimate=None, photo_place=None, error=error)
    html = Located.of(failed)._repr_html_()
    assert "&lt;b&gt;x&lt;/b&gt; is text." in html
    assert "svg" not in Tags(html).names


def test_an_estimate_alone_can_be_shown(make_estimate: MakeEstimate) -> None:
    html = estimate_html(make_estimate(radius_50_m=float("nan")))
    assert Tags(html).names.count("svg") == 1
    assert "half of the evidence" not in html
