"""The doctor: which dataset a folder holds, what is missing or corrupt, what leaks, what to do."""

from sightline.datasets.doctor.examine import examine
from sightline.datasets.doctor.finding import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "examine"]
