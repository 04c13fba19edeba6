"""Expectations of CheckRows: read from the config, checked against a schema, and the rows that fail them."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core.errors import Problem, nearest
from blocks.shaping.columns import missing_columns, read_names
from blocks.shaping.typed_values import UnfitError, is_text, takes_bounds, takes_values, typed_scalar

Rows = npt.NDArray[np.bool_]
OnFailure = Literal["reject", "warn", "stop"]
ON_FAILURE: tuple[OnFailure, ...] = ("reject", "warn", "stop")
_VALUE_KEYS = ("present", "min", "max", "one_of", "pattern")
_KEYS = ("column", *_VALUE_KEYS, "where", "unique", "name", "on_failure")
# Names of counters that every block has.
_TAKEN = ("rows_in", "rows_out", "rows_rejected", "rows_dropped", "busy_us", "duplicates")
_NAME = re.compile(r"[^:\n\r\t]{1,100}")


@dataclass(frozen=True)
class Expectation:
    """What every expectation has.

    Attributes:
      name: for people: in messages, rejects and counters.
      on_failure: what becomes of rows that fail it.
      where: the option that holds it, for messages.
    """

    name: str
    on_failure: OnFailure
    where: str


@dataclass(frozen=True)
class Values(Expectation):
    """What the values of one column are; every part that is given holds. Nulls fail `present` only.

    Attributes:
      column: its name.
      present: no nulls.
      least, most: smallest and greatest value, both allowed; None for no bound.
      one_of: the values that are allowed; None for any.
      pattern: regular expression (RE2) that a text matches as a whole; None for any.
    """

    column: str
    present: bool = False
    least: Any = None
    most: Any = None
    one_of: tuple[Any, ...] | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class Condition(Expectation):
    """A SQL condition over a row. As SQL's CHECK has it, NULL passes; where it cannot be computed, the row fails."""

    condition: str


@dataclass(frozen=True)
class Unique(Expectation):
    """No two rows of a window with the same values in these columns; rows with a null in them are like no other."""

    columns: tuple[str, ...]


def read_expectations(expect: object, on_failure: str, problems: list[Problem]) -> tuple[Expectation, ...]:
    """The expectations of a config; adds a problem for everything in it that cannot be used.

    Args:
      expect: list of mappings.
      on_failure: what those have that say nothing else.
      problems: grows by what is wrong.
    """
    if on_failure not in ON_FAILURE:
        problems.append(_bad_choice(on_failure, "on_failure"))
    if isinstance(expect, str | Mapping) or not isinstance(expect, Sequence) or not expect:
        what = f"expected a list of expectations, got {'none' if expect == [] else 'a ' + type(expect).__name__}"
        problems.append(Problem(what, "expect", "as in [{column: amount, min: 0}]"))
        return ()
    found = [_read_one(one, number, on_failure, problems) for number, one in enumerate(expect, 1)]
    expectations = tuple(one for one in found if one is not None)
    seen: dict[str, str] = {}
    for one in expectations:
        if one.name in seen:
            what = f"the name `{one.name}` is that of {seen[one.name]} already"
            problems.append(Problem(what, one.where, "give one of them another `name`"))
        seen[one.name] = one.where
    return expectations


def _read_one(given: Any, number: int, on_failure: str, problems: list[Problem]) -> Expectation | None:
    where = f"expect[{number}]"
    before = len(problems)
    if not isinstance(given, Mapping):
        what = f"expected a mapping, got a {type(given).__name__}"
        problems.append(Problem(what, where, "as in {column: amount, min: 0}"))
        return None
    problems.extend(Problem(f"no key `{key}`", where, nearest(str(key), _KEYS)) for key in given if key not in _KEYS)
    subjects = [key for key in ("column", "where", "unique") if key in given]
    if len(subjects) != 1:
        what = "expected one of `column`, `where` and `unique`, got " + (" and ".join(subjects) or "none of them")
        problems.append(Problem(what, where, "write an expectation for each"))
        return None
    chosen = given.get("on_failure", on_failure)
    if "on_failure" in given and chosen not in ON_FAILURE:
        problems.append(_bad_choice(chosen, f"{where}.on_failure"))
    name = given.get("name", _default_name(given, number))
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _TAKEN:
        what = "a name is a text of at most 100 characters, without colons and line breaks, and not that of a counter"
        problems.append(Problem(what, f"{where}.name", "write another one"))
    read = {"column": _read_values, "where": _read_condition, "unique": _read_unique}[subjects[0]]
    made = read(given, (str(name), chosen, where), problems)
    return made if len(problems) == before else None


def _bad_choice(value: object, where: str) -> Problem:
    return Problem(f"`{value}` is not what to do with a row", where, nearest(str(value), ON_FAILURE))


def _default_name(given: Mapping[str, Any], number: int) -> str:
    if "column" in given:
        return " ".join([str(given["column"]), *(key for key in _VALUE_KEYS if key in given)])[:100]
    if "unique" in given:
        names = given["unique"] if isinstance(given["unique"], list | tuple) else [given["unique"]]
        return ("unique " + " ".join(map(str, names)))[:100]
    return f"condition {number}"


_Head = tuple[str, Any, str]


def _unused(given: Mapping[str, Any], subject: str, where: str) -> Iterator[Problem]:
    for key in _VALUE_KEYS:
        if key in given:
            yield Problem(f"`{key}` belongs to `column`, not to `{subject}`", where, "write an expectation for each")


def _read_values(given: Mapping[str, Any], head: _Head, problems: list[Problem]) -> Expectation | None:
    where, column = head[2], given["column"]
    if not isinstance(column, str) or not column:
        problems.append(Problem("expected the name of a column", f"{where}.column", "write it as text"))
        return None
    parts = {key: given[key] for key in _VALUE_KEYS if key in given}
    if not parts:
        problems.append(Problem("nothing is expected of the column", where, f"add one of {', '.join(_VALUE_KEYS)}"))
    if "present" in parts and parts["present"] is not True:
        problems.append(Problem("`present` is true or not there", f"{where}.present", "leave it out"))
    one_of, pattern = parts.get("one_of"), parts.get("pattern")
    if "one_of" in parts and (isinstance(one_of, str | Mapping) or not isinstance(one_of, Sequence) or not one_of):
        problems.append(Problem("expected a list of values", f"{where}.one_of", "as in [paid, sent]"))
        one_of = None
    if "pattern" in parts and not isinstance(pattern, str):
        problems.append(Problem("expected a regular expression as text", f"{where}.pattern", 'as in "[A-Z]+"'))
        pattern = None
    problems.extend(
        Problem("a bound is a value", f"{where}.{key}", "leave it out for no bound")
        for key in ("min", "max")
        if key in parts and parts[key] is None
    )
    return Values(
        *head,
        column=column,
        present="present" in parts,
        least=parts.get("min"),
        most=parts.get("max"),
        one_of=None if one_of is None else tuple(one_of),
        pattern=pattern,
    )


def _read_condition(given: Mapping[str, Any], head: _Head, problems: list[Problem]) -> Expectation | None:
    # sqlglot and DuckDB only where there is SQL.
    from blocks.shaping.expressions import read_syntax

    problems.extend(_unused(given, "where", head[2]))
    read_syntax(given["where"], f"{head[2]}.where", problems)
    return Condition(*head, condition=given["where"])


def _read_unique(given: Mapping[str, Any], head: _Head, problems: list[Problem]) -> Expectation | None:
    problems.extend(_unused(given, "unique", head[2]))
    names = read_names(given["unique"], f"{head[2]}.unique", problems, alone=True)
    if not names and given["unique"] in ([], ()):
        problems.append(Problem("no column is named", f"{head[2]}.unique", "name the columns that tell rows apart"))
    return Unique(*head, columns=names)


Failing = Callable[[pa.Array], Rows]


def values_check(expectation: Values, schema: pa.Schema, problems: list[Problem]) -> Failing | None:
    """The function from a column to the rows that fail; None if there are problems, which are added.

    Args:
      expectation: as read.
      schema: of the batches.
      problems: gets one for a column that is not there, and for every value that does not fit its type.
    """
    missing = list(missing_columns([expectation.column], schema, f"{expectation.where}.column"))
    if missing:
        problems.extend(missing)
        return None
    before = len(problems)
    data_type = schema.field(expectation.column).type
    found = [
        part
        for part in (
            _bounds(expectation, data_type, problems),
            _domain(expectation, data_type, problems),
            _pattern(expectation, data_type, problems),
        )
        if part is not None
    ]
    if len(problems) > before:
        return None

    def failing(column: pa.Array) -> Rows:
        if column.null_count and expectation.present:
            failed: Rows = column.is_null().to_numpy(zero_copy_only=False)
        else:
            failed = np.zeros(len(column), np.bool_)
        for passes in found:
            failed = failed | ~pc.fill_null(passes(column), True).to_numpy(zero_copy_only=False)
        return failed

    return failing


Passes = Callable[[pa.Array], pa.Array]


def _scalar(value: Any, data_type: pa.DataType, where: str, problems: list[Problem]) -> pa.Scalar | None:
    try:
        return typed_scalar(value, data_type)
    except UnfitError as error:
        problems.append(Problem(f"{error}, for a column of {data_type}", where, "write a value of the column's type"))
        return None


def _bounds(expectation: Values, data_type: pa.DataType, problems: list[Problem]) -> Passes | None:
    given = [
        (f"{expectation.where}.{key}", value, compare)
        for key, value, compare in (
            ("min", expectation.least, pc.greater_equal),
            ("max", expectation.most, pc.less_equal),
        )
        if value is not None
    ]
    if not given:
        return None
    if not takes_bounds(data_type):
        fix = "use one_of, present or a condition (where)"
        problems.append(Problem(f"values of {data_type} have no bounds", expectation.where, fix))
        return None
    bounds = [(_scalar(value, data_type, where, problems), compare) for where, value, compare in given]
    if any(bound is None for bound, _ in bounds):
        return None
    typed = [(_plain_scalar(bound), compare) for bound, compare in bounds]
    if len(typed) == 2 and pc.greater(typed[0][0], typed[1][0]).as_py():
        problems.append(Problem("`min` is greater than `max`", expectation.where, "exchange them"))
        return None

    def within(column: pa.Array) -> pa.Array:
        plain = _plain(column)
        marks = [compare(plain, bound) for bound, compare in typed]
        return marks[0] if len(marks) == 1 else pc.and_(*marks)

    return within


def _domain(expectation: Values, data_type: pa.DataType, problems: list[Problem]) -> Passes | None:
    if expectation.one_of is None:
        return None
    where = f"{expectation.where}.one_of"
    if not takes_values(data_type):
        fix = "use present or a condition (where)"
        problems.append(Problem(f"values of {data_type} cannot be listed", where, fix))
        return None
    scalars = [
        _scalar(value, data_type, f"{where}[{number}]", problems) for number, value in enumerate(expectation.one_of, 1)
    ]
    if any(scalar is None for scalar in scalars):
        return None
    allowed = _plain(pa.array(scalars, data_type))

    def listed(column: pa.Array) -> pa.Array:
        plain = _plain(column)
        found = pc.is_in(plain, value_set=allowed)
        # `is_in` says of a null that it is not in the set.
        return pc.or_(found, plain.is_null()) if plain.null_count else found

    return listed


def _pattern(expectation: Values, data_type: pa.DataType, problems: list[Problem]) -> Passes | None:
    if expectation.pattern is None:
        return None
    where = f"{expectation.where}.pattern"
    if not is_text(data_type):
        fix = "use min, max or one_of, or a condition (where)"
        problems.append(Problem(f"a pattern is for text, and the column is {data_type}", where, fix))
        return None
    whole = rf"\A(?:{expectation.pattern})\z"
    # Arrow reads the pattern when there is a value.
    nothing = pa.array([""])
    try:
        # The pattern alone first: a closing parenthesis of its own would end the group around it.
        pc.match_substring_regex(nothing, pattern=expectation.pattern)
        pc.match_substring_regex(nothing, pattern=whole)
    except (pa.ArrowException, UnicodeError):
        problems.append(Problem("the pattern is no regular expression (RE2)", where, "see RE2's syntax; no lookaround"))
        return None
    return lambda column: pc.match_substring_regex(_plain(column), pattern=whole)


def _plain(column: pa.Array) -> pa.Array:
    """The column in a form that Arrow's kernels take, with one zero."""
    if pat.is_string_view(column.type):
        return column.cast(pa.large_string())
    if pat.is_floating(column.type):
        return pc.add(column, pa.scalar(0, column.type))
    return column


def _plain_scalar(scalar: pa.Scalar) -> pa.Scalar:
    return scalar.cast(pa.large_string()) if pat.is_string_view(scalar.type) else scalar
