"""How the documentation becomes a site: Sphinx reads the Markdown of docs/, furo lays it out, formulas are MathML."""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "website"))

from mathml import mathml  # noqa: E402 - found beside this folder
from pages import linked_markdown  # noqa: E402

project = "lossdsl"
html_title = "lossdsl"
html_static_path = ["../static/math.css"]
html_css_files = ["math.css"]
extensions = ["myst_parser"]
exclude_patterns = ["pictures"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
html_theme = "furo"
templates_path = ["."]  # gallery.html leads to the gallery, which is beside the documentation on the site
html_sidebars = {
    "**": [
        "sidebar/brand.html", "gallery.html", "sidebar/search.html", "sidebar/scroll-start.html",
        "sidebar/navigation.html", "sidebar/scroll-end.html",
    ]
}  # fmt: skip
html_theme_options = {"top_of_page_buttons": []}
html_show_sourcelink = False
html_copy_source = False
html_show_search_summary = False  # it would be fetched, which a page from the disk may not do
html_math_renderer = "offline"
suppress_warnings = ["misc.highlighting_failure"]  # a loss is not Python


def _formula(self: Any, node: Any) -> None:
    from docutils import nodes

    formula = mathml(node.astext())
    if isinstance(node, nodes.math):
        formula = formula.replace(' display="block"', "", 1)
    self.body.append(formula)
    raise nodes.SkipNode


def setup(app: Any) -> None:
    app.add_html_math_renderer("offline", (_formula, None), (_formula, None))
    app.connect("source-read", _for_the_site)


def _for_the_site(app: Any, page: str, text: list[str]) -> None:
    """What the pages of the losses have on the site alone: links, and those of the families below that of them all."""
    if page == "losses":
        text[0] += "\n```{toctree}\n:hidden:\n:glob:\nlosses/*\n```\n"
    elif page.startswith("losses/"):
        text[0] = linked_markdown(text[0])
