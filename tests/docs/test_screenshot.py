"""A page of a block looks as it should, in a real browser.

What is compared is coarse: cells of 80 pixels, in grey. Another font or a changed sentence moves single cells by
little; a missing style sheet, sidebar or text moves many by much. Measured on the page with 1280 by 1000 pixels, in
cells that differ by more than 16 of 255 levels: another font 1 %, the page of another block up to 7 %, no sidebar 13 %,
no text 16 %, an empty page 18 %, no style sheet 25 %.

The kept picture is made again with `BLOCKS_KEEP_SCREENSHOT=1 nox -s docs`; look at it before it is committed.
"""

import os
import re
import shutil
from pathlib import Path

import pytest

pytestmark = [pytest.mark.docs, pytest.mark.slow]

KEPT = Path(__file__).with_name("MaskColumns.png")
SIZE = (1280, 1000)
CELL = 80
LEVELS = 16
MOST = 0.10


def differing(one: Path, other: Path) -> float:
    """Part of the cells that differ, from 0 to 1."""
    image = pytest.importorskip("PIL.Image", reason="needs the dependency group `docs`: nox -s docs")
    grey = [image.open(path).convert("L") for path in (one, other)]
    assert grey[0].size == grey[1].size
    cells = (grey[0].width // CELL, grey[0].height // CELL)
    first, second = (picture.resize(cells, image.Resampling.BOX).tobytes() for picture in grey)
    return sum(abs(a - b) > LEVELS for a, b in zip(first, second, strict=True)) / len(first)


@pytest.fixture
def copy(site, tmp_path):
    """A copy of the site, to be damaged."""
    return Path(shutil.copytree(site, tmp_path / "site"))


def shown(chromium, site: Path, output: Path) -> Path:
    chromium.screenshot(site / "reference" / "MaskColumns.html", output, *SIZE)
    return output


def test_a_page_of_a_block_looks_as_it_did(site, chromium, tmp_path):
    picture = shown(chromium, site, tmp_path / "now.png")
    if os.environ.get("BLOCKS_KEEP_SCREENSHOT") == "1":
        keep(picture)
    assert differing(KEPT, picture) <= MOST


def keep(picture: Path) -> None:
    """Keeps a picture, with few colours, so that it is small."""
    image = pytest.importorskip("PIL.Image")
    image.open(picture).convert("RGB").quantize(32).save(KEPT, optimize=True)


def _without_style(site: Path, page: Path) -> None:
    (site / "_static" / "styles" / "furo.css").unlink()


def _without_sidebar(site: Path, page: Path) -> None:
    _without(page, r'<aside class="sidebar-drawer">.*?</aside>')


def _without_text(site: Path, page: Path) -> None:
    _without(page, r"<article.*?</article>")


def _empty(site: Path, page: Path) -> None:
    page.write_text("<html></html>", encoding="utf-8")


def _without(page: Path, pattern: str) -> None:
    text, count = re.subn(pattern, "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert count == 1
    page.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("damage", [_without_style, _without_sidebar, _without_text, _empty])
def test_a_damaged_page_does_not_look_as_it_did(copy, chromium, tmp_path, damage):
    damage(copy, copy / "reference" / "MaskColumns.html")
    assert differing(KEPT, shown(chromium, copy, tmp_path / "now.png")) > MOST


@pytest.mark.parametrize("font", ["DejaVu Serif", "DejaVu Sans Mono"])
def test_a_page_in_another_font_passes(copy, chromium, tmp_path, font):
    style = copy / "_static" / "styles" / "furo.css"
    style.write_text(style.read_text(encoding="utf-8") + f"*{{font-family:'{font}' !important}}", encoding="utf-8")
    assert differing(KEPT, shown(chromium, copy, tmp_path / "now.png")) <= MOST
