"""What a recipe's network refuses of its images, found before any of them is decoded."""

from __future__ import annotations

import torch

from sightline.errors import RecipeError, SightlineError
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.heads import FullyConnected
from sightline.training.cross_view.recipe import CrossViewRecipe
from sightline.training.loops.gradients import equal_parts
from sightline.training.loops.processes import Processes

_GREY = 127


@torch.no_grad()
def try_network(
    network: CrossViewNetwork, recipe: CrossViewRecipe, processes: Processes, *, turns: int
) -> None:
    """Give a network one grey image of each view.

    Args:
        network: Left in the mode it was in.
        recipe: Says how large images are, and how many are seen at once.
        processes: All that share a batch.
        turns: Of patches, where headings are unknown; 1: none.

    Raises:
        RecipeError: Sizes, head and batches that do not go together.
    """
    _refuse_single_rows(network, recipe, processes)
    training = network.training
    network.eval()
    ground, aerial = (
        torch.full((1, 3, *size), _GREY, dtype=torch.uint8)
        for size in (recipe.ground_size, recipe.aerial_size)
    )
    try:
        network.encode_ground(ground)
        network.encode_aerial(aerial)
        if turns > 1:
            network.encode_aerial_turned(aerial, turns)
    except SightlineError as error:
        raise RecipeError(
            f"architecture = {recipe.architecture!r} cannot read photos of ground_size = "
            f"{list(recipe.ground_size)} and patches of aerial_size = {list(recipe.aerial_size)}: "
            f"{error.message}",
            hint=error.hint,
        ) from error
    finally:
        network.train(training)


def _refuse_single_rows(
    network: CrossViewNetwork, recipe: CrossViewRecipe, processes: Processes
) -> None:
    """Batch norms of fully connected layers cannot see one image alone."""
    own = recipe.batch_size // processes.count
    parts = equal_parts(own, recipe.chunk_size or own) if own else []
    least = min((part.stop - part.start for part in parts), default=own)
    if least < 2 and any(isinstance(module, FullyConnected) for module in network.modules()):
        raise RecipeError(
            f"batch_size = {recipe.batch_size} and chunk_size = {recipe.chunk_size} with "
            f"{processes.count} processes leave {least} images at once, and the batch norms of "
            f"architecture = {recipe.architecture!r} must see two.",
            hint="Give a larger chunk_size, 3 or more, or a larger batch_size.",
        )
