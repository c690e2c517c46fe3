"""Strong changes of light and colour, as between two days, two cameras, two hours.

Differences between features of a photo and of its re-coloured self show which directions of the
feature space answer to light rather than to place; whitening turns them down.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Rec. 709 luma.
_LUMA = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


def recolour(pixels: NDArray[np.uint8], generator: np.random.Generator) -> NDArray[np.uint8]:
    """One random re-colouring: exposure curve, white balance, contrast and saturation.

    Args:
        pixels: uint8 RGB (..., 3); all of it is changed alike.
        generator: Decides how.

    Returns:
        uint8 (..., 3).
    """
    # Drawn on logarithmic scales, so that twice as bright is as likely as half as bright.
    gamma = np.exp(generator.uniform(np.log(0.45), np.log(2.2)))
    balance = np.exp(generator.uniform(np.log(0.7), np.log(1.43), size=3)).astype(np.float32)
    contrast = np.exp(generator.uniform(np.log(0.5), np.log(1.6)))
    saturation = generator.uniform(0.2, 1.8)
    level = np.linspace(0.0, 1.0, 256, dtype=np.float32) ** np.float32(gamma)
    values = level[pixels] * (balance / balance.mean())
    middle = values.mean()
    values = (values - middle) * np.float32(contrast) + middle
    grey = (values @ _LUMA)[..., None]
    values = grey + (values - grey) * np.float32(saturation)
    return np.asarray(np.clip(np.rint(values * 255.0), 0, 255), dtype=np.uint8)
