"""What fixes the training of vectors for retrieval, on a classifier that was trained before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sightline.training.cells.partition_spec import PartitionSpec, read_partition_spec
from sightline.training.photos.recipe import PhotoRecipe, refuse_wrong
from sightline.training.recipe import setting


@dataclass(frozen=True, kw_only=True)
class RetrievalRecipe(PhotoRecipe):
    """The keys of ``recipes/global/*.toml`` that train retrieval, besides those of photos.

    ``batch_size`` counts pairs.

    Args:
        task: ``retrieval``.
        start: Bundle of a trained classifier, whose pooled vectors are refined.
        trained: A Residual Retrieval ``module`` on stored vectors, or the whole ``network``.
        hidden: Width of the module.
        residual_skip: Whether the module adds its input, its residual connection; ``false`` is the
            ablation of its paper's table 3.
        partition: Whose cells ``cell`` speaks of: a file, or a way to make one; empty: the finest
            of the bundle.
        positives: What a photo's positive is: another one of its ``cell``; one near its ``place``;
            or of those near its place the one whose vector is nearest now (``place-and-vector``).
        positive_km: How near a place is.
        place_neighbours: How many of the nearest photos within that radius are looked at.
        negative_km: For positives by place, photos nearer than this are no negatives.
        loss: ``infonce``, or ``triplet`` with a hinge.
        temperature: Of ``infonce``.
        margin: Of ``triplet``, on squared distances.
        mining: Which negatives take part; ``semi-hard`` and ``hardest`` choose by vectors.
        memory: Vectors of earlier batches that are further negatives; two for each pair.
        references: At most so many training photos are searched in validation and test, at random.
    """

    task: Literal["retrieval"] = "retrieval"

    start: str = ""
    trained: Literal["module", "network"] = "module"
    hidden: int = setting(4_096, at_least=1)
    residual_skip: bool = True
    partition: str = ""
    positives: Literal["cell", "place", "place-and-vector"] = "cell"
    positive_km: float = setting(1.0, above=0)
    place_neighbours: int = setting(16, at_least=1, at_most=1_024)
    negative_km: float = setting(25.0, above=0)
    loss: Literal["infonce", "triplet"] = "infonce"
    temperature: float = setting(0.05, above=0)
    margin: float = setting(0.1, above=0)
    mining: Literal["all", "semi-hard", "hardest"] = "all"
    memory: int = setting(4_096, at_least=0)
    references: int = setting(100_000, at_least=1)

    @property
    def partition_spec(self) -> PartitionSpec | None:
        """Which partition, read; None for the bundle's."""
        return read_partition_spec(self.partition) if self.partition else None

    def check(self) -> None:
        """Refuse what cannot go together.

        Raises:
            RecipeError: Naming the keys and what to change.
        """
        super().check()
        spec, by_place = self.partition_spec, self.positives != "cell"
        refuse_wrong(
            (
                by_place and self.negative_km < self.positive_km,
                (
                    f"negative_km = {self.negative_km:g} must not be below positive_km = "
                    f"{self.positive_km:g}"
                ),
                "A photo must not be both.",
            ),
            (
                by_place and self.memory > 0,
                f"memory cannot go with positives = {self.positives!r}",
                "A memory knows cells alone: write memory = 0.",
            ),
            (
                by_place and spec is not None,
                f"partition cannot go with positives = {self.positives!r}",
                "Leave it out.",
            ),
            (
                self.memory == 1,
                "memory must be 0, or 2 vectors and more",
                "Pairs are kept.",
            ),
            (
                self.trained == "network" and not self.residual_skip,
                "residual_skip = false cannot go with trained = 'network'",
                "There is no module whose residual connection could be left out.",
            ),
            (
                self.trained == "module" and self.augments,
                "crops, mirrors and changes of light cannot go with trained = 'module'",
                "Stored vectors are those of whole photos.",
            ),
        )
