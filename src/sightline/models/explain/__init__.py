"""Which pixels carry the similarity of two pictures: heatmaps by gradient, attention, occlusion."""

from sightline.models.explain.explanation import Explanation, Method, explain
from sightline.models.explain.pair import PairSimilarity, ViewTrunk, pair_of

__all__ = ["Explanation", "Method", "PairSimilarity", "ViewTrunk", "explain", "pair_of"]
