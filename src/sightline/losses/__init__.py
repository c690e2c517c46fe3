"""What networks are trained with: tensors in, a scalar out.

``published`` and ``published_mixture`` hold what others' code computes, for comparison only.
"""

from sightline.losses.cell_cross_entropy import (
    CellCrossEntropy,
    CellLoss,
    SeveralCellCrossEntropies,
)
from sightline.losses.cell_labels import CellLabels, label_photos
from sightline.losses.cell_targets import CellTargets
from sightline.losses.comparison import Comparison
from sightline.losses.contrastive import ContrastiveLoss, InfoNCELoss, NPairLoss
from sightline.losses.distances import Distance
from sightline.losses.global_batch import gather_rows
from sightline.losses.memory import CrossBatchMemory, MemoryRows
from sightline.losses.mining import (
    DistanceWeightedNegatives,
    HardestNegatives,
    HardestShare,
    Miner,
    SemiHardNegatives,
    all_negatives,
)
from sightline.losses.mixture import (
    VonMisesFisherMixtureLoss,
    fitted_log_concentrations,
    mixture_log_density,
)
from sightline.losses.pair_loss import PairLoss
from sightline.losses.reducing import Reducer, mean_of_active, mean_of_anchors, mean_of_chosen
from sightline.losses.sampled_classes import (
    SampledClasses,
    sample_classes,
    sampled_cross_entropy,
)
from sightline.losses.sharded_softmax import ShardedCellCrossEntropy, gather_for_slices
from sightline.losses.triplet import MaxMarginTripletLoss, SoftMarginTripletLoss
from sightline.losses.tuple_loss import WeightedTupleLoss

__all__ = [
    "CellCrossEntropy",
    "CellLabels",
    "CellLoss",
    "CellTargets",
    "Comparison",
    "ContrastiveLoss",
    "CrossBatchMemory",
    "Distance",
    "DistanceWeightedNegatives",
    "HardestNegatives",
    "HardestShare",
    "InfoNCELoss",
    "MaxMarginTripletLoss",
    "MemoryRows",
    "Miner",
    "NPairLoss",
    "PairLoss",
    "Reducer",
    "SampledClasses",
    "SemiHardNegatives",
    "SeveralCellCrossEntropies",
    "ShardedCellCrossEntropy",
    "SoftMarginTripletLoss",
    "VonMisesFisherMixtureLoss",
    "WeightedTupleLoss",
    "all_negatives",
    "fitted_log_concentrations",
    "gather_for_slices",
    "gather_rows",
    "label_photos",
    "mean_of_active",
    "mean_of_anchors",
    "mean_of_chosen",
    "mixture_log_density",
    "sample_classes",
    "sampled_cross_entropy",
]
