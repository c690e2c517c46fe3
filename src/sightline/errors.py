"""Every public error of Sightline, under one root.

An error names the value that was refused, the cause, and the next step. ``message`` holds value and
cause, ``hint`` the next step, ``path`` the file if there is one, and ``code`` is a stable word that
scripts can rely on (it is the ``error.code`` of the JSON output).
"""

from __future__ import annotations

from typing import ClassVar


class SightlineError(Exception):
    """The root of every error that Sightline raises on purpose.

    Args:
        message: What was refused and why, with its value, one sentence.
        hint: What to do next, one sentence.
        path: The file or folder it is about, if there is one.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str, path: object | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.path = None if path is None else str(path)

    def __str__(self) -> str:
        return f"{self.message} {self.hint}"

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes hand errors back pickled; the keyword arguments would be lost.
        return (_rebuild, (type(self), self.message, self.hint, self.path))

    def to_json(self) -> dict[str, str | None]:
        """Return ``code``, ``message``, ``hint`` and ``path``, as the JSON output prints them."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "path": self.path}


def _rebuild(kind: type[SightlineError], message: str, hint: str, path: str | None) -> object:
    return kind(message, hint=hint, path=path)


class UsageError(SightlineError, ValueError):
    """An argument or option that cannot be used (exit status 2)."""

    code = "usage"


class CoordinateError(SightlineError, ValueError):
    """A latitude or longitude that is out of range, not finite, or not a number."""

    code = "coordinates"


class CellError(SightlineError, ValueError):
    """An S2 cell id, token or level that does not exist."""

    code = "cell"


class RegionError(SightlineError, ValueError):
    """A region that cannot be read, is empty, or is unknown."""

    code = "region"


class PartitionError(SightlineError, ValueError):
    """A partition that cannot be made, is none, or is not the one that was asked about."""

    code = "partition"


class PhotoError(SightlineError):
    """A photo that cannot be used; the subclasses say why."""

    code = "photo"


class PhotoNotFoundError(PhotoError, FileNotFoundError):
    """No such file, or it may not be read."""

    code = "photo.not_found"


class PhotoUnreadableError(PhotoError):
    """Not an image, mislabelled beyond repair, truncated or corrupt."""

    code = "photo.unreadable"


class PhotoTooLargeError(PhotoError):
    """More pixels, more bytes, or a more extreme aspect ratio than the limits allow."""

    code = "photo.too_large"


class PhotoTooSmallError(PhotoError):
    """Too few pixels to say anything about a place."""

    code = "photo.too_small"


class PhotoPlaceError(PhotoError):
    """A reference photo without a usable place of its own."""

    code = "photo.no_place"


class AerialError(SightlineError):
    """Aerial imagery that cannot be used; the subclasses say why."""

    code = "aerial"


class AerialNotFoundError(AerialError, FileNotFoundError):
    """No such file or folder, or it may not be read."""

    code = "aerial.not_found"


class AerialUnreadableError(AerialError):
    """No aerial imagery, a format that is not read, or a damaged file or tile."""

    code = "aerial.unreadable"


class AerialPlaceError(AerialError):
    """Imagery that does not say where on the Earth it lies."""

    code = "aerial.no_place"


class AerialOutsideError(AerialError):
    """A place, region or zoom level that the imagery does not show."""

    code = "aerial.outside"


class TableError(SightlineError, ValueError):
    """A table, label file, manifest or shard that lacks something or holds what cannot be."""

    code = "table"


class BundleError(SightlineError):
    """A model bundle that is none, is damaged, or does not fit its weights."""

    code = "bundle"


class EncoderError(SightlineError):
    """An encoder that was asked for something it cannot do."""

    code = "encoder"


class VectorError(SightlineError, ValueError):
    """Vectors of the wrong dimension, not finite, or of zero length."""

    code = "vectors"


class AtlasError(SightlineError):
    """An atlas that cannot be used; the subclasses say why."""

    code = "atlas"


class AtlasNotFoundError(AtlasError, FileNotFoundError):
    """The folder is missing or holds no atlas."""

    code = "atlas.not_found"


class AtlasVersionError(AtlasError):
    """The atlas was written by a newer Sightline."""

    code = "atlas.version"


class AtlasDamagedError(AtlasError):
    """The atlas is half-built or its files contradict each other."""

    code = "atlas.damaged"


class AtlasEmptyError(AtlasError):
    """The atlas, or the part of it that was asked about, holds no reference."""

    code = "atlas.empty"


class FingerprintError(AtlasError):
    """The atlas was built with another encoder than the one that asks."""

    code = "atlas.fingerprint"


class OutputError(SightlineError, OSError):
    """A file or folder that cannot be written."""

    code = "output"


class DependencyError(SightlineError, ImportError):
    """An optional dependency that is not installed."""

    code = "dependency"


class EvaluationError(SightlineError, ValueError):
    """Arrays, lists or settings that cannot be evaluated; it names array, row and value."""

    code = "evaluation"


class RecipeError(SightlineError, ValueError):
    """A recipe with an unknown key, a wrong type, or values that cannot go together."""

    code = "recipe"


class TrainingError(SightlineError):
    """A training run that cannot begin or go on; the subclasses say why."""

    code = "training"


class TrainingDataError(TrainingError):
    """Data that cannot be trained on: too few pairs, no headings, too many broken images."""

    code = "training.data"


class SplitLeakError(TrainingDataError):
    """Validation or test images that are among the training images, or too near to them."""

    code = "training.leak"


class TrainingDivergedError(TrainingError):
    """The loss or its gradient is not finite."""

    code = "training.diverged"


class TrainingMemoryError(TrainingError):
    """A batch that does not fit into memory."""

    code = "training.memory"


class TrainingWorkerError(TrainingError):
    """Processes that read images died again and again."""

    code = "training.worker"


class CheckpointError(TrainingError):
    """A checkpoint that is none, is damaged, or belongs to another run."""

    code = "training.checkpoint"
