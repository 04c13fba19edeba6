"""The catalog, the index of Java and Scala, and the files of SQL functions say the same, in both directions."""

import re

import pytest

from blocks.catalog.functions import TOPICS, Bound
from blocks.catalog.reading import read_catalog
from blocks.core.errors import CatalogError
from blocks.sql.functions.beam import beam_functions
from blocks.sql.functions.index import java_index_file, read_index
from blocks.sql.macros.macro import library_macros

ENTRIES = [entry for entry in read_catalog().functions if entry.origin != "beam"]
FUNCTIONS = {
    (one.name, one.version): one
    for one in (*read_index(java_index_file(), []), *(macro.function for macro in library_macros()))
}
GOOD = """\
blocks: []
functions:
  - {name: clamp, version: 1.0.0, since: 0.1.0, topic: numbers, origin: sql, summary: "A number within bounds."}
  - {name: COUNT, version: 2.70.0, since: 0.1.0, kind: aggregate, topic: aggregates, origin: beam, summary: "Counts."}
names: {}
"""


def problems_of(folder, text):
    path = folder / "catalog.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        read_catalog(path)
    return [(one.what, one.where.rpartition("catalog.yaml")[2]) for one in caught.value.problems]


def test_every_function_has_an_entry_and_every_entry_a_function():
    assert {(entry.name, entry.major) for entry in ENTRIES} == FUNCTIONS.keys()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_says_what_the_function_says(entry):
    function = FUNCTIONS[entry.name, entry.major]
    assert (entry.kind, entry.origin) == (function.kind, function.origin)


@pytest.mark.parametrize("entry", [one for one in ENTRIES if one.declassifies], ids=lambda entry: entry.name)
def test_declassification_names_arguments_that_the_function_has(entry):
    said = entry.declassifies
    overloads = FUNCTIONS[entry.name, entry.major].overloads
    there = {argument.name for overload in overloads for argument in overload.arguments}
    assert {*said.bounds, *said.literal, *said.absent, *said.of, *said.options} <= there
    if said.gives:
        # Every argument but the masked one is a literal: data must not be able to switch the mask off.
        assert {*said.bounds, *said.literal, *said.absent, *said.of} == there


@pytest.mark.parametrize("entry", [one for one in ENTRIES if one.duckdb], ids=lambda entry: entry.name)
def test_a_form_in_duckdb_is_of_an_overload_and_uses_its_arguments(entry):
    there = {tuple(one.name for one in overload.arguments) for overload in FUNCTIONS[entry.name, entry.major].overloads}
    for form in entry.duckdb:
        assert form.arguments in there
        used = set(re.findall(r"\{([a-z]\w+)\}", form.sql))
        # An argument that the form does without is a literal of one value.
        fixed = {name for name, bound in form.literal.items() if bound.least == bound.most}
        assert used | fixed == set(form.arguments)


def test_the_forms_in_duckdb_are_those_that_were_held_against_the_functions():
    text = (java_index_file().parent / "DUCKDB_FORMS.md").read_text(encoding="utf-8")
    row = re.compile(r"\| `(\w+)\(([\w, ]*)\)` \| `(.+)` \| (?:literal `(\w+)` from (\d+) to (\d+))? *\|")
    held = {
        (name, tuple(listed.split(", ")), form.replace("\\|", "|"), literal, least and int(least), most and int(most))
        for name, listed, form, literal, least, most in (
            found.groups() for found in map(row.fullmatch, text.splitlines()) if found
        )
    }
    said = {(entry.name, form.arguments, form.sql, *_only(form.literal)) for entry in ENTRIES for form in entry.duckdb}
    assert said == held


def _only(literal):
    ((name, bound),) = literal.items() or ((None, Bound(least=0)),)
    return (name, bound.least, bound.most) if name else (None, None, None)


def test_entries_of_beams_functions_are_of_functions_that_beam_has():
    beam = [entry for entry in read_catalog().functions if entry.origin == "beam"]
    assert beam
    for entry in beam:
        assert beam_functions()[entry.name].kind == entry.kind
        assert entry.declassifies is not None


def test_a_third_of_the_compiled_functions_are_in_scala():
    compiled = [entry for entry in ENTRIES if entry.origin in ("java", "scala")]
    assert len([entry for entry in compiled if entry.origin == "scala"]) * 3 >= len(compiled)


def test_every_topic_of_the_reference_has_functions():
    assert {entry.topic for entry in ENTRIES} == set(TOPICS)


def test_a_good_section_is_read(tmp_path):
    path = tmp_path / "catalog.yaml"
    path.write_text(GOOD, encoding="utf-8")
    assert [entry.name for entry in read_catalog(path).functions] == ["clamp", "COUNT"]


def test_all_mistakes_of_a_section_are_told_at_their_places(tmp_path):
    text = (
        GOOD.replace("name: clamp, version: 1.0.0", "name: Clamp, version: 1")
        .replace("topic: numbers", "theme: numbers")
        .replace("kind: aggregate", "kind: aggregat")
        .replace('summary: "Counts."', 'summary: "Counts.", declassifies: {bounds: {n: {}}}')
    )
    assert problems_of(tmp_path, text) == [
        ("function `Clamp`: unknown key `theme`", ":3:45"),
        ("function `Clamp`: name: is not of the right form", ":3:12"),
        ("function `Clamp`: version: input should be a valid string", ":3:28"),
        ("function `Clamp`: topic: is missing", ":3:5"),
        ("function `COUNT`: kind: input should be 'scalar' or 'aggregate'", ":4:56"),
        ("function `COUNT`: declassifies.bounds.n: a bound has `least`, `most` or both", ":4:146"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("origin: sql", "origin: beam", "function `clamp`: the name and its origin `beam`"),
        ("name: clamp", "name: clamp_v1", "function `clamp_v1`: a name that ends like a version"),
        (
            "name: COUNT, version: 2.70.0",
            "name: clamp, version: 1.2.0",
            "function `clamp`: the name and its origin `beam`",
        ),
        ("functions:\n", "functions: {}\nthings:\n", "unknown key `things`"),
    ],
)
def test_a_mistake_of_a_section_is_told(tmp_path, old, new, what):
    assert problems_of(tmp_path, GOOD.replace(old, new))[0][0] == what


def test_two_entries_of_one_major_are_told(tmp_path):
    lines = GOOD.splitlines(keepends=True)
    text = "".join([*lines[:3], lines[2].replace("1.0.0", "1.1.0"), *lines[3:]])
    assert problems_of(tmp_path, text) == [("function `clamp`: version 1.1.0 stands below 1.0.0", ":4:28")]


def test_a_function_is_found_by_name_and_version():
    catalog = read_catalog()
    assert catalog.function("clamp").version == "1.0.0"
    assert catalog.function("clamp@1") == catalog.function("clamp_v1") == catalog.function("clamp")
    with pytest.raises(CatalogError, match="no version 2 of `clamp`"):
        catalog.function("clamp@2")
    with pytest.raises(CatalogError, match="did you mean `clamp`"):
        catalog.function("clmap")
