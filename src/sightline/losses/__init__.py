"""What networks are trained with: tensors in, a scalar out.

``published`` and ``published_mixture`` hold what others' code computes, for comparison only.
"""

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
from sightline.losses.triplet import MaxMarginTripletLoss, SoftMarginTripletLoss
from sightline.losses.tuple_loss import WeightedTupleLoss

__all__ = [
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
    "SemiHardNegatives",
    "SoftMarginTripletLoss",
    "VonMisesFisherMixtureLoss",
    "WeightedTupleLoss",
    "all_negatives",
    "fitted_log_concentrations",
    "gather_rows",
    "mean_of_active",
    "mean_of_anchors",
    "mean_of_chosen",
    "mixture_log_density",
]
