"""What the papers did to pictures before they trained and tested."""

from sightline.datasets.preparation.aerial_crop import (
    Crop,
    CropTable,
    crop_pixels,
    draw_crops,
)
from sightline.datasets.preparation.few_shot import FEW_SHOT_SHARES, few_shot, few_shot_rows
from sightline.datasets.preparation.panorama_views import (
    FIELDS_OF_VIEW_DEGREES,
    PanoramaView,
    ViewSettings,
    cut_columns,
    four_views,
    view_headings,
    view_of,
)
from sightline.datasets.preparation.polar import PolarTransform

__all__ = [
    "FEW_SHOT_SHARES",
    "FIELDS_OF_VIEW_DEGREES",
    "Crop",
    "CropTable",
    "PanoramaView",
    "PolarTransform",
    "ViewSettings",
    "crop_pixels",
    "cut_columns",
    "draw_crops",
    "few_shot",
    "few_shot_rows",
    "four_views",
    "view_headings",
    "view_of",
]
