"""Silence for the decoders' own warnings, from any number of threads at once."""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Only warnings that the decoding libraries raise from their own modules.
_MODULES = r"(PIL|pillow_heif|rasterio)\b"
_ENTRY: tuple[Any, ...] = ("ignore", None, Warning, re.compile(_MODULES), 0)
_lock = threading.Lock()
_inside = 0


@contextmanager
def decoder_warnings_silenced() -> Iterator[None]:
    """Ignore warnings raised by the decoders' modules while the block runs.

    What they warn of (odd EXIF tags, oversized TIFF entries) is either harmless here or ends in an
    error. ``warnings.catch_warnings`` would not do: it swaps the list of filters of the whole
    process, and two threads that enter and leave it in turn restore each other's list. Here one
    narrow filter is put in by the first thread that enters and taken out by the last that leaves.
    """
    global _inside
    with _lock:
        _inside += 1
        if _ENTRY not in warnings.filters:
            warnings.filterwarnings("ignore", module=_MODULES)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            filters: list[Any] = warnings.filters  # type: ignore[assignment]
            if _inside == 0 and _ENTRY in filters:
                filters.remove(_ENTRY)
