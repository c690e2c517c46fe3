"""What all partitions can do, whatever their cells."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sightline.errors import CoordinateError, PartitionError, UsageError
from sightline.geo import cells as s2
from sightline.geo.cell_region import CellRegion
from sightline.geo.coordinates import from_unit_vectors, unit_vectors
from sightline.geo.covering import in_ranges
from sightline.geo.distance import great_circle_m
from sightline.geo.partition import (
    Boxes,
    BoxSettings,
    Centres,
    Hierarchy,
    Partition,
    S2Cells,
    S2Settings,
    adaptive_boxes,
    adaptive_s2,
    adaptive_s2_family,
    oracle_errors_m,
    oracle_report,
    parent_rows,
    summary,
)
from sightline.geo.partition.chunks import Places
from sightline.geo.partition.making import represented
from sightline.geo.region import Region

from .places import crowded

PLACES = crowded(2000)


@pytest.fixture(scope="module")
def partitions() -> dict[str, Partition]:
    boxes = adaptive_boxes(PLACES, BoxSettings(max_members=60, min_members=10))
    return {
        "s2": adaptive_s2(PLACES, S2Settings(max_members=60, min_members=10)),
        "boxes": boxes,
        "centres": Partition(Centres(boxes.representatives), boxes.representatives),
    }


@pytest.mark.parametrize("kind", ["s2", "boxes", "centres"])
def test_a_place_outside_is_reported_or_goes_to_the_nearest(partitions, kind) -> None:
    held = partitions[kind]
    asked = crowded(1500, seed=3)
    rows = held.assign(asked)
    outside = rows == -1
    assert outside.any() == (kind != "centres")
    everywhere = held.assign(asked, outside="nearest")
    assert (everywhere[~outside] == rows[~outside]).all()
    apart = great_circle_m(asked[outside][:, None], held.representatives[None])
    assert (everywhere[outside] == apart.argmin(axis=1)).all()
    assert held.assign([]).shape == (0,)
    assert held.assign(asked[0]).tolist() == rows[:1].tolist()
    with pytest.raises(UsageError, match="Got 'ignore'"):
        held.assign(asked, outside="ignore")
    with pytest.raises(CoordinateError, match="row 1"):
        held.assign([[0.0, 0.0], [np.nan, 0.0]])


@pytest.mark.parametrize("kind", ["s2", "boxes", "centres"])
def test_a_region_is_what_the_partition_assigns(partitions, kind) -> None:
    held = partitions[kind]
    rows = held.assign(PLACES)
    for some in ([3], [0, 5, 7], np.arange(len(held))):
        region = held.region(some)
        assert isinstance(region, Region)
        inside = region.contains(PLACES)
        assert (inside == np.isin(rows, some)).all()
        covered = in_ranges(s2.cell_ids(PLACES[inside]), region.cover())
        assert covered.all()
        assert region.bounds.contains(PLACES[inside]).all()
        assert "cell" in region.describe()
        if kind == "centres":
            assert np.isnan(region.area_km2)
        else:
            assert region.area_km2 == pytest.approx(held.areas_km2[some].sum())
    assert isinstance(held.region(0), CellRegion) == (kind == "s2")
    assert 1 <= len(partitions["centres"].region(0).cover(max_cells=3)) <= 3
    for wrong in (-1, len(held), [0, len(held)], 0.5, [[1]], []):
        with pytest.raises(PartitionError, match="A cell must be a row from 0"):
            held.region(wrong)
    assert held.row_of(held.cells.names()[4]) == 4


@pytest.mark.parametrize("middle", [[90.0, 0.0], [-89.9, 50.0], [3.0, -180.0], [48.0, 7.0]])
def test_the_surroundings_of_a_centre_are_covered_closely(middle) -> None:
    """An atlas of a million rows must not be asked about all of them for one cell."""
    rng = np.random.default_rng(0)
    points = from_unit_vectors(np.concatenate([unit_vectors([middle]), rng.normal(size=(2000, 3))]))
    held = Partition(Centres(points), points)
    asked = from_unit_vectors(
        np.concatenate(
            [
                rng.normal(size=(4000, 3)),
                unit_vectors(middle) + rng.normal(0, 0.03, (4000, 3)),
            ]
        )
    )
    leaves, owner = s2.cell_ids(asked), held.assign(asked)
    for rows in ([0], [0, 5, 9]):
        ranges = held.region(rows).cover()
        assert len(ranges) <= 64
        inside = in_ranges(leaves, ranges)
        assert inside[np.isin(owner, rows)].all()
        assert np.isin(owner, rows).sum() > 100
        # Of places drawn evenly over the Earth only few more than the cells' own share.
        assert inside[:4000].mean() < 4 * len(rows) / len(points) + 0.002


def test_a_box_region_over_two_sides_of_the_map() -> None:
    held = Partition(Boxes([[0, -180, 10, -170], [0, 170, 10, 180]]), [[5, -175], [5, 175]])
    bounds = held.region([0, 1]).bounds
    assert (bounds.west, bounds.east) == (170.0, -170.0)
    assert held.region([0, 1]).describe() == "2 cells of the partition"


def test_the_fingerprint_is_of_cells_order_and_representatives(partitions) -> None:
    held = partitions["boxes"]
    again = Partition(Boxes(held.cells.edges), held.representatives)
    assert again.fingerprint == held.fingerprint
    assert len(held.fingerprint) == 64
    back = np.arange(len(held))[::-1]
    turned = Partition(Boxes(held.cells.edges[back]), held.representatives[back])
    moved = Partition(Boxes(held.cells.edges), held.representatives + 1e-9)
    assert len({held.fingerprint, turned.fingerprint, moved.fingerprint}) == 3
    assert len({one.fingerprint for one in partitions.values()}) == 3


def test_a_classifier_of_another_partition_is_refused(partitions) -> None:
    held = partitions["s2"]
    held.require_classes(len(held))
    held.require_classes(len(held), held.fingerprint)
    with pytest.raises(PartitionError, match=f"has 7 classes and the partition {len(held)} cells"):
        held.require_classes(7)
    with pytest.raises(PartitionError, match="same number of cells, but other ones"):
        held.require_classes(len(held), partitions["boxes"].fingerprint)


def test_what_is_no_partition() -> None:
    with pytest.raises(PartitionError, match="at least 2 cells"):
        Partition(S2Cells(s2.from_tokens(["47"])), [[0, 0]])
    with pytest.raises(PartitionError, match="one row of representatives for each of the 2 cells"):
        Partition(S2Cells(s2.from_tokens(["1", "3"])), [[0, 0]])
    with pytest.raises(PartitionError, match="one row of members for each of the 2 cells"):
        Partition(S2Cells(s2.from_tokens(["1", "3"])), [[0, 0], [0, 90]], np.arange(3))
    for members in ([-1, 2], [0.5, 2.0], ["a", "b"]):
        with pytest.raises(PartitionError, match="members must be whole numbers of at least 0"):
            Partition(S2Cells(s2.from_tokens(["1", "3"])), [[0, 0], [0, 90]], np.array(members))
    with pytest.raises(CoordinateError, match="representatives row 1"):
        Partition(S2Cells(s2.from_tokens(["1", "3"])), [[0, 0], [0, 900]])


def test_members_that_cancel_out_leave_the_middle_of_the_cell() -> None:
    places = np.array([[0.0, 0.0], [0.0, -180.0], [0.0, 90.0], [0.0, -90.0], [-80.0, 5.0]])
    found = adaptive_boxes(places, BoxSettings(cells=2))
    # East: 0 and 90 degrees; west: -180 and -90, and nothing cancels.
    assert len(found) == 2
    opposite = np.array([[0.0, 45.0], [0.0, -135.0]] * 3 + [[80.0, 179.0]])
    held = Partition(Boxes([[-90, -180, 45, 180], [45, -180, 90, 180]]), [[0, 0], [70, 0]])
    made = represented(Places(opposite), held.cells, {}, lambda _, here: held.cells.locate(here))
    assert made.representatives[0].tolist() == [-22.5, 0.0]
    assert made.representatives[1] == pytest.approx([80.0, 179.0])


def test_parents_of_nested_cells_hold_them() -> None:
    family = adaptive_s2_family(PLACES, [S2Settings(cells=n) for n in (15, 60, 300)])
    tree = Hierarchy(family)
    assert tree.finest is family[2]
    for coarse, rows in zip(family, tree.ancestors, strict=False):
        ids = s2.parents(s2.range_min(tree.finest.cells.ids), 30)
        assert (coarse.cells.locate_leaves(ids) == rows).all()
        assert (rows == parent_rows(tree.finest, coarse)).all()
        sums = np.bincount(rows, tree.finest.members, minlength=len(coarse))
        assert sums.tolist() == coarse.members.tolist()


def test_probabilities_multiply_along_the_hierarchy() -> None:
    family = adaptive_s2_family(PLACES, [S2Settings(cells=n) for n in (15, 60, 300)])
    tree = Hierarchy(family)
    rng = np.random.default_rng(0)
    beliefs = [rng.dirichlet(np.ones(len(one)), 4) for one in family]
    found = np.exp(tree.combine([np.log(one) for one in beliefs]))
    for photo in range(4):
        slow = [
            beliefs[2][photo, row]
            * beliefs[1][photo, tree.ancestors[1][row]]
            * beliefs[0][photo, tree.ancestors[0][row]]
            for row in range(len(tree.finest))
        ]
        assert found[photo] == pytest.approx(np.array(slow) / sum(slow))
    # Nothing is possible in any cell: nothing is made up.
    impossible = [np.full((1, len(one)), -np.inf) for one in family]
    assert (tree.combine(impossible) == -np.inf).all()
    with pytest.raises(PartitionError, match="one classifier for each of the 3 partitions"):
        tree.combine(beliefs[:2])
    with pytest.raises(PartitionError, match="classes"):
        tree.combine([beliefs[1], beliefs[1], beliefs[2]])
    for wrong in ([beliefs[0][:1], *beliefs[1:]], [one[0] for one in beliefs], [1.0, 2.0, 3.0]):
        with pytest.raises(PartitionError, match="for the same n photos"):
            tree.combine(wrong)
    for wrong in (family[:1], family[::-1]):
        with pytest.raises(PartitionError, match="from coarse to fine"):
            Hierarchy(wrong)


def test_a_cell_in_no_coarse_cell_goes_to_the_nearest(partitions) -> None:
    coarse = Partition(Boxes([[0, 0, 10, 10], [40, 40, 50, 50]]), [[5, 5], [45, 45]])
    rows = parent_rows(partitions["s2"], coarse)
    assert set(rows.tolist()) == {0, 1}


def test_an_oracle_errs_by_the_way_to_its_cell_s_representative(partitions) -> None:
    held = partitions["s2"]
    rows = held.assign(PLACES)
    slow = np.array(
        [
            np.inf if row < 0 else great_circle_m(place, held.representatives[row])
            for place, row in zip(PLACES, rows, strict=True)
        ]
    )
    assert oracle_errors_m(held, PLACES) == pytest.approx(slow)
    report = oracle_report(held, PLACES)
    assert list(report.beyond) == [1.0, 25.0, 200.0, 750.0, 2500.0]
    for km, share in report.beyond.items():
        assert share == np.mean(slow > km * 1000)
    assert report.outside == np.isinf(slow).sum() > 0
    assert report.mean_km == pytest.approx(slow[np.isfinite(slow)].mean() / 1000)
    near = oracle_report(held, PLACES, outside="nearest")
    everywhere = held.assign(PLACES, outside="nearest")
    apart_m = great_circle_m(PLACES, held.representatives[everywhere])
    assert near.outside == 0
    assert near.beyond[25.0] == np.mean(apart_m > 25_000)
    told = report.to_json()
    assert told["beyond"]["2500"] == report.beyond[2500.0]
    assert told["median_km"] == pytest.approx(np.median(slow) / 1000)
    with pytest.raises(PartitionError, match="Got none"):
        oracle_report(held, np.empty((0, 2)))


def test_an_oracle_over_nothing_but_holes() -> None:
    held = Partition(Boxes([[0, 0, 10, 10], [40, 40, 50, 50]]), [[5, 5], [45, 45]])
    report = oracle_report(held, [[-50.0, 0.0]])
    assert report.to_json() == {
        "places": 1,
        "outside": 1,
        "beyond": {"1": 1.0, "25": 1.0, "200": 1.0, "750": 1.0, "2500": 1.0},
        "median_km": None,
        "mean_km": None,
    }


def test_a_summary(partitions) -> None:
    facts = summary(partitions["s2"])
    assert facts["cells"] == len(partitions["s2"])
    assert facts["members"]["total"] == partitions["s2"].members.sum()
    assert facts["area_km2"]["most"] == pytest.approx(partitions["s2"].areas_km2.max())
    assert facts["settings"]["method"] == "s2"
    bare = summary(partitions["centres"])
    assert (bare["members"], bare["area_km2"], bare["kind"]) == (None, None, "centres")


def test_partitions_are_made_where_shapely_is_not() -> None:
    code = (
        "import sys; sys.modules['shapely'] = None; sys.modules['pyproj'] = None\n"
        "import numpy as np\n"
        "from sightline.geo.partition import *\n"
        "places = np.random.default_rng(0).uniform(-80, 80, (200, 2))\n"
        "made = adaptive_s2(places, S2Settings(cells=9)), adaptive_boxes(places, BoxSettings(9))\n"
        "print(len(made[1].assign(places, outside='nearest')), summary(made[0])['kind'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("200 s2\n", 0), done.stderr
