"""The functions that an expression may call: of one row, the same answer on every machine and at every time.

What is not in the table cannot be called. Left out on purpose, each with its reason in `refusal`: what depends on when
or where it runs, what looks at other rows, what reads files or settings, what can ask for unbounded memory, and the
functions of the C library's mathematics (`exp`, `ln`, `pow`, `sin`), whose last digit differs from processor to
processor.
"""

from dataclasses import dataclass
from enum import Enum

from blocks.core.errors import nearest

# More arguments than any expression has.
_MANY = 10_000


class Nulls(Enum):
    """When a function gives NULL."""

    ANY = "where an argument is NULL"
    ALL = "where all arguments are NULL"
    NEVER = "never"
    PERHAPS = "also where no argument is NULL"


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the table.

    Attributes:
      least: fewest arguments.
      most: most arguments.
      nulls: when it gives NULL; an output column is required only where that can be told.
      literal: positions (from 0) of arguments that have to be literals, so that a mistake in them is seen at once.
      unit: position of the argument that names a part of a time, or None.
      longest: position of the argument that says how long a text becomes, or None.
    """

    least: int
    most: int
    nulls: Nulls = Nulls.PERHAPS
    literal: tuple[int, ...] = ()
    unit: int | None = None
    longest: int | None = None


UNITS = (
    *("year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond"),
    *("decade", "century", "isoyear", "dow", "isodow", "dayofweek", "doy", "dayofyear", "yearweek", "epoch"),
)
INTERVALS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second", "millisecond", "microsecond")
LONGEST_TEXT = 10_000


def _each(names: str, function: Function) -> dict[str, Function]:
    return dict.fromkeys(names.split(), function)


_TEXT = {
    **_each("lower upper reverse strip_accents nfc_normalize md5 sha256", Function(1, 1, Nulls.ANY)),
    **_each("trim ltrim rtrim", Function(1, 2, Nulls.ANY)),
    **_each("length char_length", Function(1, 1, Nulls.ANY)),
    **_each("left right starts_with ends_with contains strpos", Function(2, 2, Nulls.ANY)),
    **_each("substring substr", Function(2, 3, Nulls.ANY)),
    **_each("replace", Function(3, 3, Nulls.ANY)),
    **_each("concat", Function(1, _MANY, Nulls.NEVER)),
    **_each("concat_ws", Function(2, _MANY)),
    **_each("lpad rpad", Function(3, 3, Nulls.ANY, literal=(1,), longest=1)),
    **_each("split_part", Function(3, 3)),
    **_each("string_split", Function(2, 2, literal=(1,))),
    **_each("regexp_matches regexp_full_match", Function(2, 2, Nulls.ANY, literal=(1,))),
    **_each("regexp_extract", Function(2, 3, literal=(1, 2))),
    **_each("regexp_replace", Function(3, 4, literal=(1, 2, 3))),
    **_each("unicode", Function(1, 1)),
}
_NUMBERS = {
    **_each("abs sign ceil ceiling floor trunc sqrt isnan isinf isfinite", Function(1, 1, Nulls.ANY)),
    **_each("round", Function(1, 2, Nulls.ANY, literal=(1,))),
    **_each("mod", Function(2, 2)),
}
_CHOICES = {
    **_each("coalesce greatest least", Function(1, _MANY, Nulls.ALL)),
    **_each("ifnull", Function(2, 2, Nulls.ALL)),
    **_each("nullif", Function(2, 2)),
    **_each("if", Function(3, 3)),
    **_each("try", Function(1, 1)),
}
_TIMES = {
    **_each("date_trunc date_part", Function(2, 2, unit=0)),
    **_each("date_diff", Function(3, 3, unit=0)),
    **_each(
        "year quarter month week day hour minute second isoyear dayofweek isodow dayofyear last_day dayname "
        "monthname epoch epoch_ms epoch_us to_timestamp to_years to_months to_weeks to_days to_hours to_minutes "
        "to_seconds",
        Function(1, 1),
    ),
    **_each("make_date", Function(3, 3)),
    **_each("make_timestamp", Function(6, 6)),
    **_each("strftime strptime try_strptime", Function(2, 2, literal=(1,))),
    **_each("time_bucket", Function(2, 2)),
}
_LISTS = {
    **_each("len cardinality list_min list_max list_sum list_sort list_reverse map_keys map_values", Function(1, 1)),
    **_each("list_contains list_position", Function(2, 2)),
    **_each("array_to_string", Function(2, 2, literal=(1,))),
}
FUNCTIONS: dict[str, Function] = {**_TEXT, **_NUMBERS, **_CHOICES, **_TIMES, **_LISTS}

_OTHER_ANSWER = "gives another answer each time", "use a column of the data, such as a hash of the key"
_CLOCK = "depends on when it runs", "use the event-time column, or write the time as a literal"
_ROWS = "looks at more than one row", "aggregate in a block of its own; an expression sees one row"
_DIGITS = "has a last digit that depends on the processor", "use + - * / and sqrt, or compute it where it is used"
_OUTSIDE = "reads what is not in the row", "use the columns of the batch"
_MEMORY = "can ask for any amount of memory", "use lpad or rpad, with a literal length"
_VERSIONS = "differs between versions of the engine", "use md5 or sha256, which are standards"
_ZONES = "depends on a database of time zones", "all times are UTC; convert where they are shown"


def _all(names: str, reason: tuple[str, str]) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(names.split(), reason)


REFUSED: dict[str, tuple[str, str]] = {
    **_all("random setseed uuid gen_random_uuid uuidv4 uuidv7 nextval currval", _OTHER_ANSWER),
    **_all("now today age current_date current_time current_timestamp current_localtime localtime", _CLOCK),
    **_all("current_localtimestamp get_current_time get_current_timestamp localtimestamp", _CLOCK),
    **_all("sum count avg mean min max median mode first last any_value stddev variance quantile", _ROWS),
    **_all("string_agg array_agg list row_number rank dense_rank lag lead ntile unnest", _ROWS),
    **_all("exp ln log log2 log10 pow power sin cos tan asin acos atan atan2 sinh cosh tanh cbrt gamma", _DIGITS),
    **_all("radians degrees", _DIGITS),
    **_all("getenv current_setting getvariable read_csv read_csv_auto read_parquet read_json read_text", _OUTSIDE),
    **_all("read_blob glob query query_table current_user current_database current_schema session_user", _OUTSIDE),
    **_all("user version", _OUTSIDE),
    **_all("repeat range generate_series list_resize bar printf format", _MEMORY),
    "hash": _VERSIONS,
    "timezone": _ZONES,
}


def refusal(name: str) -> tuple[str, str]:
    """What is wrong with a function that is not in the table, and what to do instead.

    Args:
      name: as it is written, in any case.
    """
    known = REFUSED.get(name.lower())
    if known is not None:
        return f"`{name}` cannot be used: it {known[0]}", known[1]
    return f"no function `{name}`", f"{nearest(name.lower(), FUNCTIONS)}; all are in docs/expressions.md"


def stands_for_a_function(name: str) -> bool:
    """Whether a name without parentheses, that is no column, is one of SQL's functions (`current_date`)."""
    return name.lower() in REFUSED
