"""The configuration of Sphinx: `make docs` builds the site from this folder."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "python"), str(Path(__file__).parent / "extensions")]

project = "honker"
author = "The honker authors"
copyright = author
release = re.search(r'(?m)^version = "([^"]+)"', (ROOT / "Cargo.toml").read_text("utf-8"))[1]
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "command_reference",
    "included_pages",
    "python_reference",
    "sql_reference",
]
exclude_patterns = ["_build"]
nitpicky = True

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist", "fieldlist", "substitution"]
myst_heading_anchors = 4
myst_substitutions = {"version": release}

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_use_param = True
toc_object_entries_show_parents = "hide"
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
# In docstrings `Queue` names an object, and is plain text where the site does not describe the object.
default_role = "py:obj"
# The signatures name classes of other packages, and classes of honker that only type checkers meet.
nitpick_ignore_regex = [("py:obj", r".*"), ("py:class", r"(?!honker\.[A-Z]).*"), ("py:exc", r"(?!honker\.).*")]

html_theme = "furo"
html_title = f"honker {release}"
html_static_path = ["_static"]
html_css_files = ["honker.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#8a4b08", "color-brand-content": "#8a4b08"},
    "dark_css_variables": {"color-brand-primary": "#f0a04b", "color-brand-content": "#f0a04b"},
}

# `make docs ARGS=--external` asks each link to the web; the build itself asks none.
linkcheck_anchors = False
linkcheck_timeout = 20
