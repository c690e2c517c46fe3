"""Pictures that say nothing about a place: rooms, close-ups, food and sky.

A photo collection is full of them, and a system that geolocates has to notice. They are made here
without a world: everything is drawn from a key, so the same key gives the same picture.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sightline.errors import UsageError
from sightline.planet.draws import Draws
from sightline.planet.unlocatable.canvas import Sketch
from sightline.planet.unlocatable.close_up import draw_close_up
from sightline.planet.unlocatable.food import draw_food
from sightline.planet.unlocatable.indoor import draw_indoor
from sightline.planet.unlocatable.sky_only import draw_sky

__all__ = ["Subject", "picture", "subject_of"]

_STREAM = 0x504943
SHARES = (0.4, 0.25, 0.2, 0.15)
"""How often each subject is taken, in the order of :class:`Subject`.

A choice of ours: indoor scenes lead by far among the photos that published viability filters drop,
and no published list gives shares of the rest.
"""


class Subject(StrEnum):
    """What an unlocatable picture shows; the label that goes with it."""

    INDOOR = "indoor"
    CLOSE_UP = "close-up"
    FOOD = "food"
    SKY = "sky"


_PAINTERS: dict[Subject, Callable[[Sketch, Draws], None]] = {
    Subject.INDOOR: draw_indoor,
    Subject.CLOSE_UP: draw_close_up,
    Subject.FOOD: draw_food,
    Subject.SKY: draw_sky,
}


def subject_of(*key: int) -> Subject:
    """Draw what the picture with this key shows, in the shares of ``SHARES``."""
    return list(Subject)[Draws(_STREAM, 0, *key).weighted(np.array(SHARES))]


def picture(
    subject: Subject | str, *key: int, size: tuple[int, int] = (224, 224)
) -> NDArray[np.uint8]:
    """Draw one picture that says nothing about a place.

    Args:
        subject: What it shows.
        key: Integers that name it, for example a seed and a number.
        size: (height, width) in pixels, 16 at least each.

    Returns:
        uint8 RGB, (height, width, 3); the same for the same arguments.

    Raises:
        UsageError: There is no such subject, or the size is too small.
    """
    try:
        kind = Subject(subject)
    except ValueError as cause:
        raise UsageError(
            f"The subject must be one of {', '.join(Subject)}. Got {subject!r}.",
            hint="Choose one of them.",
        ) from cause
    canvas = Sketch(size)
    draws = Draws(_STREAM, 1, list(Subject).index(kind), *key)
    _PAINTERS[kind](canvas, draws)
    return canvas.finished(draws)
