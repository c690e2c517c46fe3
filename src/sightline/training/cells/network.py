"""From a recipe to a classifier at its start: random, from a file, or from a trained bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from sightline.errors import BundleError, RecipeError
from sightline.geo.partition import Partition
from sightline.losses import fitted_log_concentrations
from sightline.models.bundle import read_bundle
from sightline.models.cell_classifiers import CellClassifier
from sightline.models.cell_heads import CellHead
from sightline.models.global_bundle import GlobalBundle, partition_file
from sightline.models.global_settings import GlobalSettings
from sightline.models.mixture_head import MixtureHead, scatter_of_members
from sightline.models.trunk import Trunk
from sightline.training.cells.recipe import GlobalRecipe
from sightline.training.cross_view.pair_data import Floats
from sightline.training.loops.checkpoint import load_exactly


def classifier_settings(recipe: GlobalRecipe, start: GlobalBundle | None) -> GlobalSettings:
    """What fixes a recipe's classifier besides weights and cells.

    A backbone from a bundle brings along what it was made and is fed with: its arguments, and how
    photos are prepared for it. With others it would compute something else, and nobody would know.
    The backbone is built once, so that what a recipe alone gets wrong shows before there is data.

    Args:
        recipe: Of the run.
        start: Of :func:`read_start`.

    Raises:
        SightlineError: Settings that cannot be, no such backbone, or weights without their config.
    """
    settings = GlobalSettings(
        recipe.backbone,
        recipe.head,
        recipe.size,
        recipe.pooling,
        model_args=recipe.model_args,
        without=recipe.without,
    )
    if recipe.weights:
        settings = settings.started_from(recipe.weights)
    if start is not None:
        settings = replace(
            settings,
            model_args={**start.settings.model_args, **recipe.model_args},
            preprocessing=start.settings.preprocessing,
        )
    Trunk(
        recipe.backbone,
        recipe.size,
        model_args=settings.model_args,
        weights=recipe.weights or None,
        without=recipe.without,
    )
    return settings


def read_start(recipe: GlobalRecipe) -> GlobalBundle | None:
    """The bundle that a recipe starts from; None if it starts without.

    Raises:
        BundleError: There is none, or it holds no classifier of places.
        RecipeError: Its backbone is another than the recipe's, or the head alone is to be trained
            and there is no backbone.
    """
    if not recipe.start:
        if recipe.trained != "network" and not recipe.weights:
            raise RecipeError(
                f"trained = {recipe.trained!r} needs a backbone that was trained before.",
                hint="Name a bundle with --set start=FOLDER, or a file with --set weights=FILE.",
            )
        return None
    bundle = global_bundle(Path(recipe.start))
    for key in ("backbone", "pooling"):
        own, theirs = getattr(recipe, key), getattr(bundle.settings, key)
        if own != theirs:
            raise RecipeError(
                f"start = {recipe.start!r} has {key} = {theirs!r}, and the recipe {own!r}.",
                hint=f"Run again with --set {key}={theirs}, or another start.",
            )
    return bundle


def global_bundle(path: Path) -> GlobalBundle:
    """Read a bundle of a classifier of places.

    Raises:
        BundleError: There is none, it is damaged, or it holds another kind of model.
    """
    bundle = read_bundle(path)
    if not isinstance(bundle, GlobalBundle):
        raise BundleError(
            f"The bundle {str(path)!r} holds no classifier of places.",
            hint="Give the bundle of a run of `sightline train` with task = 'global'.",
            path=path,
        )
    return bundle


def start_classifier(
    recipe: GlobalRecipe,
    settings: GlobalSettings,
    partitions: Sequence[Partition],
    places: Floats,
    start: GlobalBundle | None,
) -> CellClassifier:
    """The classifier at its start, which the seed decides; no global generator is touched.

    A mixture's concentrations start with the scatter of each cell's own photos; Kordopatis-Zilos et
    al. (2021), section 4.2: "we initialize the weights of the mixture layer with the ones from the
    classification layer".

    Args:
        recipe: What it is.
        settings: Of :func:`classifier_settings`.
        partitions: From coarse to fine.
        places: (n, 2) degrees of the training photos.
        start: Of :func:`read_start`.

    Raises:
        PartitionError: Partitions that do not fit the head.
        RecipeError: A mixture shall begin with a classification layer of other cells.
        SightlineError: Weights that do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        classifier = settings.build(partitions, recipe.weights or None)
    if start is not None:
        load_exactly(classifier.trunk, start.classifier.trunk.state_dict(), "backbone")
        load_exactly(classifier.pooling, start.classifier.pooling.state_dict(), "pooling")
    same = start is not None and same_cells(start, partitions)
    known = None if start is None else start.classifier.head
    if isinstance(classifier.head, MixtureHead):
        if isinstance(known, CellHead) and not same:
            raise RecipeError(
                f"A mixture begins with the classification layer of its start. {recipe.start!r} "
                f"has {known.classes:,} cells, and others than the {len(partitions[0]):,} that "
                "partitions says of these photos.",
                hint="Take the start's own: --set partitions="
                f"{Path(recipe.start) / partition_file(0)}.",
            )
        scatter = torch.from_numpy(scatter_of_members(partitions[0], places))
        concentrations = fitted_log_concentrations(scatter)
        if isinstance(known, CellHead):
            classifier.head = MixtureHead.from_classifier(known, partitions[0], concentrations)
        else:
            with torch.no_grad():
                classifier.head.log_concentrations.copy_(concentrations)
    if same and isinstance(known, type(classifier.head)):
        load_exactly(classifier.head, known.state_dict(), "head")
    if recipe.trained != "network":
        classifier.trunk.requires_grad_(requires_grad=False)
        classifier.pooling.requires_grad_(requires_grad=False)
    return classifier


def same_cells(start: GlobalBundle, partitions: Sequence[Partition]) -> bool:
    """Whether a start's classes are the cells of these partitions."""
    own = [one.fingerprint for one in partitions]
    return [one.fingerprint for one in start.partitions] == own
