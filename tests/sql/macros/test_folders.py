"""A user's own folder of SQL functions: what is read, and every mistake in it at its place."""

import pytest
from macro_queries import function_file, written_out

from blocks.core.errors import ConfigError
from blocks.sql.functions.registry import library


def problems_of(folder):
    with pytest.raises(ConfigError) as caught:
        library().with_folder(folder)
    return [(one.what, str(one.where).replace(f"{folder}/", "")) for one in caught.value.problems]


def test_functions_of_a_folder_can_be_called(tmp_path):
    function_file(tmp_path, "margin", "(price DOUBLE, cost DOUBLE) RETURNS DOUBLE", "safe_divide(price - cost, price)")
    registry = library().with_folder(tmp_path)
    assert registry.find("margin").origin == "sql"
    assert registry.find("margin_v1").version == 1
    assert written_out("margin(x, y)", registry) == "(x - y) / NULLIF(x, 0)"
    assert library().find("margin") is None


def test_functions_of_a_folder_may_call_each_other_and_those_in_java(tmp_path):
    function_file(tmp_path, "host_of", "(mail VARCHAR) RETURNS VARCHAR", "null_if_blank(email_domain(mail))")
    function_file(tmp_path, "is_ours", "(mail VARCHAR) RETURNS BOOLEAN", "host_of(mail) = 'ours.example'")
    registry = library().with_folder(tmp_path)
    assert "email_domain(text)" in written_out("is_ours(text)", registry)


@pytest.mark.parametrize(
    ("expression", "what", "place"),
    [
        ("vv + 1", "vv", "own.sql:8:1"),
        ("v +", "", "own.sql"),
        ("v + 'a'", "", "own.sql:8"),
        ("frobnicate(v)", "frobnicate", "own.sql:8:1"),
        ("v + 1 FROM t", "", "own.sql"),
        ("SUM(v)", "aggregates", "own.sql:8:1"),
        ("v + RAND()", "RAND does not give the same result", "own.sql:8:5"),
        ("v + (SELECT 1)", "subquery", "own.sql:8:1"),
        ("v, v", "more than one expression", "own.sql:8:1"),
        ("*", "", "own.sql"),
        ("CAST(v AS VARCHAR)", "the expression is VARCHAR", "own.sql:5:15"),
        ("1.5e0", "does not use its argument `v`", "own.sql:5:15"),
    ],
)
def test_a_mistake_in_an_expression_is_told_at_its_place(tmp_path, expression, what, place):
    function_file(tmp_path, "own", "(v DOUBLE) RETURNS DOUBLE", expression)
    (problem, *_) = problems_of(tmp_path)
    assert what in problem[0]
    assert problem[1].startswith(place)


def test_what_never_gives_null_must_not_be_able_to(tmp_path):
    function_file(tmp_path, "own", "(v DOUBLE) RETURNS DOUBLE", "v + 1", nulls="never")
    ((what, where),) = problems_of(tmp_path)
    assert what == "`own(v DOUBLE) DOUBLE`: the expression can be NULL, which `nulls: never` denies"
    assert where == "own.sql:5:15"


def test_every_overload_is_checked(tmp_path):
    function_file(tmp_path, "own", "(v DOUBLE) RETURNS DOUBLE | (v VARCHAR) RETURNS VARCHAR", "v * 2")
    assert len(problems_of(tmp_path)) == 1
    function_file(tmp_path, "own", "(v DOUBLE) RETURNS DOUBLE | (v BIGINT) RETURNS DOUBLE", "v * 2")
    ((what, where),) = problems_of(tmp_path)
    assert (what, where) == ("`own(v BIGINT) DOUBLE`: the expression is BIGINT", "own.sql:6:15")


def test_mistakes_of_all_files_are_told_at_once(tmp_path):
    function_file(tmp_path, "one", "(v DOUBLE) RETURNS DOUBLE", "w")
    function_file(tmp_path, "two", "(v DOUBLE) RETURNS DOUBLE", "v > 1")
    assert [where.partition(":")[0] for _, where in problems_of(tmp_path)] == ["one.sql", "two.sql"]


def test_a_function_that_calls_itself_is_refused_with_the_way(tmp_path):
    function_file(tmp_path, "f", "(v DOUBLE) RETURNS DOUBLE", "g(v) + 1")
    function_file(tmp_path, "g", "(v DOUBLE) RETURNS DOUBLE", "safe_divide(h(v), 2)")
    function_file(tmp_path, "h", "(v DOUBLE) RETURNS DOUBLE", "f(v)")
    function_file(tmp_path, "i", "(v DOUBLE) RETURNS DOUBLE", "i(v)")
    assert problems_of(tmp_path) == [
        ("`f` calls itself: f -> g -> h -> f", "f.sql:8:1"),
        ("`i` calls itself: i -> i", "i.sql:8:1"),
    ]


def test_a_function_that_calls_itself_by_its_version_is_refused(tmp_path):
    function_file(tmp_path, "f", "(v DOUBLE) RETURNS DOUBLE", "f_v1(v)")
    assert problems_of(tmp_path) == [("`f` calls itself: f -> f", "f.sql:8:1")]


def test_a_name_of_the_library_is_taken(tmp_path):
    function_file(tmp_path, "clamp", "(v DOUBLE) RETURNS DOUBLE", "v + 1")
    function_file(tmp_path, "email_domain", "(v VARCHAR) RETURNS VARCHAR", "UPPER(v)")
    first, second = problems_of(tmp_path)
    assert (
        first == (f"`clamp` is in the library and in {tmp_path}/clamp.sql", "clamp.sql:1:10")
        or first[1] == "clamp.sql:1:10"
    )
    assert "`email_domain` is in the library and in" in second[0]


def test_a_name_of_beam_is_taken(tmp_path):
    function_file(tmp_path, "upper", "(v VARCHAR) RETURNS VARCHAR", "LOWER(v)")
    assert problems_of(tmp_path) == [("`upper` is a function of Beam SQL", "upper.sql:1:10")]


def test_a_name_of_another_folder_is_taken_and_both_places_are_told(tmp_path):
    function_file(tmp_path / "ours", "margin", "(v DOUBLE) RETURNS DOUBLE", "v + 1")
    function_file(tmp_path / "theirs", "margin", "(v DOUBLE) RETURNS DOUBLE", "v + 2")
    with pytest.raises(ConfigError) as caught:
        library().with_folder(tmp_path / "ours").with_folder(tmp_path / "theirs")
    assert (
        caught.value.problems[0].what
        == f"`margin` is in {tmp_path}/ours/margin.sql and in {tmp_path}/theirs/margin.sql"
    )


def test_two_versions_can_stand_side_by_side_and_the_newest_has_the_plain_name(tmp_path):
    function_file(tmp_path, "margin", "(v DOUBLE) RETURNS DOUBLE", "v + 1", file="margin_v1.sql")
    function_file(tmp_path, "margin", "(v DOUBLE) RETURNS DOUBLE", "v + 2", version=2)
    registry = library().with_folder(tmp_path)
    assert registry.find("margin").version == 2
    assert written_out("margin(x) * margin_v1(x) * margin_v2(x)", registry) == "(x + 2) * (x + 1) * (x + 2)"


def test_two_files_of_one_version_are_refused(tmp_path):
    function_file(tmp_path, "margin", "(v DOUBLE) RETURNS DOUBLE", "v + 1", file="margin_v1.sql")
    function_file(tmp_path, "margin", "(v DOUBLE) RETURNS DOUBLE", "v + 2")
    ((what, where),) = problems_of(tmp_path)
    assert what.startswith("`margin` 1 is in two files: ")
    assert where == "margin_v1.sql:1:10"


def test_a_file_is_called_as_its_function(tmp_path):
    function_file(tmp_path, "margin", "(v DOUBLE) RETURNS DOUBLE", "v + 1", file="profit.sql")
    assert problems_of(tmp_path)[0][0] == "the file is called `profit.sql`, its function `margin`"


def test_a_folder_that_is_not_there_or_empty_is_told(tmp_path):
    assert problems_of(tmp_path / "none") == [("there is no such folder", str(tmp_path / "none"))]
    assert problems_of(tmp_path) == [("there is no `*.sql` in the folder", str(tmp_path))]


def test_a_file_that_is_no_text_is_told(tmp_path):
    (tmp_path / "own.sql").write_bytes(b"-- name: \xff")
    assert problems_of(tmp_path) == [("the file is not UTF-8 text", "own.sql")]


def test_a_file_past_the_bound_is_told(tmp_path):
    (tmp_path / "own.sql").write_text("-" * 70_000, encoding="utf-8")
    assert problems_of(tmp_path) == [("the file has more than 64 KiB", "own.sql")]
