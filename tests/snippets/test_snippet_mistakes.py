"""Every mistake in a snippet is reported, at its place, in one error: golden pairs of YAML and text."""

from pathlib import Path

import pytest

from blocks.core.errors import SnippetError
from blocks.snippets.building import build, check_snippet

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = Path(__file__).parents[2] / "examples"
CASES = sorted(path.stem for path in GOLDEN.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_all_mistakes_are_reported_with_their_places(case, catalog, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    with pytest.raises(SnippetError) as caught:
        build(f"{case}.yaml", catalog=catalog)
    assert f"{caught.value}\n" == (GOLDEN / f"{case}.txt").read_text(encoding="utf-8")


def test_every_problem_has_what_where_and_a_fix(catalog, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    for case in CASES:
        with pytest.raises(SnippetError) as caught:
            build(f"{case}.yaml", catalog=catalog)
        for problem in caught.value.problems:
            assert problem.what
            assert problem.where.startswith((f"{case}.yaml", "--set", "policies/"))
            assert problem.fix


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "a snippet is a mapping, got nothing"),
        ("[1]", "a snippet is a mapping, got a list"),
        ("name: x", "a snippet has a `pipeline`"),
        ("pipeline: {type: chain}", "`transforms` is a list of steps"),
        ("pipeline: [3]", "a step is a mapping with a `type`, got a whole number"),
        ("a: [", "not YAML"),
    ],
)
def test_files_that_are_no_snippets_are_refused(snippet, text, what):
    with pytest.raises(SnippetError) as caught:
        build(snippet(text))
    assert caught.value.problems[0].what.startswith(what)


SPLIT = """
pipeline:
  type: composite
  transforms:
    - type: ReadJson
      config: {pattern: x.jsonl, schema: order.yaml}
    - {type: SplitRows, input: ReadJson, config: {key: KEY, shares: {train: 0.5, test: 0.5}}}
    - {type: SelectColumns, name: one, input: SplitRows.trian, config: {columns: [id]}}
    - {type: SelectColumns, name: two, input: SplitRows, config: {columns: [id]}}
    - {type: SelectColumns, name: three, input: ReadJson.rejects, config: {columns: [id]}}
    - {type: UnionBatches, name: four, input: {a: SplitRows.train, b: SplitRows.nope}}
    - {type: SelectColumns, name: five, input: SplitRows.test, config: {columns: [id]}}
"""
ORDER = "name: order\nfields:\n  - {name: id, type: int64, label: public}\n"


@pytest.mark.parametrize("key", ["id", "nope"])
def test_outputs_that_a_block_does_not_have_are_told_at_the_reference(snippet, key):
    # With a key that is not there the shares are known all the same.
    file = snippet(SPLIT.replace("KEY", key))
    Path("order.yaml").write_text(ORDER, encoding="utf-8")
    found = [(one.what, one.where, one.fix) for one in check_snippet(file).problems if "no column" not in one.what]
    assert found == [
        (
            "`SplitRows` has no output `trian`",
            "snippet.yaml:8:47",
            "did you mean `train`? there is: train, test",
        ),
        ("`SplitRows` has 2 outputs", "snippet.yaml:9:47", "name one of them: SplitRows.train, SplitRows.test"),
        ("`ReadJson` has one output, and none named `rejects`", "snippet.yaml:10:49", "write `ReadJson`"),
        ("`SplitRows` has no output `nope`", "snippet.yaml:11:71", "there is: train, test"),
    ]


def test_a_table_of_flattening_that_is_not_there_is_told(snippet):
    file = snippet(
        "pipeline:\n  type: composite\n  transforms:\n"
        "    - {type: ReadJson, config: {pattern: x.jsonl, schema: order.yaml}}\n"
        "    - {type: FlattenRecords, input: ReadJson, config: {tables: true}}\n"
        "    - {type: SelectColumns, input: FlattenRecords.item, config: {columns: [sku]}}\n"
    )
    items = '  - {name: items, type: "list<item: struct<sku: string>>", label: public}\n'
    Path("order.yaml").write_text(ORDER + items, encoding="utf-8")
    (problem,) = check_snippet(file).problems
    assert problem.what == "`FlattenRecords` has no output `item`"
    assert problem.fix.startswith("did you mean `items`?")


def test_texts_without_quotes_in_a_mapping_are_told_one_by_one_and_hide_nothing(snippet):
    file = snippet(
        "pipeline:\n  type: chain\n  transforms:\n"
        "    - {type: ReadJson, config: {pattern: x.jsonl, schema: order.yaml}}\n"
        "    - type: ComputeColumns\n      config:\n        columns:\n"
        '          half: "idd / 2"\n          bad: "1 +"\n          x: 5\n          z: null\n'
    )
    Path("order.yaml").write_text(ORDER, encoding="utf-8")
    found = {one.what: (one.where.split(",")[0], one.fix) for one in check_snippet(file).problems}
    assert found["option `columns.x`: expected text, got a whole number"] == (
        "snippet.yaml:10:14",
        'put it in quotes, as in "5"',
    )
    assert found["option `columns.z`: expected text, got nothing"][0] == "snippet.yaml:11:14"
    assert "no column `idd`" in found
    assert "an operand is missing" in found
    assert len(found) == 4


def test_aliases_that_multiply_are_refused(snippet):
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(SnippetError, match="more than 200,000 values"):
        build(snippet("\n".join(lines)))


def test_a_missing_file_is_named():
    with pytest.raises(SnippetError) as caught:
        build("nowhere/none.yaml")
    assert caught.value.where == "nowhere/none.yaml"


ORDERS = EXAMPLES / "orders"
# `mask` has a mistake of its own; the columns of the order are known below it all the same.
BELOW = f"""\
policy: {ORDERS}/privacy.yaml
pipeline:
  type: chain
  transforms:
    - {{type: ReadJson, name: read, config: {{pattern: x, schema: "{ORDERS}/order.yaml"}}}}
    - {{type: MaskColumns, name: mask, config: {{destination: warehose}}}}
    - {{type: FlattenRecords, name: flat, config: {{explode: items}}}}
    - {{type: %s, name: last, config: {{column: %s, by: 2}}}}
"""


def whats(file, catalog, **values):
    return [problem.what for problem in check_snippet(file, values, catalog=catalog).problems]


def test_a_column_that_cannot_be_there_is_found_below_a_mistake(snippet, catalog):
    found = check_snippet(snippet(BELOW % ("MultiplyColumn", "amounts")), catalog=catalog).problems
    assert [problem.what for problem in found] == [
        "the policy has no destination `warehose`",
        "no column `amounts`",
    ]
    assert found[1].where == "snippet.yaml:8:59, step `last` (MultiplyColumn), column"
    assert found[1].fix.startswith("did you mean `amount`? ")


@pytest.mark.parametrize("column", ["amount", "email", "items_quantity", "items", "address_country"])
def test_a_column_that_may_be_there_is_not_reported_below_a_mistake(snippet, catalog, column):
    found = whats(snippet(BELOW % ("MultiplyColumn", column)), catalog)
    assert found == ["the policy has no destination `warehose`"]


def test_a_name_that_a_mistake_mentions_is_not_reported_below_it(snippet):
    text = f"""\
pipeline:
  type: chain
  transforms:
    - {{type: ReadJson, name: read, config: {{pattern: x, schema: "{ORDERS}/order.yaml"}}}}
    - {{type: SelectColumns, name: some, config: {{columns: [order_id, amont]}}}}
    - {{type: CastColumns, name: cast, config: {{columns: {{amont: string, amount: string, statuss: string}}}}}}
"""
    # What `amont` was meant to be is not known, and that it is not there was said; `statuss` can be nothing.
    assert whats(snippet(text), None) == ["no column `amont`", "no column `statuss`"]


def test_a_mistake_that_cannot_change_columns_hides_nothing_below_it(snippet, catalog):
    text = """\
pipeline:
  type: chain
  transforms:
    - {type: ReadNumbers, config: {batches: 1}}
    - {type: MultiplyColumn, name: one, config: {column: numbr}}
    - {type: MultiplyColumn, name: two, config: {column: numbr}}
    - {type: MultiplyColumn, name: three, config: {column: word}}
"""
    assert whats(snippet(text), catalog) == ["no column `numbr`", "no column `numbr`", "column `word` is string"]


def test_the_type_of_a_column_is_known_below_a_step_that_only_stands_below_a_mistake(snippet, catalog):
    text = """\
pipeline:
  - {type: ReadNumbers, name: read, config: {batches: 1}}
  - {type: ReadNumbers, name: bad, config: {batchs: 1}}
  - {type: MultiplyColumn, name: text, input: read, config: {column: word, bx: 1}}
  - {type: Look, name: look, input: bad}
  - {type: MultiplyColumn, name: deep, input: look, config: {column: nothing}}
"""
    assert whats(snippet(text), catalog) == [
        "unknown option `batchs` of ReadNumbers",
        "option `batches` is missing",
        "unknown option `bx` of MultiplyColumn",
        "column `word` is string",
        "no column `nothing`",
    ]


def test_columns_are_checked_although_a_step_is_named_wrongly(snippet, catalog):
    text = """\
pipeline:
  - {type: ReadNumbers, name: read, config: {batches: 1}}
  - {type: Look, name: lost, input: reed}
  - {type: Lok, name: unknown, input: read}
  - {type: MultiplyColumn, name: one, input: read, config: {column: numbr}}
  - {type: MultiplyColumn, name: two, input: lost, config: {column: anything}}
  - {type: MultiplyColumn, name: three, input: unknown, config: {column: anything}}
"""
    assert whats(snippet(text), catalog) == ["no block `Lok`", "no step `reed`", "no column `numbr`"]


def test_the_mistakes_of_a_policy_are_told_once_however_many_steps_use_it(snippet, catalog):
    snippet("destinations: {warehouse: {labels: {public: kep}}}\n", "policy.yaml")
    text = f"""\
policy: policy.yaml
rejects: rejects
pipeline:
  type: chain
  transforms:
    - {{type: ReadJson, config: {{pattern: x, schema: "{ORDERS}/order.yaml"}}}}
    - {{type: MaskColumns, config: {{policy: policy.yaml}}}}
    - {{type: AsRows, config: {{policy: policy.yaml}}}}
"""
    assert whats(snippet(text), catalog) == ["unknown method `kep`"]


def test_a_step_that_works_for_nobody_is_a_warning(snippet, catalog):
    text = """\
pipeline:
  - {type: ReadNumbers, name: read, config: {batches: 1}}
  - {type: Look, name: idle, input: read}
  - {type: AsRows, name: rows, input: read}
  - {type: MapToFields, name: map, input: rows, config: {fields: {number: number}}}
  - {type: LogForTesting, name: end, input: rows}
"""
    found = check_snippet(snippet(text), catalog=catalog)
    assert not found.problems
    assert [(one.what, one.where) for one in found.warnings] == [
        ("nothing takes what `idle` gives", "snippet.yaml:3:5"),
        ("nothing takes what `map` gives", "snippet.yaml:5:5"),
    ]


@pytest.mark.parametrize("value", ["../../secrets", "${word}", "a: [b", "$${x}", "!!python/object:os.system x", "*all"])
def test_a_value_from_the_command_line_stays_a_value(snippet, catalog, value):
    text = """\
parameters: {column: {type: string}}
pipeline:
  type: chain
  transforms:
    - {type: ReadNumbers, config: {batches: 1}}
    - {type: MultiplyColumn, config: {column: "${column}"}}
"""
    assert whats(snippet(text), catalog, column=value) == [f"no column `{value}`"]


@pytest.mark.parametrize(
    ("text", "what", "place"),
    [
        ("pipeline:\n  - {type: Look}\nname: a\nname: b\n", "the key `name` stands twice (first in line 3)", "4:1"),
        ("pipeline: !!python/object/apply:os.system [ls]\n", "the tag tag:yaml.org,2002:python/object/", "1:11"),
        ("pipeline: &a [*a]\n", "an alias that holds itself", "1:11"),
        ("pipeline:\n  <<: {type: chain}\n", "a merge key `<<` is not allowed", "2:3"),
    ],
)
def test_what_makes_yaml_surprising_is_refused_at_its_place(snippet, text, what, place):
    with pytest.raises(SnippetError) as caught:
        build(snippet(text))
    (problem,) = caught.value.problems
    assert problem.what.startswith(what)
    assert problem.where.endswith(f"snippet.yaml:{place}")


def test_a_mistake_within_an_option_is_at_its_line(snippet, catalog):
    Path("s.yaml").write_text("fields:\n  - {name: a, type: int64}\n", encoding="utf-8")
    text = """\
pipeline:
  type: chain
  transforms:
    - type: ReadJson
      config: {pattern: x.jsonl, schema: s.yaml}
    - type: CheckRows
      config:
        expect:
          - {column: a, present: true}
          - {where: "c > 1"}
"""
    path = snippet(text)
    Path("s.yaml").write_text("fields:\n  - {name: a, type: int64}\n", encoding="utf-8")
    with pytest.raises(SnippetError) as caught:
        build(path)
    assert [(one.what, one.where.split(",")[0]) for one in caught.value.problems] == [
        ("no column `c`", "snippet.yaml:10:21"),
    ]


def test_a_mistake_in_a_schema_file_is_at_its_place_in_that_file(snippet):
    path = snippet("pipeline: [{type: ReadJson, config: {pattern: x, schema: s.yaml}}]\n")
    Path("s.yaml").write_text("fields:\n  - {name: a, type: int46}\n", encoding="utf-8")
    with pytest.raises(SnippetError) as caught:
        build(path)
    assert "s.yaml:2:21, field `a`" in caught.value.where


WRITERS = """\
parameters: {{day: {{type: date, default: 2026-01-02}}}}
pipeline:
  type: composite
  transforms:
    - {{type: ReadJson, config: {{pattern: x.jsonl, schema: s.yaml}}}}
    - {{type: WriteWarehouse, name: one, input: ReadJson, config: {{table: t, mode: replace, source: a{first}}}}}
    - {{type: WriteWarehouse, name: two, input: ReadJson, config: {{table: t, mode: {mode}, source: {source}{second}}}}}
"""


@pytest.mark.parametrize(
    ("mode", "source", "first", "second", "refused"),
    [
        ("replace", "a", "", "", True),
        ("replace", "b", "", "", False),
        ("append", "a", "", "", False),
        ("replace", "a", ', date_range: [2026-01-01, "${day}"]', ', date_range: ["${day}", 2026-01-03]', False),
        ("replace", "a", ", date_range: [2026-01-01, 2026-01-03]", ', date_range: ["${day}", 2026-01-03]', True),
    ],
)
def test_two_steps_that_replace_the_same_rows_are_refused(snippet, mode, source, first, second, refused):
    path = snippet(WRITERS.format(mode=mode, source=source, first=first, second=second))
    fields = "{name: a, type: int64}, {name: at, type: timestamp, event_time: true}"
    Path("s.yaml").write_text(f"fields: [{fields}]\n", encoding="utf-8")
    if not refused:
        build(path)
        return
    with pytest.raises(SnippetError, match="`two` replaces the same rows of the table as `one`") as caught:
        build(path)
    assert caught.value.where == "snippet.yaml:7:7"
