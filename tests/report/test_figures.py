from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from sightline.errors import DependencyError, EvaluationError, OutputError, UsageError
from sightline.report import figures as figures_package
from sightline.report import save_figures
from sightline.report.figures import EvaluationFigure, evaluation_figures, render
from sightline.report.figures.palette import PALETTE

from . import evaluation_documents as made
from .markup import EVIL

SVG = "{http://www.w3.org/2000/svg}"
XLINK = "{http://www.w3.org/1999/xlink}href"
# Everything that SVG 1.1 lets one write without a style attribute.
PRESENTATION = {
    "fill", "fill-opacity", "fill-rule", "font-family", "font-size", "font-style", "font-weight",
    "opacity", "stroke", "stroke-dasharray", "stroke-dashoffset", "stroke-linecap",
    "stroke-linejoin", "stroke-miterlimit", "stroke-opacity", "stroke-width", "text-anchor",
}  # fmt: skip
GEOMETRY = {
    "class", "clip-path", "d", "height", "id", "points", "transform", "width", "x", "y", XLINK,
}  # fmt: skip


def small(name: str = "model.npz", *, seed: int = 0) -> dict:
    return made.ordinary(name, n=300, seed=seed)


SETS = {
    "one": lambda: [small()],
    "collapsed": lambda: [made.collapsed(n=120)],
    "several": lambda: [small("a"), small("b", seed=1), made.collapsed(n=300)],
    "minimal": lambda: [made.minimal_retrieval()],
    "localization": lambda: [made.localization(n=60)],
    "localizations": lambda: [made.localization(n=30), made.localization("b.csv", n=30, seed=9)],
    "minimal localization": lambda: [made.minimal_localization()],
    "comparison": lambda: [made.comparison()],
    "comparisons": lambda: [made.comparison(), made.comparison("c.npz", "d.npz")],
}


def named(documents: list[dict], name: str) -> EvaluationFigure:
    (figure,) = (figure for figure in evaluation_figures(documents) if figure.name == name)
    return figure


def drawn(documents: list[dict], name: str) -> Figure:
    """The figure's own objects, to be asked what they show."""
    figure = named(documents, name)
    sheet = Figure(figsize=figure.size_inches)
    figure.draw(sheet)
    return sheet


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize("name", SETS)
def test_every_figure_is_an_svg_that_fits_a_strict_page(name: str) -> None:
    figures = evaluation_figures(SETS[name]())
    ids: list[str] = []
    for figure in figures:
        root = ET.fromstring(render(figure, "svg"))
        assert root.tag == f"{SVG}svg"
        assert root.get("role") == "img"
        assert root.get("aria-label") == f"{figure.title}. {figure.alt}"
        for element in list(root.iter())[1:]:
            assert set(element.attrib) <= PRESENTATION | GEOMETRY, element.attrib
            assert element.tag.removeprefix(SVG) in {
                "clipPath", "defs", "g", "path", "rect", "text", "tspan", "use",
            }  # fmt: skip
        mine = [element.get("id") for element in root.iter() if element.get("id")]
        assert all(one.startswith(f"{figure.name}-") for one in mine)
        for element in root.iter():
            for reference in (element.get(XLINK, ""), element.get("clip-path", "")):
                target = reference.removeprefix("url(").removesuffix(")").removeprefix("#")
                assert not target or target in mine
        ids += mine
    # Several figures stand in one page.
    assert len(set(ids)) == len(ids)


def test_which_figures_there_are() -> None:
    names = {name: [f.name for f in evaluation_figures(make())] for name, make in SETS.items()}
    assert names == {
        "one": ["recall", "pssr", "search-space", "conventions"],
        "collapsed": ["recall", "pssr", "search-space", "conventions"],
        "several": ["recall", "pssr", "search-space", "conventions"],
        "minimal": ["recall", "pssr", "search-space"],
        "localization": ["errors", "reliability", "map", "conventions"],
        "localizations": ["errors", "reliability", "map-1", "map-2", "conventions"],
        "minimal localization": ["errors", "map"],
        "comparison": ["differences"],
        "comparisons": ["differences"],
    }


@pytest.mark.parametrize("name", SETS)
def test_captions_and_descriptions_are_sentences(name: str) -> None:
    for figure in evaluation_figures(SETS[name]()):
        assert figure.caption.endswith(".")
        assert figure.title
        assert not figure.title.endswith(".")


def test_the_same_documents_give_the_same_bytes() -> None:
    for form in ("svg", "pdf", "png"):
        first, second = (render(named([small()], "recall"), form) for _ in range(2))
        assert first == second, form


def test_the_settings_of_the_process_and_its_user_stay_out_and_as_they_were() -> None:
    plain = render(named([small()], "pssr"), "svg")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "path"}):
        # Asking for the backend would choose one.
        kept = [name for name in mpl.rcParams if name != "backend"]
        before = {name: mpl.rcParams[name] for name in kept}
        assert render(named([small()], "pssr"), "svg") == plain
        assert {name: mpl.rcParams[name] for name in kept} == before


def test_text_is_text_and_colours_have_names() -> None:
    root = ET.fromstring(render(named([small()], "recall"), "svg"))
    assert "k, number of nearest references looked at" in texts(root)
    assert "chance" in texts(root)
    classes = {one for element in root.iter() for one in (element.get("class") or "").split()}
    assert {"stroke-series-1", "fill-series-1", "fill-ink", "fill-quiet", "stroke-line"} <= classes
    colours = {
        colour
        for element in root.iter()
        for paint in ("fill", "stroke")
        if (colour := element.get(paint)) not in (None, "none")
    }
    # A colour without a name would stay as it is in the dark.
    assert colours <= set(PALETTE.values())


@pytest.mark.parametrize("name", SETS)
def test_every_colour_on_the_page_has_a_name(name: str) -> None:
    for figure in evaluation_figures(SETS[name]()):
        for element in ET.fromstring(render(figure, "svg")).iter():
            for paint in ("fill", "stroke"):
                colour = element.get(paint)
                if colour not in (None, "none"):
                    assert f"{paint}-" in element.get("class", ""), (figure.name, colour)


@pytest.mark.parametrize(
    "name", [EVIL, "$x_1$", "_hidden", "東京 عربى 🗼", "\x00\ud800", "a" * 400, "<b>&amp;"]
)
def test_any_name_is_only_text(name: str) -> None:
    documents = [small(name), small("other", seed=1)]
    for figure in evaluation_figures(documents):
        root = ET.fromstring(render(figure, "svg"))
        assert not list(root.iter(f"{SVG}script"))
    shown = texts(ET.fromstring(render(named(documents, "recall"), "svg")))
    if name.startswith("$"):
        assert name in shown
    if name == "_hidden":
        assert " _hidden" in shown


def test_hostile_names_of_conventions_groups_and_photos_are_only_text() -> None:
    document = made.localization(n=20)
    document["conventions"] = {EVIL: {"accuracy@1km": 0.5}, "$x$": {"accuracy@1km": 0.1}}
    document["photos"][3]["id"] = EVIL
    (conventions,) = [f for f in evaluation_figures([document]) if f.name == "conventions"]
    root = ET.fromstring(render(conventions, "svg"))
    assert "$x$" in texts(root)
    assert any("<script>alert(1)</script>" in text for text in texts(root))


def test_recall_is_drawn_as_the_document_has_it() -> None:
    document = made.collapsed(n=120)
    (axes,) = drawn([document], "recall").axes
    curve = document["curves"]["recall"]
    lines = {tuple(np.round(line.get_ydata(), 9)) for line in axes.lines}
    for policy in made.POLICIES:
        assert tuple(np.round(100 * np.array(curve[policy]), 9)) in lines
    assert axes.get_xscale() == "log"
    assert axes.get_xlim() == (1, 120)
    words = {text.get_text() for text in axes.texts}
    assert {"optimistic ties", "pessimistic ties", "chance", "Recall@1: 0.8 %"} <= words
    # Chance is k of all references.
    (chance,) = (line for line in axes.lines if line.get_linestyle() == ":")
    assert chance.get_ydata() == pytest.approx(100 * chance.get_xdata() / 120)
    assert "The band is up to 100.0 points wide." in named([document], "recall").caption


def test_without_ties_the_caption_says_so_and_no_policy_is_named() -> None:
    rank = np.arange(50)
    document = made.retrieval("m", rank, np.zeros(50, np.int64), 50, dimension=8)
    assert "Ties move no point" in named([document], "recall").caption
    (axes,) = drawn([document], "recall").axes
    assert not [text for text in axes.texts if "ties" in text.get_text()]


def test_the_histogram_holds_every_query() -> None:
    document = small()
    (axes,) = drawn([document], "pssr").axes
    step = axes.patches[0]
    values, edges, _ = step.get_data()
    counts = np.array(document["histograms"]["pssr"]["counts"])
    assert edges == pytest.approx(100 * np.array(document["histograms"]["pssr"]["edges"]))
    assert values[counts > 0] == pytest.approx(100 * counts[counts > 0] / 300)
    # What is empty lies on the floor, below what a single query would be.
    assert (values[counts == 0] < 100 / 300).all()


def test_the_search_space_is_marked_where_recall_is_required() -> None:
    document = small()
    (axes,) = drawn([document], "search-space").axes
    marks = {
        line.get_xdata()[0]: line.get_ydata()[0]
        for line in axes.lines
        if len(line.get_xdata()) == 1
    }
    assert marks == {
        q: pytest.approx(100 * document["metrics"][f"search_space@{q}%"]["value"])
        for q in (90, 95, 99, 100)
    }


def test_several_models_differ_by_more_than_colour() -> None:
    documents = [small(str(number), seed=number) for number in range(8)]
    (axes,) = drawn(documents, "search-space").axes
    looks = [
        (line.get_color(), str(line._unscaled_dash_pattern))
        for line in axes.lines
        if len(line.get_xdata()) == len(made.REQUIRED)
    ]
    assert len(set(looks)) == 8
    assert len({dashes for _, dashes in looks[:6]}) == 6


def test_errors_and_baselines_are_drawn_as_the_document_has_them() -> None:
    document = made.localization(n=60)
    (axes,) = drawn([document], "errors").axes
    lines = {tuple(np.round(line.get_ydata(), 9)) for line in axes.lines}
    assert tuple(np.round(100 * np.array(document["curves"]["error"]["share"]), 9)) in lines
    for baseline in document["baselines"].values():
        shares = [baseline["metrics"][f"accuracy@{t:g}km"] for t in made.THRESHOLDS_KM]
        assert tuple(np.round(100 * np.array(shares), 9)) in lines
    words = {text.get_text() for text in axes.texts}
    assert words == {"street 1", "city 25", "region 200", "country 750", "continent 2,500"}


def test_an_error_of_zero_stays_on_the_logarithmic_axis() -> None:
    document = made.localization(n=20)
    document["curves"]["error"] = {"km": [0.0, 1.0], "share": [0.2, 0.4]}
    (axes,) = drawn([document], "errors").axes
    assert axes.lines[0].get_xdata().tolist() == [0.01, 1.0]


def test_reliability_shows_what_was_observed_and_skips_what_was_not() -> None:
    document = made.localization(n=60)
    document["calibration"] = {"stated": [0.5, 0.9], "observed": [0.4, None], "n": [60, 0]}
    plain = made.localization("plain.csv", n=60) | {"calibration": None}
    sheet = drawn([plain, document], "reliability")
    (_, line) = sheet.axes[0].lines
    assert line.get_ydata() == pytest.approx([40.0, np.nan], nan_ok=True)
    # The second document keeps its colour, so that it is the same in every figure.
    assert line.get_color() == PALETTE["series-2"]
    alone = drawn([document], "reliability").axes[0]
    assert {text.get_text() for text in alone.texts} == {
        "radii hold what they state",
        "40.0 % of 60",
    }
    alt = named([document], "reliability").alt
    assert alt == "predictions.csv: stated 50.0 %, observed 40.0 %"


def test_conventions_stand_below_the_honest_number() -> None:
    document = small()
    panels = drawn([document], "conventions").axes
    assert [axes.get_title(loc="left") or axes.get_title() for axes in panels] == [
        "Recall@1",
        "Recall@5",
        "Recall@10",
        "Recall@1 %",
    ]
    rows = [label.get_text() for label in panels[0].get_yticklabels()]
    assert rows == ["Sightline", *document["conventions"]]
    # Rows count downwards.
    assert panels[0].get_ylim()[0] > panels[0].get_ylim()[1]
    dots = {
        (round(y), round(x, 9))
        for line in panels[0].lines
        if line.get_linestyle() == "None"
        for x, y in zip(*line.get_data(), strict=True)
    }
    expected = {(0, round(100 * document["metrics"]["recall@1"]["value"], 9))} | {
        (row, round(100 * values["recall@1"], 9))
        for row, values in enumerate(document["conventions"].values(), 1)
        if "recall@1" in values
    }
    assert dots == expected


def test_a_convention_may_speak_of_what_is_not_measured_here() -> None:
    document = small()
    document["metrics"]["recall@1"] = dict.fromkeys(("value", "low", "high", "ties"))
    document["conventions"] = {"safa": {"recall@1": None, "recall@5": 0.5}, "new\x00": {}}
    other = small("other", seed=4) | {"conventions": {}}
    figure = named([document, other], "conventions")
    assert "other, Recall@5: honest" in figure.alt
    assert "conventions from 50.0 % to 50.0 %" in figure.alt
    assert "new\\x00" in texts(ET.fromstring(render(figure, "svg")))
    document["conventions"] = {"witw": {"mean_rank": 7.0}}
    assert "conventions" not in [f.name for f in evaluation_figures([document])]


def test_differences_are_points_with_their_intervals() -> None:
    document = made.comparison()
    (axes,) = drawn([document], "differences").axes
    dots = next(line for line in axes.lines if line.get_linestyle() == "None")
    shares = ["recall@1", "recall@5", "recall@1%", "pssr"]
    expected = [100 * document["metrics"][m]["difference"] for m in shares]
    assert dots.get_xdata() == pytest.approx(expected)
    # Ranks have another unit and are left to the table.
    assert "Mean rank" not in [label.get_text() for label in axes.get_yticklabels()]
    words = [text.get_text() for text in axes.texts]
    assert words == ["+2.9 (+2.1 to +3.7)", "+0.3 (−0.4 to +1.0)", "−0.4 (−0.7 to −0.1)", "+0.030"]


def test_figures_are_saved_for_papers(tmp_path: Path) -> None:
    starts = {"svg": b"<svg ", "pdf": b"%PDF-", "png": b"\x89PNG"}
    for form, start in starts.items():
        paths = save_figures([made.comparison()], tmp_path / "new" / form, format=form)
        assert [path.name for path in paths] == [f"differences.{form}"]
        assert paths[0].read_bytes().startswith(start)
        assert b"20" + b"26-" not in paths[0].read_bytes()
    pdf = (tmp_path / "new" / "pdf" / "differences.pdf").read_bytes()
    assert b"/Type3" not in pdf
    assert b"CreationDate" not in pdf


def test_what_cannot_be_saved_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"svg, pdf, png. Got 'gif'"):
        save_figures([made.comparison()], tmp_path, format="gif")
    with pytest.raises(EvaluationError, match="no evaluation"):
        save_figures([], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        save_figures([made.comparison()], tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_a_missing_glyph_warns_nobody() -> None:
    document = made.comparison("東京.npz", "大阪.npz")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for form in ("svg", "png"):
            render(named([document, made.comparison()], "differences"), form)


def test_without_matplotlib_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    figure = named([made.comparison()], "differences")
    with pytest.raises(DependencyError, match="Figures need the package matplotlib") as caught:
        render(figure, "svg")
    assert 'pip install "sightline[figures]"' in caught.value.hint


def test_the_report_room_is_imported_without_matplotlib() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from sightline.report import evaluation_json_schema\n"
        "from sightline.report.figures import evaluation_figures\n"
        "evaluation_json_schema()"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_drawing_needs_no_window_and_keeps_no_list_of_figures(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from tests.report.evaluation_documents import comparison\n"
        "from sightline.report import save_figures\n"
        "save_figures([comparison()], sys.argv[1], format='png')\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    subprocess.run(command, check=True, cwd=root)


def test_one_module_alone_imports_matplotlib_and_only_when_it_draws() -> None:
    source = Path(figures_package.__file__).parents[2]
    importing = set()
    for path in source.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            if any(module.split(".")[0] == "matplotlib" for module in modules):
                importing.add(path.relative_to(source).as_posix())
                assert node not in tree.body
    assert importing == {"report/figures/canvas.py"}
