"""Tiles from a server, fetched only when told to, politely, and each only once."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import urllib.error
import urllib.request
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from sightline.durable import make_folder, write_bytes
from sightline.errors import AerialError, OutputError, UsageError
from sightline.imagery.aerial.raster_file import USER_AGENT
from sightline.imagery.aerial.tile_files import fill_template
from sightline.imagery.aerial.tile_pyramid import TileKey

# What the tile usage policy of OpenStreetMap asks for: two connections, and patience.
_CONNECTIONS = 2
# More than threads that ask, so that different tiles rarely wait for each other.
_TURNS = 61
_TRIES = 4
_TIMEOUT_S = 30.0
_LONGEST_WAIT_S = 60.0
# So many different tiles in a row that could not be fetched, and the server is left alone for a
# while: a build that lost its network would wait seconds for each of thousands.
_MOST_FAILED = 16
_REST_S = 300.0
_LARGEST_BYTES = 16 << 20
_NONE_THERE = (204, 404, 410)
_MAGICS = (b"\x89PNG", b"\xff\xd8\xff")
_LATER = (429, 500, 502, 503, 504)


class TileServer:
    """Tiles behind an address with placeholders; a ``TileStore``.

    Every tile that came is kept in a folder and never fetched again; so is the answer that there
    is none.

    Args:
        template: Such as ``https://tiles.example/{z}/{x}/{y}.png``.
        zooms: The coarsest and finest level to ask for.
        cache: Folder to keep tiles in; by default one of the user's caches.
        allow_network: Whether the server may be asked for what is not kept.
        first_wait_s: How long to wait before a second try; it doubles with each.

    Raises:
        UsageError: The address is neither http nor https.
    """

    def __init__(
        self,
        template: str,
        zooms: tuple[int, int],
        *,
        cache: Path | None = None,
        allow_network: bool = True,
        first_wait_s: float = 1.0,
    ) -> None:
        if urlsplit(template).scheme not in ("http", "https"):
            raise UsageError(
                f"Tiles are fetched by http or https only. Got {template!r}.",
                hint="Give an address such as https://tiles.example/{z}/{x}/{y}.png.",
            )
        self.location = template
        self.zooms = zooms
        self._cache = cache_of(template, cache)
        self._allow_network = allow_network
        self._first_wait_s = first_wait_s
        self._connections = threading.Semaphore(_CONNECTIONS)
        self._failed: set[str] = set()
        self._rests_until = 0.0
        self._turns = [threading.Lock() for _ in range(_TURNS)]

    @property
    def revision(self) -> tuple[int, int]:
        """Unknown: what a server shows may change, what was fetched stays."""
        return 0, 0

    def read(self, key: TileKey) -> bytes | None:
        """Return a tile's file, from the cache or the server.

        Raises:
            AerialError: The server cannot be reached, refuses, or may not be asked.
            OutputError: The cache cannot be written.
        """
        kept = self._cache / str(key.z) / str(key.x) / str(key.y)
        data = _held(kept)
        if data is None:
            # Neighbouring patches ask for a tile at the same time: the second waits for the first.
            with self._turns[hash(key) % _TURNS]:
                data = _held(kept)
                if data is None:
                    data = self._fetched(fill_template(self.location, key))
                    make_folder(kept.parent)
                    write_bytes(kept, data)
        return data or None

    def close(self) -> None:
        """Do nothing: no connection stays open."""

    def _fetched(self, address: str) -> bytes:
        """Fetch one address; empty if the server says that there is nothing."""
        if not self._allow_network:
            raise AerialError(
                f"The tile {address} is not kept on this machine, and the network is not read "
                "without being told.",
                hint="Allow it (--allow-network), or download the imagery first.",
                path=address,
            )
        with self._connections:
            if len(self._failed) >= _MOST_FAILED and time.monotonic() < self._rests_until:
                raise AerialError(
                    f"The tile {address} was not asked for: the last {len(self._failed)} could "
                    "not be fetched either.",
                    hint="See whether the server answers; build again in some minutes to go on.",
                    path=address,
                )
            try:
                data = self._tried(address)
            except AerialError:
                self._failed.add(address)
                self._rests_until = time.monotonic() + _REST_S
                raise
            self._failed.clear()
            return data

    def _tried(self, address: str) -> bytes:
        wait_s = self._first_wait_s
        request = urllib.request.Request(address, headers={"User-Agent": USER_AGENT})  # noqa: S310
        for tried in range(1, _TRIES + 1):
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                    data: bytes = answer.read(_LARGEST_BYTES + 1)
                    _refuse_part(data, answer.headers)
                    return _checked(data, address)
            except urllib.error.HTTPError as cause:
                with cause:
                    if cause.code in _NONE_THERE:
                        return b""
                    if cause.code not in _LATER or tried == _TRIES:
                        raise _refused(address, f"{cause.code} {cause.reason}") from cause
                    asked_s = _asked_to_wait(cause.headers)
            except (OSError, ValueError, HTTPException) as cause:
                if tried == _TRIES:
                    reason = getattr(cause, "reason", None) or cause
                    raise _refused(address, str(reason)) from cause
                asked_s = 0.0
            time.sleep(min(max(wait_s, asked_s), _LONGEST_WAIT_S))
            wait_s *= 2.0
        raise AssertionError("the last try returns or raises")  # pragma: no cover


def cache_of(template: str, cache: Path | None = None) -> Path:
    """Return the folder that the tiles of an address are kept in."""
    digest = hashlib.sha256(template.encode()).hexdigest()[:16]
    return (default_cache() if cache is None else cache) / digest


def default_cache() -> Path:
    """Return the folder that fetched tiles are kept in, by the rules of the desktop standard."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "sightline" / "tiles"


def _held(kept: Path) -> bytes | None:
    """What the cache holds; empty where the server said that there is nothing."""
    try:
        return kept.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as cause:
        raise OutputError(
            f"The tile cache {str(kept)!r} cannot be read: {cause.strerror or cause}.",
            hint="Remove it, or choose another folder.",
            path=kept,
        ) from cause


def _refuse_part(data: bytes, headers: Message) -> None:
    """Raise a ConnectionError where fewer bytes came than were announced: that is tried again."""
    said = headers.get("Content-Length", "")
    if said.isdecimal() and len(data) < min(int(said), _LARGEST_BYTES):
        raise ConnectionError(f"it broke off after {len(data):,} of {said} bytes")


def _checked(data: bytes, address: str) -> bytes:
    """What may be kept for ever: a picture, or that there is none."""
    if len(data) > _LARGEST_BYTES:
        raise _refused(address, f"it sent more than {_LARGEST_BYTES:,} bytes for one tile")
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if data and not webp and not data.startswith(_MAGICS):
        raise _refused(address, f"it sent no PNG, JPEG or WebP picture but {data[:40]!r}")
    return data


def _asked_to_wait(headers: Message) -> float:
    try:
        return float(headers.get("Retry-After") or 0.0)
    except ValueError:  # it may be a date
        return 0.0


def _refused(address: str, reason: str) -> AerialError:
    return AerialError(
        f"The tile {address} cannot be fetched: {reason}.",
        hint="Check the address, your rights to use it, and the connection; then run it again.",
        path=address,
    )
