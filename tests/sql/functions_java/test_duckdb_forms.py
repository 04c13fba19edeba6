"""The forms that need no JVM against the cases of their functions and against the library's masks."""

import re
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from java_function_tables import SOURCES, arrow_type, every_code_point, of

from blocks.core.keys import KeyRing
from blocks.core.masks.text import Mask

_ROW = re.compile(r"\| `(\w+)\(([\w, ]*)\)` \| `(.+)` \| (?:literal `(\w+)` from (\d+) to (\d+))? *\|")
_FORMS = [_ROW.fullmatch(line) for line in (SOURCES / "DUCKDB_FORMS.md").read_text().splitlines()]
_CONNECTION = duckdb.connect()
FORMS = [found.groups() for found in _FORMS if found]


def _evaluated(form: str, names: list[str], types: list[str], arguments: list[Any]) -> Any:
    sql = form.replace("\\|", "|")
    kinds = {"VARCHAR": "VARCHAR", "BIGINT": "BIGINT", "VARBINARY": "BLOB"}
    for name, sql_type in zip(names, types, strict=True):
        sql = sql.replace("{" + name + "}", f"CAST(${name} AS {kinds[sql_type]})")
    used = {name: value for name, value in zip(names, arguments, strict=True) if f"${name}" in sql}
    return _CONNECTION.execute(f"SELECT {sql}", used).fetchall()[0][0]


def test_the_table_is_read() -> None:
    assert len(FORMS) == 9


@pytest.mark.parametrize("row", FORMS, ids=lambda row: f"{row[0]}({row[1]})")
def test_a_form_gives_every_result_of_its_cases(row: tuple[Any, ...]) -> None:
    name, listed, form, literal, least, most = row
    names = listed.split(", ")
    checked = 0
    for case in of(name):
        if case.error or len(case.arguments) != len(names):
            continue
        bound = dict(zip(names, case.arguments, strict=True)).get(literal) if literal else 0
        if not literal or (bound is not None and int(least) <= bound <= int(most)):
            assert arrow_type(case.returns) == "string"
            assert _evaluated(form, names, list(case.types), case.arguments) == case.result, case
            checked += 1
    assert checked > 0


def test_the_forms_of_the_masks_are_the_librarys_masks_for_every_code_point() -> None:
    text = every_code_point()
    expected = Mask().kernel(pa.string(), "pii.name", KeyRing({}))(pa.array([text]))[0].as_py()
    forms = {row[0]: row[2] for row in FORMS if row[0].startswith("mask")}
    assert len(forms) == 5
    for name, form in forms.items():
        names = ["text", "count"] if name != "mask" else ["text"]
        arguments = [text, 0 if "keep" in name else len(text)][: len(names)]
        assert _evaluated(form, names, ["VARCHAR", "BIGINT"][: len(names)], arguments) == expected, name


@given(st.text(max_size=12))
def test_the_form_of_mask_is_the_librarys_mask_for_any_text(text: str) -> None:
    form = next(row[2] for row in FORMS if row[0] == "mask")
    expected = Mask().kernel(pa.string(), "pii.name", KeyRing({}))(pa.array([text]))[0].as_py()
    assert _evaluated(form, ["text"], ["VARCHAR"], [text]) == expected
