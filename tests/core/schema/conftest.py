from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.core.errors import SchemaError
from blocks.core.schema import read_schema

FIXTURES = Path(__file__).parents[2] / "fixtures" / "schemas"


@pytest.fixture
def fixtures() -> Path:
    return FIXTURES


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a schema file and gives its path."""

    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.fixture
def refused(write: Callable[[str, str], Path]) -> Callable[..., str]:
    """Reads a schema that must be refused, and gives the message."""

    def message(file: str, text: str, name: str | None = None) -> str:
        path = write(file, text)
        with pytest.raises(SchemaError) as caught:
            read_schema(path, name)
        shown = str(caught.value)
        assert path.name in shown
        assert all(problem.fix for problem in caught.value.problems), shown
        return shown

    return message
