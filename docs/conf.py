"""Sphinx configuration; built with warnings as errors."""

from importlib import metadata

project = "Sightline"
copyright = "2026, the Sightline maintainers"
release = metadata.version("sightline")
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.apidoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Sightline {release}"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
# Classes of one short name live in several rooms; a type in a docstring names the nearest.
suppress_warnings = ["ref.python"]
# Thousands of objects in the sidebar of every page take minutes to write, unread.
toc_object_entries = False
# Packages hand on the names of their modules; each is described once, where it lives.
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "ignore-module-all": True,
}
napoleon_use_ivar = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
apidoc_modules = [
    {
        "path": "../src/sightline",
        "destination": "api",
        "separate_modules": False,
        "module_first": True,
        "max_depth": 2,
    }
]
