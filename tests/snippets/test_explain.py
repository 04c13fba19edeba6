"""`blocks explain`: what each step does to columns, as text and as a flowchart."""

import re
from pathlib import Path

import pytest

from blocks.commands.explaining import WIDTH, mermaid, text
from blocks.snippets.building import build
from blocks.snippets.explaining import Column, explain

EXAMPLES = Path(__file__).parents[2] / "examples"
GOLDEN = Path(__file__).parent / "explained"

# The part of Mermaid's grammar that is used: https://mermaid.js.org/syntax/flowchart.html
_TEXT = r'"(?:[^"#<>]|<br/>|#\d+;)*"'
_LINES = (
    r"flowchart LR",
    rf"  \w+\[{_TEXT}\]",
    rf"  \w+\[\({_TEXT}\)\]",
    rf"  \w+ -->(?:\|{_TEXT}\|)? \w+",
    r"  \w+ -\.-> \w+",
)


@pytest.fixture(scope="module")
def demo():
    return build(EXAMPLES / "demo.yaml", {"events": "events.jsonl"})


def columns(built, step: str, output: str = "") -> dict[str, Column]:
    one = next(one for one in explain(built) if one.step.label == step)
    return {column.path: column for column in one.columns[output]}


@pytest.mark.parametrize(("form", "suffix"), [(text, "txt"), (mermaid, "mmd")])
def test_the_orders_are_explained_step_by_step(form, suffix, monkeypatch):
    monkeypatch.chdir(EXAMPLES.parent)
    shown = "\n".join(form(build("examples/orders/orders.yaml"))) + "\n"
    assert shown == (GOLDEN / f"orders.{suffix}").read_text(encoding="utf-8")


def test_a_masked_field_of_a_struct_and_one_that_is_gone_are_seen(demo):
    found = columns(demo, "transactions/MaskColumns")
    assert (found["user.email"].sign, found["user.email"].note) == ("~", "masked: hmac (main)")
    assert (found["device.id"].sign, found["device.id"].labels) == ("-", "pii.device")
    assert (found["occurred_at"].sign, found["occurred_at"].note) == ("=", "event time")


def test_a_type_that_changes_is_shown_with_both(demo):
    assert columns(demo, "issues/MaskColumns")["issue.user.id"].type == "int64 -> string"


def test_parts_say_what_they_come_from(demo):
    found = columns(demo, "transactions/FlattenRecords")
    assert found["user_email"] == Column("+", "user_email", "string", "pii.email", "from user, hmac (main)")
    assert "user.email" not in found


def test_lines_fit_the_width_and_wide_schemas_are_cut(demo):
    lines = list(text(demo))
    # The path of the checkout may be of any length, and a path is not broken.
    assert max(len(line.replace(str(EXAMPLES), "")) for line in lines) <= max(WIDTH, len(lines[0]))
    assert len(list(text(demo, whole=True))) > 3 * len(lines)
    assert any(re.fullmatch(r"     and \+ \d+ more", line) for line in lines)


def test_the_flowchart_keeps_to_the_grammar(demo):
    lines = list(mermaid(demo))
    assert [line for line in lines if not any(re.fullmatch(form, line) for form in _LINES)] == []
    named = {match[1] for line in lines if (match := re.match(r"  (\w+)[\[]", line))}
    used = {name for line in lines if "->" in line for name in re.findall(r"\b(s\d+|rejects)\b(?=$| -)", line)}
    assert used <= named


NAMES = """\
name: "quotes ] and \\" |"
pipeline:
  - {type: ReadNumbers, name: 'a "b" [c] #1; <d> | e-->f', config: {batches: 1}}
  - {type: AsRows, name: rows, input: 'a "b" [c] #1; <d> | e-->f'}
  - {type: MapToFields, name: fields, input: rows, config: {fields: {twice: {expression: number * 2}}, append: true}}
  - {type: LogForTesting, name: log, input: fields}
"""


def test_names_cannot_break_the_flowchart(snippet, catalog):
    text_ = NAMES.replace("number * 2}}, append: true", "number * 2}}, append: true, language: python")
    built = build(snippet(text_), catalog=catalog)
    lines = list(mermaid(built))
    assert [line for line in lines if not any(re.fullmatch(form, line) for form in _LINES)] == []
    assert "#34;b#34; #91;c#93; #35;1#59; #60;d#62; #124; e--#62;f" in lines[1]


def test_transforms_of_beam_are_explained_as_far_as_their_rows_are_known(snippet, catalog):
    text_ = NAMES.replace(
        "{twice: {expression: number * 2}}, append: true", "{twice: number * 2, word: word}, language: python"
    )
    built = build(snippet(text_), catalog=catalog)
    found = columns(built, "fields")
    assert (found["word"].sign, found["twice"].sign, found["number"].sign) == ("=", "+", "-")
    assert (found["twice"].type, found["word"].type) == ("unknown", "string")
    assert "   takes rows: rows, 2 columns, none private" in list(text(built))


def test_windows_are_shown(snippet, catalog):
    orders = EXAMPLES / "orders"
    snippet_text = f"""\
pipeline:
  type: chain
  transforms:
    - {{type: ReadJson, config: {{pattern: x, schema: "{orders}/order.yaml"}}}}
    - {{type: WindowRows, config: {{windowfn: {{type: sliding, size: 1d, period: 90m}}}}}}
"""
    lines = list(text(build(snippet(snippet_text))))
    assert any(line.endswith("windows SlidingWindows(size 1d, period 90m)") for line in lines)


def test_a_snippet_with_mistakes_is_not_explained_but_its_mistakes_are_told(snippet):
    from blocks.commands.explaining import explain_file
    from blocks.core.errors import SnippetError

    with pytest.raises(SnippetError, match="no block `ReadJsn`"):
        explain_file(snippet("pipeline: [{type: ReadJsn}]\n"), (), None, None)


def test_places_that_only_some_configs_lead_to_are_told(snippet):
    orders = EXAMPLES / "orders"
    built = build(
        snippet(f"""\
policy: {orders}/privacy.yaml
pipeline:
  type: chain
  transforms:
    - {{type: ReadJson, name: read, config: {{pattern: x, schema: "{orders}/order.yaml"}}}}
    - {{type: MaskColumns, name: mask}}
    - {{type: CheckRows, name: check, config: {{expect: [{{unique: [order_id]}}]}}}}
    - type: JoinTable
      name: join
      config: {{table: "{orders}/statuses.parquet", on: status, prefix: status_}}
""")
    )
    places = {one.step.label: {place.destination: place for place in one.places} for one in explain(built)}
    assert {name for name, one in places["check"].items() if one.sometimes} == {"shuffle", "state"}
    assert "pii.email masked: hmac (main)" in places["check"]["state"].passes
    joined = places["join"]["shuffle"]
    assert (joined.sometimes, joined.table) == (True, True)
    assert not any("pii" in one for one in joined.passes), "columns of the rows do not go there"
    lines = list(text(built))
    assert any(line.startswith("   may go to state (") for line in lines)
    assert any(line.startswith("   may go to shuffle (") and "the table's columns, " in line for line in lines)
