"""What every page of this room has: its style and script inside it, nothing from outside."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime
from importlib.resources import files


def asset_text(*names: str) -> str:
    """Return files of ``assets`` one after the other, without what they name beside themselves."""
    folder = files("sightline.report").joinpath("assets")
    text = "\n".join(folder.joinpath(name).read_text("utf-8") for name in names)
    # Leaflet names pictures and a source map beside itself; here there is no such place.
    return re.sub(r"url\([^)]*\)", "none", re.sub(r"(?m)^//# sourceMappingURL=.*$", "", text))


def security_policy(style: str, script: str | None = None) -> str:
    """Return a Content-Security-Policy: this style and script by hash, embedded pictures."""
    scripts = f"script-src '{_hash(script)}'; " if script is not None else ""
    return (
        "default-src 'none'; img-src data:; "
        f"style-src '{_hash(style)}'; {scripts}base-uri 'none'; form-action 'none'"
    )


def moment_text(moment: datetime | None) -> str:
    """Return a moment as a page states it; None is now."""
    return (moment or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()
