"""Models of places asked by every method, and the papers' tables of what they answer."""

from sightline.benchmark.ablations import ABLATIONS, NEED_POOLED, Ablation
from sightline.benchmark.beside import have_both_connections
from sightline.benchmark.global_evaluation import evaluate_global
from sightline.benchmark.papers import EIGHT_KM, FIVE_KM
from sightline.benchmark.results import EvaluatedSet, GlobalEvaluation

__all__ = [
    "ABLATIONS",
    "EIGHT_KM",
    "FIVE_KM",
    "NEED_POOLED",
    "Ablation",
    "EvaluatedSet",
    "GlobalEvaluation",
    "evaluate_global",
    "have_both_connections",
]
