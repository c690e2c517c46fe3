"""What a cross-view network costs: parameters, multiply-adds, time.

Multiply-adds are counted by torch's own counter, which sees every matrix product, convolution and
attention as it is executed. Papers of this field call them FLOPs, as the counters they use do;
torch counts a multiply-add as two operations, and both are given here. A pair is one photo and one
patch.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from sightline.errors import UsageError
from sightline.models.cross_view import CrossViewNetwork, ViewName
from sightline.models.trunk import Trunk


@dataclass(frozen=True, slots=True)
class Complexity:
    """Costs that do not depend on the machine.

    Args:
        parameters: Numbers learned in both branches; shared ones once.
        ground_multiply_adds: Of one photo.
        aerial_multiply_adds: Of one patch.
        dimension: Of a vector.
    """

    parameters: int
    ground_multiply_adds: int
    aerial_multiply_adds: int
    dimension: int

    @property
    def pair_gigamultiply_adds(self) -> float:
        """Of one photo and one patch, in 10^9; "GFLOPs" in the papers."""
        return (self.ground_multiply_adds + self.aerial_multiply_adds) / 1e9

    @property
    def pair_gigaflops(self) -> float:
        """Of one photo and one patch, in 10^9 operations, two to a multiply-add."""
        return 2 * self.pair_gigamultiply_adds


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one forward pass.

    Args:
        median_ms: Median of the rounds.
        best_ms: Fastest round.
        images: In one pass.
    """

    median_ms: float
    best_ms: float
    images: int

    @property
    def images_per_second(self) -> float:
        """At the median."""
        return 1000.0 * self.images / self.median_ms


def count_parameters(module: nn.Module) -> int:
    """Numbers in all parameters, shared ones once."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_multiply_adds(forward: Callable[[Tensor], object], example: Tensor) -> int:
    """Multiply-adds of one call, by ``torch.utils.flop_counter``."""
    # The counter does not know the fused attention of CPUs: it would count as nothing.
    plain_attention = sdpa_kernel(SDPBackend.MATH)
    with torch.no_grad(), plain_attention, FlopCounterMode(display=False) as counter:
        forward(example)
    return int(counter.get_total_flops()) // 2


def measure_complexity(network: CrossViewNetwork) -> Complexity:
    """Count what one pair costs, at the sizes the network was built for.

    Args:
        network: Left in the mode it was in.
    """
    training = network.training
    network.eval()
    try:
        ground = count_multiply_adds(network.encode_ground, _example(network, "ground", 1))
        aerial = count_multiply_adds(network.encode_aerial, _example(network, "aerial", 1))
    finally:
        network.train(training)
    return Complexity(count_parameters(network), ground, aerial, network.dimension)


def measure_latency(
    network: CrossViewNetwork,
    view: ViewName,
    *,
    images: int = 1,
    rounds: int = 10,
    warm_ups: int = 2,
) -> Latency:
    """Time forward passes of one branch, where the network is and in its precision.

    Args:
        network: Left in the mode it was in.
        view: ``ground`` or ``aerial``.
        images: In one pass.
        rounds: Timed passes.
        warm_ups: Passes before them.

    Raises:
        UsageError: No image or no round.
    """
    if images < 1 or rounds < 1:
        raise UsageError(
            f"Latency must be measured over at least 1 image and 1 round. "
            f"Got {images} and {rounds}.",
            hint="Leave them out for 1 image and 10 rounds.",
        )
    encode = network.encode_ground if view == "ground" else network.encode_aerial
    pixels = _example(network, view, images)
    training = network.training
    network.eval()
    seconds = []
    try:
        with torch.inference_mode():
            for _ in range(warm_ups + rounds):
                begun = time.perf_counter()
                encode(pixels)
                if pixels.is_cuda:  # pragma: no cover - asks for a GPU
                    torch.cuda.synchronize(pixels.device)
                seconds.append(time.perf_counter() - begun)
    finally:
        network.train(training)
    timed = [1000.0 * s for s in seconds[warm_ups:]]
    return Latency(statistics.median(timed), min(timed), images)


def _example(network: CrossViewNetwork, view: ViewName, images: int) -> Tensor:
    trunks = network.trunks
    trunk = trunks[view if view in trunks else next(iter(trunks))]
    assert isinstance(trunk, Trunk)  # noqa: S101 - what CrossViewNetwork was given
    size = network.input_sizes[view]
    return torch.zeros(images, 3, *size, device=trunk.mean.device, dtype=trunk.mean.dtype)
