"""Sphinx's settings for the site. `python docs/build.py` builds it; this file says what the pages are made with."""

import hashlib
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

project = "resnet_scratch"
author = copyright = "the authors of resnet_scratch"
# The one setting for the "open in Colab" buttons: the repository's address on GitHub, such as "someone/resnet_scratch".
# Without one the buttons are left out, and each notebook can be downloaded all the same.
repository = ""

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "accessible",
    "bibliography",
    "docstrings",
    "links",
    "offline_maths",
]
exclude_patterns = ["_*"]

# MyST and the tutorials
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
nb_execution_mode = "cache"
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_merge_streams = True
# Results are kept for as long as neither the page nor the library changes, and those of shortened runs by themselves.
library = b"".join(path.read_bytes() for path in sorted((HERE.parent / "resnet_scratch").rglob("*.py")))
executed = "executed-fast" if "RESNET_SCRATCH_FAST" in os.environ else "executed"
nb_execution_cache_path = str(HERE / "_build" / f"{executed}-{hashlib.sha256(library).hexdigest()[:12]}")
nb_render_image_options = {"alt": "Figure drawn by the code above it"}

# The reference, from docstrings
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases = {
    name: name for name in ("Array", "Backward", "Batch", "Cache", "Direction", "ImageSizes", "Schedule")
}
autodoc_default_options = {"members": True, "undoc-members": True}
default_role = "code"
add_module_names = False
python_display_short_literal_types = True

# The look
html_theme = "furo"
html_title = "resnet_scratch"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#005b8f", "color-brand-content": "#005b8f"},
    "dark_css_variables": {"color-brand-primary": "#7cc4f5", "color-brand-content": "#7cc4f5"},
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"

version = re.search(r'__version__ = "(.*)"', (HERE.parent / "resnet_scratch" / "__init__.py").read_text())[1]
