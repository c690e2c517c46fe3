"""What every cross-view architecture costs, beside what its papers say.

    python benchmarks/architectures.py [--rounds N] [--only NAME ...]

Parameters and multiply-adds are counted by `torch.utils.flop_counter`, at sizes of the published
code; papers call multiply-adds "FLOPs". Latency is one photo through the ground branch, and one
patch through the aerial one, in float32. Weights are random: costs do not depend on them. First the
counter is held against the published counts of the bare backbones, whose papers state them.
"""

from __future__ import annotations

import argparse
import gc
from typing import Any

import timm
import torch

from _record import record
from sightline.models.architectures import ARCHITECTURES, build_network
from sightline.models.complexity import (
    count_multiply_adds,
    count_parameters,
    measure_complexity,
    measure_latency,
)

# Parameters in 10^6 and multiply-adds in 10^9 of the whole classifier at 224 px, as each paper
# rounds them; None where it states none.
BACKBONES: tuple[tuple[str, float | None, float | None, str], ...] = (
    ("vgg16", 138, None, "Simonyan and Zisserman (2015), table 2, network D"),
    (
        "resnet50",
        None,
        3.8,
        "He et al. (2016), table 1; timm strides in the 3 x 3 layers, they in the 1 x 1",
    ),
    ("convnext_tiny", 29, 4.5, "Liu et al., ConvNeXt (2022), table 1"),
    ("deit_small_patch16_224", 22, None, "Touvron et al., DeiT (2021), table 1"),
)

# What the texts say of the cost of whole models; none of the four states a count as text.
CLAIMS = {
    "recombination costs nothing": "Zhang and Zhu, FRGeo (AAAI 2024): 'introducing no additional "
    "computational and parameter costs'",
    "frgeo below a third of safa": "Zhang and Zhu, FRGeo (AAAI 2024), Computational Costs: 'just "
    "less than one-third of those of SAFA, DSM, L2LTR and GeoDTR'; checked here of SAFA alone",
}


def backbones() -> list[dict[str, Any]]:
    rows = []
    for name, millions, giga, source in BACKBONES:
        network = timm.create_model(name, pretrained=False).eval()
        rows.append(
            {
                "backbone": name,
                "parameters": count_parameters(network),
                "published_parameters_1e6": millions,
                "multiply_adds": count_multiply_adds(network, torch.zeros(1, 3, 224, 224)),
                "published_multiply_adds_1e9": giga,
                "source": source,
            }
        )
        row = rows[-1]
        print(
            f"{name:24} {row['parameters'] / 1e6:7.1f} M (paper {millions}) "
            f"{row['multiply_adds'] / 1e9:6.2f} G (paper {giga})"
        )
    return rows


def measure(name: str, rounds: int) -> dict[str, Any]:
    row = ARCHITECTURES[name]
    network = build_network(name, ground="panorama").eval()
    counted = measure_complexity(network)
    latency = {
        view: measure_latency(network, view, rounds=rounds)  # type: ignore[arg-type]
        for view in ("ground", "aerial")
    }
    return {
        "architecture": name,
        "backbone": row.backbone,
        "source": row.source,
        "ground_size": row.ground_size,
        "aerial_size": row.aerial_size,
        "dimension": counted.dimension,
        "parameters": counted.parameters,
        "pair_multiply_adds_1e9": round(counted.pair_gigamultiply_adds, 3),
        "pair_flops_1e9": round(counted.pair_gigaflops, 3),
        "ground_ms": round(latency["ground"].median_ms, 2),
        "aerial_ms": round(latency["aerial"].median_ms, 2),
        "ground_best_ms": round(latency["ground"].best_ms, 2),
        "aerial_best_ms": round(latency["aerial"].best_ms, 2),
    }


def claims(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {row["architecture"]: row for row in rows}
    checked = []
    if {"frgeo", "frgeo-baseline"} <= found.keys():
        ours, base = found["frgeo"], found["frgeo-baseline"]
        checked.append(
            {
                "claim": CLAIMS["recombination costs nothing"],
                "extra_parameters": ours["parameters"] - base["parameters"],
                "multiply_adds_ratio": ours["pair_multiply_adds_1e9"]
                / base["pair_multiply_adds_1e9"],
            }
        )
    if {"frgeo", "safa"} <= found.keys():
        ratio = found["frgeo"]["pair_multiply_adds_1e9"] / found["safa"]["pair_multiply_adds_1e9"]
        checked.append(
            {
                "claim": CLAIMS["frgeo below a third of safa"],
                "multiply_adds_ratio": round(ratio, 3),
                "holds": ratio < 1 / 3,
            }
        )
    return checked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", nargs="+", choices=list(ARCHITECTURES))
    options = parser.parse_args()
    torch.manual_seed(0)
    checked_backbones = backbones()
    rows = []
    for name in options.only or ARCHITECTURES:
        rows.append(measure(name, options.rounds))
        row = rows[-1]
        print(
            f"{name:16} {row['backbone']:34} {row['parameters'] / 1e6:7.1f} M "
            f"{row['pair_multiply_adds_1e9']:7.2f} G {row['dimension']:6d} d "
            f"{row['ground_ms']:8.1f} ms {row['aerial_ms']:8.1f} ms",
            flush=True,
        )
        gc.collect()
    answers = claims(rows)
    for answer in answers:
        print(answer)
    record(
        "architectures",
        {
            "threads": torch.get_num_threads(),
            "device": "cpu",
            "rounds": options.rounds,
            "backbones": checked_backbones,
            "architectures": rows,
            "claims": answers,
        },
    )


if __name__ == "__main__":
    main()
