"""What people need to know of a bundle."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What people need to know of a bundle.

    Args:
        name: A short name.
        licence: Of the weights, as an SPDX identifier where there is one; "unknown" if unknown.
        provenance: Where the weights come from.
        intended_use: What the bundle is for, and what it is not for.
    """

    name: str
    licence: str = "unknown"
    provenance: str = "unknown"
    intended_use: str = (
        "Finding photos of the same place among references with known coordinates. "
        "Not for locating people without their consent."
    )

    def about(self) -> dict[str, str]:
        """What an encoder tells of itself besides its name."""
        return {
            "licence": self.licence,
            "provenance": self.provenance,
            "intended_use": self.intended_use,
        }
