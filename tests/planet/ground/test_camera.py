from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import UsageError
from sightline.planet.ground.camera import Camera


def test_a_level_camera_looks_at_the_horizon_with_its_centre() -> None:
    projection = Camera(size=(101, 51), fov_degrees=90).projection()
    assert projection.azimuths[50] == pytest.approx(0, abs=1e-9)
    assert projection.tangents[25, 50] == pytest.approx(0, abs=1e-6)
    edge = math.atan(50 / 50.5)
    assert projection.azimuths[-1] == pytest.approx(edge)
    assert projection.warp is None


def test_the_corner_of_a_level_camera_is_the_ray_of_a_pinhole() -> None:
    projection = Camera(size=(40, 30), fov_degrees=80).projection()
    focal = 20 / math.tan(math.radians(40))
    right, up = -19.5 / focal, 14.5 / focal
    assert projection.azimuths[0] == pytest.approx(math.atan(right))
    assert projection.tangents[0, 0] == pytest.approx(up / math.hypot(1, right), rel=1e-5)


def test_a_panorama_goes_round_in_equal_steps() -> None:
    projection = Camera(size=(360, 180), panorama=True).projection()
    assert projection.circle
    np.testing.assert_allclose(np.diff(np.degrees(projection.azimuths)), 1.0)
    assert math.degrees(math.atan(projection.tangents[0, 0])) == pytest.approx(89.5, abs=1e-2)
    assert (np.diff(projection.tangents[:, 7]) < 0).all()


@pytest.mark.parametrize(
    "camera",
    [
        Camera(size=(64, 48), fov_degrees=70),
        Camera(size=(96, 40), panorama=True),
        Camera(size=(64, 48), tilt_degrees=20),
        Camera(size=(64, 48), tilt_degrees=-85),
    ],
)
def test_rows_and_columns_are_found_again(camera: Camera) -> None:
    projection = camera.projection()
    columns = np.arange(projection.width, dtype=np.int32)
    for row in (0, projection.height // 2, projection.height - 1):
        rows = projection.rows_of(projection.tangents[row], columns)
        np.testing.assert_allclose(rows, row + 0.5, atol=2e-2)
        first = projection.first_rows(projection.tangents[row] + 1e-3, columns)
        assert (first <= row).all()
    found = projection.columns_of(projection.azimuths.astype(np.float32))
    np.testing.assert_allclose(found, columns + 0.5, atol=1e-2)


@settings(max_examples=60, deadline=None)
@given(
    tilt=st.floats(-90, 90),
    roll=st.floats(-30, 30),
    distortion=st.floats(-0.2, 0.2),
    fov=st.one_of(st.none(), st.floats(20, 120)),
    row=st.integers(0, 23),
    column=st.integers(0, 47),
)
def test_a_tilted_camera_looks_up_the_ray_of_its_pixel(
    tilt: float, roll: float, distortion: float, fov: float | None, row: int, column: int
) -> None:
    camera = Camera(
        size=(48, 24),
        fov_degrees=fov or 90.0,
        tilt_degrees=tilt or 1.0,
        roll_degrees=roll,
        distortion=distortion if fov else 0.0,
        panorama=fov is None,
    )
    projection = camera.projection()
    assert projection.warp is not None
    place = int(projection.warp[row * 48 + column])
    found_row, found_column = divmod(place, projection.width)
    tangent = float(projection.tangents[found_row, found_column])
    azimuth = float(projection.azimuths[found_column])
    seen = _unit(math.sin(azimuth), math.cos(azimuth), tangent)
    asked = _ray(camera, row, column)
    apart = math.acos(min(1.0, sum(a * b for a, b in zip(seen, asked, strict=True))))
    # Half a diagonal of a pixel of the level raster, at its coarsest (the centre of a plane).
    assert apart <= 0.75 / projection.focal


def _ray(camera: Camera, row: int, column: int) -> tuple[float, float, float]:
    """The pixel's ray, one rotation after the other, with plain numbers."""
    width, height = camera.size
    x, y = column + 0.5 - width / 2, height / 2 - row - 0.5
    if camera.panorama:
        step = 2 * math.pi / width
        right, ahead, up = (
            math.sin(x * step) * math.cos(y * step),
            math.cos(x * step) * math.cos(y * step),
            math.sin(y * step),
        )
    else:
        focal = width / 2 / math.tan(math.radians(camera.fov_degrees) / 2)
        far = (x * x + y * y) / ((width / 2) ** 2 + (height / 2) ** 2)
        scale = 1 + camera.distortion * far
        right, ahead, up = x * scale / focal, 1.0, y * scale / focal
    roll, tilt = math.radians(camera.roll_degrees), math.radians(camera.tilt_degrees)
    right, up = (
        right * math.cos(roll) + up * math.sin(roll),
        up * math.cos(roll) - right * math.sin(roll),
    )
    ahead, up = (
        ahead * math.cos(tilt) - up * math.sin(tilt),
        ahead * math.sin(tilt) + up * math.cos(tilt),
    )
    return _unit(right, ahead, up)


def _unit(*parts: float) -> tuple[float, ...]:
    length = math.sqrt(sum(part * part for part in parts))
    return tuple(part / length for part in parts)


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"size": (0, 5)}, "(0, 5)"),
        ({"size": (9000, 9000)}, "9000"),
        ({"fov_degrees": 180.0}, "180.0"),
        ({"fov_degrees": math.nan}, "nan"),
        ({"size": (100, 80), "panorama": True}, "(100, 80)"),
        ({"tilt_degrees": 91.0}, "91.0"),
        ({"roll_degrees": math.nan}, "nan"),
        ({"distortion": 0.5}, "0.5"),
        ({"height_m": 0.0}, "0.0"),
        ({"heading_degrees": math.inf}, "inf"),
    ],
)
def test_impossible_cameras_are_refused(changes: dict[str, object], value: str) -> None:
    with pytest.raises(UsageError, match="must be") as caught:
        Camera(**changes)  # type: ignore[arg-type]
    assert value in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("size", [(1, 100), (1, 1), (2, 3)])
def test_the_widest_view_of_the_smallest_picture_is_a_raster(size: tuple[int, int]) -> None:
    projection = Camera(size=size, fov_degrees=170.0, tilt_degrees=10.0).projection()
    assert projection.width >= 1
    assert projection.warp is not None
    assert len(projection.warp) == size[0] * size[1]
    assert projection.warp.max() < projection.width * projection.height
