"""What fixes the training of a cross-view network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from sightline.models.cross_view_settings import MOST_TURNS
from sightline.models.view_geometry import (
    AerialGeometry,
    GroundGeometry,
    read_geometry,
)
from sightline.training.cross_view.rules import RECOMBINING, refuse_impossible
from sightline.training.recipe import Recipe, setting

HeadingRule = Literal["aligned", "known", "unknown"]
LossName = Literal["max-margin", "soft-margin", "tuple", "infonce", "n-pair", "contrastive"]
MiningName = Literal["all", "hardest", "semi-hard", "hardest-share", "distance-weighted"]
SamplerName = Literal["shuffled", "near", "similar", "super-batches"]
SecondLoss = Literal["same", LossName]
SecondMining = Literal["same", MiningName]
SecondSampler = Literal["same", SamplerName]
Metric = Literal["recall@1", "recall@5", "recall@10", "recall@1%", "pssr", "mrr"]

PLANET = "planet:"


@dataclass(frozen=True, kw_only=True)
class CrossViewRecipe(Recipe):
    """The keys of ``recipes/cross-view/*.toml``.

    Args:
        task: ``cross-view``.
        name: What to call the run and its model.
        source: Where the numbers come from.
        licence: Of the trained weights, SPDX.
        data: A manifest, the folder of a public dataset, or ``planet:NAMES``: pairs of the planet
            in the named difficulties, joined by ``+``, made where they are not there yet.
        layout: Of the folder; recognised if empty.
        planet_pairs: How many pairs, all splits together.
        planet_seed: Which planet.
        planet_collection: Which data set of it.
        planet_tile_px: Side of the aerial tiles in pixels.
        planet_metres_per_pixel: Of the tiles.
        train_split: Name of the split to train on.
        validation_split: Name of the split that selects; empty: ``validation_share`` of training.
        validation_share: Share of the training pairs that is held out, whole patches, where there
            is no such split.
        test_split: Name of the split that is read once, at the end; empty: none.
        train_share: Share of the training pairs that is used, for few-shot curves.
        leak_check: ``all``: no image of one split may be in another; ``photos``: photos only, for
            protocols whose splits share their aerial patches; ``off``.
        leak_radius_m: No photo of validation or test may be nearer than this to one of training;
            0 checks no places.
        bad_images: Share of the training pairs that may be skipped because an image is broken.
        pixels: ``kept``: decoded once and kept on disk at network size; ``read``: decoded anew in
            every epoch.
        workers: Processes that read images; 0 reads in the training process.
        architecture: A row of :data:`sightline.models.architectures.ARCHITECTURES`.
        backbone: timm's name of another backbone; empty: the published one.
        weights: Local safetensors file that the backbones start from; empty: random.
        model_args: Arguments of timm's constructor.
        head_options: Of the head, in place of published values.
        branches: Whether both views share weights; ``published``: as the architecture has it.
        ground: What photos show: ``panorama``, ``perspective:FOV`` or ``crop:FOV`` (of panoramas).
        heading: ``aligned``: panoramas are turned to north; ``known``: the network is told where
            photos look; ``unknown``: it is not, and the best turn counts where it knows turns.
        ground_size: (height, width) of photos in pixels.
        aerial_size: (height, width) of patches in pixels.
        aerial_view: What the aerial network sees: patches as they are, ``north-up``; or ``polar``,
            unrolled around their centre to the size of a whole panorama.
        phases: Turns of less than a region that patches are tried under, for ``unknown``.
        aerial_crop: Smallest side of a random crop of patches, as a share; 1: no crops.
        mirror: Mirror every second pair, both views alike.
        quarter_turns: Turn pairs by a multiple of 90 degrees, both views alike.
        colour_jitter: Strength of random brightness, contrast, saturation and tint, 0 to 1.
        noise: Largest standard deviation of random noise, in shares of the full scale.
        erase: Probability of a grey rectangle in an image.
        loss: What is minimised.
        loss_distance: Of the loss; ``default``: its own.
        margin: Of ``max-margin`` and ``contrastive``.
        loss_weight: Lambda of ``soft-margin``, alpha of ``tuple``.
        temperature: Of ``infonce``.
        temperature_learned: Whether it is a parameter.
        label_smoothing: Of ``infonce``.
        reduce: Mean over ``chosen`` negatives, the ``active`` ones, or ``anchors``.
        negatives: Of the ``other`` view or of ``both``.
        bidirectional: Whether patches are anchors too.
        memory: Pairs of earlier batches that are further negatives.
        mining: Which negatives take part.
        mining_count: How many, for ``hardest`` and ``distance-weighted``.
        mining_share: Of all triplets, for ``hardest-share``.
        mining_nearest: Only the nearest, for ``semi-hard``.
        sampler: How batches are drawn.
        near_cluster: Neighbours on the ground that stand together in a batch, for ``near``.
        near_apart_m: Pairs nearer than this are never in one batch, for ``near``.
        similar_neighbours: Among so many nearest patches a hard partner is drawn, for ``similar``.
        similar_share: Share of a batch that is hard partners; half of it at most.
        similar_from_epoch: First epoch with hard partners; plain shuffling before.
        similar_every_epochs: How often neighbours are found anew.
        super_batches: Clusters k, for ``super-batches``.
        super_batch_sample: Embeddings that k-means sees, at most.
        super_batch_view: Which embeddings are clustered.
        seed: Of everything random.
        batch_size: Pairs in a batch, of all processes together.
        epochs: At most.
        patience: Stop after so many validations without improvement; 0: never.
        optimiser: Which.
        learning_rate: At its highest.
        backbone_rate: Times this for backbones.
        weight_decay: Of matrices and filters; not of biases, norms and temperatures.
        momentum: Of ``sgd``.
        warmup_epochs: In which the rate rises from 0.
        schedule: How it falls.
        final_rate: Where ``cosine`` ends, as a share.
        step_epochs: Epochs between the steps of ``step``.
        step_factor: By which it is multiplied at each.
        clip_norm: Longest gradient; 0: no bound.
        sharpness: Rho of adaptive sharpness-aware minimisation; 0: off. Doubles the cost.
        average_decay: Of the exponential moving average of the weights; 0: off.
        accumulate: Batches whose gradients are added up for one step.
        chunk_size: Pairs of a batch that are in memory with their graphs at once; 0: all. The
            gradient is that of the whole batch.
        precision: ``float32``, ``bfloat16`` or ``float16``, mixed.
        channels_last: Order of pixels in memory; faster for convolutions.
        second_epochs: Of a second stage, from the best weights of the first; 0: none.
        second_patience: Likewise.
        second_loss: Likewise.
        second_mining: Likewise.
        second_sampler: Likewise.
        second_learning_rate: Likewise; 0: as the first.
        select_by: Which number of the validation decides.
        validate_every_epochs: How often.
        log_steps: Steps between two lines of the log.
        checkpoint_minutes: Between two checkpoints within an epoch; each epoch ends with one.
    """

    task: Literal["cross-view"] = "cross-view"
    name: str = "cross-view"
    source: str = ""
    licence: str = "unknown"

    data: str = "planet:aligned-panorama"
    layout: str = ""
    planet_pairs: int = setting(2_000, at_least=40)
    planet_seed: int = setting(0, at_least=0)
    planet_collection: int = setting(0, at_least=0)
    planet_tile_px: int = setting(224, at_least=16, at_most=4_096)
    planet_metres_per_pixel: float = setting(0.5, above=0)
    train_split: str = "train"
    validation_split: str = "val"
    validation_share: float = setting(0.05, above=0, below=1)
    test_split: str = "test"
    train_share: float = setting(1.0, above=0, at_most=1)
    leak_check: Literal["all", "photos", "off"] = "all"
    leak_radius_m: float = setting(0.0, at_least=0)
    bad_images: float = setting(0.001, at_least=0, below=1)
    pixels: Literal["kept", "read"] = "kept"
    workers: int = setting(0, at_least=0, at_most=256)

    architecture: str = "frgeo"
    backbone: str = ""
    weights: str = ""
    model_args: Mapping[str, Any] = field(default_factory=dict)
    head_options: Mapping[str, Any] = field(default_factory=dict)
    branches: Literal["published", "shared", "separate"] = "published"
    ground: str = "panorama"
    heading: HeadingRule = "aligned"
    ground_size: tuple[int, int] = setting((128, 512), at_least=8, at_most=4_096)
    aerial_size: tuple[int, int] = setting((256, 256), at_least=8, at_most=4_096)
    aerial_view: Literal["north-up", "polar"] = "north-up"
    phases: int = setting(4, at_least=1, at_most=MOST_TURNS)

    aerial_crop: float = setting(1.0, above=0, at_most=1)
    mirror: bool = False
    quarter_turns: bool = False
    colour_jitter: float = setting(0.0, at_least=0, at_most=1)
    noise: float = setting(0.0, at_least=0, at_most=1)
    erase: float = setting(0.0, at_least=0, at_most=1)

    loss: LossName = "tuple"
    loss_distance: Literal["default", "squared_euclidean", "euclidean", "cosine", "dot"] = "default"
    margin: float = setting(0.5, above=0)
    loss_weight: float = setting(10.0, above=0)
    temperature: float = setting(0.07, above=0)
    temperature_learned: bool = True
    label_smoothing: float = setting(0.0, at_least=0, below=1)
    reduce: Literal["chosen", "active", "anchors"] = "chosen"
    negatives: Literal["other", "both"] = "other"
    bidirectional: bool = True
    memory: int = setting(0, at_least=0)
    mining: MiningName = "all"
    mining_count: int = setting(1, at_least=1)
    mining_share: float = setting(0.5, above=0, at_most=1)
    mining_nearest: bool = False

    sampler: SamplerName = "shuffled"
    near_cluster: int = setting(8, at_least=1)
    near_apart_m: float = setting(0.0, at_least=0)
    similar_neighbours: int = setting(100, at_least=1)
    similar_share: float = setting(0.5, above=0, at_most=0.5)
    similar_from_epoch: int = setting(1, at_least=0)
    similar_every_epochs: int = setting(1, at_least=1)
    super_batches: int = setting(3, at_least=2)
    super_batch_sample: int = setting(50_000, at_least=2)
    super_batch_view: Literal["aerial", "ground"] = "aerial"

    seed: int = setting(0, at_least=0, at_most=2**31 - 1)
    batch_size: int = setting(32, at_least=2)
    epochs: int = setting(50, at_least=1)
    patience: int = setting(0, at_least=0)
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: float = setting(1e-4, above=0)
    backbone_rate: float = setting(1.0, at_least=0)
    weight_decay: float = setting(0.0, at_least=0)
    momentum: float = setting(0.9, at_least=0, below=1)
    warmup_epochs: float = setting(0.0, at_least=0)
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    final_rate: float = setting(0.0, at_least=0, at_most=1)
    step_epochs: float = setting(10.0, above=0)
    step_factor: float = setting(0.1, above=0, at_most=1)
    clip_norm: float = setting(0.0, at_least=0)
    sharpness: float = setting(0.0, at_least=0)
    average_decay: float = setting(0.0, at_least=0, below=1)
    accumulate: int = setting(1, at_least=1)
    chunk_size: int = setting(0, at_least=0)
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = True

    second_epochs: int = setting(0, at_least=0)
    second_patience: int = setting(0, at_least=0)
    second_loss: SecondLoss = "same"
    second_mining: SecondMining = "same"
    second_sampler: SecondSampler = "same"
    second_learning_rate: float = setting(0.0, at_least=0)

    select_by: Metric = "recall@1"
    validate_every_epochs: int = setting(1, at_least=1)
    log_steps: int = setting(20, at_least=1)
    checkpoint_minutes: float = setting(10.0, at_least=0)

    @property
    def geometry(self) -> GroundGeometry:
        """What photos show."""
        found = read_geometry(self.ground)
        assert not isinstance(found, AerialGeometry)  # noqa: S101 - refused by check
        return found

    @property
    def recombines(self) -> bool:
        """Whether the head knows regions of the compass."""
        return self.architecture in RECOMBINING

    @property
    def from_panoramas(self) -> bool:
        """Whether the images on disk are whole panoramas."""
        return self.ground == "panorama" or self.ground.startswith("crop:")

    @property
    def needs_headings(self) -> bool:
        """Whether training must know where photos look: to turn them, or to tell the network."""
        return self.from_panoramas if self.heading == "aligned" else self.recombines

    @property
    def stored_ground_size(self) -> tuple[int, int]:
        """(height, width) that photos are decoded at; panoramas are whole before they are cut."""
        height, width = self.ground_size
        if not self.ground.startswith("crop:"):
            return height, width
        return height, round(width * 360.0 / self.geometry.fov_degrees)

    @property
    def polar_size(self) -> tuple[int, int] | None:
        """(height, width) that patches are unrolled to, or None."""
        if self.aerial_view == "north-up":
            return None
        height, width = self.ground_size
        return height, round(width * 360.0 / self.geometry.fov_degrees)

    def check(self) -> None:
        """Refuse what cannot go together.

        Raises:
            RecipeError: Naming the keys and what to change.
        """
        refuse_impossible(self)
