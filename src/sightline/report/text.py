"""Text from outside (file names, EXIF, atlas rows) made safe to show and to embed."""

from __future__ import annotations

import json
import unicodedata

# Joiners carry meaning in emoji and in Persian or Indic file names; they hide nothing.
_HARMLESS_FORMAT = frozenset("\u200c\u200d")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})


def visible(text: str) -> str:
    r"""Return ``text`` with everything that hides or reorders made visible.

    Control, format and bidirectional characters become escapes such as ``\u202e``; bytes of a path
    that are no UTF-8 (surrogate escapes) become ``\xff``. The result encodes to UTF-8 and is legal
    in XML 1.0.
    """
    return "".join(_shown(c) for c in text)


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if character in _HARMLESS_FORMAT or unicodedata.category(character) not in _HIDDEN_CATEGORIES:
        return character
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def embedded_json(value: object) -> str:
    """Return ``value`` as strict JSON that cannot leave an HTML ``<script>`` block.

    Plain ASCII: ``<``, ``>`` and ``&`` are escaped too, so neither ``</script>`` nor ``<!--`` can
    occur.

    Raises:
        ValueError: The value holds NaN or infinity.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def file_name(path: str) -> str:
    """Return the last part of a path of any system, or all of it where that is empty."""
    return path.replace("\\", "/").rsplit("/", 1)[-1] or path


def count_text(number: int, one: str, many: str) -> str:
    """Return a number with the words that belong to it: ``1 query has``, ``2,003 queries have``."""
    return f"{number:,} {one if number == 1 else many}"


def distance_text(distance_m: float) -> str:
    """Return a distance for people: ``8 m``, ``3.4 km``, ``2,100 km``."""
    if distance_m < 999.5:
        return f"{distance_m:.0f} m"
    kilometres = distance_m / 1000
    if kilometres < 9.95:
        return f"{kilometres:.1f} km"
    return f"{kilometres:,.0f} km"


def coordinates_text(lat: float, lon: float) -> str:
    """Return ``latitude, longitude`` in degrees with six decimals (0.1 m)."""
    # Adding zero turns -0.0 into 0.0.
    return f"{round(lat, 6) + 0.0:.6f}, {round(lon, 6) + 0.0:.6f}"
