"""What a classifier of places is known by: one hash for its vectors, one for its answers."""

from __future__ import annotations

import json
from collections.abc import Mapping

from torch import Tensor

from sightline.models.global_network import GlobalNetwork
from sightline.models.global_settings import GlobalSettings
from sightline.models.weights import state_digest

# Raised whenever this code would turn the same settings and weights into other vectors, or the same
# vectors into other log-probabilities.
_FINGERPRINT_SCHEMA = "sightline.fingerprint.global/1"
_CLASSIFIER_SCHEMA = "sightline.fingerprint.global-classifier/1"

_HEAD = "classifier.head."
_RESIDUAL = "residual."


def vector_fingerprint(network: GlobalNetwork, settings: GlobalSettings) -> str:
    """Hash of everything that changes a vector: backbone, pooling, residual module, preprocessing.

    Returns:
        64 hexadecimal digits.
    """
    # Without the head: what an atlas holds are vectors, which are taken before it. A head that is
    # trained further over the same backbone, or over other cells, leaves them as they are, and an
    # atlas of millions of photos must not be built anew for it. Whatever trains the backbone along
    # with the head changes the backbone's weights, and so this hash.
    state = network.state_dict()
    # Where the module has its residual connection, nothing is said of it: that is what all had
    # before there was a choice, and their atlases stay valid.
    unsaid = {"residual_skip"} if settings.residual_skip else set[str]()
    return _digest(_FINGERPRINT_SCHEMA, settings, {"head", *unsaid}, _without(state, _HEAD))


def classifier_fingerprint(network: GlobalNetwork, settings: GlobalSettings) -> str:
    """Hash of everything that changes a log-probability: all but the residual module.

    Returns:
        64 hexadecimal digits.
    """
    state = network.state_dict()
    of_vectors = {"residual_hidden", "residual_skip"}
    return _digest(_CLASSIFIER_SCHEMA, settings, of_vectors, _without(state, _RESIDUAL))


def _digest(
    schema: str, settings: GlobalSettings, left_out: set[str], state: Mapping[str, Tensor]
) -> str:
    fixed = {key: value for key, value in settings.to_json().items() if key not in left_out}
    document = json.dumps(fixed, sort_keys=True, default=list)
    return state_digest(f"{schema}\n{document}\n", state)


def _without(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in state.items() if not key.startswith(prefix)}
