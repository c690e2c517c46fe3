"""Manifests: Parquet tables of photos, patches and pairs, streamed in and out."""

from sightline.datasets.manifest.reading import Manifest
from sightline.datasets.manifest.schema import SCHEMA_VERSION, Information
from sightline.datasets.manifest.writing import WrittenManifest, write_manifest

__all__ = ["SCHEMA_VERSION", "Information", "Manifest", "WrittenManifest", "write_manifest"]
