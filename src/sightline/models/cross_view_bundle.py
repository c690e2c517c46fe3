"""A cross-view network as a bundle: what it is, what fixes it, and its weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from sightline.errors import BundleError, UsageError
from sightline.models.card import ModelCard
from sightline.models.cross_view import CrossViewNetwork
from sightline.models.cross_view_encoder import TorchCrossViewEncoder
from sightline.models.cross_view_preprocessing import normalisation_of
from sightline.models.cross_view_settings import CrossViewSettings
from sightline.models.runtimes import Precision, RuntimeName
from sightline.models.settings import is_number
from sightline.models.weights import check_state


@dataclass(frozen=True, slots=True, eq=False)
class CrossViewBundle:
    """A bundle of a cross-view network in memory.

    Args:
        card: For people.
        settings: The network without its weights. A normalisation that they leave open is the
            network's.
        network: What :meth:`CrossViewSettings.build` made, trained or not.

    Raises:
        BundleError: The network normalises otherwise than the settings say.
    """

    card: ModelCard
    settings: CrossViewSettings
    network: CrossViewNetwork

    def __post_init__(self) -> None:
        mean, std = normalisation_of(self.network)
        given = self.settings.preprocessing
        for name, said, found in (("mean", given.mean, mean), ("std", given.std, std)):
            if said is not None and not np.allclose(said, found, rtol=1e-6):
                raise BundleError(
                    f"The settings say that the {name} is {said}, and the network's is {found}.",
                    hint="Save a network with the settings that it was built with.",
                )
        preprocessing = replace(given, mean=given.mean or mean, std=given.std or std)
        object.__setattr__(self, "settings", replace(self.settings, preprocessing=preprocessing))

    def encoder(
        self,
        *,
        device: str = "cpu",
        precision: Precision = "auto",
        runtime: RuntimeName = "auto",
        threads: int | None = None,  # noqa: ARG002 - torch's own setting is left alone
    ) -> TorchCrossViewEncoder:
        """The encoder that this bundle holds, which takes the network over."""
        return TorchCrossViewEncoder(
            self.network,
            self.settings,
            name=self.card.name,
            about=self.card.about(),
            device=device,
            precision=precision,
            runtime=runtime,
        )

    def to_json(self) -> dict[str, Any]:
        """What stands under ``cross_view`` in ``model.json``."""
        return {**self.settings.to_json(), "dimension": self.network.dimension}


def read_cross_view(card: ModelCard, document: object, state: dict[str, Tensor]) -> CrossViewBundle:
    """Build the network of a document and load its weights, every key and shape checked.

    Args:
        card: For people.
        document: What :meth:`CrossViewBundle.to_json` wrote.
        state: The network's weights, in float32.

    Raises:
        BundleError: A setting that cannot be, or weights that do not fit.
    """
    values = dict(document) if isinstance(document, dict) else document
    dimension = values.pop("dimension", None) if isinstance(values, dict) else None
    settings = CrossViewSettings.from_json(values)
    try:
        network = settings.build()
    except UsageError as cause:
        raise BundleError(
            f"The cross-view network cannot be built: {cause.message}",
            hint=f"A newer Sightline may know it. {cause.hint}",
        ) from cause
    if not is_number(dimension) or dimension != network.dimension:
        raise BundleError(
            f"The bundle says that its vectors have the dimension {dimension!r}, and its network "
            f"makes {network.dimension}.",
            hint="Copy the bundle again, or save it with this version.",
        )
    check_state(network, state)
    network.load_state_dict(state, strict=True)
    return CrossViewBundle(card, settings, network.eval())
