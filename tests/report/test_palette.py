from __future__ import annotations

import itertools
import re
from importlib.resources import files

import numpy as np
import pytest

from sightline.report.figures.palette import PALETTE, palette_css, series

ASSETS = files("sightline.report").joinpath("assets")
# Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB.
EYES = {
    "all cones": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> np.ndarray:
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    t = TO_XYZ @ np.clip(rgb, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a: str, b: str) -> float:
    """WCAG 2.2, relative luminance."""
    dark, light = sorted(float(linear(c) @ TO_XYZ[1]) for c in (a, b))
    return (light + 0.05) / (dark + 0.05)


def variables(css: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", css))


def schemes() -> dict[str, dict[str, str]]:
    page = ASSETS.joinpath("page.css").read_text("utf-8")
    light, dark = page.split("@media (prefers-color-scheme: dark)")
    evaluation = ASSETS.joinpath("evaluation.css").read_text("utf-8")
    return {
        "light": variables(light) | variables(palette_css()),
        "dark": variables(dark.split("@media print")[0]) | variables(evaluation),
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_of_a_figure_has_a_value_and_marks_stand_out(scheme: str) -> None:
    colours = schemes()[scheme]
    assert set(PALETTE) <= set(colours)
    for name in PALETTE:
        if name.startswith(("series-", "error-")):
            # WCAG 2.2, 1.4.11: graphics need 3 to 1.
            assert contrast(colours[name], colours["paper"]) >= 3.0, name
    for name in ("ink", "quiet"):
        assert contrast(colours[name], colours["paper"]) >= 4.5, name


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize(("family", "apart"), [("series", 25.0), ("error", 14.0)])
def test_colours_stay_apart_for_every_eye(scheme: str, eye: str, family: str, apart: float) -> None:
    colours = schemes()[scheme]
    seen = [
        lab(EYES[eye] @ linear(colour))
        for name, colour in colours.items()
        if name.startswith(f"{family}-")
    ]
    assert len(seen) == (6 if family == "series" else 5)
    # A difference of about 2 is just seen.
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > apart


def test_the_paper_of_figures_is_the_page_in_the_light() -> None:
    colours = schemes()["light"]
    assert {name: colours[name] for name in PALETTE} == PALETTE
    assert len(set(PALETTE.values())) == len(PALETTE)


def test_style_rules_cover_fill_and_stroke_of_every_name() -> None:
    css = palette_css()
    for name in PALETTE:
        assert f".fill-{name} {{ fill: var(--{name}); }}" in css
        assert f".stroke-{name} {{ stroke: var(--{name}); }}" in css


def test_models_beyond_the_colours_have_other_dashes() -> None:
    looks = [series(number) for number in range(36)]
    assert len({(look.colour, look.dashes) for look in looks}) == 36
    assert looks[0].line_style == "-"
    assert looks[1].line_style == (0, looks[1].dashes)
