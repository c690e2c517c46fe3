"""Two pictures and what compares them, whatever the model: what an explanation may know of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sightline.errors import EncoderError, UsageError
from sightline.models.backbone import CutBackbone
from sightline.models.cross_view import BOTH, CrossViewNetwork
from sightline.models.cross_view_settings import can_turn
from sightline.models.global_network import GlobalNetwork
from sightline.models.heads import TokenProjection, unit
from sightline.models.network import EncoderNetwork
from sightline.models.region_shifts import shift_scores
from sightline.models.trunk import Trunk

if TYPE_CHECKING:
    from sightline.models.cross_view_encoder import TorchCrossViewEncoder
    from sightline.models.encoder import TorchEncoder
    from sightline.models.global_encoder import TorchGlobalEncoder


@dataclass(frozen=True, slots=True, eq=False)
class ViewTrunk:
    """The backbone that one of the two pictures goes through.

    Attributes:
        trunk: Gives (n, c, h, w) and the tokens that stand for no place, or None.
        size: (height, width) of its pictures in pixels.
        run: Runs it on pictures uint8 (n, 3, height, width).
        reads_tokens: Whether what follows reads those tokens and no place.
        polar: Whether its maps are unrolled around the picture's centre.
    """

    trunk: Trunk | CutBackbone
    size: tuple[int, int]
    run: Callable[[Tensor], object]
    reads_tokens: bool = False
    polar: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class PairSimilarity:
    """A similarity of pairs of pictures.

    Attributes:
        module: Everything that computes it.
        similarity: From pictures uint8 (n, 3, h, w) and (n, 3, h', w') to (n,); it runs the trunk
            of the first view before that of the second, each once.
        views: Of the first and of the second picture.
    """

    module: nn.Module
    similarity: Callable[[Tensor, Tensor], Tensor]
    views: tuple[ViewTrunk, ViewTrunk]

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Evaluate, without gradients of weights; modes and flags are put back afterwards."""
        modes = [(module, module.training) for module in self.module.modules()]
        wanted = [weight for weight in self.module.parameters() if weight.requires_grad]
        self.module.eval()
        for weight in wanted:
            weight.requires_grad = False
        try:
            yield
        finally:
            for weight in wanted:
                weight.requires_grad = True
            for module, training in modes:
                module.training = training


def pair_of(
    encoder: TorchCrossViewEncoder
    | TorchEncoder
    | TorchGlobalEncoder
    | CrossViewNetwork
    | EncoderNetwork
    | GlobalNetwork,
    *,
    heading_degrees: float | None = None,
    phases: int | None = None,
) -> PairSimilarity:
    """What compares the two pictures of a model: photo and patch, or two photos.

    Args:
        encoder: Of a bundle, or its bare network.
        heading_degrees: Of the photos' centre columns, for cross-view networks that use it.
        phases: For networks of unknown heading: compare under every shift of the regions and so
            many turns of the patch within one, as
            :func:`sightline.models.region_shifts.shift_scores` does, and take the best. The
            encoder's own if None; a bare network is then compared without.

    Raises:
        EncoderError: An encoder of another kind, or one that encodes several crops of a photo.
        UsageError: A heading that is no number, or for a model that has no use of it.
    """
    if heading_degrees is not None and not math.isfinite(heading_degrees):
        raise UsageError(
            f"The heading must be a finite number of degrees. Got {heading_degrees!r}.",
            hint="Give the bearing of the photo's centre, or leave it out.",
        )
    network = getattr(encoder, "network", encoder)
    settings = getattr(encoder, "settings", None)
    if isinstance(network, CrossViewNetwork):
        unknown = getattr(settings, "heading", None) == "unknown" and can_turn(network)
        if phases is None and unknown:
            phases = int(getattr(encoder, "aerial_turns", 1))
        return _cross_view(network, heading_degrees, phases)
    if not isinstance(network, (EncoderNetwork, GlobalNetwork)):
        raise EncoderError(
            "Only a torch encoder, of one view or of two, can be explained. "
            f"Got {type(encoder).__name__}.",
            hint="Open a bundle with sightline.models.bundle.load_model.",
        )
    views = getattr(settings, "views", "whole")
    if views != "whole":
        raise EncoderError(
            f"The encoder averages {views} crops of a photo, and heatmaps are of one.",
            hint="Import the model again with --views whole to explain it.",
        )
    if heading_degrees is not None:
        raise UsageError(
            f"A model of photos alone has no use of headings. Got {heading_degrees!r}.",
            hint="Leave the heading out.",
        )
    return _photos(network) if isinstance(network, EncoderNetwork) else _retrieval(network)


def _photos(network: EncoderNetwork) -> PairSimilarity:
    def encode(pixels: Tensor) -> Tensor:
        return unit(network(pixels.permute(0, 2, 3, 1)).mean(dim=1))

    view = ViewTrunk(
        network.backbone,
        network.backbone.input_size,
        encode,
        reads_tokens=network.pooling.method == "class",
    )
    return PairSimilarity(
        network, lambda first, second: _cosines(encode(first), encode(second)), (view, view)
    )


def _retrieval(network: GlobalNetwork) -> PairSimilarity:
    trunk = network.classifier.trunk
    view = ViewTrunk(trunk, trunk.input_size, trunk)
    return PairSimilarity(
        network, lambda first, second: _cosines(network(first), network(second)), (view, view)
    )


def _cross_view(
    network: CrossViewNetwork, heading_degrees: float | None, phases: int | None
) -> PairSimilarity:
    def encode_ground(pixels: Tensor) -> Tensor:
        headings = None
        if heading_degrees is not None:
            headings = torch.full((len(pixels),), float(heading_degrees), device=pixels.device)
        return network.encode_ground(pixels, headings)

    def plain(ground: Tensor, aerial: Tensor) -> Tensor:
        return _cosines(encode_ground(ground), network.encode_aerial(aerial))

    def best_turn(ground: Tensor, aerial: Tensor) -> Tensor:
        regions = network.regions_of(encode_ground(ground))
        turned = network.encode_aerial_turned(aerial, phases or 1)
        scores = [
            shift_scores(one[None], other[None]).amax()
            for one, other in zip(regions, turned, strict=True)
        ]
        return torch.stack(scores)

    views = (_view(network, "ground"), _view(network, "aerial"))
    turning = phases is not None and heading_degrees is None
    return PairSimilarity(network, best_turn if turning else plain, views)


def _view(network: CrossViewNetwork, name: str) -> ViewTrunk:
    trunk = network.trunks[BOTH if BOTH in network.trunks else name]
    head = network.heads[BOTH if BOTH in network.heads else name]
    if not isinstance(trunk, Trunk):
        raise UsageError(f"The {name} trunk is a {type(trunk).__name__}.", hint="Use a Trunk.")
    polar = network.polar if name == "aerial" else None

    def run(pixels: Tensor) -> object:
        return trunk(pixels if polar is None else polar(pixels))

    return ViewTrunk(
        trunk,
        network.input_sizes[name],
        run,
        reads_tokens=isinstance(head, TokenProjection),
        polar=polar is not None,
    )


def _cosines(first: Tensor, second: Tensor) -> Tensor:
    cosines: Tensor = torch.linalg.vecdot(first, second)
    return cosines
