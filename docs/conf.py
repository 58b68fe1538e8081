"""Settings of Sphinx: ``sphinx-build -W --keep-going docs BUILD`` needs no network."""

import os
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

project = "keras-model-zoo"
author = "The keras-model-zoo authors"
project_copyright = author
version = release = installed_version(project)

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "mathml",
    "model_links",
    "model_pages",
]
exclude_patterns = ["equations/*", "labs/mistakes/*", "labs/solutions/*"]

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3

default_role = "code"
smartquotes = False  # which would turn the dashes of options into others
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "none"
napoleon_custom_sections = ["Reference"]
napoleon_use_ivar = True

html_theme = "furo"
html_title = "keras-model-zoo"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_js_files = [("tables.js", {"defer": "defer"})]
