"""The one module that imports OpenVINO: an encoder's network compiled for the processor."""

from __future__ import annotations

import importlib.util
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sightline.errors import DependencyError

Forward = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def is_installed() -> bool:
    """Whether OpenVINO can be imported, without importing it."""
    return importlib.util.find_spec("openvino") is not None


def convert(network: nn.Module, example: NDArray[np.uint8]) -> Any:
    """Trace a network in memory; nothing is written or downloaded.

    Args:
        network: Takes uint8 (n, height, width, 3), returns float32 (n, r * r, d).
        example: One such input; height and width become fixed, n stays free.

    Raises:
        DependencyError: OpenVINO is not installed.
    """
    if not is_installed():
        raise DependencyError(
            "The runtime 'openvino' needs the package openvino, which is not installed.",
            hint="Install it with `pip install openvino`, or use the runtime 'torch'.",
        )
    openvino = _openvino()
    with torch.no_grad(), warnings.catch_warnings():
        # OpenVINO traces with torch.jit, which torch says will go; shapes inside are constants.
        warnings.simplefilter("ignore")
        return openvino.convert_model(
            network, example_input=torch.from_numpy(example), input=[-1, *example.shape[1:]]
        )


def compile_model(model: Any, *, bfloat16: bool, threads: int | None) -> Forward:
    """Compile a converted network; the result may be called from several threads at once.

    Args:
        model: From :func:`convert`.
        bfloat16: Allow bfloat16 where the processor has it; float32 otherwise.
        threads: Threads of one inference; all cores if None.
    """
    openvino = _openvino()
    options: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    if threads is not None:
        options["INFERENCE_NUM_THREADS"] = threads
    compiled = openvino.Core().compile_model(model, "CPU", options)
    local = threading.local()

    def forward(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        # A request holds its own buffers: one for each thread that asks.
        if not hasattr(local, "request"):
            local.request = compiled.create_infer_request()
        outputs = local.request.infer([batch], share_inputs=True)
        return np.array(outputs[0], dtype=np.float32)

    return forward


def _openvino() -> Any:
    # OpenVINO reports its import and every conversion to its maker if this module can be imported;
    # it has a silent stand-in for where it cannot. We never phone home.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino
