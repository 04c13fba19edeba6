"""YAML as configuration: no surprises, and every problem with its line and column."""

from pathlib import Path
from typing import Any

import pytest

from blocks.core import strict_yaml
from blocks.core.errors import ConfigError, PolicyError


def data(text: str) -> Any:
    return strict_yaml.load("c.yaml", text=text).data


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        strict_yaml.load("c.yaml", text=text)
    assert all(problem.fix for problem in caught.value.problems)
    return [f"{one.where.removeprefix('c.yaml: ')} {one.what}" for one in caught.value.problems]


def test_plain_values_and_keys_that_are_always_text() -> None:
    found = data("a: 1\non: yes\n1: [x, 2.5, null]\nnull: {b: '3'}\nd: 2026-01-31\n")
    assert found["a"] == 1
    assert found["on"] is True
    assert found["1"] == ["x", 2.5, None]
    assert found["null"] == {"b": "3"}
    assert str(found["d"]) == "2026-01-31"
    assert data("") is None


def test_places_are_those_of_values_and_of_the_nearest_ancestor() -> None:
    document = strict_yaml.load("c.yaml", text="a:\n  b: [1, {c: 2}]\n")
    assert document.where(("a", "b", 1, "c")) == "c.yaml:2:14"
    assert document.where(("a", "b", 1, "none", "deeper")) == "c.yaml:2:10"
    assert document.where(("x",)) == "c.yaml:1:1"


def test_aliases_are_values_and_each_use_has_its_own_place_in_the_data() -> None:
    assert data("a: &x {b: [1]}\nc: *x\n") == {"a": {"b": [1]}, "c": {"b": [1]}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2\n", ["c.yaml:2:1 the key `a` stands twice (first in line 1)"]),
        (
            "a: {b: 1, b: 2}\na: 3\n",
            [
                "c.yaml:1:11 the key `b` stands twice (first in line 1)",
                "c.yaml:2:1 the key `a` stands twice (first in line 1)",
            ],
        ),
        ("1: a\n'1': b\n", ["c.yaml:2:1 the key `1` stands twice (first in line 1)"]),
        ("a: &x {b: 1}\nc: {<<: *x}\n", ["c.yaml:2:5 a merge key `<<` is not allowed"]),
        ("a: !!python/object/apply:os.system [x]\n", None),
        ("a: !!python/name:os.system\n", None),
        ("a: !mine 1\n", ["c.yaml:1:4 the tag !mine is not allowed"]),
        ("a: !mine [1]\n", ["c.yaml:1:4 the tag !mine is not allowed"]),
        ("a: !mine {b: 1}\n", ["c.yaml:1:4 the tag !mine is not allowed"]),
        ("a: !!set {b, c}\n", ["c.yaml:1:4 the tag tag:yaml.org,2002:set is not allowed"]),
        ("a: !!omap [b: 1]\n", ["c.yaml:1:4 the tag tag:yaml.org,2002:omap is not allowed"]),
        ("a: !!int x\n", ["c.yaml:1:4 a value that does not fit its type"]),
        ("a: !!int ''\n", ["c.yaml:1:4 a value that does not fit its type"]),
        ("a: !!bool maybe\n", ["c.yaml:1:4 a value that does not fit its type"]),
        ("a: !!timestamp never\n", ["c.yaml:1:4 a value that does not fit its type"]),
        ("a: 2026-02-31\n", ["c.yaml:1:4 there is no such date or time"]),
        ("? [a, b]\n: 1\n", ["c.yaml:1:3 a key is a list or a mapping"]),
        ("? {a: b}\n: 1\n", ["c.yaml:1:3 a key is a list or a mapping"]),
        ("a: &x [*x]\n", ["c.yaml:1:4 an alias that holds itself"]),
        ("a: [1\n", None),
        ("a: 1\n--- \nb: 2\n", None),
        ("a: \t- x: [\n", None),
        ("a: *none\n", None),
        ("a: \x00\n", ["c.yaml not YAML: ReaderError"]),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_place(text: str, expected: list[str] | None) -> None:
    found = problems(text)
    assert found
    if expected is not None:
        assert found == expected


def test_aliases_that_multiply_are_refused_before_they_fill_memory() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert any("more than 200,000 values once aliases are followed" in one for one in problems("\n".join(lines)))


def test_nesting_without_end_is_no_crash() -> None:
    assert problems("[" * 20_000) == ["c.yaml not YAML: RecursionError"]


def test_a_file_that_is_too_large_is_not_parsed() -> None:
    assert "more than 4 MiB" in problems("a: " + "x" * (5 << 20))[0]


def test_files_a_mark_at_the_start_and_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert strict_yaml.load(tmp_path / "bom.yaml").data == {"a": 1}
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(PolicyError, match="not UTF-8"):
        strict_yaml.load(tmp_path / "latin.yaml", error=PolicyError)
    with pytest.raises(ConfigError, match="cannot read the file"):
        strict_yaml.load(tmp_path / "none.yaml")


def test_a_problem_names_its_file_once(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("a: 2026-02-31\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        strict_yaml.load(path)
    assert caught.value.where == f"{path}:1:4"
    assert "mend it" in caught.value.fix
