"""matplotlib's SVG made fit for a page: strict policies, light and dark, many on one page.

A page whose Content-Security-Policy allows styles by hash has no room for ``style`` attributes;
they become presentation attributes. Colours get classes besides, so that a style sheet can give
them other values in the dark; without one the figure keeps the colours of paper, and the same text
is a file of its own. Ids are kept only where something refers to them, under a prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from sightline.report.figures.palette import PALETTE

_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_FONTS = "'DejaVu Sans', Verdana, Arial, sans-serif"
_DROPPED_ELEMENTS = frozenset({f"{_SVG}metadata", f"{_SVG}style"})
_COLOUR_NAMES = {colour: name for name, colour in PALETTE.items()}
_MANY_DECIMALS = re.compile(r"-?\d+\.\d{3,}")
_NO_TURN = re.compile(r"rotate\(-?0 [^)]*\)")
_REFERENCE = re.compile(r"#([\w-]+)")
_FONT = re.compile(r"(?:(?P<weight>bold|\d{3}) )?(?P<size>[\d.]+)px (?P<family>.*)")


def page_svg(text: str, *, prefix: str, name: str) -> str:
    """Return one ``<svg>`` element that can stand in a page or alone.

    Args:
        text: What matplotlib wrote, with text as text.
        prefix: Put before every id that stays.
        name: What there is to see, for who cannot see it.
    """
    # The document type names a file on the network.
    root = fromstring(text[text.index("<svg") :])
    # Numbered as they come: some of matplotlib's own are made from addresses in memory.
    referred = dict.fromkeys(_REFERENCE.findall(" ".join(_references(root))))
    ids = {old: f"{prefix}-{number}" for number, old in enumerate(referred, 1)}
    box = root.get("viewBox", "")
    width, height = box.split()[2:]
    return "".join(
        [
            '<svg class="plot" xmlns="http://www.w3.org/2000/svg"',
            ' xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" role="img"',
            f' viewBox="{box}" width="{width}pt" height="{height}pt"',
            f' aria-label="{escape(name)}" font-family="{_FONTS}"',
            ' stroke-linejoin="round" stroke-linecap="butt">',
            *(part for child in root for part in _written(child, ids)),
            "</svg>\n",
        ]
    )


def _references(root: Element) -> Iterator[str]:
    for element in root.iter():
        for attribute, value in element.attrib.items():
            if attribute == f"{_XLINK}href" or value.startswith("url("):
                yield value


def _written(element: Element, ids: dict[str, str]) -> Iterator[str]:
    if element.tag in _DROPPED_ELEMENTS:
        return
    tag = element.tag.removeprefix(_SVG)
    inner = [part for child in element for part in _written(child, ids)]
    if tag in ("text", "tspan"):
        inner.insert(0, escape(element.text or "", quote=False))
    attributes = dict(_attributes(element, ids))
    if tag in ("g", "defs") and not inner:
        return
    if tag == "g" and not attributes:
        yield from inner
        return
    if tag == "path" and attributes.get("fill") == "none" and "stroke" not in attributes:
        return
    yield f"<{tag}"
    yield from (f' {key}="{escape(value)}"' for key, value in attributes.items())
    yield f">{''.join(inner)}</{tag}>" if inner else "/>"


def _attributes(element: Element, ids: dict[str, str]) -> Iterator[tuple[str, str]]:
    given = dict(element.attrib)
    style = _style(given.pop("style", ""))
    for key, value in given.items():
        if key == "id":
            if value in ids:
                yield key, ids[value]
        elif key == "transform":
            if kept := _NO_TURN.sub("", value).strip():
                yield key, _rounded(kept)
        elif key == f"{_XLINK}href" or value.startswith("url("):
            yield (
                key.replace(_XLINK, "xlink:"),
                _REFERENCE.sub(lambda found: f"#{ids[found[1]]}", value),
            )
        elif key == "d":
            yield key, _short_path(_rounded(value))
        else:
            yield key, _rounded(value)
    classes = [
        f"{paint}-{_COLOUR_NAMES[style[paint]]}"
        for paint in ("fill", "stroke")
        if style.get(paint) in _COLOUR_NAMES
    ]
    if classes:
        yield "class", " ".join(classes)
    yield from style.items()


def _style(text: str) -> dict[str, str]:
    """The declarations of a ``style`` attribute as presentation attributes."""
    found: dict[str, str] = {}
    for declaration in text.split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        if key == "font" and (font := _FONT.fullmatch(value)):
            # Before 3.10 matplotlib wrote the shorthand, which is no presentation attribute.
            found |= {"font-size": font["size"]} | (
                {"font-weight": font["weight"]} if font["weight"] else {}
            )
        elif key == "font-size":
            found[key] = value.removesuffix("px")
        elif key and key not in ("font", "font-family"):
            found[key] = value
    return found


def _short_path(text: str) -> str:
    """A path without what SVG lets one leave out; lines follow a move unasked."""
    words = text.split()
    straight = not set("CQ") & set(words)
    return " ".join(word for word in words if not (straight and word == "L"))


def _rounded(text: str) -> str:
    return _MANY_DECIMALS.sub(lambda found: f"{float(found[0]):.2f}", text)
