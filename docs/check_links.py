"""Checks that every link inside a built site leads to a page, a file and an anchor that are there.

    python docs/check_links.py build/site

Sphinx checks what the sources say; this checks what came out, with the theme's own links, images, scripts and style
sheets. Links to other hosts are counted and not followed: the build has no network. A script, style sheet or image of
another host is an error, because the site has to work without one.
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

# Attribute that holds an address, by element; of these the browser loads all but `a` by itself.
_ADDRESSES = {"a": "href", "link": "href", "script": "src", "img": "src", "source": "src", "iframe": "src"}
# Made by Sphinx for its own scripts, which take the anchor away again.
_NO_ANCHOR = frozenset({"", "top"})


class Link(NamedTuple):
    """A link as a page has it."""

    line: int
    element: str
    address: str


class Page(HTMLParser):
    """The links and anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[Link] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser."""
        values = dict(attrs)
        self.anchors.update(value for value in (values.get("id"), values.get("name")) if value)
        address = values.get(_ADDRESSES.get(tag, ""))
        if address is not None and values.get("rel") != "canonical":
            self.links.append(Link(self.getpos()[0], tag, address))


def broken_links(site: Path) -> Iterator[str]:
    """A line for each link that leads nowhere, with page and line.

    Args:
      site: folder of the built pages.
    """
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: no pages"
    for path, page in pages.items():
        for link in page.links:
            problem = _problem(link, path, pages)
            if problem:
                yield f"{path.relative_to(site.resolve())}:{link.line}: {link.address}: {problem}"


def _problem(link: Link, path: Path, pages: dict[Path, Page]) -> str:
    scheme, host, name, _, anchor = urlsplit(link.address)
    if scheme or host:
        loads = link.element != "a" and scheme != "data"
        return "is loaded from another host" if loads else ""
    target = (path.parent / unquote(name)).resolve() if name else path
    if not target.is_file():
        return "no such file"
    if target in pages and unquote(anchor) not in _NO_ANCHOR | pages[target].anchors:
        return "no such anchor on the page"
    return ""


def main(arguments: list[str]) -> int:
    """Prints what is broken; 1 if anything is."""
    broken = list(broken_links(Path(arguments[0])))
    print("\n".join(broken) or "links: every one leads somewhere (those to other hosts were not followed)")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
