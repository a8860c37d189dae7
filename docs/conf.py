"""Sphinx: `sphinx-build -W docs site` builds the documentation, without network."""

import qdsurf

project = "qdsurf"
version = release = qdsurf.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "qdsurf"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints = "description"
napoleon_google_docstring = False
napoleon_use_ivar = True
