from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from sightline.errors import DependencyError, EvaluationError, OutputError
from sightline.report import evaluation_report_html, write_evaluation_report
from sightline.report.metric_text import metric_interval, metric_name, metric_value

from . import evaluation_documents as made
from .markup import EVIL, Page

MOMENT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
SETS = {
    "ordinary": lambda: [made.with_reverse(made.ordinary(n=500))],
    "collapsed": lambda: [made.collapsed(n=200)],
    "two models": lambda: [made.ordinary("a.npz", n=500), made.ordinary("b.npz", n=500, seed=5)],
    "minimal": lambda: [made.minimal_retrieval()],
    "localization": lambda: [made.localization(n=60)],
    "two lists": lambda: [made.localization(n=40), made.localization("other.csv", n=40, seed=8)],
    "minimal localization": lambda: [made.minimal_localization()],
    "comparison": lambda: [made.comparison()],
    "comparisons": lambda: [made.comparison(), made.comparison("c", "d")],
}


class Tables(HTMLParser):
    """Every table as its caption, and its rows as lists of what each cell says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[tuple[str, list[list[str]]]] = []
        self.numbers: list[float] = []
        self._into: list[str] | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append(("", []))
        elif tag == "tr":
            self.tables[-1][1].append([])
        elif tag in ("td", "th", "caption"):
            self._into = []
        elif tag == "data":
            self.numbers.append(float(dict(attrs)["value"] or ""))

    def handle_data(self, data: str) -> None:
        if self._into is not None:
            self._into.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("td", "th", "caption") or self._into is None:
            return
        words = " ".join("".join(self._into).split())
        if tag == "caption":
            self.tables[-1] = (words, self.tables[-1][1])
        else:
            self.tables[-1][1][-1].append(words)
        self._into = None

    def of(self, caption: str) -> list[list[str]]:
        (rows,) = (rows for said, rows in self.tables if said == caption)
        return rows


def words(html: str) -> str:
    return re.sub(r"\s+", " ", Page(html).text)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: evaluation_report_html(make(), created=MOMENT) for name, make in SETS.items()}


@pytest.mark.parametrize("name", SETS)
def test_a_page_is_whole_and_asks_for_nothing(pages: dict[str, str], name: str) -> None:
    html = pages[name]
    page = Page(html)
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == 1
    assert not {"script", "img", "link", "iframe", "object", "embed", "base", "form"} & set(tags)
    assert all(href.startswith("#") for href in page.attributes("href"))
    assert not page.attributes("src")
    # The policy knows no style attributes.
    assert not page.attributes("style")
    assert not [one for _, attrs in page.tags for one in attrs if one.startswith("on")]
    assert not re.search(r"@import|url\(", next(text for kind, text in page.raw if kind == "style"))
    assert "nan" not in words(html).lower().split()
    assert "None" not in words(html)


@pytest.mark.parametrize("name", SETS)
def test_links_lead_somewhere_and_no_id_is_there_twice(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    ids = page.attributes("id")
    assert len(set(ids)) == len(ids)
    assert {href[1:] for href in page.attributes("href")} <= set(ids)


@pytest.mark.parametrize("name", SETS)
def test_tables_and_figures_can_be_read_without_seeing(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    assert all(said for said, _ in Tables(pages[name]).tables)
    heads = [attrs for tag, attrs in page.tags if tag == "th"]
    assert all(attrs["scope"] in {"col", "row", "rowgroup"} for attrs in heads)
    drawings = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert drawings
    for attrs in drawings:
        if attrs.get("aria-hidden") != "true":
            assert attrs["role"] == "img"
            assert len(attrs["aria-label"] or "") > 20
    figures = [tag for tag, _ in page.tags if tag in ("figure", "figcaption")]
    assert figures[::2] == ["figure"] * len(figures[::2])
    # Headings go down one step at a time.
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("name", SETS)
def test_the_style_is_allowed_by_hash_and_nothing_else_is(pages: dict[str, str], name: str) -> None:
    page = Page(pages[name])
    (policy,) = (
        attrs["content"] or ""
        for tag, attrs in page.tags
        if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    (style,) = (text for kind, text in page.raw if kind == "style")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_same_documents_give_the_same_bytes(tmp_path: Path, pages: dict[str, str]) -> None:
    for name, make in SETS.items():
        out = tmp_path / "report.html"
        write_evaluation_report(out, make(), created=MOMENT)
        assert out.read_text("utf-8") == pages[name]
    assert "2026-01-02 03:04 UTC" in words(pages["ordinary"])
    assert str(datetime.now(UTC).year) in words(evaluation_report_html([made.comparison()]))


def test_documents_are_only_read() -> None:
    for make in SETS.values():
        documents = make()
        before = copy.deepcopy(documents)
        evaluation_report_html(documents)
        assert documents == before


def test_the_order_of_a_page(pages: dict[str, str]) -> None:
    headings = re.findall(r"<h2>(.*?)</h2>", pages["ordinary"])
    assert headings == [
        "What was evaluated",
        "Warnings",
        "Result",
        "What published code would say",
        "Figures",
        "Baselines and sanity",
        "Leakage",
        "Settings and versions",
        "How to read this",
        "Made with",
    ]
    assert re.findall(r"<h2>(.*?)</h2>", pages["localization"]) == [
        "What was evaluated",
        "Result",
        "What published code would say",
        "Figures",
        "By group",
        "Baselines and sanity",
        "Settings and versions",
        "How to read this",
        "Made with",
    ]


def test_every_number_of_the_result_is_the_document_s(pages: dict[str, str]) -> None:
    (document,) = SETS["ordinary"]()
    tables = Tables(pages["ordinary"])
    for caption, part in (
        ("Metrics", document),
        ("References ask, queries answer", document["reverse"]),
    ):
        head, *rows = tables.of(caption)
        assert head == [
            "Metric", "Value", "95 % interval", "Ties move it by",
            "Optimistic", "Expected", "Pessimistic",
        ]  # fmt: skip
        assert len(rows) == len(part["metrics"])
        for row, (metric, stated) in zip(rows, part["metrics"].items(), strict=True):
            assert row[0].startswith(metric_name(metric))
            assert row[1] == metric_value(metric, stated["value"])
            assert row[2] == (metric_interval(metric, stated["low"], stated["high"]) or "–")
            for cell, policy in zip(
                row[4:], ("optimistic", "expected", "pessimistic"), strict=True
            ):
                assert cell == metric_value(metric, part["tie_policies"][policy][metric])
    # Unrounded, every one of them stands in the page too.
    exact = {stated["value"] for stated in document["metrics"].values()}
    exact |= {value for values in document["tie_policies"].values() for value in values.values()}
    assert exact <= set(tables.numbers)


def test_percentages_have_one_decimal_and_the_k_is_stated(pages: dict[str, str]) -> None:
    (document,) = SETS["ordinary"]()
    shown = words(pages["ordinary"])
    stated = document["metrics"]["recall@1"]
    expected = (
        f"Recall@1: {100 * stated['value']:.1f} % "
        f"({100 * stated['low']:.1f} to {100 * stated['high']:.1f} %)"
    )
    assert expected in shown
    assert "Recall@1 % k = 5" in shown
    assert "Of 500 references 1 % is k = 5, 5 % is k = 25, 10 % is k = 50." in shown


def test_what_was_done_is_said_in_words(pages: dict[str, str]) -> None:
    shown = words(pages["ordinary"])
    for sentence in (
        "Each query is compared with every reference, exactly, by Euclidean distance.",
        "Recall and ranks are means over every order of tied references, each as likely.",
        "PSSR and the search space count ties against the model, as their definition has it.",
        "Scores that differ by no more than 4.8e-07 are tied.",
        "95 % intervals are from 10,000 bootstrap resamples by query, seed 0.",
    ):
        assert sentence in shown
    shown = words(pages["minimal"])
    assert "Every reference within 25 m of a query's place is a true one." in shown
    assert "2 queries have no true reference at all and count as missed." in shown
    assert "There are no intervals: nothing was resampled." in shown
    shown = words(pages["localization"])
    assert "great-circle distances on a sphere of radius 6,371 km" in shown
    assert "2 photos have no answer: within no distance of the truth" in shown
    assert "bootstrap resamples by place (123 groups), seed 0." in shown
    assert "geodesic distances on the WGS84 ellipsoid" in words(pages["minimal localization"])


def test_other_settings_are_said_in_words_too() -> None:
    document = made.minimal_retrieval()
    document["n_without_positive"] = 1
    document["settings"] |= {
        "distance": "dot", "ties": "optimistic", "k_of_percent": {}, "resamples": 100,
        "grouped_by": "street", "n_groups": None,
    }  # fmt: skip
    shown = words(evaluation_report_html([document]))
    assert "by dot distance." in shown
    assert "Ties count as hits, which flatters models that tell little apart." in shown
    assert "1 query has no true reference at all and counts as missed." in shown
    assert "bootstrap resamples by street, seed 0." in shown
    assert "1 % is k" not in shown


def test_a_collapse_is_the_first_thing_that_is_said(pages: dict[str, str]) -> None:
    html = pages["collapsed"]
    shown = words(html)
    assert html.index('class="status failed"') < html.index('class="status unsure"')
    alarm, warning = html.index('class="notice alarm"'), html.index('class="notice warnings"')
    assert alarm < warning < html.index('id="result"')
    assert "These vectors do not tell places apart." in shown
    assert "All 200 query vectors are copies of one vector." in shown
    assert "the model wins under optimistic ties." in shown
    rows = {row[0]: row for row in Tables(html).of("Metrics")}
    # Honest recall is 1 of m, PSSR nothing, and ties alone make the difference.
    assert rows["Recall@1"][1:] == [
        "0.5 %", "0.0 to 1.5 %", "100.0 points", "100.0 %", "0.5 %", "0.0 %",
    ]  # fmt: skip
    pssr = next(row for name, row in rows.items() if name.startswith("PSSR"))
    assert pssr[1] == "0.0 %"
    assert 'class="number doubt"' in html
    assert 'class="number doubt"' not in pages["minimal"]


def test_a_warning_that_repeats_the_alarm_is_said_once() -> None:
    document = made.collapsed(n=50)
    reason = document["collapse"]["reasons"][0]
    document["warnings"].insert(0, f"The model has collapsed. {reason}")
    assert words(evaluation_report_html([document])).count(reason) == 1


def test_no_alarm_no_box(pages: dict[str, str]) -> None:
    assert 'class="notice' not in pages["minimal"]
    assert "Warnings" not in words(pages["minimal"])
    assert "collapse alarm" not in words(pages["ordinary"])


def test_conventions_follow_the_honest_number(pages: dict[str, str]) -> None:
    (document,) = SETS["ordinary"]()
    head, honest, *rows = Tables(pages["ordinary"]).of("What published code would say of model.npz")
    assert head == ["Convention", "Recall@1", "Recall@5", "Recall@10", "Recall@1 %"]
    assert honest[0].startswith("Sightline honest")
    assert honest[1].startswith(metric_value("recall@1", document["metrics"]["recall@1"]["value"]))
    assert [row[0].split()[0] for row in rows] == list(document["conventions"])
    for row, values in zip(rows, document["conventions"].values(), strict=True):
        for cell, metric in zip(
            row[1:], ("recall@1", "recall@5", "recall@10", "recall@1%"), strict=True
        ):
            if metric in values:
                assert cell.startswith(metric_value(metric, values[metric]))
            else:
                assert cell == "–"
    # What one convention alone knows has no column.
    assert "also Recall@50" in rows[-1][0]
    assert "PSSR" in rows[-1][0]
    published = Tables(pages["ordinary"]).of(
        "Exactly as the published functions return it for model.npz"
    )
    assert published[1][0] == "transgeo"
    assert json.loads("{" + published[1][1] + "}") == document["published"]["transgeo"]


def test_long_results_of_published_code_are_cut() -> None:
    document = made.ordinary(n=200)
    document["published"] = {"safa": {"validate": [0.123456789] * 500}}
    shown = words(evaluation_report_html([document]))
    assert "… (whole in the JSON)" in shown
    assert shown.count("0.123456789") < 40


def test_what_differs_from_the_honest_number_says_by_how_much() -> None:
    document = made.ordinary(n=200)
    document["metrics"]["recall@1"] |= {"value": 0.5}
    document["conventions"] = {
        "a": {"recall@1": 0.625}, "b": {"recall@1": 0.5}, "c": {"recall@1": None},
        "d": {"mean_rank": 3.0, "new": 1.0},
    }  # fmt: skip
    rows = Tables(evaluation_report_html([document])).of(
        "What published code would say of model.npz"
    )
    assert [row[1] for row in rows[2:]] == ["62.5 % +12.5", "50.0 % the same", "undefined", "–"]
    assert rows[-1][0] == "d also Mean rank 3.0, new 1.000"


def test_baselines_spread_and_leakage_stand_beside(pages: dict[str, str]) -> None:
    (document,) = SETS["ordinary"]()
    tables = Tables(pages["ordinary"])
    head, *rows = tables.of("Baselines beside model.npz")
    assert head == ["Metric", "This model", "Random", "Constant", "Shuffled"]
    assert rows[0][2] == metric_value("recall@1", document["baselines"]["random"]["recall@1"])
    spread = tables.of("Spread of the vectors of model.npz, 1,024 dimensions")
    assert [row[1:] for row in spread] == [
        ["Queries", "References"], ["0.0 %", "0.0 %"], ["0.1 %", "0.1 %"],
        ["321.4", "298.2"], ["−3.90", "−3.80"],
    ]  # fmt: skip
    shown = words(pages["ordinary"])
    assert "12 queries stand where a reference stands, 5 m; 1 query has the very content" in shown
    assert tables.of("Queries of model.npz at the place of a reference: examples")[1:] == [
        ["17", "4,021"],
        ["230", "8,003"],
    ]
    assert "Not looked for: there are neither places nor hashes" in words(pages["minimal"])


def test_leakage_by_vectors_says_so_and_unknown_places_are_left_out() -> None:
    document = made.ordinary(n=200)
    document["leakage"] = {
        "same_place": None, "same_content": 3, "by": "vectors", "radius_m": None, "examples": [],
    }  # fmt: skip
    shown = words(evaluation_report_html([document]))
    assert "3 queries have the very vector of a reference." in shown
    assert "stand where" not in shown


def test_a_baseline_that_lacks_a_metric_leaves_a_gap() -> None:
    document = made.ordinary(n=200)
    document["baselines"] = {"random": {"recall@1": 0.005}, "oracle<": {"pssr": 0.9}}
    head, *rows = Tables(evaluation_report_html([document])).of("Baselines beside model.npz")
    assert head[2:] == ["Random", "oracle<"]
    assert [row[2:] for row in rows] == [["0.5 %", "–"], ["–", "90.0 %"]]


def test_several_models_share_tables_and_figures(pages: dict[str, str]) -> None:
    documents = SETS["two models"]()
    head, *rows = Tables(pages["two models"]).of("Metrics")
    assert head[:3] == ["Metric", "Model", "Value"]
    assert rows[0][0] == "Recall@1"
    assert [rows[0][1], rows[1][0]] == ["a.npz", "b.npz"]
    assert rows[0][2] == metric_value("recall@1", documents[0]["metrics"]["recall@1"]["value"])
    assert rows[1][1] == metric_value("recall@1", documents[1]["metrics"]["recall@1"]["value"])
    shown = words(pages["two models"])
    # What was done alike is said once.
    assert shown.count("Each query is compared with every reference") == 1
    assert "a.npz: 12 queries stand within 5 m" in shown
    assert pages["two models"].count('id="figure-recall"') == 1
    assert "How well do these models find the place?" in shown


def test_models_that_were_measured_differently_say_so_each() -> None:
    first, second = made.ordinary("a", n=200), made.ordinary("b", n=300, seed=3)
    second["metrics"]["hit_rate"] = {"value": 0.7, "low": None, "high": None, "ties": 0.0}
    second["tie_policies"]["expected"]["hit_rate"] = 0.7
    html = evaluation_report_html([first, made.with_reverse(second)])
    assert words(html).count("Each query is compared with every reference") == 2
    rows = Tables(html).of("Metrics")
    (hit,) = (row for row in rows if row[0].startswith("Hit rate"))
    assert hit[1:3] == ["b", "70.0 %"]
    assert hit[-1] == "undefined"
    (turned, *_) = (row for row in Tables(html).of("References ask, queries answer")[1:])
    assert turned[1] == "b"


def test_every_number_of_a_localization_is_the_document_s(pages: dict[str, str]) -> None:
    (document,) = SETS["localization"]()
    tables = Tables(pages["localization"])
    _, *rows = tables.of("Metrics")
    for row, (metric, stated) in zip(rows, document["metrics"].items(), strict=True):
        assert row[0].startswith(metric_name(metric))
        assert row[1] == metric_value(metric, stated["value"])
    head, *rows = tables.of("predictions.csv by region")
    assert head[:3] == ["region", "Photos", "Within 0.1 km"]
    sizes = [int(row[1]) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == 60
    for row in rows:
        group = document["groups"]["region"][row[0]]
        assert row[2] == metric_value("accuracy@0.1km", group["metrics"]["accuracy@0.1km"]["value"])
    head, *_ = tables.of("Baselines beside predictions.csv")
    assert head[2] == "Most frequent place 51.507000, -0.128000"


def test_many_groups_are_cut_and_the_page_says_so() -> None:
    document = made.localization(n=20)
    group = document["groups"]["region"]["Asia"]
    document["groups"] = {"street": {f"s{i}": {**group, "n": i} for i in range(250)}}
    document["groups"]["street"]["s249"] = {"n": 249, "metrics": {}}
    html = evaluation_report_html([document])
    rows = Tables(html).of("predictions.csv by street")
    assert len(rows) == 201
    assert rows[1][:3] == ["s249", "249", "–"]
    assert "50 smaller groups stand in the JSON." in words(html)


def test_every_number_of_a_comparison_is_the_document_s(pages: dict[str, str]) -> None:
    head, *rows = Tables(pages["comparison"]).of("new.npz against old.npz")
    assert head == [
        "Metric", "First old.npz", "Second new.npz", "Difference", "95 % interval", "p",
        "p, Holm for so many metrics",
    ]  # fmt: skip
    assert rows[0] == [
        "Recall@1", "51.2 %", "54.1 %", "+2.9", "+2.1 to +3.7", "0.0001", "0.0004",
    ]  # fmt: skip
    assert rows[3][:4] == ["Mean rank", "41.2", "37.9", "−3.3"]
    assert rows[4][4:] == ["undefined"] * 3
    shown = words(pages["comparison"])
    assert "Recall@1: 54.1 % against 51.2 %, +2.9 points (+2.1 to +3.7)." in shown
    assert "Do these systems differ?" in words(pages["comparisons"])


def test_a_comparison_may_say_less() -> None:
    document = made.comparison()
    del document["settings"], document["sightline_version"]
    for stated in document["metrics"].values():
        del stated["p_value_holm"]
    document["metrics"]["recall@1"] |= {"p_value": 1e-7, "low": None}
    html = evaluation_report_html([document])
    head, first, *_ = Tables(html).of("new.npz against old.npz")
    assert head[-1] == "p"
    assert first[4:] == ["undefined", "< 0.0001"]
    assert "+2.9 points." in words(html)
    document["metrics"] = {}
    assert "Do these two systems differ?" in words(evaluation_report_html([document]))


def test_settings_and_versions_are_all_there(pages: dict[str, str]) -> None:
    (document,) = SETS["ordinary"]()
    shown = words(pages["ordinary"])
    for name in document["settings"]:
        assert name in shown
    assert "1%: 5, 5%: 25, 10%: 50" in shown
    assert "sightline.evaluation/1, retrieval" in shown
    assert "0.1.0" in shown
    assert "0.1, 1, 5, 10, 25, 200, 750, 2500" in words(pages["localization"])


def test_hostile_text_is_only_text() -> None:
    retrieval = made.collapsed(n=60)
    retrieval |= {"name": EVIL, "sightline_version": EVIL, "warnings": [EVIL, "\x00\ud800"]}
    retrieval["collapse"]["reasons"] = [EVIL]
    retrieval["conventions"] = {EVIL: {EVIL: 0.5, "recall@1": 0.4}, "x": {"recall@1": 0.4}}
    retrieval["published"] = {EVIL: {EVIL: [EVIL]}}
    retrieval["baselines"] = {EVIL: {"recall@1": 0.1}}
    retrieval["settings"] |= {"distance": EVIL, "grouped_by": EVIL, EVIL: EVIL}
    retrieval["metrics"][EVIL] = {"value": 0.5, "low": 0.4, "high": 0.6, "ties": 0.0}
    localization = made.localization(n=20) | {"name": EVIL, "warnings": [EVIL]}
    localization["groups"] = {EVIL: {EVIL: localization["groups"]["region"]["Asia"]}}
    localization["photos"][0]["id"] = EVIL
    comparison = made.comparison(EVIL, EVIL)
    comparison["metrics"][EVIL] = comparison["metrics"]["recall@1"]
    for documents in ([retrieval], [retrieval, made.ordinary(n=60)], [localization], [comparison]):
        html = evaluation_report_html(documents)
        page = Page(html)
        assert "script" not in {tag for tag, _ in page.tags}
        assert "img" not in {tag for tag, _ in page.tags}
        assert not [one for _, attrs in page.tags for one in attrs if one.startswith("on")]
        assert "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\\n" in page.text
        assert "\u202e" not in html
        html.encode("utf-8")


@pytest.mark.parametrize("name", ["東京 🗼.npz", "$x$ & <b>", "a" * 300])
def test_names_of_every_kind_are_shown_whole(name: str) -> None:
    document = made.minimal_retrieval() | {"name": name}
    assert name in words(evaluation_report_html([document]))


def test_what_cannot_be_shown_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EvaluationError, match="no evaluation to show"):
        evaluation_report_html([])
    with pytest.raises(EvaluationError, match="Show one kind at a time"):
        evaluation_report_html([made.comparison(), made.minimal_retrieval()])
    with pytest.raises(OutputError, match="Cannot write"):
        write_evaluation_report(tmp_path / "missing" / "x.html", [made.comparison()])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DependencyError, match="matplotlib"):
        write_evaluation_report(tmp_path / "x.html", [made.comparison()])
    assert not (tmp_path / "x.html").exists()
