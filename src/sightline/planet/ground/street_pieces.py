"""What stands beside streets as sprites: which picture, how wide, in which colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.planet.ground.sprite_shapes import furniture_number
from sightline.planet.world.contents import Furniture, FurnitureKind, plain
from sightline.planet.world.countries import CountryStyle, PoleKind

_FURNITURE_KIND, _POLE_KIND = plain(FurnitureKind), plain(PoleKind)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Pieces:
    """Street furniture as sprites: pictures, widths and colours."""

    picture: NDArray[np.int32]
    radius: Floats
    first: Floats
    second: Floats
    lamp: NDArray[np.bool_]


_WIDTHS = np.array([1.0, 0.9, 0.36, 0.13, 0.8, 0.2, 1.7], np.float32)
_FIRST = np.array(
    [[0.5, 0.5, 0.5], [0.85, 0.84, 0.78], [0.5, 0.5, 0.5], [0.75, 0.74, 0.70],
     [0.46, 0.33, 0.20], [0.72, 0.14, 0.10], [0.42, 0.50, 0.54]], np.float32,
)  # fmt: skip
_POLES = np.array(
    [[0.4, 0.4, 0.4], [0.34, 0.25, 0.18], [0.58, 0.57, 0.54], [0.42, 0.44, 0.46]], np.float32
)


def pieces_of(things: Furniture, styles: tuple[CountryStyle, ...]) -> Pieces:
    """Choose pictures and colours by the style of the country."""
    style, kind = things.style, things.kind
    poles = np.array([int(each.pole) for each in styles], np.int32).take(style)
    signs = np.array([int(each.sign) for each in styles], np.int32).take(style)
    boards = np.array([each.sign_colour for each in styles], np.float32).take(style, axis=0)
    form = np.where(kind == _FURNITURE_KIND.SIGN, signs, 0)
    form = np.where(kind == _FURNITURE_KIND.POLE, poles, form)
    form = np.where(kind == _FURNITURE_KIND.LAMP, signs & 1, form)
    second = np.repeat(np.array([[0.30, 0.31, 0.32]], np.float32), len(kind), axis=0)
    pole = kind == _FURNITURE_KIND.POLE
    second[pole] = _POLES.take(
        np.where(poles == _POLE_KIND.NONE, _POLE_KIND.STEEL, poles)[pole], axis=0
    )
    first = _FIRST.take(kind, axis=0)
    first[kind == _FURNITURE_KIND.SIGN] = boards[kind == _FURNITURE_KIND.SIGN]
    return Pieces(
        picture=furniture_number(kind, form.astype(np.int32)),
        radius=_WIDTHS.take(kind),
        first=first,
        second=second,
        lamp=np.asarray(kind == _FURNITURE_KIND.LAMP),
    )
