"""Two kinds of atlases and encoders, and one clear word where they are mixed up."""

from __future__ import annotations

from sightline.errors import FingerprintError
from sightline.locating.searchable import SearchableAtlas
from sightline.models.protocol import CrossViewEncoder, Encoder


def is_aerial(atlas: SearchableAtlas) -> bool:
    """Whether its references are aerial patches."""
    return getattr(atlas, "kind", "photos") == "aerial"


def require_photos(atlas: SearchableAtlas, encoder: Encoder) -> None:
    """Raise a FingerprintError unless an atlas of photos is asked by the encoder that built it."""
    if is_aerial(atlas):
        raise _mixed(
            f"The atlas {str(atlas.path)!r} is of aerial patches, and it is asked as one of photos",
            "Use CrossViewLocator, or an atlas of photos.",
            atlas,
        )
    if isinstance(encoder, CrossViewEncoder):
        raise _mixed(
            f"The atlas {str(atlas.path)!r} is of photos, and {encoder.name!r} is a cross-view "
            "model, which matches photos with aerial patches",
            "Use the model that built the atlas, or build an aerial atlas with this one: "
            "`sightline atlas build OUT --aerial SOURCE --model BUNDLE`.",
            atlas,
        )
    _require_same(atlas, encoder)


def require_aerial(atlas: SearchableAtlas, encoder: Encoder) -> None:
    """Raise a FingerprintError unless an aerial atlas is asked by the model that built it."""
    if not is_aerial(atlas):
        raise _mixed(
            f"The atlas {str(atlas.path)!r} is of photos, and it is asked as one of aerial patches",
            "Use Locator, or build an aerial atlas with `sightline atlas build OUT --aerial "
            "SOURCE --model BUNDLE`.",
            atlas,
        )
    if not isinstance(encoder, CrossViewEncoder):
        raise _mixed(
            f"The atlas {str(atlas.path)!r} is of aerial patches, and {encoder.name!r} encodes "
            "photos only",
            "Use the cross-view model that built the atlas.",
            atlas,
        )
    _require_same(atlas, encoder)


def _require_same(atlas: SearchableAtlas, encoder: Encoder) -> None:
    if atlas.encoder_fingerprint != encoder.fingerprint:
        raise FingerprintError(
            f"The atlas was built by the encoder {atlas.encoder_fingerprint}, and "
            f"{encoder.name!r} is {encoder.fingerprint}: their vectors do not compare.",
            hint="Open the model bundle that built the atlas, or build the atlas anew.",
            path=atlas.path,
        )


def _mixed(cause: str, hint: str, atlas: SearchableAtlas) -> FingerprintError:
    return FingerprintError(f"{cause}.", hint=hint, path=atlas.path)
