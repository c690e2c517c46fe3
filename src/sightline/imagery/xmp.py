"""XMP packets: the few properties that matter to a place, from XML that is not trusted."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError

from sightline.errors import DependencyError

GPANO = "{http://ns.google.com/photos/1.0/panorama/}"
EXIF = "{http://ns.adobe.com/exif/1.0/}"
XMP = "{http://ns.adobe.com/xap/1.0/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_WANTED = (GPANO, EXIF, XMP)
_MOST_BYTES = 1 << 20


def read_xmp(packet: bytes) -> dict[str, str]:
    """Return the simple properties of an XMP packet, by ``{namespace}name``.

    Properties are written as attributes or as child elements of ``rdf:Description``; both are
    read, the first value of a name counts. A packet that is damaged, larger than 1 MiB, or that
    declares entities says nothing: the result is empty.

    Raises:
        DependencyError: There is a packet, and defusedxml is not installed.
    """
    body = b""
    for opening, closing in ((b"<x:xmpmeta", b"</x:xmpmeta>"), (b"<rdf:RDF", b"</rdf:RDF>")):
        start, end = packet.find(opening), packet.rfind(closing)
        if 0 <= start < end:
            body = packet[start : end + len(closing)]
            break
    if not body or len(body) > _MOST_BYTES:
        return {}
    try:
        # Here, so that photos without a packet open where only Pillow is.
        from defusedxml.common import DefusedXmlException
        from defusedxml.ElementTree import fromstring
    except ImportError as cause:
        raise DependencyError(
            "The photo holds an XMP packet, and defusedxml, which reads it, is not installed.",
            hint="Run: pip install defusedxml",
        ) from cause
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        return {}
    return _properties(root)


def _properties(root: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for description in root.iter(f"{_RDF}Description"):
        simple = [(child.tag, child.text or "") for child in description if not len(child)]
        for name, value in [*description.attrib.items(), *simple]:
            if name.startswith(_WANTED):
                found.setdefault(name, value.strip())
    return found
