"""The index of functions in Java and Scala: what is read, and every mistake in it."""

import json

import pytest

from blocks.sql.functions.index import java_index_file, read_index

SPREAD = {
    "name": "geo_spread",
    "version": 1,
    "kind": "aggregate",
    "language": "java",
    "class": "ours.GeoSpread",
    "description": "How far places lie apart.",
    "deterministic": True,
    "nulls": "skip",
    "overloads": [
        {
            "arguments": [
                {"name": "latitude", "type": "DOUBLE", "optional": False},
                {"name": "longitude", "type": "DOUBLE", "optional": True},
            ],
            "returns": "ARRAY<DOUBLE>",
            "class": "ours.GeoSpread",
        }
    ],
    "examples": [{"call": "geo_spread(x, y)", "from": "(VALUES (1, 2)) AS t (x, y)", "result": "ARRAY[0.0]"}],
}


def index(*functions, **more):
    return {"format": 1, "functions": [SPREAD | one for one in functions]} | more


def read(content, **more):
    problems = []
    return read_index(content, problems, **more), [(one.what, one.where) for one in problems]


def test_a_function_has_what_its_annotation_says():
    (function,), problems = read(index({}))
    assert problems == []
    assert (function.name, function.version, function.kind) == ("geo_spread", 1, "aggregate")
    assert (function.origin, function.nulls, function.deterministic, function.jar) == ("java", "skip", True, "")
    (overload,) = function.overloads
    assert str(overload.returns) == "ARRAY<DOUBLE>"
    assert [(one.name, str(one.type), one.optional) for one in overload.arguments] == [
        ("latitude", "DOUBLE", False),
        ("longitude", "DOUBLE", True),
    ]
    assert function.examples == (("geo_spread(x, y) FROM (VALUES (1, 2)) AS t (x, y)", "ARRAY[0.0]"),)


def test_functions_of_a_users_archive_carry_its_hash():
    (function,), _ = read(index({"language": "scala"}), jar="ab" * 32)
    assert (function.origin, function.jar) == ("jar", "ab" * 32)


def test_all_mistakes_are_told_at_once():
    bad = index(
        {"name": "Geo"},
        {"name": "geo_v1"},
        {"version": 0},
        {"kind": "table", "language": "kotlin", "nulls": "no"},
        {"name": "one", "overloads": []},
        {"name": "two", "overloads": [{"arguments": [{"name": "x", "type": "STRING"}], "returns": "BIGINT"}]},
        {"name": "three", "overloads": [{"returns": "BIGINT"}]},
    )
    found, problems = read(bad)
    assert found == ()
    assert problems == [
        ("a name that is not in lower case, or ends like a version", "index.json: functions[0]"),
        ("a name that is not in lower case, or ends like a version", "index.json: functions[1]"),
        ("`version` is no whole number from 1", "index.json: functions[2] (`geo_spread`)"),
        ("`kind` is none of scalar, aggregate", "index.json: functions[3] (`geo_spread`)"),
        ("`language` is none of java, scala", "index.json: functions[3] (`geo_spread`)"),
        ("`nulls` is none of null, call, skip", "index.json: functions[3] (`geo_spread`)"),
        ("there is no overload", "index.json: functions[4] (`one`)"),
        ("`STRING` is no type of Beam SQL", "index.json: functions[5] (`two`): overloads[0]"),
        ("an overload without arguments or result", "index.json: functions[6] (`three`): overloads[0]"),
    ]


def test_two_functions_of_one_name_and_version_are_told():
    _, problems = read(index({}, {}))
    assert problems == [("two functions are `geo_spread` 1", "index.json")]
    assert read(index({}, {"version": 2}))[1] == []


@pytest.mark.parametrize("content", [{}, {"format": 2, "functions": []}, {"format": 1, "functions": {}}])
def test_an_index_of_another_format_is_refused(content):
    assert read(content) == ((), [("not an index of functions of format 1", "index.json")])


@pytest.mark.parametrize(
    ("text", "what"), [("{", "the file is not JSON"), ("[]", "not an index of functions of format 1")]
)
def test_a_file_that_is_no_index_is_refused(tmp_path, text, what):
    path = tmp_path / "own.json"
    path.write_text(text, encoding="utf-8")
    assert read(path) == ((), [(what, str(path))])


def test_a_file_that_is_not_there_is_told(tmp_path):
    _, problems = read(tmp_path / "none.json")
    assert problems == [("cannot read the file: No such file or directory", str(tmp_path / "none.json"))]


def test_the_librarys_own_index_is_read_whole():
    names = {one["name"] for one in json.loads(java_index_file().read_text(encoding="utf-8"))["functions"]}
    functions, problems = read(java_index_file())
    assert problems == []
    assert {function.name for function in functions} == names
    scala = [function for function in functions if function.origin == "scala"]
    assert len(scala) * 3 >= len(functions)
