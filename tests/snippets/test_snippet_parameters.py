"""Parameters are values in the parsed tree: typed, and never text of YAML."""

import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.core.errors import Problem
from blocks.core.strict_yaml import Document
from blocks.snippets.parameters import parse, substituted
from blocks.snippets.reading import read_snippet

DOCUMENT = Document({}, "snippet.yaml", {})


def put(content, **known):
    problems: list[Problem] = []
    return substituted(DOCUMENT, content, (), known, problems), [problem.what for problem in problems]


def values_of(path: Path, **given_values: str):
    problems: list[Problem] = []
    read = read_snippet(path, given_values, problems)
    return read.values, [problem.what for problem in problems]


@given(st.text())
def test_any_text_stays_the_text_that_it_is(text):
    assert put({"a": ["${x}", "<${x}>"]}, x=text, y="other") == ({"a": [text, f"<{text}>"]}, [])


@given(st.text(alphabet="${}x:, \n-[]"))
def test_text_with_references_and_yaml_in_it_is_not_read_again(text):
    assert put("${x}", x=text, y=1) == (text, [])
    assert put("${x}${y}", x=text, y=1) == (f"{text}1", [])


@pytest.mark.parametrize("value", [3, 2.5, True, date(2026, 1, 31)])
def test_a_reference_alone_keeps_the_type(value):
    assert put("${x}", x=value) == (value, [])


def test_a_reference_within_text_becomes_text():
    assert put("${n}/${d}/${b}", n=3, d=date(2026, 1, 31), b=True) == ("3/2026-01-31/true", [])


def test_two_dollars_are_a_plain_one():
    assert put("$${x} and $$ and $x", x=1) == ("${x} and $$ and $x", [])


def test_an_unknown_reference_is_a_problem_with_the_nearest_name():
    problems: list[Problem] = []
    substituted(DOCUMENT, "${evnts}", (), {"events": 1}, problems)
    assert problems == [Problem("no parameter `evnts`", "snippet.yaml", "did you mean `events`? there is: events")]


def test_keys_are_no_place_for_parameters():
    assert put({"${x}": 1}, x="a") == ({"${x}": 1}, [])


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "3", 3),
        ("integer", "3.5", None),
        ("float", "3.5", 3.5),
        ("float", "x", None),
        ("boolean", "True", True),
        ("boolean", "yes", None),
        ("date", "2026-01-31", date(2026, 1, 31)),
        ("date", "2026-02-31", None),
        ("string", "3", "3"),
    ],
)
def test_text_of_the_command_line_is_read_by_the_declared_type(kind, text, value):
    assert parse(kind, text) == value


def test_a_given_path_is_from_the_working_directory_and_a_default_from_the_file(snippet):
    path = snippet("parameters: {a: {type: path, default: data/x}, b: {type: path, default: y}}\n", "deep/s.yaml")
    found, problems = values_of(path, b="data/y")
    assert found == {"a": os.path.join("deep", "data", "x"), "b": str(Path("data/y").absolute())}
    assert problems == []


def test_a_url_stays_a_url(snippet):
    path = snippet("parameters: {a: {type: path, default: 'gs://bucket/x'}}\n", "deep/s.yaml")
    assert values_of(path)[0] == {"a": "gs://bucket/x"}


def test_given_values_are_checked(snippet):
    path = snippet("parameters: {count: {type: integer}, day: {type: date}}\n")
    _, problems = values_of(path, count="3x", day="today", cont="1")
    assert problems == [
        "parameter `count`: expected a whole number",
        "parameter `day`: expected a date, as in 2026-01-31",
        "the snippet has no parameter `cont`",
    ]


def test_given_values_take_the_place_of_defaults(snippet):
    path = snippet("parameters: {count: {type: integer, default: 1}}\n")
    assert values_of(path)[0] == {"count": 1}
    assert values_of(path, count="2")[0] == {"count": 2}


@pytest.mark.parametrize("given_text", ["nan", "NaN", "inf", "-Infinity", "1e400"])
def test_a_number_is_finite(snippet, given_text):
    path = snippet("parameters: {rate: {type: float}}\n")
    assert values_of(path, rate=given_text)[1] == ["parameter `rate`: expected a number"]


@pytest.mark.parametrize("default", [".nan", ".inf"])
def test_a_default_is_finite(snippet, default):
    path = snippet(f"parameters: {{rate: {{type: float, default: {default}}}}}\n")
    assert values_of(path)[1] == ["default of `rate`: expected a number, got NaN or infinity"]


@pytest.mark.parametrize("content", ["${x", "a ${x} ${x", "${"])
def test_a_reference_that_is_not_closed_is_a_problem(content):
    assert put([content], x=1)[1] == ["`${` is not closed"]


def test_a_plain_dollar_and_brace_need_no_end():
    assert put("$${x", x=1) == ("${x", [])
