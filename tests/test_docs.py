"""The code in the documentation runs, and prints what stands below it."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"```(python|text)\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", ["how-recall-misleads.md"])
def test_blocks_print_what_stands_below_them(page: str) -> None:
    blocks = BLOCK.findall((DOCS / page).read_text("utf-8"))
    assert blocks
    names: dict[str, object] = {}
    printed = ""
    for kind, text in blocks:
        if kind == "text":
            assert printed == text
            continue
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            exec(compile(text, page, "exec"), names)
        printed = stream.getvalue()
