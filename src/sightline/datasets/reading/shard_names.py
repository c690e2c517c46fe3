"""Names of members in WebDataset shards: a key, a dot, and what kind of file it is.

The key ends at the first dot of the last part of the name (WebDataset's rule), so a key itself
holds none. Index files separate names by spaces, so a key holds no blank either.
"""

from __future__ import annotations

import re

from sightline.errors import UsageError

_UNSAFE = re.compile(r"[%.\s\x00-\x1f\x7f\\]")
_ESCAPED = re.compile(r"%([0-9A-F]{2,6});")
_KIND = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")


def key_of_id(photo_id: str) -> str:
    """Return an id as a key: unsafe characters become ``%``, their hexadecimal code, and ``;``.

    ``key_of_id("im2gps/12.jpg")`` is ``"im2gps/12%2E;jpg"``; :func:`id_of_key` turns it back.

    Raises:
        UsageError: The id is empty, or begins or ends with a slash.
    """
    key = _UNSAFE.sub(lambda found: f"%{ord(found.group()):02X};", photo_id)
    return checked_key(key)


def id_of_key(key: str) -> str:
    """Return the id that :func:`key_of_id` made a key of; other keys come back unchanged."""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), key)


def checked_key(key: str) -> str:
    """Return the key.

    Raises:
        UsageError: It cannot be the key of a sample.
    """
    parts = key.split("/")
    unsafe = any(char in key for char in ".\\\0") or any(char.isspace() for char in key)
    if unsafe or not all(parts):
        raise UsageError(
            f"The key of a sample must be text without dots, blanks and empty parts. Got {key!r}.",
            hint="key_of_id() makes a key of any id.",
        )
    return key


def checked_kind(kind: str) -> str:
    """Return the kind of a file, such as ``jpg``, ``json`` or ``aerial.png``.

    Raises:
        UsageError: It is not made of small letters, digits, underscores and single dots.
    """
    if not _KIND.fullmatch(kind):
        raise UsageError(
            f"The kind of a file must be small letters and digits. Got {kind!r}.",
            hint="Use jpg, png, json, txt, cls, or two of them with a dot, as in aerial.png.",
        )
    return kind


def split_name(name: str) -> tuple[str, str] | None:
    """Split a member's name into key and kind; None for a name that belongs to no sample."""
    start = name.rfind("/") + 1
    dot = name.find(".", start)
    if dot <= start:  # no dot, or a hidden file
        return None
    return name[:dot], name[dot + 1 :].lower()
