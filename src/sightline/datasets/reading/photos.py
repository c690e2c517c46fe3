"""Many photos, decoded in threads at the size they are needed, in order."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.datasets.reading.decoding import Fit, checked_size, decode_photo
from sightline.datasets.reading.in_order import in_order
from sightline.datasets.reading.shard_reader import OnError, ShardSample
from sightline.errors import PhotoError, PhotoNotFoundError, UsageError
from sightline.imagery import Limits

Source: TypeAlias = str | os.PathLike[str] | ShardSample
"""A path, or a sample of a shard."""

PICTURE_KINDS = ("jpg", "jpeg", "png", "webp", "tif", "tiff", "avif", "heic")
"""The kinds of files of a shard's sample that are pictures, in the order they are looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPhoto:
    """A photo that was read.

    Args:
        number: Its place in the list, from 0, whether or not those before it could be read.
        source: The path, or the sample of a shard, as it was given.
        pixels: uint8 RGB (h, w, 3).
    """

    number: int
    source: Source
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ReadingProblem:
    """A photo that was skipped.

    Args:
        number: Its place in the list.
        error: Why it cannot be used.
    """

    number: int
    error: PhotoError


class PhotoReader:
    """Reads photos in threads: decoders release Python's lock, so that threads use all cores.

    Args:
        size: (height, width) that every photo is brought to.
        fit: ``crop`` or ``stretch``; see :func:`decode_photo`.
        workers: How many threads; as many as there are cores by default.
        ahead: How many photos may be in work or wait for the consumer; four for each worker by
            default. This bounds the memory.
        on_error: ``fail``, or ``skip`` photos that cannot be used and count them in ``problems``.
        kind: Which file of a shard's sample to decode; the first picture in it by default.
        limits: What one photo may cost.

    Raises:
        UsageError: A number is impossible.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        fit: Fit = "crop",
        workers: int | None = None,
        ahead: int | None = None,
        on_error: OnError = "fail",
        kind: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._size = checked_size(size)
        self._fit: Fit = fit
        self._workers = workers if workers is not None else os.cpu_count() or 1
        self._ahead = ahead if ahead is not None else 4 * self._workers
        if self._workers < 1 or self._ahead < 1 or on_error not in ("fail", "skip"):
            raise UsageError(
                "workers and ahead must be positive and on_error fail or skip. Got "
                f"{self._workers!r}, {self._ahead!r} and {on_error!r}.",
                hint="Leave them out to use every core.",
            )
        self._on_error = on_error
        self._kind = kind
        self._limits = limits
        self.problems: list[ReadingProblem] = []

    @property
    def skipped(self) -> int:
        """How many photos were skipped so far."""
        return len(self.problems)

    def read(self, sources: Iterable[Source]) -> Iterator[DecodedPhoto]:
        """Yield the photos in their order.

        Args:
            sources: Paths or samples of shards, drawn as they are needed.

        Raises:
            PhotoError: A photo cannot be used, unless such photos are skipped.
        """
        for done in in_order(
            self._decoded, enumerate(sources), workers=self._workers, ahead=self._ahead
        ):
            if isinstance(done, ReadingProblem):
                self.problems.append(done)
            else:
                yield done

    def _decoded(self, item: tuple[int, Source]) -> DecodedPhoto | ReadingProblem:
        number, source = item
        try:
            data, name = self._bytes_of(source)
            pixels = decode_photo(data, self._size, fit=self._fit, limits=self._limits, name=name)
        except PhotoError as error:
            if self._on_error == "fail":
                raise
            return ReadingProblem(number, error)
        return DecodedPhoto(number, source, pixels)

    def _bytes_of(self, source: Source) -> tuple[str | os.PathLike[str] | bytes, str | None]:
        if not isinstance(source, ShardSample):
            return source, None
        name = f"{source.shard}:{source.key}"
        kinds = PICTURE_KINDS if self._kind is None else (self._kind,)
        for kind in kinds:
            if kind in source.files:
                return source.files[kind], f"{name}.{kind}"
        raise PhotoNotFoundError(
            f"The sample {name!r} holds no {self._kind or 'picture'}, only "
            f"{', '.join(source.files)}.",
            hint="Name the kind of file that is the photo, such as kind='aerial.png'.",
            path=source.shard,
        )
