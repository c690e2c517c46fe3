"""What each part of the planet-scale evidence compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from _global_claims import CONTROL, OF_ANSWERS, OF_CLASSIFIERS, OF_RETRIEVAL, RAW, Claim
from sightline.benchmark import Ablation


@dataclass(frozen=True)
class Part:
    """One question.

    Args:
        what: It, in a sentence or two.
        systems: What is asked; :data:`RAW` is the classifier that others start from.
        claims: What the papers found.
        ablate: Tables besides that of the methods.
        sets: Whether the other collection is a set of references too, in a table of its own.
        joins: Whether other heads on PlaNet's backbone are searched with RRM.
    """

    what: str
    systems: Sequence[str]
    claims: Sequence[Claim]
    ablate: tuple[Ablation, ...] = ()
    sets: bool = False
    joins: bool = False


PARTS = {
    "classifiers": Part(
        "Classifiers of places with one backbone: each alone, as features for retrieval, and "
        "searched within its cells. Do finer cells help near and hurt far? PlaNet, L, L2 and M are "
        "fine-tuned alike; HC and MvMF are heads on PlaNet's vectors, with epochs of their own, "
        "and so is PlaNet's head again beside them.",
        ["PlaNet", CONTROL, "HC", "MvMF", "L", "L2", "M"],
        OF_CLASSIFIERS,
        ("partitions",),
    ),
    "retrieval": Part(
        "Vectors for retrieval from PlaNet's features: as they are (raw), "
        "fine-tuned with triplets (R), and by a module (RRM), with triplets, and without residual; "
        "and search within cell by RRM, for each head on that backbone.",
        [RAW, "R", "RRM, triplet", "RRM, no residual", "RRM"],
        OF_RETRIEVAL,
        joins=True,
    ),
    "ablations": Part(
        "What the answers of one model, RRM on PlaNet, hang on: neighbours, kernels, "
        "clusters, background, sets of references and partitions.",
        ["RRM"],
        OF_ANSWERS,
        ("k", "sigma", "answer", "background", "partitions"),
        sets=True,
    ),
}
