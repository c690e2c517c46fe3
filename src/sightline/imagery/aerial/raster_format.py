"""What kind of raster a file is, by its first bytes, and that it names nothing on the network.

GDAL would also open services on the network and files that name them. Nothing is fetched that the
caller did not allow.
"""

from __future__ import annotations

import html
import os
import re
from pathlib import Path

from sightline.errors import AerialError, AerialNotFoundError, AerialUnreadableError

_HEAD_BYTES = 1 << 16
_REMOTE = re.compile(r"/vsi(curl|s3|gs|az|adls|oss|swift|webhdfs)|https?://|ftp://", re.IGNORECASE)
# What stands between two tags, or in quotes.
_VALUE = re.compile(r"(?<=[>\"])[^<>\"]+(?=[<\"])")
_FORMATS = (
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "GTiff"),
    ((b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"), "JP2OpenJPEG"),
    ((b"EHFA_HEADER_TAG",), "HFA"),
    ((b"\x89PNG\r\n\x1a\n",), "PNG"),
    ((b"\xff\xd8\xff",), "JPEG"),
)


def is_remote(path: str) -> bool:
    """Whether a path lies on the network, in GDAL's words or as an address."""
    return path.startswith("/vsi") or "://" in path


def driver_of(path: str, *, allow_network: bool) -> str:
    """Return GDAL's name of a file's format.

    Args:
        path: The file, or an address.
        allow_network: Whether it may lie on the network, or name what does.

    Raises:
        AerialNotFoundError: No such file, or it may not be read.
        AerialUnreadableError: No format that is read.
        AerialError: The network was not allowed.
    """
    if is_remote(path):
        if not allow_network:
            raise AerialError(
                f"{path!r} lies on the network, which is not read without being told.",
                hint="Allow it (--allow-network), or download the file first.",
                path=path,
            )
        return "GTiff"
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as cause:
        raise AerialNotFoundError(
            f"{path!r} cannot be read: {cause.strerror or cause}.",
            hint="Check the path and the rights to read it.",
            path=path,
        ) from cause
    for magics, driver in _FORMATS:
        if head.startswith(magics):
            return driver
    if head.lstrip()[:11] == b"<VRTDataset":
        if not allow_network:
            _refuse_remote_names(path)
        return "VRT"
    raise AerialUnreadableError(
        f"{os.path.basename(path)!r} is no raster that is read: TIFF, JPEG 2000, VRT, Imagine, "  # noqa: PTH119
        "or PNG and JPEG with a world file.",
        hint="Convert it to a GeoTIFF, for example with gdal_translate.",
        path=path,
    )


def refuse_remote(text: str, path: str) -> None:
    """Raise an AerialError if what a file says names something on the network."""
    if _REMOTE.search(text):
        raise AerialError(
            f"{path!r} names imagery on the network, which is not read without being told.",
            hint="Allow it (--allow-network), or download what it names.",
            path=path,
        )


def _refuse_remote_names(path: str) -> None:
    """Look through a virtual raster, and all texts that it names, for what is on the network."""
    waiting = [Path(path)]
    seen = {*waiting}
    while waiting:
        text_file = waiting.pop()
        # A path may be spelled in entities, and a whole document stand within another.
        text = html.unescape(html.unescape(text_file.read_text("utf-8", errors="replace")))
        refuse_remote(text, path)
        for name in set(_VALUE.findall(text)):
            named = text_file.parent / name.strip()
            if named not in seen and _is_xml(named):
                waiting.append(named)
                seen.add(named)


def _is_xml(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    except (OSError, ValueError):  # no file, or no name of one
        return False
