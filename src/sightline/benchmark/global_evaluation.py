"""``sightline evaluate global``: the papers' tables from one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from sightline.benchmark.ablations import (
    COMPARE_VECTORS,
    NEED_POOLED,
    TABLES,
    Ablation,
    neighbours_needed,
)
from sightline.benchmark.beside import (
    RAW,
    Beside,
    open_beside,
    refuse_apart,
    require_both,
    residual_connections,
)
from sightline.benchmark.material import (
    SeenSet,
    atlas_references,
    queries_of,
    references_of,
    see,
)
from sightline.benchmark.method_tables import main_table
from sightline.benchmark.model import retrieval_vectors
from sightline.benchmark.neighbours import Search
from sightline.benchmark.papers import FIVE_KM, LONDON, Material
from sightline.benchmark.photo_sets import PhotoSet, named_apart, open_set, own_set, refuse_known
from sightline.benchmark.results import EvaluatedSet, GlobalEvaluation
from sightline.benchmark.seen import Queries, References
from sightline.benchmark.set_shares import set_shares
from sightline.benchmark.subject import Subject, open_subject
from sightline.benchmark.tables import scored
from sightline.errors import UsageError
from sightline.evaluation.localization import LocalizationSettings
from sightline.evaluation.localization.guesses import most_frequent_place
from sightline.geo.coordinates import LatLng
from sightline.training.loops.processes import Processes, find_device
from sightline.training.loops.watching import Silent, Watcher

BUSIEST = "busiest place of training"
_LONDON = "London"
_PRIOR_PLACES = 100_000


def evaluate_global(
    model: Path,
    *,
    sets: Sequence[str] = (),
    references: Sequence[str] = (),
    atlas: Path | None = None,
    ablate: Sequence[Ablation] = (),
    beside: Sequence[Path] = (),
    thresholds_km: tuple[float, ...] | None = None,
    settings: LocalizationSettings | None = None,
    data: Path | None = None,
    features: Path | None = None,
    workers: int = 0,
    device: str = "auto",
    watcher: Watcher | None = None,
) -> GlobalEvaluation:
    """Ask a model about photos by every method, and print what the papers print.

    Photos are read as pixels; their places come from the manifests alone, never from EXIF. Pooled
    vectors are computed once, kept as Arrow files beside the model, and read the next time.

    Args:
        model: The folder of a run of task ``global`` or ``retrieval``, or of a bundle.
        sets: ``MANIFEST`` or ``MANIFEST:SPLIT`` each; by default the run's own test split.
        references: Likewise; by default what the run was trained on, if there is no atlas.
        atlas: More references, that the model's encoder built.
        ablate: Which tables besides that of the methods.
        beside: Other runs or bundles, whose vectors for retrieval are compared in the tables
            ``retrieval`` and ``residual``. What has another backbone sees queries and references
            with its own network; ``residual`` takes only modules on the model's own features.
        thresholds_km: Of all tables; by default each has its paper's.
        settings: Earth, confidence, resamples and seed.
        data: Where the run's own data lie; as for training.
        features: Where vectors are kept; those of models beside with another backbone in a folder
            for each there.
        workers: Processes that read images.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        watcher: Is told what is computed, and what may mislead.

    Raises:
        BundleError: The model holds no classifier of places.
        UsageError: Nothing to ask or to compare with, or tables that cannot be had.
        EvaluationError: A set is none, or has no places.
        SplitLeakError: The model was trained on photos or photographers of a set.
        FingerprintError: Another encoder built the atlas.
        SightlineError: What reading the data raises.
    """
    work = _Work(
        model,
        tuple(ablate),
        atlas,
        thresholds_km,
        settings or LocalizationSettings(),
        Processes(device=find_device(device)),
        watcher or Silent(),
        workers,
        data,
        features,
    )
    work.refuse_what_cannot_be(references, beside)
    others = work.beside(beside, features)
    asked = work.asked(sets)
    known = work.known(references)
    theirs = [work.seen_by(one, known) for one in others]
    found = [work.evaluated(one, known, list(zip(others, theirs, strict=True))) for one in asked]
    return GlobalEvaluation(work.subject.name, found, work.settings, work.warnings)


class _Work:
    """One call, step by step."""

    def __init__(
        self,
        model: Path,
        ablate: tuple[Ablation, ...],
        atlas: Path | None,
        thresholds_km: tuple[float, ...] | None,
        settings: LocalizationSettings,
        processes: Processes,
        watcher: Watcher,
        workers: int,
        data: Path | None,
        features: Path | None,
    ) -> None:
        self.subject = open_subject(model, watcher, data=data, features=features)
        self.settings, self.warnings = settings, list[str]()
        self._connections: dict[str, bool] = {}
        self._ablate, self._atlas, self._thresholds = ablate, atlas, thresholds_km
        self._processes, self._watcher, self._workers = processes, watcher, workers

    def refuse_what_cannot_be(self, references: Sequence[str], beside: Sequence[Path]) -> None:
        """Refuse tables that there is nothing to make of, before the work."""
        if self.subject.own is None and not references and self._atlas is None:
            raise UsageError(
                "A bundle alone does not say what to compare with.",
                hint="Give the folder of its run, --references MANIFEST:SPLIT, or --atlas DIR.",
            )
        if beside and not set(COMPARE_VECTORS) & set(self._ablate):
            raise UsageError(
                "Other models stand in the tables of vectors for retrieval alone.",
                hint="Add --ablate retrieval, or --ablate residual.",
            )
        pooled = [one for one in NEED_POOLED if one in self._ablate]
        if self._atlas is not None and pooled:
            raise UsageError(
                f"--ablate {pooled[0]} needs the references' pooled vectors, and an atlas keeps "
                "those for retrieval alone.",
                hint="Name the references with --references MANIFEST:SPLIT, without --atlas.",
            )

    def asked(self, names: Sequence[str]) -> list[PhotoSet]:
        """The sets that are asked about, none of which the model knows."""
        own = self.subject.own
        if not names:
            if own is None:
                raise UsageError(
                    "A bundle alone does not say what to ask about.",
                    hint="Name photos with --sets MANIFEST:SPLIT, or give the folder of its run.",
                )
            # Reading a run's data refuses what its recipe does not allow.
            return [own_set(own, "test", f"{self.subject.name}:test")]
        found = [open_set(name) for name in names]
        if own is None:
            self.warnings.append(
                "A bundle does not say what it was trained on: whether these photos and their "
                "photographers are new to it could not be looked up."
            )
        for one in found:
            if own is not None:
                refuse_known(one, own)
            if without := one.unhashed:
                self.warnings.append(
                    f"{without:,} of {len(one):,} photos of {one.name} have no hash in their "
                    "manifest: whether they are references too could not be looked up."
                )
        return named_apart(found)

    def known(self, names: Sequence[str]) -> list[SeenSet]:
        """The sets that photos are compared with, and their vectors."""
        own = self.subject.own
        if names:
            photos = named_apart([open_set(name) for name in names])
        elif self._atlas is not None or own is None:
            photos = []
        else:
            photos = [own_set(own, "train", f"{self.subject.name}:train")]
        return [self._see(one) for one in photos]

    def beside(self, paths: Sequence[Path], features: Path | None) -> list[Beside]:
        """The models whose vectors for retrieval are compared with the model's own."""
        found = open_beside(paths, self.subject, features)
        self._connections = residual_connections(self.subject, found)
        if "residual" in self._ablate:
            require_both(self._connections)
        if "retrieval" not in self._ablate:
            refuse_apart(found, self.subject)
        self.warnings += [
            f"{one.name} was trained on other data than {self.subject.name}, or nobody can tell: "
            "whether these photos and their photographers are new to it could not be looked up."
            for one in found
            if not one.looked_up
        ]
        return found

    def seen_by(self, other: Beside, known: Sequence[SeenSet]) -> Sequence[SeenSet]:
        """The references, as a model beside sees them."""
        return known if other.shares else [self._see(one.photos, other.subject) for one in known]

    def evaluated(
        self,
        photos: PhotoSet,
        known: Sequence[SeenSet],
        beside: Sequence[tuple[Beside, Sequence[SeenSet]]],
    ) -> EvaluatedSet:
        """All tables of one set."""
        seen = self._see(photos)
        levels = self._thresholds or FIVE_KM if "partitions" in self._ablate else ()
        queries = queries_of(seen, self.subject, self._processes, levels)
        residual = self.subject.bundle.residual
        search = self._search(seen, queries, known, residual, split="background" in self._ablate)
        guesses = {BUSIEST: self._busiest(search.references), _LONDON: LONDON}
        others: dict[str, Search] = {}
        if set(COMPARE_VECTORS) & set(self._ablate):
            if not self.subject.tuned:
                plain = residual is None
                others[RAW] = search if plain else self._search(seen, queries, known, None)
            if residual is not None or self.subject.tuned:
                others[self.subject.name] = search
            for one, theirs in beside:
                asked = seen if one.shares else self._see(photos, one.subject)
                others[one.name] = self._search(asked, queries, theirs, one.residual)
        material = Material(search, guesses, others, self._connections, self._thresholds)
        made = [main_table, *(TABLES[name] for name in self._ablate)]
        tables = [scored(make(material), queries, self.settings) for make in made]
        shares = list(set_shares(search, self.settings)) if "references" in self._ablate else []
        return EvaluatedSet(queries, search.references, tables, shares, guesses)

    def _see(self, photos: PhotoSet, subject: Subject | None = None) -> SeenSet:
        return see(
            photos,
            subject or self.subject,
            self._processes,
            self._watcher,
            workers=self._workers,
        )

    def _search(
        self,
        seen: SeenSet,
        queries: Queries,
        known: Sequence[SeenSet],
        residual: nn.Module | None,
        *,
        split: bool = False,
    ) -> Search:
        references = [
            references_of(
                one,
                seen.photos,
                residual,
                self._processes,
                subject=self.subject if split else None,
            )
            for one in known
        ]
        if self._atlas is not None:
            fingerprint = self.subject.bundle.encoder().fingerprint
            references.append(atlas_references(self._atlas, seen.photos, fingerprint))
        return Search(
            queries,
            retrieval_vectors(seen.pooled, residual, self._processes.device, np.float32),
            references,
            neighbours_needed(self._ablate),
            lambda done, total: self._watcher.preparing("searching", done, total),
        )

    def _busiest(self, references: Sequence[References]) -> LatLng:
        """The most frequent place of training, or of the references where nobody knows that."""
        own = self.subject.own
        places = own.places("train") if own else np.concatenate([one.places for one in references])
        if len(places) > _PRIOR_PLACES:
            rng = np.random.default_rng(0)
            places = places[rng.choice(len(places), _PRIOR_PLACES, replace=False)]
        return most_frequent_place(places)
