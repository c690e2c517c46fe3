"""From a feature map to one vector: pooling, fully connected layers, tokens of a transformer.

Each has ``dimension``, the length of its vectors; none scales them to unit length, which the
network does at its end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.errors import UsageError
from sightline.models.pooling import GEM_FLOOR
from sightline.models.precision import layer_norm, wide

GlobalPoolingMethod = Literal["average", "max", "gem"]

_EPSILON = 1e-6
_LARGEST_EXPONENT = 100.0
_PROJECTION_DEVIATION = 0.005
_PROJECTION_BIAS = 0.1


class GlobalPooling(nn.Module):
    """Average, maximum or generalised mean over the map, then (if asked) a LayerNorm.

    Args:
        channels: c of the map.
        method: ``average``, ``max`` or ``gem`` (Radenović, Tolias and Chum, "Fine-tuning CNN image
            retrieval with no human annotation", 2018, equation 3, with one learned exponent).
        normalise: Whether a LayerNorm follows, as in ConvNeXt: the baseline of FRGeo.
        exponent: Where the exponent of ``gem`` starts.

    Raises:
        UsageError: No such method, or an exponent out of range.
    """

    def __init__(
        self,
        channels: int,
        method: GlobalPoolingMethod = "average",
        *,
        normalise: bool = False,
        exponent: float = 3.0,
    ) -> None:
        super().__init__()
        if method not in get_args(GlobalPoolingMethod):
            raise UsageError(
                f"The pooling must be one of {', '.join(get_args(GlobalPoolingMethod))}. "
                f"Got {method!r}.",
                hint="gem with an exponent of 3 is a good start.",
            )
        if not (math.isfinite(exponent) and 1 <= exponent <= _LARGEST_EXPONENT):
            raise UsageError(
                f"The exponent must be from 1 to {_LARGEST_EXPONENT:g}. Got {exponent!r}.",
                hint="Leave it out to use 3.",
            )
        self.dimension = channels
        self.method = method
        self.exponent = nn.Parameter(torch.tensor(float(exponent))) if method == "gem" else None
        self.norm = nn.LayerNorm(channels, eps=_EPSILON) if normalise else nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """Pool.

        Args:
            features: (n, c, h, w).

        Returns:
            (n, c), in float32 at least.
        """
        places = wide(features)
        if self.method == "max":
            pooled = places.amax(dim=(2, 3))
        elif self.exponent is not None:
            power = self.exponent.to(places.dtype).clamp(1.0, _LARGEST_EXPONENT)
            # Divided by the largest value: powers of large values overflow, of small ones vanish.
            raised = places.clamp(min=GEM_FLOOR)
            largest = raised.amax(dim=(2, 3), keepdim=True)
            mean = (raised / largest).pow(power).mean(dim=(2, 3))
            pooled = largest[..., 0, 0] * mean.pow(1.0 / power)
        else:
            pooled = places.mean(dim=(2, 3))
        return layer_norm(self.norm, pooled)


class FullyConnected(nn.Module):
    """Three fully connected layers of 512, 256 and 256 with ReLU, batch norms between them.

    Debnath, Briassouli and Popa, *Proportional Search Space Reduction* (section 3.3), after Lin et
    al. (2015). The map is flattened, as in their code. The text has a ReLU after every layer; their
    code for ResNet50 leaves out the last.

    Args:
        channels: c of the map.
        grid: (h, w) of the map.
        widths: Of the layers.
        last_relu: Whether the last layer has a ReLU too.

    Raises:
        UsageError: No layer, or one of no width.
    """

    def __init__(
        self,
        channels: int,
        grid: tuple[int, int],
        widths: Sequence[int] = (512, 256, 256),
        *,
        last_relu: bool = True,
    ) -> None:
        super().__init__()
        if not widths or min(widths) < 1:
            raise UsageError(
                f"The widths must be one or more numbers of at least 1. Got {tuple(widths)}.",
                hint="The paper has 512, 256 and 256.",
            )
        self.channels = channels
        self.grid = grid
        self.dimension = widths[-1]
        layers: list[nn.Module] = []
        before = channels * grid[0] * grid[1]
        for number, width in enumerate(widths, start=1):
            layers.append(nn.Linear(before, width))
            if number < len(widths):
                layers += [nn.ReLU(), nn.BatchNorm1d(width)]
            elif last_relu:
                layers.append(nn.ReLU())
            before = width
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Flatten and transform.

        Args:
            features: (n, c, h, w).

        Returns:
            (n, last width); with a last ReLU none is negative.

        Raises:
            UsageError: The map has another size than the layers, or a batch of one in training.
        """
        if tuple(features.shape[1:]) != (self.channels, *self.grid):
            raise UsageError(
                f"Fully connected layers for {self.channels} x {self.grid[0]} x {self.grid[1]} "
                f"must get such maps. Got {' x '.join(map(str, features.shape[1:]))}.",
                hint="Build the network for the size of the images it gets.",
            )
        if self.training and len(features) < 2:
            raise UsageError(
                "Batch norms must see at least 2 images at once in training. Got 1.",
                hint="Use a larger batch, and drop the last one if it is short.",
            )
        transformed: Tensor = self.layers(features.flatten(1))
        return transformed


class TokenProjection(nn.Module):
    """Tokens that stand for no place, each projected by a layer of its own, then averaged.

    Zhu, Shah and Chen, *TransGeo* (CVPR 2022): class and distillation token of DeiT-S.

    Args:
        channels: c of a token.
        tokens: t of them.
        dimension: Of the vector; 1,000 in the paper's code.

    Raises:
        UsageError: The network has no such token.
    """

    def __init__(self, channels: int, tokens: int, dimension: int = 1000) -> None:
        super().__init__()
        if tokens < 1:
            raise UsageError(
                "A head of tokens must have a backbone with a class token. Got one without.",
                hint="Use a vision transformer such as deit_small_distilled_patch16_224.",
            )
        self.dimension = dimension
        self.projections = nn.ModuleList(nn.Linear(channels, dimension) for _ in range(tokens))

    def forward(self, tokens: Tensor) -> Tensor:
        """Project and average.

        Args:
            tokens: (n, t, c).

        Returns:
            (n, dimension).
        """
        pairs = zip(self.projections, tokens.unbind(dim=1), strict=True)
        return torch.stack([projection(token) for projection, token in pairs]).mean(dim=0)


class LocalTransform(nn.Sequential):
    """Convolutions with ReLU and dropout over the places of a map: the layers of CVM-Net-II.

    Hu, Feng, Nguyen and Lee, *CVM-Net* (CVPR 2018), section 4.2: a first layer per view and then
    shared ones, before a NetVLAD that both views share.

    Args:
        channels: c in and out.
        kernels: Size of every layer's kernel.
        dropout: Share of values dropped after every layer in training.
    """

    def __init__(self, channels: int, kernels: Sequence[int], dropout: float = 0.1) -> None:
        layers: list[nn.Module] = []
        for kernel in kernels:
            convolution = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
            nn.init.xavier_uniform_(convolution.weight)
            layers += [convolution, nn.ReLU(), nn.Dropout(dropout)]
        super().__init__(*layers)


class Projection(nn.Linear):
    """One fully connected layer over a vector, started as in the code of CVM-Net.

    Args:
        channels: Length of the vectors it gets.
        dimension: Of those it gives; 4,096 in CVM-Net.
    """

    def __init__(self, channels: int, dimension: int = 4096) -> None:
        super().__init__(channels, dimension)
        self.dimension = dimension
        bound = 2 * _PROJECTION_DEVIATION
        nn.init.trunc_normal_(self.weight, std=_PROJECTION_DEVIATION, a=-bound, b=bound)
        nn.init.constant_(self.bias, _PROJECTION_BIAS)

    def forward(self, vectors: Tensor) -> Tensor:
        """Project.

        Args:
            vectors: (n, channels), of any float type: NetVLAD gives float32 to half weights too.

        Returns:
            (n, dimension).
        """
        return super().forward(vectors.to(self.weight.dtype))


def unit(vectors: Tensor) -> Tensor:
    """Scale rows (n, d) to unit length in float32 at least; a row of zeros stays one."""
    return functional.normalize(wide(vectors), dim=1)
