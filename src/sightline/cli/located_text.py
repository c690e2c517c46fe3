"""A located photo as a terminal shows it."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from sightline.cli.console import out, printable, say

SHOWN_MATCHES = 5


def show_photo(photo: dict[str, Any]) -> None:
    """Print what a document of ``sightline locate`` says of one photo."""
    say(printable(photo["path"]), style="bold")
    if photo["exif"]:
        _show_exif(photo["exif"])
    elif photo["exif_problem"]:
        say(f"  its own place   refused: {printable(photo['exif_problem'])}", style="dim")
    if photo["error"]:
        say(f"  error           {printable(photo['error']['message'])}", style="red")
        say(f"                  {printable(photo['error']['hint'])}", style="dim")
    else:
        _show_estimate(photo["estimate"])
        if photo["estimate"].get("levels"):
            out.print(_levels(photo["estimate"]["levels"]))
        if photo["estimate"].get("alternatives"):
            out.print(_alternatives(photo["estimate"]["alternatives"]))
        if photo["candidates"]:
            out.print(_matches(photo["candidates"][:SHOWN_MATCHES]))
        else:
            out.print(_cells(photo["estimate"].get("cells", [])[:SHOWN_MATCHES]))
    say("")


def _show_exif(exif: dict[str, Any]) -> None:
    from sightline.report.text import distance_text

    apart = exif["to_estimate_m"]
    compared = "" if apart is None else f"; the estimate is {distance_text(apart)} away"
    say(f"  its own place   {exif['lat']:.6f}, {exif['lon']:.6f} (EXIF, not used{compared})")


def _show_estimate(estimate: dict[str, Any]) -> None:
    from sightline.report.text import distance_text

    place = f"{estimate['lat']:.6f}, {estimate['lon']:.6f}   {estimate['place']['text']}"
    if estimate["abstained"]:
        say("  estimate        none that would hold", style="yellow")
        say(f"                  {printable(estimate['reason'] or '')}", style="yellow")
        say(f"  best guess      {place}", style="dim")
    else:
        say(f"  estimate        {place}", style="green")
    say(
        f"  spread          half of the evidence within {distance_text(estimate['radius_50_m'])}, "
        f"90 % within {distance_text(estimate['radius_90_m'])} ({estimate['method']})"
    )
    if estimate.get("heading_degrees") is not None:
        say(f"  looking         towards {estimate['heading_degrees']:.0f}°")
    for note in estimate.get("notes", ()):
        say(f"  note            {printable(note)}", style="dim")


def _table(*numbers: str, name: str | None = None) -> Table:
    """A table with a column of names, if it is named, and columns of numbers."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", pad_edge=False)
    if name is not None:
        table.add_column(f"  {name}", no_wrap=True)
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _levels(levels: list[dict[str, Any]]) -> Table:
    table = _table("within", "probability", "at", name="level")
    table.add_column("place", overflow="fold")
    for answer in levels:
        table.add_row(
            f"  {answer['level']}",
            f"{answer['radius_km']:,.0f} km",
            f"{answer['probability']:.0%}",
            f"{answer['lat']:.6f}, {answer['lon']:.6f}",
            Text(printable(answer["place"]["text"])),
        )
    return table


def _alternatives(alternatives: list[dict[str, Any]]) -> Table:
    from sightline.report.text import distance_text

    table = _table("90 % within", "from the estimate", "at", name="other method")
    table.add_column("place", overflow="fold")
    for answer in alternatives:
        unsure = " (not sure)" if answer["abstained"] else ""
        table.add_row(
            f"  {answer['method']}{unsure}",
            distance_text(answer["radius_90_m"]),
            distance_text(answer["to_estimate_m"]),
            f"{answer['lat']:.6f}, {answer['lon']:.6f}",
            Text(printable(answer["place"]["text"])),
        )
    return table


def _cells(cells: list[dict[str, Any]]) -> Table:
    table = _table("  probability", "most probable cells at")
    table.add_column("cell", overflow="fold")
    for cell in cells:
        table.add_row(
            f"{cell['probability']:.1%}",
            f"{cell['lat']:.6f}, {cell['lon']:.6f}",
            Text(printable(cell["name"])),
        )
    return table


def _matches(candidates: list[dict[str, Any]]) -> Table:
    table = _table("  distance", "weight", "best matches at")
    # Names may be long: they come last, and are folded rather than cut.
    table.add_column("photo", overflow="fold")
    for match in candidates:
        table.add_row(
            f"{match['distance']:.3f}",
            f"{match['weight']:.0%}",
            f"{match['lat']:.6f}, {match['lon']:.6f}",
            Text(printable(match["uri"])),
        )
    return table
