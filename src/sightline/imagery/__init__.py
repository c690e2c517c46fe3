"""Photos: decoded safely and turned upright, what their files say, and panoramas cut into views."""

from sightline.imagery.formats import PHOTO_SUFFIXES
from sightline.imagery.limits import Limits
from sightline.imagery.metadata import Metadata, SphereCrop, read_metadata
from sightline.imagery.panorama import VIEW_HEADINGS, perspective_views, whole_sphere
from sightline.imagery.photo import Photo, open_photo, open_picture
from sightline.imagery.place import ExifPlace
from sightline.imagery.source import PhotoSource

__all__ = [
    "PHOTO_SUFFIXES",
    "VIEW_HEADINGS",
    "ExifPlace",
    "Limits",
    "Metadata",
    "Photo",
    "PhotoSource",
    "SphereCrop",
    "open_photo",
    "open_picture",
    "perspective_views",
    "read_metadata",
    "whole_sphere",
]
