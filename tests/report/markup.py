"""A page as its parser sees it, and the name that every page must survive."""

from __future__ import annotations

from html.parser import HTMLParser

EVIL = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\n\u202e&amp;"


class Page(HTMLParser):
    """Start tags with attributes, the text of scripts and styles, and all visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, str]] = []
        self.text = ""
        self._within = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            self.raw.append((self._within, data))
        else:
            self.text += data

    def attributes(self, name: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(name)) is not None]
