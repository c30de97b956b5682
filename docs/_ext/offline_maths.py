"""Formulas by MathJax, from a file of the site's own: a reader's browser asks no other server for anything."""

from sphinx.application import Sphinx


def setup(app: Sphinx) -> dict:
    app.setup_extension("sphinx.ext.mathjax")
    app.config.mathjax_path = "vendor/mathjax.js"  # build.py puts it into _static
    app.config.mathjax3_config = {"options": {"enableMenu": False}}  # the menu would fetch files that are not here
    return {"parallel_read_safe": True}
