"""The site builds without a warning, its links lead somewhere, and it works without a network."""

import re
import sys
from pathlib import Path

import pytest

from blocks.catalog.reading import read_catalog

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
from check_links import broken_links, main

pytestmark = pytest.mark.docs


def test_every_block_has_a_page_in_the_site(site):
    missing = [e.name for e in read_catalog().entries if not (site / "reference" / f"{e.name}.html").is_file()]
    assert missing == []


def test_every_link_of_the_site_leads_somewhere(site):
    assert list(broken_links(site)) == []


def test_the_site_asks_no_other_host_for_anything(site):
    asked = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//""")
    styles = [path for path in site.rglob("*.css") if asked.search(path.read_text(encoding="utf-8"))]
    assert styles == []


def test_search_finds_a_block_without_a_network(site, chromium):
    page = chromium.dom((site / "search.html").as_uri() + "?q=MaskColumns")
    assert re.search(r'<ul[^>]*class="search"[^>]*>\s*<li[^>]*><a href="reference/MaskColumns.html', page)


def test_a_page_without_a_fault_builds(builder, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Page\n\n## Part\n\n[part](index.md#part)\n")
    result = builder(tmp_path / "docs", tmp_path / "site")
    assert (result.returncode, result.stderr) == (0, "")


FAULTS = {
    "gone.md": "[a page](gone.md)",
    "no-such-heading": "[a heading](index.md#no-such-heading)",
    "gone.yaml": "[a file](../examples/gone.yaml)",
    "no-such-directive": "```{no-such-directive}\n```",
    "no.such.Thing": "{py:class}`no.such.Thing`",
}


def test_every_fault_of_a_page_is_reported_and_the_site_does_not_build(builder, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Page\n\n" + "\n\n".join(FAULTS.values()) + "\n")
    result = builder(tmp_path / "docs", tmp_path / "site")
    assert result.returncode != 0
    assert [fault for fault in FAULTS if fault not in result.stderr] == []
    assert result.stderr.count("WARNING") == len(FAULTS)


GOOD = '<html><body><h1 id="top-of">x</h1><a href="other.html#there">o</a><a href="https://example.com">e</a></body></html>'
OTHER = '<html><body><p id="there">x</p><a href="#there">here</a><a href="page.html">back</a></body></html>'


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ('<a href="gone.html">', "gone.html: no such file"),
        ('<a href="other.html#nowhere">', "other.html#nowhere: no such anchor on the page"),
        ('<a href="#nowhere">', "#nowhere: no such anchor on the page"),
        ('<img src="gone.svg">', "gone.svg: no such file"),
        ('<link rel="stylesheet" href="gone.css?v=1">', "gone.css?v=1: no such file"),
        ('<script src="https://example.com/x.js"></script>', "https://example.com/x.js: is loaded from another host"),
        ('<link rel="stylesheet" href="//example.com/x.css">', "//example.com/x.css: is loaded from another host"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path, capsys, fault, said):
    (tmp_path / "page.html").write_text(GOOD)
    (tmp_path / "other.html").write_text(OTHER)
    assert main([str(tmp_path)]) == 0
    (tmp_path / "page.html").write_text(GOOD + "\n" + fault)
    assert list(broken_links(tmp_path)) == [f"page.html:2: {said}"]
    capsys.readouterr()
    assert main([str(tmp_path)]) == 1
    assert said in capsys.readouterr().out


def test_a_folder_without_pages_is_no_good_site(tmp_path):
    assert list(broken_links(tmp_path)) == [f"{tmp_path}: no pages"]
