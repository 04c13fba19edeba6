from pathlib import Path

import pytest
import snippet_blocks

from blocks.catalog.model import Catalog
from blocks.catalog.reading import read_catalog

# Not all, so that what messages list does not change with every new block.
REAL = (
    *("ReadJson", "ReadParquet", "AsBatches", "MaskColumns", "UnmaskColumns", "FlattenRecords", "WindowRows"),
    *("UnionBatches", "AsRows", "WriteWarehouse"),
)


@pytest.fixture(scope="session")
def catalog(tmp_path_factory) -> Catalog:
    """Some of the real blocks, and the small ones of the tests."""
    path = tmp_path_factory.mktemp("catalog") / "catalog.yaml"
    path.write_text(snippet_blocks.CATALOG, encoding="utf-8")
    real = read_catalog()
    return Catalog((*(one for one in real.entries if one.name in REAL), *read_catalog(path).entries), real.names)


@pytest.fixture
def snippet(tmp_path, monkeypatch):
    """Writes a snippet into a folder of its own, which is the working directory."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "snippet.yaml") -> Path:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
        return Path(name)

    return write
