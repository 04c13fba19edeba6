"""Texts as Java has them, in DuckDB's SQL.

Java counts and cuts in UTF-16, where a sign beyond U+FFFF is two; DuckDB counts signs. A text whose bytes are as many
as its signs is ASCII, where both agree: it takes the short way. A result that would be half a sign, which no Arrow text
can be, fails the row.
"""

from collections.abc import Callable

from blocks.sql.lowering.piece import text_literal

_Form = Callable[[str], str]

_BEYOND = r"[\x{10000}-\x{10FFFF}]"
_WHITE = r"[\x00-\x20]*"
# Upper case of these is several signs (Unicode's SpecialCasing); DuckDB goes sign by sign.
_GROWING_CODES = (
    *(0xDF, 0x149, 0x1F0, 0x390, 0x3B0, 0x587, *range(0x1E96, 0x1E9B), 0x1F50, 0x1F52, 0x1F54, 0x1F56),
    *(*range(0x1F80, 0x1FB0), 0x1FB2, 0x1FB3, 0x1FB4, 0x1FB6, 0x1FB7, 0x1FBC, 0x1FC2, 0x1FC3, 0x1FC4, 0x1FC6, 0x1FC7),
    *(0x1FCC, 0x1FD2, 0x1FD3, 0x1FD6, 0x1FD7, 0x1FE2, 0x1FE3, 0x1FE4, 0x1FE6, 0x1FE7, 0x1FF2, 0x1FF3, 0x1FF4),
    *(0x1FF6, 0x1FF7, 0x1FFC, *range(0xFB00, 0xFB07), *range(0xFB13, 0xFB18)),
)
GROWING = "".join(map(chr, _GROWING_CODES))
_GROWN = "MAP {" + ", ".join(f"'{sign}': '{sign.upper()}'" for sign in GROWING) + "}"
_SIGMA = "\N{GREEK SMALL LETTER SIGMA}"
_CASED = r"[\p{Lu}\p{Ll}\p{Lt}]"
_APART = r"[\s\p{Pd}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}]"


def is_ascii(sql: str) -> str:
    """Whether every sign of a text is one byte."""
    return f"(strlen({sql}) = length({sql}))"


def failing(sql: str, kind: str) -> str:
    """A value that fails when it is computed, and not before."""
    return f"CAST(CAST('?' || left({sql}, 0) AS INTEGER) AS {kind})"


def length(sql: str) -> str:
    """CHAR_LENGTH: units of UTF-16."""
    beyond = rf"length(regexp_replace({sql}, '[^\x{{10000}}-\x{{10FFFF}}]', '', 'g'))"
    signs = f"CAST(length({sql}) AS INTEGER)"
    return f"(CASE WHEN {is_ascii(sql)} THEN {signs} ELSE CAST(length({sql}) + {beyond} AS INTEGER) END)"


def upper(sql: str) -> str:
    """UPPER, with what grows."""
    each = f"list_transform(string_split({sql}, ''), lambda sign: coalesce({_GROWN}[sign], upper(sign)))"
    grown = f"array_to_string({each}, '')"
    plain = f"{is_ascii(sql)} OR NOT regexp_matches({sql}, '[{GROWING}]')"
    return f"(CASE WHEN {plain} THEN upper({sql}) ELSE {grown} END)"


def lower(sql: str, exact: bool) -> str:
    """LOWER, with the two forms of a Greek sigma; where it is not plain whether one ends a word, the row fails.

    Args:
      sql: the text.
      exact: without it a text with a capital sigma fails, because the patterns take long to build.
    """
    dotted = f"replace({sql}, 'İ', 'i̇')"
    if not exact:
        plain = f"(CASE WHEN contains({sql}, 'Σ') THEN {failing(sql, 'VARCHAR')} ELSE lower({dotted}) END)"
        return f"(CASE WHEN {is_ascii(sql)} THEN lower({sql}) ELSE {plain} END)"
    within = f"regexp_replace({dotted}, 'Σ({_CASED})', '{_SIGMA}\\1', 'g')"
    within = f"regexp_replace({within}, 'Σ({_CASED})', '{_SIGMA}\\1', 'g')"
    first = f"regexp_replace({within}, '(^|\\s)Σ', '\\1{_SIGMA}', 'g')"
    last = rf"regexp_replace({first}, '({_CASED})Σ($|{_APART}($|[^\p{{L}}\p{{N}}\p{{M}}]))', '\1ς\2', 'g')"
    sure = f"(CASE WHEN contains({last}, 'Σ') THEN {failing(sql, 'VARCHAR')} ELSE lower({last}) END)"
    with_sigma = f"(CASE WHEN contains({sql}, 'Σ') THEN {sure} ELSE lower({dotted}) END)"
    return f"(CASE WHEN {is_ascii(sql)} THEN lower({sql}) ELSE {with_sigma} END)"


def substring(sql: str, start: str, count: str | None) -> str:
    """SUBSTRING: a start before the text takes from the length, a negative length fails.

    Args:
      sql: the text.
      start: a BIGINT, from 1.
      count: a BIGINT, or None to the end.
    """
    first = f"greatest({start}, 1)"
    if count is None:
        last = "9223372036854775807"
        plain = f"substring({sql}, {first})"
    else:
        last = f"greatest({start} + {count} - 1, 0)"
        plain = f"substring({sql}, {first}, greatest({start} + {count} - {first}, 0))"
    cut = f"(CASE WHEN {_without_pairs(sql)} THEN {plain} ELSE {_units(sql, first, last)} END)"
    known = " AND ".join(f"{part} IS NOT NULL" for part in (sql, start, count) if part)
    if count is None:
        return f"(CASE WHEN {known} THEN {cut} END)"
    return f"(CASE WHEN {count} < 0 AND {known} THEN {failing(sql, 'VARCHAR')} WHEN {known} THEN {cut} END)"


def literal_substring(sql: str, start: int, count: int | None) -> str:
    """SUBSTRING with literals, of which the count is not negative."""
    first = max(start, 1)
    last = 2**62 if count is None else max(start + count - 1, 0)
    size = "" if count is None else f", {max(last - first + 1, 0)}"
    plain = f"substring({sql}, {first}{size})"
    return f"(CASE WHEN {_without_pairs(sql)} THEN {plain} ELSE {_units(sql, str(first), str(last))} END)"


def shortened(sql: str, most: int) -> str:
    """The first units of a text: CAST AS VARCHAR(n)."""
    return literal_substring(sql, 1, most)


def _without_pairs(sql: str) -> str:
    return rf"{is_ascii(sql)} OR NOT regexp_matches({sql}, '{_BEYOND}')"


def _units(sql: str, first: str, last: str) -> str:
    """A part of a text by units: a sign of two is itself and an empty text."""
    units = (
        f"flatten(list_transform(string_split({sql}, ''), "
        "lambda sign: CASE WHEN unicode(sign) > 65535 THEN [sign, ''] ELSE [sign] END))"
    )
    part = f"list_slice({units}, {first}, {last})"
    # A list_slice of nothing is NULL or empty; its first and last are then NULL.
    half = f"{part}[1] = '' OR unicode({part}[-1]) > 65535"
    found = f"CASE WHEN {sql} IS NOT NULL THEN coalesce(array_to_string({part}, ''), '') END"
    # The empty text at the end of a whole sign is no sign of its own.
    return f"(CASE WHEN {half} THEN {failing(sql, 'VARCHAR')} ELSE {found} END)"


def position(what: str, sql: str) -> str:
    """POSITION(what IN text): unit at which it begins, 0 where it is not."""
    at = f"instr({sql}, {what})"
    before = length(f"left({sql}, {at} - 1)")
    plain = f"CAST({at} AS INTEGER)"
    return f"(CASE WHEN {is_ascii(sql)} OR {at} = 0 THEN {plain} ELSE {before} + 1 END)"


def trimmed(sql: str, side: str, signs: str) -> str:
    """TRIM of any of some signs, which are below U+D800."""
    function = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(side, "trim")
    return f"{function}({sql}, {text_literal(signs)})"


def order_key(sql: str) -> str:
    """A text that compares by code points as this one does in UTF-16: what is above the surrogates goes to the end."""
    last = "\U0010ffff"
    moved = rf"replace({sql}, '{last}', '{last} ')"
    moved = rf"regexp_replace({moved}, '([\x{{E000}}-\x{{FFFF}}])', '{last}\1', 'g')"
    return f"(CASE WHEN {is_ascii(sql)} THEN {sql} ELSE {moved} END)"


def _to_whole(name: str) -> _Form:
    # Calcite takes white space off for all but TINYINT.
    white = "" if name == "TINYINT" else _WHITE

    def form(sql: str) -> str:
        plain = f"CAST(regexp_extract({sql}, '[+-]?[0-9]+') AS {name})"
        return (
            f"(CASE WHEN regexp_full_match({sql}, '{white}[+-]?[0-9]+{white}') THEN {plain} "
            f"WHEN {sql} IS NOT NULL THEN {failing(sql, name)} END)"
        )

    return form


def _to_float(name: str) -> _Form:
    number = r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?"

    def form(sql: str) -> str:
        plain = f"CAST(regexp_extract({sql}, '{number}') AS {name})"
        word = f"CAST(regexp_extract({sql}, '[+-]?(NaN|Infinity)') AS {name})"
        return (
            f"(CASE WHEN regexp_full_match({sql}, '{_WHITE}{number}[dDfF]?{_WHITE}') THEN {plain} "
            f"WHEN regexp_full_match({sql}, '{_WHITE}[+-]?(NaN|Infinity){_WHITE}') THEN {word} "
            f"WHEN {sql} IS NOT NULL THEN {failing(sql, name)} END)"
        )

    return form


def _to_boolean(sql: str) -> str:
    return (
        f"(CASE WHEN regexp_full_match({sql}, '(?i){_WHITE}true{_WHITE}') THEN TRUE "
        f"WHEN regexp_full_match({sql}, '(?i){_WHITE}false{_WHITE}') THEN FALSE "
        f"WHEN {sql} IS NOT NULL THEN {failing(sql, 'BOOLEAN')} END)"
    )


def _to_date(sql: str) -> str:
    day = "[0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}"
    plain = f"CAST(regexp_extract({sql}, '{day}') AS DATE)"
    return (
        f"(CASE WHEN regexp_full_match({sql}, ' *{day} *') AND NOT regexp_matches({sql}, '^ *0+-') THEN {plain} "
        f"WHEN {sql} IS NOT NULL THEN {failing(sql, 'DATE')} END)"
    )


def _to_timestamp(sql: str) -> str:
    day = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    clock = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    pattern = f" *{day}( {clock}([.][0-9]+)?)? *"
    part = "'" + day + "( " + clock + "([.][0-9]{1,3})?)?'"
    plain = f"CAST(regexp_extract({sql}, {part}) AS TIMESTAMP)"
    return (
        f"(CASE WHEN regexp_full_match({sql}, '{pattern}') AND NOT regexp_matches({sql}, '^ *0+-') THEN {plain} "
        f"WHEN {sql} IS NOT NULL THEN {failing(sql, 'TIMESTAMP')} END)"
    )


FROM_TEXT: dict[str, _Form] = {
    **{name: _to_whole(name) for name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")},
    "FLOAT": _to_float("FLOAT"),
    "DOUBLE": _to_float("DOUBLE"),
    "BOOLEAN": _to_boolean,
    "DATE": _to_date,
    "TIMESTAMP": _to_timestamp,
}


def _plain(sql: str) -> str:
    return f"CAST({sql} AS VARCHAR)"


def _of_years(form: _Form) -> _Form:
    """Years that have four digits; DuckDB writes others with words."""

    def found(sql: str) -> str:
        within = f"CAST({sql} AS DATE) BETWEEN DATE '0001-01-01' AND DATE '9999-12-31'"
        fails = failing(f"CAST({sql} AS VARCHAR)", "VARCHAR")
        return f"(CASE WHEN {within} THEN {form(sql)} WHEN {sql} IS NOT NULL THEN {fails} END)"

    return found


TO_TEXT: dict[str, _Form] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT"), _plain),
    "DATE": _of_years(_plain),
    "BOOLEAN": lambda sql: f"upper(CAST({sql} AS VARCHAR))",
    # Calcite writes no parts of a second.
    "TIMESTAMP": _of_years(lambda sql: f"strftime({sql}, '%Y-%m-%d %H:%M:%S')"),
    "TIME": lambda sql: f"left(CAST({sql} AS VARCHAR), 8)",
}
