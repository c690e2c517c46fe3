"""What runs the cut network fastest on this processor, and how fast photos become vectors.

    python benchmarks/encoder.py [--photos FOLDER] [--weights FOLDER] [--limit N] [--compile]

Ways take turns, round by round, and the best round counts, so that other load on the machine hits
all alike. The plain loop is what one would write first: Pillow opens the full picture and resizes
it, timm runs the same cut eagerly in float32 NCHW in batches of 16. OpenVINO and ONNX Runtime are
measured where they are installed (`pip install openvino onnx onnxruntime`).
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import io
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from _record import record
from sightline.imagery.photo import open_photo
from sightline.models import openvino_runtime
from sightline.models.bundle import load_model
from sightline.models.encoder import TorchEncoder
from sightline.models.importing import import_model
from sightline.models.network import EncoderNetwork, optimised
from sightline.models.runtimes import least_cosine, sample_inputs

Forward = Callable[[np.ndarray], np.ndarray]
SHARED = Path(os.environ.get("SIGHTLINE_DATA", Path(__file__).parents[2] / "shared" / "data"))


def torch_forward(network: torch.nn.Module) -> Forward:
    def forward(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(batch)).numpy()

    return forward


class ContiguousInput(torch.nn.Module):
    """NCHW in memory, as a plain loop stacks its tensors."""

    def __init__(self, network: EncoderNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        nchw = pixels.permute(0, 3, 1, 2).contiguous()
        return self.network(nchw.permute(0, 2, 3, 1))


def ways(
    network: EncoderNetwork, example: np.ndarray, threads: int, *, compiled: bool
) -> dict[str, Forward]:
    plain, fused = ContiguousInput(network), optimised(network)
    half = optimised(network, torch.bfloat16)
    found = {
        "torch eager float32 NCHW": torch_forward(plain),
        "torch eager float32 channels-last": torch_forward(network),
        "torch fused float32 channels-last": torch_forward(fused),
        "torch fused bfloat16 channels-last": torch_forward(half),
    }
    with torch.no_grad():
        traced = torch.jit.trace(fused, torch.from_numpy(example), check_trace=False)
        found["torch.jit frozen float32"] = torch_forward(torch.jit.freeze(traced.eval()))
    if compiled:
        found["torch.compile float32"] = torch_forward(torch.compile(fused, dynamic=True))
    if openvino_runtime.is_installed():
        model = openvino_runtime.convert(fused, example)
        for half_precision in (False, True):
            name = f"OpenVINO {'bfloat16' if half_precision else 'float32'}"
            found[name] = openvino_runtime.compile_model(
                model, bfloat16=half_precision, threads=threads
            )
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        found["ONNX Runtime float32"] = onnx_forward(fused, example, threads)
    return found


class EvenPooling(torch.nn.Module):
    """The same mean over even cells, written so that ONNX's exporter can say it."""

    def __init__(self, regions: int) -> None:
        super().__init__()
        self.regions = regions

    def forward(self, features: torch.Tensor, _prefix: torch.Tensor | None) -> torch.Tensor:
        n, d, height, width = features.shape
        r = self.regions
        cells = features.reshape(n, d, r, height // r, r, width // r).mean(dim=(3, 5))
        cells = cells.flatten(2).transpose(1, 2)
        return cells / cells.mean(dim=1, keepdim=True).norm(dim=2, keepdim=True)


def onnx_forward(network: EncoderNetwork, example: np.ndarray, threads: int) -> Forward:
    import onnxruntime

    network = copy.deepcopy(network)
    network.pooling = EvenPooling(network.pooling.regions)
    buffer = io.BytesIO()
    torch.onnx.export(
        network,
        (torch.from_numpy(example),),
        buffer,
        input_names=["pixels"],
        output_names=["cells"],
        dynamic_axes={"pixels": {0: "n"}, "cells": {0: "n"}},
        dynamo=False,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(buffer.getvalue(), options)
    return lambda batch: session.run(None, {"pixels": batch})[0]


def measure_ways(
    encoder: TorchEncoder, rounds: int, threads: int, *, compiled: bool
) -> list[dict[str, Any]]:
    pixels = sample_inputs(16, encoder.settings.preprocessing.size)
    network = encoder.network
    candidates = ways(network, pixels[:1], threads, compiled=compiled)
    expected = candidates["torch eager float32 NCHW"](pixels)
    rows = []
    for name, forward in candidates.items():
        rows.append({"way": name, "least_cosine": least_cosine(forward(pixels), expected)})
    for batch in (1, 16):
        best = dict.fromkeys(candidates, float("inf"))
        for _ in range(rounds * (4 if batch == 1 else 1)):
            for name, forward in candidates.items():
                start = time.perf_counter()
                forward(pixels[:batch])
                best[name] = min(best[name], (time.perf_counter() - start) / batch)
        for row in rows:
            row[f"ms_per_photo_batch_{batch}"] = round(best[row["way"]] * 1000, 2)
    return rows


def plain_loop(encoder: TorchEncoder, paths: list[Path]) -> np.ndarray:
    """Pillow open, resize, eager float32 NCHW, batch 16."""
    forward = torch_forward(ContiguousInput(encoder.network))
    height, width = encoder.settings.preprocessing.size
    vectors = []
    for start in range(0, len(paths), 16):
        batch = [
            np.asarray(
                Image.open(p).convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
            )
            for p in paths[start : start + 16]
        ]
        vectors.append(forward(np.stack(batch)))
    return np.concatenate(vectors)


def pipeline(encoder: TorchEncoder, paths: list[Path]) -> np.ndarray:
    """Scaled decoding in threads beside the forward pass."""

    def prepare(path: Path) -> np.ndarray:
        return encoder.prepare(open_photo(path, at_least=encoder.decode_size).pixels)

    vectors = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        ready = pool.map(prepare, paths)
        batch = []
        for pixels in ready:
            batch.append(pixels)
            if len(batch) == 16:
                vectors.append(encoder.encode_prepared(np.stack(batch)))
                batch = []
        if batch:
            vectors.append(encoder.encode_prepared(np.stack(batch)))
    return np.concatenate(vectors)


def upright_jpegs(folder: Path, limit: int) -> list[Path]:
    """Photos that plain Pillow shows as we do: no orientation tag, no panorama."""
    found = []
    for path in sorted(folder.rglob("*.jpg")):
        with Image.open(path) as image:
            if image.getexif().get(0x0112, 1) == 1:
                found.append(path)
    step = max(1, len(found) // limit)
    return found[::step][:limit]


def measure_photos(encoder: TorchEncoder, paths: list[Path], rounds: int) -> dict[str, Any]:
    encoder.warm_up()
    pipeline(encoder, paths[:16])
    best = {
        "plain loop": float("inf"),
        "pipeline": float("inf"),
        "decode and resize only": float("inf"),
    }
    for _ in range(rounds):
        start = time.perf_counter()
        expected = plain_loop(encoder, paths)
        best["plain loop"] = min(best["plain loop"], time.perf_counter() - start)
        start = time.perf_counter()
        found = pipeline(encoder, paths)
        best["pipeline"] = min(best["pipeline"], time.perf_counter() - start)
        start = time.perf_counter()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(
                pool.map(
                    lambda p: encoder.prepare(open_photo(p, at_least=encoder.decode_size).pixels),
                    paths,
                )
            )
        best["decode and resize only"] = min(
            best["decode and resize only"], time.perf_counter() - start
        )
    globals_found, globals_expected = found.mean(axis=1), expected.mean(axis=1)
    cosines = (globals_found * globals_expected).sum(axis=1) / (
        np.linalg.norm(globals_found, axis=1) * np.linalg.norm(globals_expected, axis=1)
    )
    return {
        "photos": len(paths),
        "photos_per_second": {k: round(len(paths) / v, 2) for k, v in best.items()},
        "speedup": round(best["plain loop"] / best["pipeline"], 2),
        "cosine_to_plain_loop": {
            "least": float(cosines.min()),
            "fifth_percentile": float(np.quantile(cosines, 0.05)),
            "median": float(np.median(cosines)),
            "share_at_least_0.999": float((cosines >= 0.999).mean()),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path, default=SHARED / "photos")
    parser.add_argument("--weights", type=Path, default=SHARED / "weights" / "mobilenetv2_100")
    parser.add_argument("--limit", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile too; needs a compiler"
    )
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        import_model(
            bundle,
            given.weights / "config.json",
            given.weights / "mobilenetv2_100.imagenet1k.safetensors",
        )
        encoder = load_model(bundle, threads=given.threads)
        ways_measured = measure_ways(encoder, given.rounds, given.threads, compiled=given.compile)
        paths = upright_jpegs(given.photos, given.limit)
        photos = {}
        for runtime in ("torch", *(("openvino",) if openvino_runtime.is_installed() else ())):
            chosen = load_model(bundle, runtime=runtime, threads=given.threads)
            photos[runtime] = {
                **measure_photos(chosen, paths, given.rounds),
                "computes": chosen.warm_up().to_json(),
            }
    payload = {
        "network": "mobilenetv2_100 cut after blocks.5.0.bn1, 448 x 448, 2 x 2 regions",
        "threads": given.threads,
        "load_average": list(os.getloadavg()),
        "ways": ways_measured,
        "photos": photos,
    }
    print(record("encoder", payload))


if __name__ == "__main__":
    main()
