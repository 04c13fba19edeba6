from pathlib import Path

import pyarrow as pa
import pytest

from blocks.core.errors import SchemaError
from blocks.core.labels import DESCRIPTION, EVENT_TIME, KEY, LABEL, MASKED, Masked
from blocks.core.schema import describe, read_schema

SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), False, {LABEL: "public", KEY: "true", DESCRIPTION: "number of\nthe order"}),
        pa.field("at", pa.timestamp("us", tz="UTC"), metadata={EVENT_TIME: "true"}),
        pa.field(
            "user",
            pa.struct([pa.field("name", pa.string()), pa.field("age", pa.int8(), metadata={LABEL: "pii.age"})]),
            metadata={LABEL: "pii.name", MASKED: Masked("hmac", "main").to_json()},
        ),
        pa.field("tags", pa.list_(pa.string())),
        pa.field("attrs", pa.map_(pa.string(), pa.int64())),
    ]
)


def test_a_schema_is_shown_as_an_aligned_table() -> None:
    assert str(describe(SCHEMA)).splitlines() == [
        "field       type                   nullable  labels    masked           role        description",
        "id          int64                  no        public                     key         number of the order",
        "at          timestamp[us, tz=UTC]  yes                                  event time",
        "user        struct                 yes       pii.name  hmac (key main)",
        "user.name   string                 yes       pii.name  hmac (key main)",
        "user.age    int8                   yes       pii.age",
        "tags        list                   yes",
        "tags[]      string                 yes",
        "attrs       map                    yes",
        "attrs{key}  string                 no",
        "attrs{}     int64                  yes",
    ]
    assert repr(describe(SCHEMA)) == str(describe(SCHEMA))


def test_html_shows_the_same_rows_and_escapes_them() -> None:
    field = pa.field("<script>alert(1)</script>", pa.list_(pa.string()), metadata={DESCRIPTION: 'a "b" & <c>'})
    shown = describe(pa.schema([field]))._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "a &quot;b&quot; &amp; &lt;c&gt;" in shown
    assert shown.count("<tr>") == 3
    assert shown.count("<th>") == 7


def test_a_name_cannot_steer_the_terminal() -> None:
    field = pa.field("a\x1b[2Jb", pa.string(), metadata={DESCRIPTION: "one\n\ttwo"})
    shown = str(describe(pa.schema([field])))
    assert "\x1b" not in shown
    assert "a\\x1b[2Jb" in shown
    assert "one two" in shown
    assert len(shown.splitlines()) == 2


def test_columns_stay_aligned_beside_wide_characters() -> None:
    names = ["名前", "ab"]
    lines = str(describe(pa.schema([pa.field(name, pa.int8()) for name in names]))).splitlines()
    assert lines[1] == "名前   int8  yes"
    assert lines[2] == "ab     int8  yes"


def test_rows_can_be_read_by_a_program(fixtures: Path) -> None:
    rows = {row.field: row for row in describe(read_schema(fixtures / "transaction.yaml")).rows}
    assert rows["occurred_at"].role == "event time"
    assert rows["notes{}"].labels == "pii.note, secret"
    assert rows["user.name"].labels == "pii.name"
    assert rows["id"].nullable == "no"


def test_what_is_not_a_schema_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"expected a pa\.Schema, got dict"):
        describe({"a": "int64"})  # type: ignore[arg-type]
