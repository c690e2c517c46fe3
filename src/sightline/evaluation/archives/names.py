"""What an archive's arrays mean, and the names under which published code saves them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from sightline.errors import EvaluationError

MEANINGS: dict[str, str] = {
    "queries": "one vector per query, (n, d)",
    "references": "one vector per reference, (m, d)",
    "positives": "per query the numbers of its references, counted from 0, padded with -1",
    "semi_positives": "per query the references that are neither right nor wrong",
    "ignore": "per query the references to leave out",
    "positive_then_semi": "per query its reference, then those that are neither right nor wrong",
    "paired_labels": "row numbers that queries and references share",
    "query_labels": "the place of each query as a number",
    "reference_labels": "the place of each reference as a number; -1 is left out",
    "query_latlon": "degrees, latitude first, (n, 2)",
    "reference_latlon": "degrees, latitude first, (m, 2)",
    "groups": "per query what it shares with others, such as a place",
    "query_hashes": "per query a hash of its content",
    "reference_hashes": "per reference a hash of its content",
}
"""What an archive can hold, each with its shape and unit."""

# Where the names come from:
#   CVFT              YujiaoShi/cross_view_localization_CVFT, script/Geo_test_act.py (savemat)
#   SAFA, L2LTR,      their test scripts' variables, under which they are saved by hand
#   GeoDTR
#   TransGeo          Jeff-Zilence/TransGeo2022, train.py (np.save; FRGeo's train.py is its copy)
#   VIGOR             Jeff-Zilence/VIGOR, train_overall.py and evaluate_from_npy.py (np.save)
#   University-1652   layumi/University1652-Baseline, test.py and evaluate_gpu.py (savemat)
#   VPR evaluation    gmberton/VPR-methods-evaluation, main.py --save_descriptors (np.save)
#   Sample4Geo        Skyy93/Sample4Geo, sample4geo/evaluate/*.py (variables)
#   fixtures          this project's conformance files; WITW's are "surface" and "overhead"
SYNONYMS: dict[str, str] = {
    **{name: name for name in MEANINGS if name not in ("positive_then_semi", "paired_labels")},
    "grd_global_descriptor": "queries",  # CVFT, SAFA, L2LTR, GeoDTR, TransGeo, VIGOR
    "sat_global_descriptor": "references",
    "grd_descriptor": "queries",  # VIGOR, evaluate_from_npy.py
    "sat_descriptor": "references",
    "query_features": "queries",  # TransGeo, Sample4Geo
    "reference_features": "references",
    "query_f": "queries",  # University-1652
    "gallery_f": "references",
    "query_label": "query_labels",
    "gallery_label": "reference_labels",
    "img_features_query": "queries",  # Sample4Geo, evaluate/university.py
    "img_features_gallery": "references",
    "ids_query": "query_labels",
    "ids_gallery": "reference_labels",
    "queries_descriptors": "queries",  # VPR evaluation
    "database_descriptors": "references",
    "surface": "queries",  # fixtures
    "overhead": "references",
    "ground": "queries",  # fixtures, and the usual words
    "grd": "queries",
    "query": "queries",
    "aerial": "references",
    "satellite": "references",
    "sat": "references",
    "reference": "references",
    "gallery": "references",
    "database": "references",
    "vigor_labels": "positive_then_semi",  # VIGOR's labels, (n, 4): true tile, three neighbours
    "labels": "paired_labels",  # fixtures: 0, 1, 2, ...
}
"""Every name that is read, in lower case, and what it means."""

# Above this ratio a name is a slip of the pen: "positive", "semi_positive", "query_latlng".
_SLIP = 0.85


def meanings_of(names: Iterable[str], path: Path) -> tuple[dict[str, str], list[str]]:
    """Find what each array means.

    Args:
        names: The arrays of an archive.
        path: The archive, for errors.

    Returns:
        From each meaning that was found to the array's name, and the names that mean nothing here.

    Raises:
        EvaluationError: Two arrays mean the same, a name is nearly one that would be read, or
            queries or references are missing.
    """
    found: dict[str, str] = {}
    unknown = []
    for name in names:
        meaning = SYNONYMS.get(name.lower())
        if meaning is None:
            unknown.append(name)
        elif meaning in found:
            raise EvaluationError(
                f"{str(path)!r} holds two arrays of {meaning}: {found[meaning]!r} and {name!r}.",
                hint="Keep the one to evaluate.",
                path=path,
            )
        else:
            found[meaning] = name
    for name in unknown:
        _refuse_slip(name, found, path)
    for meaning in ("queries", "references"):
        if meaning not in found:
            held = ", ".join([*found.values(), *unknown][:20])
            raise EvaluationError(
                f"{str(path)!r} has no array of {meaning}. It has "
                f"{'the arrays ' + held if held else 'no array at all'}.",
                hint=f"Save it as {meaning!r}: {MEANINGS[meaning]}.",
                path=path,
            )
    return found, unknown


def _refuse_slip(name: str, found: dict[str, str], path: Path) -> None:
    """A misspelt array must not be left out in silence: it would change the score."""
    # Axes the other way round are no slip, and must not be left out either.
    plain = name.lower().replace("lonlat", "latlon").replace("lnglat", "latlon")
    for near in difflib.get_close_matches(plain, SYNONYMS, n=3, cutoff=_SLIP):
        meaning = SYNONYMS[near]
        if meaning not in found:
            raise EvaluationError(
                f"{str(path)!r} holds an array {name!r}, which is not read and looks like "
                f"{near!r}.",
                hint=f"If it holds {MEANINGS[meaning]}, call it {near!r}; else leave it out.",
                path=path,
            )
