"""What the generated pages say of rows, types, columns and versions, in words that Markdown does not change."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from blocks.catalog import reference
from blocks.catalog.model import Catalog, Entry
from blocks.catalog.reading import read_catalog
from blocks.catalog.reference.column_words import column_rows
from blocks.catalog.reference.docstrings import WORDS, paragraphs, raised, sections
from blocks.catalog.reference.few_rows import few_rows
from blocks.catalog.reference.markdown import code, table
from blocks.catalog.reference.python_page import python_page
from blocks.catalog.reference.tables import meaning, rejects_table, rows_table
from blocks.core.rejects import Reject, reject_batch


def cell_of(value, kind=None):
    """How a page shows one value."""
    return rows_table(pa.table({"x": pa.array([value], kind)})).splitlines()[-1].removeprefix("| ").removesuffix(" |")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "*null*"),
        ("", '`""`'),
        ("plain words", "plain words"),
        ("a|b", "`a\\|b`"),
        ("<b>*bold*</b>", "`<b>*bold*</b>`"),
        ("a`b\nc", "`a'b c`"),
        ("_under_", "`_under_`"),
        ("0" * 64, "`" + "0" * 31 + "…`"),
        (12, "12"),
        (True, "true"),
        (Decimal("1.50"), "1.50"),
        (date(2026, 3, 1), "`2026-03-01`"),
        (datetime(2026, 3, 1, 9, 10, tzinfo=UTC), "`2026-03-01 09:10:00Z`"),
        ({"a": Decimal("1.5"), "b": None}, '`{"a": "1.5", "b": null}`'),
        ([1, 2], "`[1, 2]`"),
        (b"\x01\xff", "01ff"),
    ],
)
def test_a_value_is_shown_so_that_markdown_leaves_it_alone(value, text):
    assert cell_of(value) == text


def test_a_sentence_is_shown_whole_and_a_digest_by_its_beginning():
    sentence = "expecting property name enclosed in double quotes (character 19 of the record)"
    assert cell_of(sentence) == f"`{sentence}`"
    assert len(cell_of("main:" + "0" * 64)) == 34


def test_many_rows_are_counted_and_not_shown():
    text = rows_table(pa.table({"x": list(range(1015))}))
    assert text.endswith("| 11 |\n\nand 1,003 more")


def test_rejects_stand_in_the_order_of_the_source():
    found = [Reject("B", "1.0.0", code, "what", position=at) for code, at in (("late", 9), ("wrong_type", 3))]
    lines = rejects_table(pa.Table.from_batches([reject_batch(found)])).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| `wrong_type`", "| late"]


def test_labels_are_told_where_there_are_some():
    plain = pa.schema([("x", pa.int64())])
    labelled = pa.schema([pa.field("x", pa.int64(), metadata={"blocks.label": "pii.age"})])
    assert meaning(plain.empty_table()) == ""
    assert "pii.age" in meaning(labelled.empty_table())


def test_few_rows_have_a_value_of_every_type_and_end_with_nulls():
    kinds = {
        "flag": pa.bool_(),
        "number": pa.int16(),
        "real": pa.float32(),
        "money": pa.decimal128(9, 2),
        "word": pa.large_string(),
        "raw": pa.binary(),
        "day": pa.date32(),
        "clock": pa.time64("us"),
        "at": pa.timestamp("us", tz="UTC"),
        "local": pa.timestamp("ms"),
        "span": pa.duration("s"),
        "who": pa.struct([("name", pa.string())]),
        "tags": pa.list_(pa.string()),
        "counts": pa.map_(pa.string(), pa.int64()),
    }
    schema = pa.schema([pa.field("key", pa.int64(), nullable=False), *kinds.items()])
    rows = few_rows(schema, {"word": ["yes", "no"]}).to_pylist(maps_as_pydicts="strict")
    assert [row["word"] for row in rows] == ["yes", "no", "yes", "no"]
    assert all(value is not None for row in rows[:3] for value in row.values())
    assert [row["key"] for row in rows] == [1, 2, 3, 4]
    assert {name for name, value in rows[3].items() if value is None} == set(kinds) - {"word"}


def entry(**changes):
    """An entry of the catalog with other columns or another version."""
    content = read_catalog().block("MaskColumns").model_dump(by_alias=True)
    return Entry.model_validate({**content, **changes})


@pytest.mark.parametrize(
    ("columns", "what", "words"),
    [
        (
            {
                "needs": [{"option": "columns", "masked": "encrypt"}],
                "gives": {"columns": "input", "labels": "unmasked"},
            },
            "needs columns",
            "those that `columns` names, masked with `encrypt`",
        ),
        (
            {
                "needs": [{"option": "explode", "form": "paths", "types": ["list", "map"]}],
                "gives": {"columns": "parts"},
            },
            "needs columns",
            "those on the paths of `explode` (list or map)",
        ),
        ({"gives": {"columns": "input", "only": "columns"}}, "gives columns", "; with `columns`, only these"),
        ({"gives": {"columns": "input", "renamed": "columns"}}, "gives columns", "; with the names in `columns`"),
        ({"gives": {"columns": "input", "typed": "columns"}}, "gives columns", "; with the types in `columns`"),
        (
            {"gives": {"columns": "input", "added": [{"expressions": "columns"}]}},
            "gives columns",
            "; and those that `columns` computes",
        ),
        (
            {"gives": {"columns": "input", "added": [{"name": "split", "type": "string", "label": "public"}]}},
            "gives columns",
            "; and `split`, string, labelled `public`",
        ),
        ({"gives": {"columns": "none"}}, "gives columns", "none: a pipeline ends here"),
        (
            {
                "needs": [{"option": "columns", "form": "features"}],
                "gives": {"columns": "features", "features": "columns"},
            },
            "needs columns",
            "those that `columns` reads",
        ),
        (
            {"gives": {"columns": "features", "features": "columns"}},
            "gives columns",
            "the key, `as_of`, `revision`, `reason`, the features of `columns`, `truncated`",
        ),
        ({"gives": {"columns": "union"}}, "labels", "each column has those of every column that it comes from"),
    ],
)
def test_columns_and_labels_are_told_in_words(columns, what, words):
    assert words in dict(column_rows(entry(columns=columns)))[what]


def test_the_newest_settled_major_has_the_page_without_a_number():
    old, new, trial = entry(), entry(version="2.0.0"), entry(version="3.0.0", status="experimental")
    catalog = Catalog((old, new, trial), {})
    names = [reference.page_name(one, catalog) for one in catalog.entries]
    assert names == ["MaskColumns@1.md", "MaskColumns.md", "MaskColumns@3.md"]


def test_a_fence_is_longer_than_any_in_the_text():
    assert code("text", "```\nx\n```") == "````text\n```\nx\n```\n````"


def test_bars_and_line_breaks_stay_within_their_cell():
    assert table(("a",), [("x|y\nz",)]).splitlines()[-1] == "| x\\|y z |"


def test_sections_on_one_line_become_paragraphs():
    assert paragraphs("Rejects: none. Nulls: kept.") == "**Rejects.** none.\n\n**Nulls.** kept."


def test_a_sentence_with_a_colon_is_not_torn_into_a_heading():
    body = "Input: rows.\nout: the rest, as is.\nA masked column stays as it is: a code."
    assert paragraphs(body) == "**Input.** rows.\nout: the rest, as is.\nA masked column stays as it is: a code."


def test_every_bold_word_of_a_page_is_a_declared_one():
    declared = {*WORDS, "Returns", "Yields", "Raises"}
    catalog = read_catalog()
    pages = {entry.name: paragraphs(sections(entry.load())[1]) for entry in catalog.entries}
    pages["python.md"] = python_page(catalog)
    found = {(name, word) for name, text in pages.items() for word in re.findall(r"\*\*(.+?)\.?\*\*", text)}
    assert {(name, word) for name, word in found if word not in declared} == set()
    assert {"Input", "Output", "Rejects", "Nulls", "State", "Cost"} <= {word for _, word in found}


def test_every_paragraph_that_begins_as_a_section_is_declared():
    # A new section of a docstring is declared first; else it would be a line among others.
    lines = [line for entry in read_catalog().entries for line in sections(entry.load())[1].split("\n\n")]
    begun = {match[1] for line in lines if (match := re.match(r"([A-Z]\w*(?: \w+)?): ", line))}
    assert begun <= {*WORDS}


def test_every_error_leads_to_the_page_of_errors():
    assert raised("ColumnError, SchemaError: no such\n  column.") == (
        "- [`ColumnError`](errors.md#columnerror), [`SchemaError`](errors.md#schemaerror): no such\n  column."
    )
