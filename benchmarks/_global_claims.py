"""What the papers found about planet-scale methods, as something that can be measured here.

*Vo* is Vo, Jacobs and Hays, Revisiting IM2GPS in the Deep Learning Era (ICCV 2017); *Kordopatis* is
Kordopatis-Zilos et al., Leveraging EfficientNet and Contrastive Learning (ICMR 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from _global_joined import WITH_RRM

Expected = Literal["higher", "lower", "not lower"]
"""``not lower``: at least nine tenths."""

Row = tuple[str, str]
"""A system, and one of its rows, ``table|row``."""

FIVE_KM = (1.0, 25.0, 200.0, 750.0, 2500.0)
FAR_KM, MIDDLE_KM, NEAR_KM = (750.0, 2500.0), (25.0, 200.0), (1.0, 25.0)
# Those of Kordopatis' tables 5 and 6, without 100 metres.
STREETS_KM = (1.0, 5.0, 10.0)

CONTROL = "PlaNet, head again"
"""PlaNet's own cells, trained as long on its vectors as HC and MvMF are: what more epochs do."""

RAW = "raw features"
"""The classifier that RRM and R start from, with its own vectors."""

CLASSIFY, NEAREST = "methods|classify", "methods|nearest"
# As published: the mean of a mixture's heaviest component.
HEAVIEST = f"{CLASSIFY}, heaviest"
WITHIN, WIDE = "methods|within cell, K 10", "methods|density, sigma 4°"
COARSE_OF_M, FINE_OF_M = (
    ("M", "partitions|classify, level 2"),
    ("M", "partitions|classify, level 4"),
)


@dataclass(frozen=True)
class Claim:
    """One finding of a paper.

    Args:
        what: In a sentence.
        source: Paper and table.
        a: What stands first.
        b: What the claim is about.
        at_km: Radii that it is made for.
        expected: What the accuracy of b is, beside that of a.
    """

    what: str
    source: str
    a: Row
    b: Row
    at_km: tuple[float, ...] = FIVE_KM
    expected: Expected = "higher"


def within(source: str, *systems: str) -> list[Claim]:
    """That search within cell beats either of its parts at 1 km."""
    return [
        Claim(
            f"{system}: search within cell beats {what} alone",
            source,
            (system, HEAVIEST if row == CLASSIFY and system.startswith("MvMF") else row),
            (system, WITHIN),
            (1.0,),
        )
        for system in systems
        for what, row in (("classification", CLASSIFY), ("the nearest reference", NEAREST))
    ]


OF_CLASSIFIERS = [
    Claim(
        "Finer cells help near (256 boxes, L, against 32, L2)",
        "Vo, section 4.1 and figure 8: street and city",
        ("L2", CLASSIFY),
        ("L", CLASSIFY),
        NEAR_KM,
    ),
    Claim(
        "Too fine cells hurt far (256 boxes, L, against 32, L2)",
        "Vo, section 4.1 and figure 8",
        ("L2", CLASSIFY),
        ("L", CLASSIFY),
        FAR_KM,
        "lower",
    ),
    Claim(
        "Finer cells help near (M's 256 boxes against its 32)",
        "Vo, section 4.1 and figure 8: street and city",
        COARSE_OF_M,
        FINE_OF_M,
        NEAR_KM,
    ),
    Claim(
        "Too fine cells hurt far (M's 256 boxes against its 32)",
        "Vo, section 4.1 and figure 8",
        COARSE_OF_M,
        FINE_OF_M,
        FAR_KM,
        "lower",
    ),
    Claim(
        "Finer cells beside them help coarse ones (M's 32 boxes against L2)",
        "Vo, section 4.1: a little",
        ("L2", CLASSIFY),
        COARSE_OF_M,
        FIVE_KM[2:],
    ),
    Claim(
        "MvMF beats PlaNet near",
        "Kordopatis, table 1",
        ("PlaNet", CLASSIFY),
        ("MvMF", HEAVIEST),
        NEAR_KM,
    ),
    Claim(
        "MvMF beats PlaNet's cells trained as long, near",
        "ours: are more epochs of the head all?",
        (CONTROL, CLASSIFY),
        ("MvMF", HEAVIEST),
        NEAR_KM,
    ),
    Claim(
        "HC beats PlaNet in between, with coarser cells",
        "Kordopatis, table 1",
        ("PlaNet", CLASSIFY),
        ("HC", CLASSIFY),
        (200.0, 750.0),
    ),
    Claim(
        "HC beats PlaNet's cells trained as long, in between",
        "ours: are more epochs of the head all?",
        (CONTROL, CLASSIFY),
        ("HC", CLASSIFY),
        (200.0, 750.0),
    ),
    Claim(
        "L: the nearest reference beats classification near",
        "Vo, section 4.2",
        ("L", CLASSIFY),
        ("L", NEAREST),
        NEAR_KM,
    ),
    Claim(
        "Coarse classification (L2) beats L's nearest reference far",
        "Vo, section 4.2",
        ("L", NEAREST),
        ("L2", CLASSIFY),
        FAR_KM,
    ),
    Claim(
        "L: density of 4° beats the nearest reference far",
        "Vo, section 4.2 and figure 8",
        ("L", NEAREST),
        ("L", WIDE),
        FIVE_KM[2:],
    ),
    Claim(
        "L: density of 4° beats classification",
        "Vo, table 1",
        ("L", CLASSIFY),
        ("L", WIDE),
    ),
    *within("Kordopatis, table 1, but with raw vectors", "PlaNet", "HC", "MvMF"),
]

OF_RETRIEVAL = [
    Claim(
        "Classification features beat metric learning (R)",
        "Vo, abstract",
        ("R", NEAREST),
        (RAW, NEAREST),
    ),
    Claim(
        "Metric learning (R) brings no noticeable improvement",
        "Vo, section 4.3",
        ("R", NEAREST),
        (RAW, NEAREST),
        expected="not lower",
    ),
    Claim("RRM beats raw features", "Kordopatis, table 2", (RAW, NEAREST), ("RRM", NEAREST)),
    Claim(
        "InfoNCE beats triplets",
        "Kordopatis, table 2",
        ("RRM, triplet", NEAREST),
        ("RRM", NEAREST),
    ),
    Claim(
        "Raw features are as good as the module trained with triplets",
        "Kordopatis, table 2",
        ("RRM, triplet", NEAREST),
        (RAW, NEAREST),
        expected="not lower",
    ),
    Claim(
        "The residual connection helps",
        "Kordopatis, table 3",
        ("RRM, no residual", NEAREST),
        ("RRM", NEAREST),
    ),
    *within("Kordopatis, table 1", "RRM", f"HC{WITH_RRM}", f"MvMF{WITH_RRM}"),
]


def _of_rrm(
    what: str, source: str, a: str, b: str, at_km: tuple[float, ...], expected: Expected = "higher"
) -> Claim:
    return Claim(what, source, ("RRM", a), ("RRM", b), at_km, expected)


_TABLE_4 = ("Kordopatis, table 4", "background|nearest, all", "background|nearest, background")
_KERNELS = ("Vo, table 2 and figure 8", "sigma|density, sigma 1°", "sigma|density, sigma 16°")

OF_ANSWERS = [
    *(
        _of_rrm(
            f"Clusters beat {name}",
            "Kordopatis, table 6",
            f"answer|{name}",
            "answer|clusters",
            STREETS_KM,
        )
        for name in ("average", "density, sigma 1 km", "density, sigma 4°")
    ),
    *(
        _of_rrm(
            f"Ten neighbours within the cell are better than {k}",
            "Kordopatis, table 5",
            f"k|within cell, K {k}",
            "k|within cell, K 10",
            STREETS_KM,
        )
        for k in (1, 20)
    ),
    _of_rrm("Wider kernels (16° against 1°) help far", *_KERNELS, FAR_KM),
    _of_rrm("Wider kernels (16° against 1°) hurt near", *_KERNELS, MIDDLE_KM, "lower"),
    _of_rrm("The background collection is nearly as good", *_TABLE_4, FIVE_KM[1:], "not lower"),
    _of_rrm("The background collection is better within 1 km", *_TABLE_4, (1.0,)),
    *(
        _of_rrm(
            f"Both sets of references are better than {name}, by density of 4°",
            "Vo, table 2",
            f"references|density, sigma 4°, {name}",
            "references|density, sigma 4°, together",
            (1.0, 200.0, 750.0, 2500.0),
        )
        for name in ("training", "others")
    ),
]
