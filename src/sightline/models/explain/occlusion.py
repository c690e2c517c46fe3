"""Heat by occlusion: what the similarity loses where a window is covered. Slow, and no theory."""

from __future__ import annotations

import torch
from torch import Tensor

from sightline.errors import UsageError
from sightline.models.explain.pair import PairSimilarity


@torch.no_grad()
def occlusion_heat(
    pair: PairSimilarity,
    first: Tensor,
    second: Tensor,
    *,
    window: int | None = None,
    batch: int = 32,
) -> tuple[Tensor, Tensor, Tensor]:
    """Cover windows, which overlap by half, with the picture's mean colour, one after the other.

    Zeiler and Fergus, *Visualizing and understanding convolutional networks* (ECCV 2014), section
    4.2. Of one pair both pictures are covered, never at once.

    Args:
        pair: What is explained.
        first: uint8 (n, 3, h, w).
        second: uint8 (n, 3, h', w').
        window: Side in pixels; an eighth of the shorter side of a picture if None.
        batch: Covered pictures at once.

    Returns:
        Heat (n, h, w) and (n, h', w'), the mean loss over the windows that cover a pixel, and the
        similarities (n,).

    Raises:
        UsageError: A window that is larger than a picture.
    """
    with pair.ready():
        similarity = pair.similarity(first, second)
        heats = []
        for number, pixels in enumerate((first, second)):
            height, width = pixels.shape[2:]
            side = max(2, min(height, width) // 8) if window is None else window
            if not 1 <= side <= min(height, width):
                raise UsageError(
                    f"The window must be from 1 to {min(height, width)} pixels. Got {side}.",
                    hint="An eighth of the picture is a good start.",
                )
            places = [(y, x) for y in _starts(height, side) for x in _starts(width, side)]
            total = torch.zeros(len(pixels), height, width)
            covers = torch.zeros(height, width)
            for y, x in places:
                covers[y : y + side, x : x + side] += 1
            jobs = [(row, place) for row in range(len(pixels)) for place in places]
            for start in range(0, len(jobs), batch):
                part = jobs[start : start + batch]
                rows = torch.tensor([row for row, _ in part])
                covered = _covered(pixels, part, side)
                pictures = (covered, second[rows]) if number == 0 else (first[rows], covered)
                lost = (similarity[rows] - pair.similarity(*pictures)).float().cpu()
                for (row, (y, x)), loss in zip(part, lost, strict=True):
                    total[row, y : y + side, x : x + side] += loss
            heats.append(total / covers)
    return heats[0], heats[1], similarity


def _starts(length: int, side: int) -> list[int]:
    step = max(1, side // 2)
    return sorted({*range(0, length - side + 1, step), length - side})


def _covered(pixels: Tensor, jobs: list[tuple[int, tuple[int, int]]], side: int) -> Tensor:
    """Copies (jobs, 3, h, w) of pictures, each with one window of their mean colour."""
    copies = pixels[[row for row, _ in jobs]].clone()
    means = copies.float().mean(dim=(2, 3)).round().to(copies.dtype)
    for copy, mean, (_, (y, x)) in zip(copies, means, jobs, strict=True):
        copy[:, y : y + side, x : x + side] = mean[:, None, None]
    return copies
