"""How Sphinx builds the site: offline, and with warnings as errors (`make docs`)."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "convergekit"
author = "convergekit contributors"
copyright = "convergekit contributors"
version = release = installed("convergekit")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
nitpicky = False

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Source", "notes_style"), ("Promises", "notes_style")]

html_theme = "furo"
html_title = "convergekit"
html_static_path = ["_static"]
html_theme_options = {"source_edit_link": "", "top_of_page_buttons": []}
html_show_sphinx = False
