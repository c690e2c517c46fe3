"""Models beside the one that is evaluated, whose vectors for retrieval are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.benchmark.subject import (
    KEPT,
    Subject,
    backbone_digest,
    open_bundle,
    stored_vectors,
)
from sightline.errors import UsageError
from sightline.models.residual_retrieval import ResidualRetrieval
from sightline.training.photos.recipe import PhotoRecipe
from sightline.training.run_folder import RECIPE, RunFolder
from sightline.training.tasks import open_recipe

RAW = "raw features"
"""What tables call pooled vectors that nothing was trained on."""

# What decides, of one manifest, which photos a run has seen.
_SPLITS = (
    "train_split",
    "validation_split",
    "test_split",
    "train_share",
    "shared_users",
    "locatable_only",
)


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """A model beside the one that is evaluated.

    Attributes:
        name: What tables call it.
        subject: The model.
        shares: Whether it has the evaluated model's backbone: then its vectors are made of the
            same pooled ones, and otherwise its own network sees all photos.
        looked_up: Whether it is known to have seen no other photos in training.
    """

    name: str
    subject: Subject
    shares: bool
    looked_up: bool

    @property
    def residual(self) -> ResidualRetrieval | None:
        """What refines its pooled vectors."""
        return self.subject.bundle.residual


def open_beside(paths: Sequence[Path], own: Subject, features: Path | None) -> list[Beside]:
    """Open the models beside another.

    Args:
        paths: Folders of runs of task ``global`` or ``retrieval``, or of bundles.
        own: The model that is evaluated.
        features: Where vectors are kept; by default beside each model.

    Raises:
        BundleError: There is none, or it holds no classifier of places.
    """
    digest = backbone_digest(own.bundle.classifier)
    taken, found = {RAW, own.name}, list[Beside]()
    for path in paths:
        bundle = open_bundle(path)
        theirs = backbone_digest(bundle.classifier)
        recipe = _recipe(path)
        same = recipe is not None and _same_training(recipe, path, own)
        kept = path / KEPT if recipe is not None else path.parent / f"{path.name}-{KEPT}"
        subject = Subject(
            path,
            bundle,
            own.own if same else None,
            stored_vectors(recipe, own.own, path) if recipe and own.own and same else None,
            # Files of vectors are named after photos: each network has a folder of its own.
            kept if features is None else features / theirs[:12],
        )
        name = str(path) if subject.name in taken else subject.name
        taken.add(name)
        found.append(Beside(name, subject, theirs == digest, same))
    return found


def residual_connections(own: Subject, beside: Sequence[Beside]) -> dict[str, bool]:
    """Whether each residual module on the evaluated model's features has its connection, by name.

    Args:
        own: The model that is evaluated.
        beside: The others.
    """
    modules = {own.name: own.bundle.residual}
    modules |= {one.name: one.residual for one in beside if one.shares}
    return {name: module.residual for name, module in modules.items() if module is not None}


def require_both(connections: dict[str, bool]) -> None:
    """Refuse to compare modules with and without residual connection where one kind is missing.

    Raises:
        UsageError: Naming what there is.
    """
    if set(connections.values()) == {True, False}:
        return
    there = ", ".join(
        f"{name} ({'with' if skip else 'without'})" for name, skip in connections.items()
    )
    raise UsageError(
        "--ablate residual compares a residual module with one that has no residual connection, on "
        f"one backbone. There is {there or 'no module'}.",
        hint="Train the other from the same start (`sightline train rrm --set start=BUNDLE "
        "--set residual_skip=false`), and give its run with --beside.",
    )


def refuse_apart(beside: Sequence[Beside], own: Subject) -> None:
    """Refuse models with another backbone, where only modules on one backbone are compared.

    Raises:
        UsageError: Naming the first.
    """
    for one in beside:
        if not one.shares:
            raise UsageError(
                f"{str(one.subject.path)!r} has another backbone than {own.name!r}: only residual "
                "modules on the same features are compared with and without residual connection.",
                hint="Add --ablate retrieval, where its vectors stand too, or leave it out.",
                path=one.subject.path,
            )


def have_both_connections(model: Path, beside: Sequence[Path]) -> bool:
    """Whether there are residual modules with and without residual connection on one backbone.

    Args:
        model: The folder of a run or of a bundle.
        beside: Others; only those with its backbone count.

    Raises:
        BundleError: There is none, or it holds no classifier of places.
    """
    if not beside:
        return False
    bundles = [open_bundle(path) for path in (model, *beside)]
    digest = backbone_digest(bundles[0].classifier)
    modules = [one.residual for one in bundles if backbone_digest(one.classifier) == digest]
    return {module.residual for module in modules if module is not None} == {True, False}


def _recipe(path: Path) -> PhotoRecipe | None:
    if not (path / RECIPE).is_file():
        return None
    recipe = open_recipe(path / RECIPE)
    return recipe if isinstance(recipe, PhotoRecipe) else None


def _same_training(recipe: PhotoRecipe, path: Path, own: Subject) -> bool:
    """Whether a run has seen the photos of the evaluated model's run in training, and no others."""
    known = _recipe(own.path)
    if known is None or own.own is None:
        return False
    keys = (*_SPLITS, "seed") if recipe.train_share < 1 else _SPLITS
    fingerprint = RunFolder(path).about().get("data", {}).get("fingerprint")
    return fingerprint == own.own.fingerprint and all(
        getattr(recipe, key) == getattr(known, key) for key in keys
    )
