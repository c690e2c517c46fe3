"""Sphinx configuration; built with warnings as errors."""

from importlib import metadata

# Pages are read by many processes, one after another: what takes seconds to import is imported
# before they are forked.
import timm  # noqa: F401
import torch  # noqa: F401
from sphinx.application import Sphinx
from sphinx.domains import python

project = "Sightline"
copyright = "2026, the Sightline maintainers"
release = metadata.version("sightline")
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.apidoc",
    "sphinx.ext.napoleon",
]
# Pages of source code are for readers: a check of the documentation does without (`-t check`).
if not tags.has("check"):  # noqa: F821 - Sphinx's own
    extensions.append("sphinx.ext.viewcode")
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Sightline {release}"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
# There are none, and looking for them takes a tenth of the time.
autodoc_use_type_comments = False
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


class PythonDomain(python.PythonDomain):
    """Sphinx's own, which looks through all objects for every type that is none of them.

    Numbers, strings and arrays are most types of signatures; looking for them took most of the time
    that references took.
    """

    def find_obj(self, env, modname, classname, name, typ, searchmode=0):  # type: ignore[no-untyped-def]
        """As Sphinx's own: a name that no object ends with is none's."""
        if name.removesuffix("()").rpartition(".")[2] not in self._last_names():
            return []
        return super().find_obj(env, modname, classname, name, typ, searchmode)

    def _last_names(self) -> set[str]:
        if getattr(self, "_counted", -1) != len(self.objects):
            self._counted = len(self.objects)
            self._known = {name.rpartition(".")[2] for name in self.objects}
        return self._known


def setup(app: Sphinx) -> None:
    """Put the quick domain in the place of Sphinx's."""
    app.add_domain(PythonDomain, override=True)
