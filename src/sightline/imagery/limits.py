"""How large, how elongated and how small a photo may be, checked before its pixels exist."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.errors import PhotoTooLargeError, PhotoTooSmallError, UsageError


@dataclass(frozen=True, slots=True)
class Limits:
    """What a photo may cost.

    Args:
        max_pixels: Width times height. The default admits the largest phone sensors
            (16320 x 12240) and 16384 x 8192 panoramas.
        max_bytes: Size of the file.
        max_aspect: Longer side divided by the shorter one.
        min_side: Shorter side, in pixels. Below it there is no texture a network could see.

    Raises:
        UsageError: A limit is not positive.
    """

    max_pixels: int = 200_000_000
    max_bytes: int = 512 * 1024 * 1024
    max_aspect: float = 25.0
    min_side: int = 16

    def __post_init__(self) -> None:
        for name in ("max_pixels", "max_bytes", "max_aspect", "min_side"):
            value = getattr(self, name)
            if not value > 0:
                raise UsageError(
                    f"The limit {name} must be positive. Got {value!r}.",
                    hint="Leave it out to take the default.",
                )

    def check_bytes(self, count: int, name: str) -> None:
        """Refuse a file of ``count`` bytes if that is too many.

        Raises:
            PhotoTooLargeError: ``count`` exceeds ``max_bytes``.
        """
        if count > self.max_bytes:
            raise PhotoTooLargeError(
                f"{name!r} has more than {self.max_bytes:,} bytes, the limit for one file.",
                hint="Save a smaller copy, or raise Limits.max_bytes.",
                path=name,
            )

    def check_size(self, width: int, height: int, name: str) -> None:
        """Refuse a picture of ``width`` x ``height`` pixels if it is beyond the limits.

        Raises:
            PhotoTooLargeError: Too many pixels, or too elongated.
            PhotoTooSmallError: A side is shorter than ``min_side``.
        """
        if width * height > self.max_pixels:
            raise PhotoTooLargeError(
                f"{name!r} has {width} x {height} pixels, more than the limit of "
                f"{self.max_pixels:,}.",
                hint="Save a smaller copy, or raise Limits.max_pixels.",
                path=name,
            )
        short, long = sorted((width, height))
        if long > self.max_aspect * short:
            raise PhotoTooLargeError(
                f"{name!r} has {width} x {height} pixels: one side is more than "
                f"{self.max_aspect:g} times the other.",
                hint="Crop it to a photo's shape, or raise Limits.max_aspect.",
                path=name,
            )
        if short < self.min_side:
            raise PhotoTooSmallError(
                f"{name!r} has {width} x {height} pixels; each side must have at least "
                f"{self.min_side}.",
                hint="Use the original photo instead of an icon or a thumbnail.",
                path=name,
            )
