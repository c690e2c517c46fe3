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

# What stands beside the value, where the document has it: what knows nothing.
_BASELINES = {
    "prior": "prior only",
    "random": "by chance",
    "shuffled": "shuffled",
    "constant": "constant",
}

# A first column of names is not squeezed out by many numbers.
_NARROWEST = 14

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
    tell(result.to_json(), as_json=as_json, report=report)


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
    tell(result.to_json(), as_json=as_json, report=report)


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
    tell(found.to_json(), as_json=as_json, report=report)


def _scored_archive(
    file: Path,
    settings: RetrievalSettings,
    radius_m: float | None,
    peers: Sequence[str] | Literal["all"],
) -> RetrievalResult:
    from sightline.evaluation import evaluate_archive, read_archive

    archive = read_archive(file)
    with progress_bar(f"ranking {printable(archive.name)}", unit="references") as bar:
        return evaluate_archive(archive, settings, radius_m=radius_m, peers=peers, progress=bar)


def tell(document: dict[str, Any], *, as_json: bool, report: Path | None) -> None:
    """Print an evaluation, and write its report if one is asked for."""
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
    if retrieval:
        out.print(_sanity_table(document))
    for column, values in document.get("groups", {}).items():
        out.print(_groups_table(column, values))
    if document["conventions"]:
        out.print(_conventions_table(document))


def _conventions_table(document: dict[str, Any]) -> Table:
    """The honest numbers first, and below them what published code would say of the same input."""
    from sightline.report.evaluation_document import convention_metrics

    table = _table("counted as")
    ours = {name: found["value"] for name, found in document["metrics"].items()}
    # The JSON document holds what has no column.
    columns = convention_metrics([document])
    for name in columns:
        table.add_column(name.removeprefix("accuracy@"), justify="right", no_wrap=True)
    for peer, values in {"sightline": ours, **document["conventions"]}.items():
        cells = [_cell(name, values) for name in columns]
        table.add_row(f"  {peer}", *cells, style="bold" if peer == "sightline" else "dim")
    return table


def _metrics_table(document: dict[str, Any]) -> Table:
    from sightline.report.metric_text import metric_interval, metric_value

    confidence = document["settings"]["confidence"]
    policies = document.get("tie_policies")
    beside = {
        heading: document["baselines"][name]
        for name, heading in _BASELINES.items()
        if name in document["baselines"]
    }
    headings = ["value", f"{confidence:.0%} interval", *beside]
    if policies:
        headings += ["ties\nagainst", "ties\nfor"]
    table = _table("metric", *headings)
    for name, found in document["metrics"].items():
        cells = [
            metric_value(name, found["value"]),
            metric_interval(name, found["low"], found["high"]) or "-",
            *(_cell(name, values.get("metrics", values)) for values in beside.values()),
        ]
        if policies:
            cells += [_cell(name, policies[p]) for p in ("pessimistic", "optimistic")]
        table.add_row(f"  {name}", *cells)
    return table


def _sanity_table(document: dict[str, Any]) -> Table:
    """What else could have made the score, a line each, whether or not it is worth a warning."""
    from sightline.report.evaluation_checks import leakage_words
    from sightline.report.metric_text import metric_value, percent_number

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    collapse = document["collapse"]
    table.add_row("  collapse", "ALARM" if collapse["alarm"] else "no alarm")
    for side in ("queries", "references"):
        found = collapse[side]
        table.add_row(
            f"  {side}",
            f"copies {percent_number(found['duplicates'])} %, "
            f"near copies {percent_number(found['near_duplicates'])} %, "
            f"effective rank {_plain(found['effective_rank'], 1)} of {document['dimension']:,}, "
            f"uniformity {_plain(found['uniformity'], 2)}",
        )
    table.add_row("  leaks", leakage_words(document["leakage"]))
    depths = document["settings"]["k_of_percent"]
    table.add_row("  k", ", ".join(f"{percent} is {k:,}" for percent, k in depths.items()))
    if document["reverse"] is not None:
        metrics = document["reverse"]["metrics"]
        named = [
            f"{name} {metric_value(name, metrics[name]['value'])}" for name in ("recall@1", "pssr")
        ]
        table.add_row("  reverse", f"references ask: {', '.join(named)}")
    return table


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    table.add_column(f"  {first}", overflow="fold", min_width=_NARROWEST)
    for heading in others:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _cell(metric: str, values: Mapping[str, float | None]) -> str:
    from sightline.report.metric_text import metric_value

    return metric_value(metric, values[metric]) if metric in values else "-"


def _plain(value: float | None, decimals: int) -> str:
    return "undefined" if value is None else f"{value:,.{decimals}f}"


def _groups_table(column: str, values: Mapping[str, Any]) -> Table:
    metrics = [m for m in next(iter(values.values()))["metrics"] if m not in _LEFT_OUT_OF_GROUPS]
    headings = (metric.removeprefix("accuracy@") for metric in metrics)
    table = _table(printable(column), "photos", *headings)
    for value, group in values.items():
        measured = {name: found["value"] for name, found in group["metrics"].items()}
        numbers = (_cell(metric, measured) for metric in metrics)
        table.add_row(f"  {printable(value)}", f"{group['n']:,}", *numbers)
    return table


def _show_comparison(document: dict[str, Any]) -> None:
    from sightline.report.metric_text import difference_interval, metric_difference, metric_value

    names = [printable(document[side]["name"]) for side in ("a", "b")]
    say(f"a {names[0]}, b {names[1]}: {document['n_queries']:,} queries", style="bold")
    confidence = document["settings"]["confidence"]
    table = _table("metric", "a", "b", "b - a", f"{confidence:.0%} interval", "p", "p (Holm)")
    for name, found in document["metrics"].items():
        table.add_row(
            f"  {name}",
            *(metric_value(name, found[side]) for side in ("a", "b")),
            metric_difference(name, found["difference"]),
            difference_interval(name, found["low"], found["high"]) or "-",
            *(
                "undefined" if found[key] is None else f"{found[key]:.3g}"
                for key in ("p_value", "p_value_holm")
            ),
        )
    out.print(table)


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
