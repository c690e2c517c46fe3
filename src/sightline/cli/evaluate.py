"""``sightline evaluate``: score anyone's embeddings or answers, without flattering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from sightline.cli.console import (
    note,
    out,
    printable,
    progress_bar,
    require_writable,
    say,
    say_json,
)
from sightline.cli.options import Distance, Earth, JsonOption
from sightline.errors import UsageError

if TYPE_CHECKING:
    from sightline.evaluation import (
        LocalizationSettings,
        RetrievalResult,
        RetrievalSettings,
    )

# A table of groups has one line each; these say least there.
_LEFT_OUT_OF_GROUPS = {"mean_error_km", "mean_error_km_of_answered", "score"}

evaluate = typer.Typer(
    name="evaluate",
    help="Score anyone's embeddings or answers: ties decided, intervals, baselines, no flattery.",
    no_args_is_help=True,
)

ConventionsOption = Annotated[
    str | None,
    typer.Option(
        "--conventions",
        metavar="all|NAME,...",
        help="Also say what published code would say: `all`, or names such as `transgeo,witw`.",
        show_default=False,
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option("--report", metavar="OUT.html", help="Write an HTML report with figures."),
]
DistanceOption = Annotated[
    Distance,
    typer.Option(help="How vectors are compared; among vectors of length 1 it does not matter."),
]
RadiusOption = Annotated[
    float | None,
    typer.Option(
        "--radius-m",
        min=0.0,
        help="References within so many metres are right, for files with `query_latlon` and "
        "`reference_latlon`.",
        show_default=False,
    ),
]
SamePlaceOption = Annotated[
    float | None,
    typer.Option(
        "--same-place-m",
        min=0.0,
        help="Warn of queries taken within so many metres of a reference (photos from the ground).",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str, typer.Option(help="Where scores are computed: `cpu`, `cuda`, `cuda:1`.")
]
ResamplesOption = Annotated[int, typer.Option(min=1, help="Resamples of the bootstrap.")]
ConfidenceOption = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Confidence of the intervals.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of all that is drawn.")]
EarthOption = Annotated[
    Earth, typer.Option(help="Great circles on the sphere, or geodesics on the ellipsoid.")
]
ThresholdsOption = Annotated[
    str | None,
    typer.Option(
        "--thresholds-km",
        metavar="KM,...",
        help="By default 0.1, 1, 5, 10, 25, 200, 750 and 2500.",
        show_default=False,
    ),
]


@evaluate.command("retrieval")
def retrieval(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.npz|FOLDER|FILE.mat",
            help="`queries`, `references`, and `positives`, labels or places.",
            show_default=False,
        ),
    ],
    conventions: ConventionsOption = None,
    radius_m: RadiusOption = None,
    distance: DistanceOption = Distance.euclidean,
    one_way: Annotated[
        bool, typer.Option("--one-way", help="Do not let the references ask too.")
    ] = False,
    same_place_m: SamePlaceOption = None,
    device: DeviceOption = "cpu",
    resamples: ResamplesOption = 10_000,
    confidence: ConfidenceOption = 0.95,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    report: ReportOption = None,
) -> None:
    """Score embeddings: recall, hit rate, PSSR and more, in every tie policy, with intervals.

    Example: `sightline evaluate retrieval embeddings.npz --conventions all --report out.html`
    """
    from sightline.evaluation import RetrievalSettings

    require_writable(report)
    settings = RetrievalSettings(
        distance=distance.value,
        both_ways=not one_way,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        device=device,
        same_place_m=same_place_m,
    )
    result = _scored_archive(file, settings, radius_m, _peers(conventions))
    _tell(result.to_json(), as_json=as_json, report=report)


@evaluate.command("localization")
def localization(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv|FILE.parquet",
            help="Columns `lat`, `lon`, `true_lat`, `true_lon`; optional `id`, `group`.",
            show_default=False,
        ),
    ],
    by: Annotated[
        list[str] | None,
        typer.Option("--by", metavar="COLUMN", help="Score each value of a column apart."),
    ] = None,
    conventions: ConventionsOption = None,
    earth: EarthOption = Earth.sphere,
    thresholds_km: ThresholdsOption = None,
    prior: Annotated[
        str | None,
        typer.Option(
            "--prior",
            metavar="LAT,LON",
            help="What the prior-only baseline answers; by default the busiest true place.",
            show_default=False,
        ),
    ] = None,
    resamples: ResamplesOption = 10_000,
    confidence: ConfidenceOption = 0.95,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    report: ReportOption = None,
) -> None:
    """Score answers: how far from the truth, beside what guessing reaches.

    Example: `sightline evaluate localization answers.csv --by country --report out.html`
    """
    from sightline.evaluation import evaluate_localization, read_predictions

    require_writable(report)
    result = evaluate_localization(
        read_predictions(file),
        _localization_settings(earth, thresholds_km, confidence, resamples, seed),
        by=by or (),
        prior=_place(prior),
        peers=_peers(conventions),
    )
    _tell(result.to_json(), as_json=as_json, report=report)


@evaluate.command("compare")
def compare(
    a: Annotated[Path, typer.Argument(help="What is there already.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="What may be better.", show_default=False)],
    radius_m: RadiusOption = None,
    distance: DistanceOption = Distance.euclidean,
    device: DeviceOption = "cpu",
    earth: EarthOption = Earth.sphere,
    thresholds_km: ThresholdsOption = None,
    resamples: ResamplesOption = 10_000,
    confidence: ConfidenceOption = 0.95,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
    report: ReportOption = None,
) -> None:
    """Compare two systems on the same queries: differences, intervals, p-values.

    Both are tables of answers, or both are embeddings.

    Example: `sightline evaluate compare old.npz new.npz`
    """
    from sightline.evaluation import (
        RetrievalSettings,
        compare_localization,
        compare_retrieval,
        read_predictions,
    )

    require_writable(report)
    tables = [_is_table(path) for path in (a, b)]
    if tables[0] != tables[1]:
        raise UsageError(
            f"{str(a)!r} and {str(b)!r} cannot be compared: one holds answers, one embeddings.",
            hint="Compare two tables, or two archives.",
        )
    if tables[0]:
        found = compare_localization(
            read_predictions(a),
            read_predictions(b),
            _localization_settings(earth, thresholds_km, confidence, resamples, seed),
        )
    else:
        settings = RetrievalSettings(
            distance=distance.value,
            both_ways=False,
            confidence=confidence,
            resamples=resamples,
            seed=seed,
            device=device,
        )
        found = compare_retrieval(
            *(_scored_archive(path, settings, radius_m, ()) for path in (a, b))
        )
    _tell(found.to_json(), as_json=as_json, report=report)


def _scored_archive(
    file: Path,
    settings: RetrievalSettings,
    radius_m: float | None,
    peers: Sequence[str] | Literal["all"],
) -> RetrievalResult:
    from sightline.evaluation import Context, evaluate_retrieval, read_archive

    archive = read_archive(file)
    relevance = archive.relevance(radius_m)
    with progress_bar(f"ranking {printable(archive.name)}", unit="references") as bar:
        return evaluate_retrieval(
            archive.queries,
            archive.references,
            relevance,
            settings,
            name=archive.name,
            context=Context(
                groups=archive.groups,
                query_latlon=archive.query_latlon,
                reference_latlon=archive.reference_latlon,
                query_hashes=archive.query_hashes,
                reference_hashes=archive.reference_hashes,
                radius_m=radius_m,
                notes=archive.notes,
            ),
            peers=peers,
            progress=bar,
        )


def _tell(document: dict[str, Any], *, as_json: bool, report: Path | None) -> None:
    if report is not None:
        from sightline.report import write_evaluation_report

        write_evaluation_report(report, [document])
    if as_json:
        say_json(document)
    elif document["kind"] == "comparison":
        _show_comparison(document)
    else:
        _show(document)
    for warning in document["warnings"] if not as_json else ():
        note(f"warning: {printable(warning)}", style="yellow")


def _show(document: dict[str, Any]) -> None:
    retrieval = document["kind"] == "retrieval"
    if retrieval:
        what = f"{document['n_queries']:,} queries among {document['n_references']:,} references"
    else:
        what = (
            f"{document['n_photos']:,} photos, {document['n_answered']:,} answered, "
            f"{document['n_abstained']:,} abstained, {document['n_failed']:,} failed"
        )
    say(f"{printable(document['name'])}: {what}", style="bold")
    out.print(_metrics_table(document))
    for column, values in document.get("groups", {}).items():
        out.print(_groups_table(column, values))
    if document["conventions"]:
        out.print(_conventions_table(document))


def _conventions_table(document: dict[str, Any]) -> Table:
    """The honest numbers first, and below them what published code would say of the same input."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("  counted as")
    ours = {name: found["value"] for name, found in document["metrics"].items()}
    said = document["conventions"]
    # A metric of one peer alone has no column; the JSON document holds it.
    columns = [name for name in ours if sum(name in values for values in said.values()) > 1]
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for peer, values in {"sightline": ours, **said}.items():
        cells = [_number(name, values.get(name)) for name in columns]
        table.add_row(f"  {peer}", *cells, style="bold" if peer == "sightline" else "dim")
    return table


def _metrics_table(document: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("  metric")
    confidence = document["settings"]["confidence"]
    policies = document.get("tie_policies")
    headings = ["value", f"{confidence:.0%} interval", "by chance"]
    if policies:
        headings += ["ties against", "ties for"]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    chance = document["baselines"]["random"]
    chance = chance.get("metrics", chance)
    for name, found in document["metrics"].items():
        cells = [
            _number(name, found["value"]),
            f"{_number(name, found['low'])} to {_number(name, found['high'])}",
            _number(name, chance.get(name)),
        ]
        if policies:
            cells += [_number(name, policies[p][name]) for p in ("pessimistic", "optimistic")]
        table.add_row(f"  {name}", *cells)
    return table


def _groups_table(column: str, values: Mapping[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column(f"  {printable(column)}", overflow="fold")
    table.add_column("photos", justify="right")
    metrics = [m for m in next(iter(values.values()))["metrics"] if m not in _LEFT_OUT_OF_GROUPS]
    for metric in metrics:
        table.add_column(metric.removeprefix("accuracy@"), justify="right", no_wrap=True)
    for value, group in values.items():
        numbers = (_number(metric, group["metrics"][metric]["value"]) for metric in metrics)
        table.add_row(f"  {printable(value)}", f"{group['n']:,}", *numbers)
    return table


def _show_comparison(document: dict[str, Any]) -> None:
    names = [printable(document[side]["name"]) for side in ("a", "b")]
    say(f"a {names[0]}, b {names[1]}: {document['n_queries']:,} queries", style="bold")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column("  metric")
    confidence = document["settings"]["confidence"]
    for heading in ("a", "b", "b - a", f"{confidence:.0%} interval", "p", "p (Holm)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, found in document["metrics"].items():
        table.add_row(
            f"  {name}",
            *(_number(name, found[key]) for key in ("a", "b", "difference")),
            f"{_number(name, found['low'])} to {_number(name, found['high'])}",
            *(f"{found[key]:.3g}" for key in ("p_value", "p_value_holm")),
        )
    out.print(table)


def _number(metric: str, value: float | None) -> str:
    """A share in per cent, ranks and kilometres as they are."""
    if value is None:
        return "-"
    if metric.endswith("_km"):
        return f"{value:,.1f} km"
    if metric.endswith("_rank") or metric == "score":
        return f"{value:,.1f}"
    return f"{100 * value:.2f} %"


def _peers(names: str | None) -> Sequence[str] | Literal["all"]:
    if names is None:
        return ()
    if names == "all":
        return "all"
    return [name.strip() for name in names.split(",") if name.strip()]


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in {".csv", ".tsv", ".txt", ".parquet", ".pq"}


def _localization_settings(
    earth: Earth, thresholds_km: str | None, confidence: float, resamples: int, seed: int
) -> LocalizationSettings:
    from sightline.evaluation import LocalizationSettings

    chosen: Mapping[str, Any] = {}
    if thresholds_km is not None:
        chosen = {"thresholds_km": tuple(_numbers(thresholds_km, "--thresholds-km", "1,25,200"))}
    return LocalizationSettings(
        earth=earth.value, confidence=confidence, resamples=resamples, seed=seed, **chosen
    )


def _place(text: str | None) -> Any:
    if text is None:
        return None
    from sightline.geo import LatLng

    numbers = _numbers(text, "--prior", "51.51,-0.13")
    if len(numbers) != 2:
        raise UsageError(
            f"--prior must be two numbers. Got {text!r}.",
            hint="Write latitude first: --prior 51.51,-0.13.",
        )
    return LatLng(*numbers)


def _numbers(text: str, option: str, example: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as cause:
        raise UsageError(
            f"{option} must be numbers, separated by commas. Got {text!r}.",
            hint=f"For example {option} {example}.",
        ) from cause
