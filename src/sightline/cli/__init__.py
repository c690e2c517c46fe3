"""The command line: one verb, one file."""

from sightline.cli.app import app, main

__all__ = ["app", "main"]
