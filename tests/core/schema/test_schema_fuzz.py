import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.core.errors import SchemaError
from blocks.core.schema import read_schema

FIXTURES = Path(__file__).parents[2] / "fixtures" / "schemas"
TOKENS = [*"{}[]()<>:,;\"'=#*&!|-?% \n\t0\\", "null", "true", "struct", "type", "$ref", "<<: ", "i64", "\u2028", "\x00"]
VALUES: list[Any] = [None, True, 7, 1.5, "", "x", [], {}, [[]], {"type": "record"}, {"$ref": "#"}, ["null", "null"]]


def _read(name: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for helper in ("common.thrift", "user.json"):
            (Path(folder) / helper).write_text((FIXTURES / helper).read_text())
        path = Path(folder) / name
        path.write_text(text, encoding="utf-8")
        try:
            assert isinstance(read_schema(path, "Transaction"), pa.Schema)
        except SchemaError as error:
            assert error.problems  # noqa: PT017  either a schema or this error, never another


@pytest.mark.parametrize("format_", ["thrift", "avsc", "json", "yaml"])
def test_a_damaged_file_gives_a_schema_or_a_schema_error(format_: str) -> None:
    name = f"transaction.{format_}"
    text = (FIXTURES / name).read_text()
    cuts = st.tuples(st.integers(0, len(text)), st.integers(0, 12), st.sampled_from(TOKENS))

    @settings(max_examples=60, deadline=None, database=None)
    @given(st.lists(cuts, min_size=1, max_size=3))
    def damaged(changes: list[tuple[int, int, str]]) -> None:
        changed = text
        for at, length, token in changes:
            changed = changed[:at] + token + changed[at + length :]
        _read(name, changed)

    damaged()


def _places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value inside a JSON value."""
    steps = (
        list(value.items() if isinstance(value, dict) else enumerate(value)) if isinstance(value, dict | list) else []
    )
    return [place for key, inner in steps for place in [(value, key), *_places(inner)]]


@pytest.mark.parametrize("format_", ["avsc", "json"])
def test_json_of_a_wrong_form_gives_a_schema_or_a_schema_error(format_: str) -> None:
    name = f"transaction.{format_}"
    text = (FIXTURES / name).read_text()

    @settings(max_examples=120, deadline=None, database=None)
    @given(st.integers(0, len(_places(json.loads(text))) - 1), st.sampled_from(VALUES))
    def damaged(index: int, value: Any) -> None:
        document = json.loads(text)
        container, key = _places(document)[index]
        container[key] = value
        _read(name, json.dumps(document))

    damaged()
