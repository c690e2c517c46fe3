"""Splits that keep what belongs together on one side, and the check that nothing crosses them."""

from sightline.datasets.splits.assignment import DEFAULT_SHARES, Assignment
from sightline.datasets.splits.buffer import leave_out_near
from sightline.datasets.splits.check import Crossing, SplitReport, check
from sightline.datasets.splits.group import by_cell, by_photographer
from sightline.datasets.splits.place import by_place

__all__ = [
    "DEFAULT_SHARES",
    "Assignment",
    "Crossing",
    "SplitReport",
    "by_cell",
    "by_photographer",
    "by_place",
    "check",
    "leave_out_near",
]
