"""How the documentation site is built: `nox -s docs`. Why with these tools: decisions/0008-sphinx.md."""

import os
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import blocks  # noqa: E402 - of this checkout, whether it is installed or not

project = "blocks"
author = "the authors of blocks"
version = release = blocks.__version__
html_title = f"blocks {version}"

extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "check_links.py"]
# Every reference that leads nowhere is a warning, and the session makes warnings errors.
nitpicky = True

myst_enable_extensions = ["colon_fence"]
# As on code hosts: a heading down to the third level has an anchor.
myst_heading_anchors = 3

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
# The sources are beside the site only where the site is built.
html_theme_options = {"top_of_page_buttons": []}

# A block without a language is what a command prints.
highlight_language = "text"
pygments_style = "friendly"
pygments_dark_style = "native"
# The arrows of the interpreter and the prompt of a shell are not copied.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# Pages that list the pages beside them. On a code host a table of contents would be shown as it is written.
_LISTS = {"reference/README": "[A-Z]*", "decisions/README": "0*"}
_LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _list_pages)
    app.connect("include-read", _move_links)


def _list_pages(_app: Any, page: str, source: list[str]) -> None:
    if page in _LISTS:
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n:glob:\n\n{_LISTS[page]}\n```\n"


def _move_links(app: Any, path: Path, _page: str, source: list[str]) -> None:
    # Links of an included file are relative to it, and not to the page that includes it.
    folder = (Path(app.srcdir) / path).parent
    source[0] = _LINK.sub(lambda link: f"]({os.path.relpath(folder / link[1], app.srcdir)})", source[0])
