"""The table of what each published function counts as a success, and how it reports it.

Every function says for each query at which rank it finds the true reference, and counts the queries
whose rank is small enough. What differs between them is in this table and nowhere else: how
distances are compared, which rank is the last that counts, in which direction one asks, and how the
shares are written down.

Where the code was read: for each function ``source`` names repository, file and function.

Two things to know when reading numbers across the table. The functions that compare strictly call a
query right when no other reference is *closer*, whatever is as close, so that a model that gives
one and the same vector to everything scores 100 %. And image-locate's ``pssr`` is the share of
references that is *kept*, asked from the satellite to the ground: 1 is its worst value, where the
paper's proportional search-space reduction calls 0 the worst.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Comparison: TypeAlias = Literal["strict", "inclusive", "sorted"]
Percent: TypeAlias = Literal["floor", "floor+1", "round+1"]
Unit: TypeAlias = Literal["fraction", "percent", "percent in float32"]
Layout: TypeAlias = Literal[
    "number",
    "list",
    "series",
    "both ways",
    "printed",
    "places",
    "statistics",
    "cmc",
    "search space",
]

RECALLS = ("recall@1", "recall@5", "recall@10", "recall@1%")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFunction:
    """One row of the table.

    Attributes:
        peer: The name that users know it by.
        function: What the function is called in the peer's code, told apart within the peer.
        source: Repository, file and function.
        metrics: What it reports, in its order, under our names.
        layout: The structure it returns: one ``number``; a ``list``; a ``series`` over k from 0 to
            1 % (whose last entry is its recall at 1 %); a list ``both ways``; a dictionary with
            shares ``printed`` to 4 decimals; the ``places`` of a sorted row; a dictionary of rank
            ``statistics``; of ``cmc`` and average precision; or the ``search space``.
        comparison: What stands before the true one: with ``strict``, others that are closer; with
            ``inclusive``, others as close too; with ``sorted``, whatever a sort put there.
        percent: The last rank that counts at p % of m references: ``floor``, floor(m p / 100);
            ``floor+1``, one more; ``round+1``, round(m p / 100), half to even, plus one. Written
            with ``int(0.01 * m)`` or ``m // 100``, the floor is the same for every m.
        extra_places: How many ranks beyond k still count: 1 where k indexes a sorted row from 0.
        unit: ``fraction`` of 1, or ``percent``, rounded as float64 or as float32 rounds.
        pairs: Whether it is written for n queries and their n references only: it takes the
            diagonal of a square matrix for the distances of the pairs.
        reverse: Whether it looks from the references to the queries as well, or only.
        least_references: With fewer the published code stops with an index error.
    """

    peer: str
    function: str
    source: str
    metrics: tuple[str, ...] = RECALLS
    layout: Layout = "list"
    comparison: Comparison = "strict"
    percent: Percent = "floor"
    extra_places: int = 0
    unit: Unit = "fraction"
    pairs: bool = False
    reverse: bool = False
    least_references: int = 1

    @property
    def semi_positives(self) -> bool:
        """Whether it forgives semi-positives somewhere, and so is meant for data with them."""
        return "hit_rate" in self.metrics

    def reported(self, references: int) -> tuple[str, ...]:
        """Return the metrics that it has a number for where there are m references.

        A series ends at 1 %, and image-locate leaves ranks beyond 10 out where a row has no place
        500 (its ``testing=True``).
        """
        if self.layout == "series":
            longest = self.last_rank("recall@1%", references)
        elif self.layout == "places" and references <= 500:
            longest = 10 + self.extra_places
        else:
            return self.metrics
        return tuple(
            metric
            for metric in self.metrics
            if metric.endswith("%") or self.last_rank(metric, references) <= longest
        )

    def last_rank(self, metric: str, references: int) -> int:
        """Return the largest rank that counts as found: ``recall@5``, ``recall@1%``.

        Args:
            metric: A recall.
            references: m.
        """
        k = metric.removeprefix("recall@")
        if not k.endswith("%"):
            return int(k) + self.extra_places
        share = int(k.removesuffix("%"))
        if self.percent == "round+1":
            return round(0.01 * share * references) + 1
        return references * share // 100 + (self.percent == "floor+1") + self.extra_places


def _university(peer: str, function: str, source: str) -> PublishedFunction:
    return PublishedFunction(
        peer=peer,
        function=function,
        source=source,
        metrics=(*RECALLS, "map"),
        layout="cmc",
        comparison="sorted",
        percent="round+1",
        unit="percent in float32",
        least_references=10,
    )


def _witw(function: str, source: str) -> PublishedFunction:
    return PublishedFunction(
        peer="witw",
        function=function,
        source=source,
        metrics=(*RECALLS, "mean_rank", "median_rank"),
        layout="statistics",
        comparison="inclusive",
        unit="percent",
        pairs=True,
    )


def _series(peer: str, function: str, source: str) -> PublishedFunction:
    return PublishedFunction(
        peer=peer, function=function, source=source, layout="series", pairs=True
    )


def _only(metric: str, peer: str, function: str, source: str) -> PublishedFunction:
    return PublishedFunction(
        peer=peer,
        function=function,
        source=source,
        metrics=(metric,),
        layout="number",
        percent="floor+1",
        pairs=True,
    )


# Within a peer, the first function that fits the data is the one its scores are reported by.
PUBLISHED: dict[str, PublishedFunction] = {
    "cvmnet_validate": _only(
        "recall@1%",
        "cvm-net",
        "validate",
        "david-husx/crossview_localisation:src/CVM-Net/train.py:validate",
    ),
    "safa_test_validate": _series(
        "safa",
        "test.validate",
        "shiyujiao/cross_view_localization_SAFA:script/test_cvusa.py:validate",
    ),
    "safa_train_validate": _only(
        "recall@1",
        "safa",
        "train.validate",
        "shiyujiao/cross_view_localization_SAFA:script/train_cvusa.py:validate",
    ),
    "l2ltr_test_validate": _series(
        "l2ltr", "test.validate", "yanghongji2007/cross_view_localization_L2LTR:test.py:validate"
    ),
    "geodtr_test_vigor_validate_top": PublishedFunction(
        peer="geodtr",
        function="test_vigor.validate_top",
        source="zxh009123/GeoDTR_plus:test_vigor.py:validate_top",
        metrics=(*RECALLS, "hit_rate"),
        percent="floor+1",
    ),
    "geodtr_validatenp": _series(
        "geodtr", "validatenp", "zxh009123/GeoDTR_plus:utils/utils.py:validatenp"
    ),
    "geodtr_distancestat": PublishedFunction(
        peer="geodtr",
        function="distancestat",
        source="zxh009123/GeoDTR_plus:utils/utils.py:distancestat",
        layout="both ways",
        percent="floor+1",
        pairs=True,
        reverse=True,
    ),
    "geodtr_validateVIGOR": PublishedFunction(
        peer="geodtr",
        function="validateVIGOR",
        source="zxh009123/GeoDTR_plus:utils/utils.py:validateVIGOR",
        unit="percent",
    ),
    "transgeo_accuracy": PublishedFunction(
        peer="transgeo",
        function="accuracy",
        source="Jeff-Zilence/TransGeo2022:train.py:accuracy",
        unit="percent",
    ),
    "frgeo_accuracy": PublishedFunction(
        peer="frgeo",
        function="accuracy",
        source="zqwlearning/FRGeo-Code:train.py:accuracy",
        unit="percent",
    ),
    "sample4geo_vigor": PublishedFunction(
        peer="sample4geo",
        function="vigor.calculate_scores",
        source="Skyy93/Sample4Geo:sample4geo/evaluate/vigor.py:calculate_scores",
        metrics=(*RECALLS, "hit_rate"),
        layout="printed",
        unit="percent",
    ),
    "sample4geo_cv": PublishedFunction(
        peer="sample4geo",
        function="cvusa_and_cvact.calculate_scores",
        source="Skyy93/Sample4Geo:sample4geo/evaluate/cvusa_and_cvact.py:calculate_scores",
        layout="printed",
        unit="percent",
    ),
    "sample4geo_university": _university(
        "sample4geo",
        "university.evaluate",
        "Skyy93/Sample4Geo:sample4geo/evaluate/university.py:eval_query, compute_mAP",
    ),
    "vigor_validate_top": PublishedFunction(
        peer="vigor",
        function="validate_top",
        source="Jeff-Zilence/VIGOR:train_overall.py:validate_top",
        metrics=("recall@1%", "recall@1", "recall@5", "hit_rate"),
        percent="floor+1",
    ),
    "vigor_validate": _only(
        "recall@1%", "vigor", "validate", "Jeff-Zilence/VIGOR:train_overall.py:validate"
    ),
    "university": _university(
        "university1652",
        "evaluate",
        "layumi/University1652-Baseline:evaluate_gpu.py:evaluate, compute_mAP",
    ),
    "witw_fov": _witw("cvig_fov.test", "IQTLabs/WITW:model/cvig_fov.py:test"),
    "witw_baseline": _witw("cvig_baseline.test", "IQTLabs/WITW:model/cvig_baseline.py:test"),
    "imagelocate_recall": PublishedFunction(
        peer="image-locate",
        function="recall_at_k",
        source="S010MON/image-locate:src/metrics.py:recall_at_k",
        metrics=(
            "recall@1",
            "recall@5",
            "recall@10",
            "recall@50",
            "recall@100",
            "recall@500",
            "recall@1%",
            "recall@5%",
            "recall@10%",
        ),
        layout="places",
        extra_places=1,
        unit="percent",
        pairs=True,
        least_references=11,
    ),
    "imagelocate_pssr": PublishedFunction(
        peer="image-locate",
        function="proportional_search_space_reduction",
        source="S010MON/image-locate:src/metrics.py:proportional_search_space_reduction",
        metrics=("pssr",),
        layout="search space",
        comparison="inclusive",
        pairs=True,
        reverse=True,
    ),
}

PEERS: dict[str, tuple[str, ...]] = {
    peer: tuple(name for name, row in PUBLISHED.items() if row.peer == peer)
    for peer in dict.fromkeys(row.peer for row in PUBLISHED.values())
}
"""The functions of each peer, the one its scores are reported by first."""
