"""The fast parser, the explanation of what it refuses, and a slow oracle agree on every record."""

from typing import Any

import json_oracle
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from json_strategies import records, schemas

from blocks.reading.diagnosis import CODES, read_record
from blocks.reading.json_parser import JsonParser
from blocks.reading.lines import split_lines

SETTINGS = settings(max_examples=80, deadline=None)


def oracle(line: bytes, schema: pa.Schema, strict: bool) -> dict[str, Any] | None:
    try:
        return json_oracle.read(line, schema, strict)
    except json_oracle.UnfitError:
        return None


def check(schema: pa.Schema, lines: list[bytes], strict: bool) -> None:
    parser = JsonParser(schema, strict=strict)
    text = b"\n".join(lines)
    expected = {}
    at = 0
    for line in lines:
        if line.strip(b" \t\r"):
            lead = len(line) - len(line.lstrip(b" \t\r"))
            expected[at + lead] = oracle(line.strip(b" \t\r"), schema, strict)
        at += len(line) + 1
    good, bad = {}, {}
    for batch, positions, refused in parser.parse(split_lines(text, 0)):
        batch.validate(full=True)
        assert batch.schema.equals(parser.schema, check_metadata=True)
        good |= dict(zip(positions.tolist(), json_oracle.rows(batch), strict=True))
        bad |= {record.position: record for record in refused}
    assert {at: row for at, row in expected.items() if row is not None} == good
    assert {at for at, row in expected.items() if row is None} == set(bad)
    for at, record in bad.items():
        assert text[at:].startswith(record.raw)
        assert record.finding.code in CODES
        # The explanation found what is wrong.
        assert record.finding.message != "the record does not fit the schema"
    for at in good:
        finding = read_record(text[at:].split(b"\n")[0].strip(), parser._nodes, (), strict)
        assert finding.code == "", (finding.code, finding.message)


@SETTINGS
@given(data=st.data(), schema=schemas(maps=False), strict=st.booleans())
def test_without_maps_parser_explanation_and_oracle_agree(data: st.DataObject, schema: pa.Schema, strict: bool) -> None:
    check(schema, data.draw(st.lists(records(schema, strict), min_size=1, max_size=6)), strict)


@SETTINGS
@given(data=st.data(), schema=schemas(maps=True), strict=st.booleans())
def test_with_maps_parser_explanation_and_oracle_agree(data: st.DataObject, schema: pa.Schema, strict: bool) -> None:
    check(schema, data.draw(st.lists(records(schema, strict), min_size=1, max_size=6)), strict)
