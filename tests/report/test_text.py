from __future__ import annotations

import json
import os
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.report.text import (
    coordinates_text,
    count_text,
    distance_text,
    embedded_json,
    file_name,
    visible,
)

anything = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Straße 東京.jpg", "Straße 東京.jpg"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("photo\u202egpj.exe", "photo\\u202egpj.exe"),
        ("\x00\x1b[31m", "\\x00\\x1b[31m"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\\xe9.jpg"),
        ("\ud800", "\\ud800"),
        ("👩\u200d🌾", "👩\u200d🌾"),
        ("\ufffe", "\\ufffe"),
    ],
)
def test_hidden_characters_are_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(anything)
def test_visible_text_is_legal_in_utf_8_and_xml(text: str) -> None:
    shown = visible(text)
    element = ET.Element("name")
    element.text = shown
    assert ET.fromstring(ET.tostring(element, encoding="utf-8")).text in (shown, shown or None)


@given(anything)
def test_embedded_json_cannot_leave_its_block_and_comes_back(text: str) -> None:
    block = embedded_json({"name": text, "</script>": "<!--"})
    assert not set("<>&") & set(block)
    assert block.isascii()
    assert json.loads(block) == {"name": text, "</script>": "<!--"}


def test_embedded_json_is_strict() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        embedded_json(float("nan"))


@pytest.mark.parametrize(
    ("metres", "text"),
    [
        (0.0, "0 m"),
        (999.4, "999 m"),
        (999.6, "1.0 km"),
        (9_949, "9.9 km"),
        (9_951, "10 km"),
        (2_100_400, "2,100 km"),
    ],
)
def test_distances_read_well(metres: float, text: str) -> None:
    assert distance_text(metres) == text


def test_coordinates_have_six_decimals_and_no_negative_zero() -> None:
    assert coordinates_text(-0.0000001, 13.5) == "0.000000, 13.500000"


def test_counts_agree_with_their_words() -> None:
    assert count_text(1, "query has", "queries have") == "1 query has"
    assert count_text(0, "query has", "queries have") == "0 queries have"
    assert count_text(2003, "query has", "queries have") == "2,003 queries have"


@pytest.mark.parametrize(
    ("path", "name"), [("a/b.npz", "b.npz"), (r"C:\a\b.npz", "b.npz"), ("a/", "a/"), ("a", "a")]
)
def test_file_names_are_the_last_part_of_a_path(path: str, name: str) -> None:
    assert file_name(path) == name
