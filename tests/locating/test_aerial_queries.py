"""Photos cut to what a cross-view model's photos show, and what is said of it."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.preparation.panorama_views import cut_columns
from sightline.errors import EncoderError, UsageError
from sightline.imagery import open_photo
from sightline.imagery.panorama import perspective_views
from sightline.imagery.photo import Photo
from sightline.locating.aerial_queries import field_of_view, prepare_aerial_query


@dataclass
class Looks:
    """The part of a cross-view encoder that is asked here; it prepares pixels as they are."""

    geometry: str = "perspective:90"
    heading: str = "unknown"
    name: str = "looks"
    fov_degrees: float = field(init=False)

    def __post_init__(self) -> None:
        self.fov_degrees = 360.0 if self.geometry == "panorama" else float(self.geometry[-2:])
        if self.geometry == "crop:180":
            self.fov_degrees = 180.0

    def prepare(self, pixels: np.ndarray, view: str) -> np.ndarray:
        assert view == "ground"
        return pixels[None]


def photo(
    size: tuple[int, int] = (96, 64), focal_mm: float | None = None, heading: float | None = None
) -> Photo:
    """A file of its own: a lens and a compass in its EXIF, noise in its pixels."""
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    if focal_mm is not None:
        exif.get_ifd(0x8769)[0xA405] = int(focal_mm)
    if heading is not None:
        gps = exif.get_ifd(0x8825)
        gps[1], gps[2], gps[3], gps[4] = "N", (55.0, 42.0, 0.0), "E", (13.0, 11.0, 0.0)
        gps[16], gps[17] = "T", heading
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", exif=exif)
    return open_photo(stream.getvalue(), name="street.png")


def prepared(taken: Photo, encoder: Looks, **options: object):
    return prepare_aerial_query(taken, encoder, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("focal_mm", "size"), [(18, (96, 64)), (18, (64, 96)), (28, (120, 90))])
def test_the_field_of_view_of_a_lens(focal_mm: int, size: tuple[int, int]) -> None:
    """On a frame of 36 x 24 mm turned into a frame of the photo's shape and the same diagonal."""
    width, height = size
    diagonal = math.hypot(36, 24)
    frame = diagonal * width / math.hypot(width, height)
    expected = 2 * math.degrees(math.atan(frame / 2 / focal_mm))
    assert field_of_view(photo(size, focal_mm)) == pytest.approx(expected)
    assert field_of_view(photo(size)) is None
    assert field_of_view(photo(size, 0)) is None


def test_an_18_mm_lens_shows_90_degrees() -> None:
    taken = photo((96, 64), 18)
    assert field_of_view(taken) == pytest.approx(90)
    query = prepared(taken, Looks())
    np.testing.assert_array_equal(query.views[0][0], taken.pixels)
    assert (query.turns, query.heading_degrees, query.notes) == ((0.0,), None, ())
    assert query.name == "street.png"


def test_a_wider_lens_loses_its_margins() -> None:
    taken = photo((300, 200), 9)
    query = prepared(taken, Looks())
    assert query.views[0].shape == (1, 100, 150, 3)
    np.testing.assert_array_equal(query.views[0][0], taken.pixels[50:150, 75:225])
    assert query.notes == ("The photo shows 127° and was cut to the model's 90°.",)
    narrower = prepared(photo((300, 200), 50), Looks())
    assert narrower.views[0].shape == (1, 200, 300, 3)
    assert "shows 40°, the model's photos 90°" in narrower.notes[0]
    assert "no field of view" in prepared(photo(), Looks()).notes[0]
    declared = prepared(taken, Looks(), as_declared=True)
    assert (declared.views[0].shape, declared.notes) == ((1, 200, 300, 3), ())
    cut = prepared(photo((300, 200), 9), Looks("crop:180"))
    assert cut.views[0].shape == (1, 200, 300, 3)
    assert "less certain" in cut.notes[0]


def test_panoramas() -> None:
    whole = photo((128, 64))
    assert whole.metadata.panorama
    same = prepared(whole, Looks("panorama"))
    np.testing.assert_array_equal(same.views[0][0], whole.pixels)
    four = prepared(whole, Looks("perspective:90"))
    assert four.turns == (0.0, 90.0, 180.0, 270.0)
    for view, expected in zip(four.views, perspective_views(whole.pixels), strict=True):
        np.testing.assert_array_equal(view[0], expected)
    assert "cut into 4 views" in four.notes[0]
    columns = prepared(whole, Looks("crop:90"))
    for view, turn in zip(columns.views, columns.turns, strict=True):
        np.testing.assert_array_equal(view[0], cut_columns(whole.pixels, 90.0, turn))
    flat = prepared(whole, Looks("perspective:90"), as_declared=True)
    np.testing.assert_array_equal(flat.views[0][0], whole.pixels)
    forced = prepared(photo(), Looks("panorama"), as_declared=True)
    assert forced.views[0].shape == (1, 64, 96, 3)


def test_a_cut_sphere_is_completed() -> None:
    from dataclasses import replace

    from sightline.imagery.metadata import SphereCrop

    band = photo((128, 32))
    stated = replace(band.metadata, panorama=True, sphere_crop=SphereCrop(128, 64, 16, 32))
    query = prepared(replace(band, metadata=stated), Looks("panorama"))
    assert query.views[0].shape == (1, 64, 128, 3)


def test_where_an_aligned_model_looks_in_a_panorama() -> None:
    """A model whose photos look north gets the one view of a turned panorama that does."""
    whole = photo((128, 64))
    query = prepared(whole, Looks("perspective:90", "aligned"), heading=120.0)
    assert query.turns == (240.0,)
    assert (query.heading_degrees + query.turns[0]) % 360 == 0
    assert len(prepared(whole, Looks("perspective:90", "aligned")).views) == 4


def test_headings() -> None:
    known, unknown = Looks(heading="known"), Looks(heading="unknown")
    compass = photo(focal_mm=18, heading=120.0)
    assert compass.metadata.heading_degrees == 120.0
    query = prepared(compass, known)
    assert query.heading_degrees == 120.0
    assert "the file's own" in query.notes[0]
    assert prepared(compass, unknown).heading_degrees is None
    assert prepared(compass, known, heading="unknown").heading_degrees is None
    assert prepared(compass, unknown, heading=-90.0).heading_degrees == 270.0
    lost = prepared(photo(focal_mm=18), known)
    assert lost.heading_degrees is None
    assert "states no heading" in lost.notes[0]


def test_refusals() -> None:
    with pytest.raises(EncoderError, match="trained with panoramas") as refused:
        prepared(photo(), Looks("panorama"))
    assert "--as-declared" in refused.value.hint
    assert refused.value.path == "street.png"
    for heading in (math.nan, "north"):
        with pytest.raises(UsageError, match="degrees, or 'unknown'"):
            prepared(photo(), Looks(), heading=heading)
