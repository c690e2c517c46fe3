"""Ways to run one network, and the measured choice between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import EncoderError
from sightline.models import openvino_runtime
from sightline.models.network import EncoderNetwork, optimised

Precision = Literal["auto", "float32", "bfloat16"]
RuntimeName = Literal["auto", "torch", "openvino"]
Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

# A faster way of computing may turn a vector by this much at most.
LEAST_COSINE = 0.999
# Photos with large flat areas lose about four times as much to bfloat16 as the sample inputs do
# (benchmarks/encoder.py), so what is taken unasked has to do that much better on them.
LEAST_COSINE_UNASKED = 1.0 - (1.0 - LEAST_COSINE) / 4
# Being faster by less than this is noise.
LEAST_SPEEDUP = 1.1
_CHECKED_PHOTOS = 4
_REPETITIONS = 3


@dataclass(frozen=True, slots=True)
class Trial:
    """One way that was tried.

    Args:
        runtime: ``torch`` or ``openvino``.
        precision: ``float32`` or ``bfloat16``.
        cosine: The smallest cosine to plain float32 over all cells of the sample inputs.
        seconds_per_view: Best of a few runs.
    """

    runtime: str
    precision: str
    cosine: float
    seconds_per_view: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The way that was chosen, and the trials that led to it.

    Args:
        forward: uint8 (n, height, width, 3) to float32 (n, r * r, d).
        runtime: Its runtime.
        precision: Its precision.
        trials: All that was measured; empty if nothing was to choose.
    """

    forward: Forward
    runtime: str
    precision: str
    trials: tuple[Trial, ...]

    def to_json(self) -> dict[str, Any]:
        """What ``describe`` records."""
        return {
            "runtime": self.runtime,
            "precision": self.precision,
            "trials": [asdict(t) for t in self.trials],
        }


def choose(
    network: EncoderNetwork,
    size: tuple[int, int],
    *,
    device: str = "cpu",
    precision: Precision = "auto",
    runtime: RuntimeName = "auto",
    threads: int | None = None,
) -> Choice:
    """Try the allowed ways on sample inputs and keep the fastest that keeps the vectors.

    Plain float32 in torch is the measure, and the answer when nothing else keeps to it.

    Args:
        network: Computes in float32.
        size: (height, width) of the input.
        device: Where torch computes.
        precision: One precision, or ``auto``.
        runtime: One runtime, or ``auto``.
        threads: Threads of an OpenVINO inference; torch's are never changed.

    Raises:
        EncoderError: The one way that was asked for does not keep the vectors.
        DependencyError: The runtime that was asked for is not installed.
    """
    samples = sample_inputs(_CHECKED_PHOTOS, size)
    plain = _torch_forward(network, device)
    expected = plain(samples)
    trials: list[Trial] = []
    best: tuple[Trial, Forward] | None = None
    for name, kind, forward in _ways(network, samples, device, precision, runtime, threads):
        cosine = least_cosine(forward(samples), expected)
        trial = Trial(name, kind, cosine, _seconds(forward, samples))
        trials.append(trial)
        if cosine < (LEAST_COSINE_UNASKED if precision == "auto" else LEAST_COSINE):
            continue
        if best is None or trial.seconds_per_view * LEAST_SPEEDUP < best[0].seconds_per_view:
            best = (trial, forward)
    if best is not None:
        return Choice(best[1], best[0].runtime, best[0].precision, tuple(trials))
    if precision == "bfloat16" or runtime == "openvino":
        raise EncoderError(
            f"Running as {runtime} in {precision} turns vectors to a cosine of "
            f"{max(t.cosine for t in trials):.5f}, below {LEAST_COSINE}.",
            hint="Use the precision 'auto', which falls back to float32.",
        )
    return Choice(plain, "torch", "float32", tuple(trials))


def _ways(
    network: EncoderNetwork,
    samples: NDArray[np.uint8],
    device: str,
    precision: Precision,
    runtime: RuntimeName,
    threads: int | None,
) -> Iterator[tuple[str, str, Forward]]:
    kinds = ("float32", "bfloat16") if precision == "auto" else (precision,)
    if runtime in ("auto", "torch"):
        for kind in kinds:
            dtype = torch.bfloat16 if kind == "bfloat16" else torch.float32
            yield "torch", kind, _torch_forward(optimised(network, dtype), device)
    wanted = runtime == "openvino"
    if wanted or (runtime == "auto" and device == "cpu" and openvino_runtime.is_installed()):
        model = openvino_runtime.convert(optimised(network), samples[:1])
        for kind in kinds:
            yield (
                "openvino",
                kind,
                openvino_runtime.compile_model(model, bfloat16=kind == "bfloat16", threads=threads),
            )


def _torch_forward(network: EncoderNetwork, device: str) -> Forward:
    network = network.to(device)

    def forward(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            cells = network(torch.from_numpy(batch).to(device))
            return np.asarray(cells.cpu().numpy(), dtype=np.float32)

    return forward


def sample_inputs(count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Seeded pictures with the falling spectrum of photos: uint8 (count, height, width, 3).

    Noise whose amplitude falls as 1/f, as that of natural images does (Field, "Relations between
    the statistics of natural images and the response properties of cortical cells", 1987), with a
    contrast and a colour of its own for each picture.
    """
    generator = np.random.default_rng(20_240_501)
    height, width = size
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    amplitude = 1.0 / np.maximum(np.hypot(rows, columns), 1.0 / max(height, width))
    pictures = np.empty((count, height, width, 3), dtype=np.uint8)
    for picture in pictures:
        noise = generator.normal(size=(3, height, width))
        waves = np.fft.irfft2(np.fft.rfft2(noise) * amplitude, s=(height, width))
        waves /= waves.std()
        mixed = np.tensordot(generator.normal(size=(3, 3)) * 0.3 + 0.6, waves, axes=1)
        level = generator.uniform(80, 170, size=(3, 1, 1))
        contrast = generator.uniform(15, 60)
        picture[:] = np.clip(level + contrast * mixed, 0, 255).transpose(1, 2, 0)
    return pictures


def least_cosine(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """The smallest cosine between corresponding vectors; -1 if any is not finite or zero."""
    a, b = found.astype(np.float64), expected.astype(np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        return -1.0
    return float(((a * b).sum(axis=-1) / lengths).min())


def _seconds(forward: Forward, samples: NDArray[np.uint8]) -> float:
    times = []
    for _ in range(_REPETITIONS):
        start = time.perf_counter()
        forward(samples)
        times.append(time.perf_counter() - start)
    return min(times) / len(samples)
