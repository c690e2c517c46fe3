from __future__ import annotations

from xml.etree import ElementTree as ET

from sightline.report.figures.palette import PALETTE
from sightline.report.figures.svg import page_svg

SVG = "{http://www.w3.org/2000/svg}"
# The parts of what matplotlib writes, its oldest way of naming fonts among them.
WRITTEN = f"""<?xml version="1.0" encoding="utf-8" standalone="no"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN"
  "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="216pt" height="144pt"
 viewBox="0 0 216 144" xmlns="http://www.w3.org/2000/svg" version="1.1">
 <metadata><x/></metadata>
 <defs><style type="text/css">*{{stroke-linejoin: round}}</style></defs>
 <g id="figure_1">
  <g id="patch_1"><path d="M 0 0 L 1 1" style="fill: none"/></g>
  <g id="line_1">
   <defs><path id="m140" d="M 0 0
L 0 3.512345
L 1 3
z" style="stroke: {PALETTE["ink"]}; stroke-width: 0.8"/></defs>
   <g clip-path="url(#p77)"><use xlink:href="#m140" x="67.862348" y="1"
    style="stroke: #123456"/></g>
  </g>
  <path d="M 0 0 C 1 2 3 4 5 6 L 7 8" style="fill: {PALETTE["sea"]}; stroke: {PALETTE["line"]}"/>
  <text style="font: bold 9.5px 'DejaVu Sans', sans-serif; text-anchor: middle"
   transform="rotate(-0 1 2)">a &lt; b</text>
  <text style="font: 8px 'DejaVu Sans'" transform="rotate(-90 1.23456 2)">c</text>
  <text style="font-size: 7px; font-family: 'DejaVu Sans'">d</text>
 </g>
 <defs><clipPath id="p77"><rect x="0" y="0" width="88.302834" height="1"/></clipPath></defs>
</svg>"""


def test_it_keeps_what_is_drawn_and_drops_what_a_page_refuses() -> None:
    text = page_svg(WRITTEN, prefix="recall", name='R < "k"')
    root = ET.fromstring(text)
    assert root.get("aria-label") == 'R < "k"'
    assert (root.get("width"), root.get("viewBox")) == ("216pt", "0 0 216 144")
    assert not [e for e in root.iter() if e.get("style") is not None]
    for dropped in ("metadata", "<style", "DOCTYPE", "figure_1", 'fill="none"', "<g>"):
        assert dropped not in text


def test_ids_are_numbered_under_the_prefix_and_still_lead_somewhere() -> None:
    text = page_svg(WRITTEN, prefix="recall", name="x")
    assert 'clip-path="url(#recall-1)"' in text
    assert '<clipPath id="recall-1">' in text
    assert 'xlink:href="#recall-2"' in text
    assert '<path id="recall-2"' in text
    # Ids that come from addresses in memory change nothing.
    assert page_svg(WRITTEN.replace("p77", "p4711"), prefix="recall", name="x") == text


def test_colours_of_the_palette_get_classes_and_others_stay() -> None:
    text = page_svg(WRITTEN, prefix="x", name="x")
    assert f'class="stroke-ink" stroke="{PALETTE["ink"]}"' in text
    assert 'class="fill-sea stroke-line"' in text
    assert '<use xlink:href="#x-2" x="67.86" y="1" stroke="#123456"/>' in text


def test_styles_become_presentation_attributes() -> None:
    texts = list(ET.fromstring(page_svg(WRITTEN, prefix="x", name="x")).iter(f"{SVG}text"))
    assert [dict(element.attrib) for element in texts] == [
        {"font-size": "9.5", "font-weight": "bold", "text-anchor": "middle"},
        {"font-size": "8", "transform": "rotate(-90 1.23 2)"},
        {"font-size": "7"},
    ]
    assert [element.text for element in texts] == ["a < b", "c", "d"]


def test_paths_are_short_and_the_same() -> None:
    text = page_svg(WRITTEN, prefix="x", name="x")
    assert 'd="M 0 0 0 3.51 1 3 z"' in text
    # After a curve a line has to say that it is one.
    assert 'd="M 0 0 C 1 2 3 4 5 6 L 7 8"' in text
