"""Random expressions over the allow-list, each of a type that is known, as text."""

from hypothesis import strategies as st

_COLUMNS = {
    "BOOLEAN": ["b"],
    "TINYINT": ["t"],
    "INTEGER": ["i", "j"],
    "BIGINT": ["l", "m"],
    "DOUBLE": ["d", "e"],
    "DECIMAL": ["n", "o"],
    "VARCHAR": ["s", "u"],
    "DATE": ["a", "c"],
    "TIMESTAMP": ["p", "q"],
}
_LITERALS = {
    "BOOLEAN": ["TRUE", "FALSE"],
    "TINYINT": ["CAST(100 AS TINYINT)", "CAST(-1 AS TINYINT)"],
    "INTEGER": ["0", "1", "-1", "7", "2147483647"],
    "BIGINT": ["2147483648", "-9007199254740993", "9223372036854775807"],
    "DOUBLE": ["0e0", "1.5e0", "-0.1e0", "1e300"],
    "DECIMAL": ["n", "o"],
    "VARCHAR": ["''", "'a'", "'ß😀'", "' 12 '", "'%a_'"],
    "DATE": ["DATE '2020-02-29'", "DATE '1969-12-31'"],
    "TIMESTAMP": ["TIMESTAMP '2020-02-29 23:59:59.999'", "TIMESTAMP '1969-12-31 12:00:00'"],
}
# `{TYPE}` is another expression of the type.
_FORMS = {
    "BOOLEAN": [
        *("({BOOLEAN} AND {BOOLEAN})", "({BOOLEAN} OR {BOOLEAN})", "(NOT {BOOLEAN})", "({BOOLEAN} IS TRUE)"),
        *("({INTEGER} < {INTEGER})", "({INTEGER} = {BIGINT})", "({BIGINT} >= {TINYINT})", "({DOUBLE} > {DOUBLE})"),
        *("({DOUBLE} <= {INTEGER})", "({DOUBLE} <> {DOUBLE})", "(n < o)", "({INTEGER} > n)", "({VARCHAR} < {VARCHAR})"),
        *("({VARCHAR} = {VARCHAR})", "({VARCHAR} LIKE '%a_%')", "({DATE} < {DATE})", "({TIMESTAMP} >= {TIMESTAMP})"),
        *("({INTEGER} BETWEEN {INTEGER} AND {INTEGER})", "({INTEGER} IN (1, {INTEGER}, 7))", "(s IS NULL)"),
        *("({VARCHAR} IN ('a', {VARCHAR}))", "(i IS NOT DISTINCT FROM j)", "({DATE} = {TIMESTAMP})"),
        # What Calcite makes simpler as if there were no NaN.
        *("(d < 1e0)", "(d > 0e0)", "(e >= 1)", "(d <> 1.5)", "(f = g)", "(f <= {DOUBLE})", "({DOUBLE} < f)"),
        *("({DOUBLE} BETWEEN {DOUBLE} AND {DOUBLE})", "({DOUBLE} IN (1e0, {DOUBLE}))", "({BOOLEAN} IS FALSE)"),
        *("CASE WHEN {BOOLEAN} THEN {BOOLEAN} ELSE {BOOLEAN} END", "({BOOLEAN} = {BOOLEAN})", "({BOOLEAN} IS NULL)"),
        *("COALESCE({BOOLEAN}, TRUE)", "(NULLIF({DOUBLE}, {DOUBLE}) IS NULL)"),
    ],
    "TINYINT": ["({TINYINT} + t)", "({TINYINT} * t)", "(- {TINYINT})", "ABS({TINYINT})"],
    "INTEGER": [
        *("({INTEGER} + {INTEGER})", "({INTEGER} - {TINYINT})", "({INTEGER} * {INTEGER})", "({INTEGER} / {INTEGER})"),
        *("MOD({INTEGER}, {INTEGER})", "(- {INTEGER})", "ABS({INTEGER})", "SIGN({INTEGER})", "CHAR_LENGTH({VARCHAR})"),
        *("POSITION(u IN {VARCHAR})", "CASE WHEN {BOOLEAN} THEN {INTEGER} ELSE {INTEGER} END"),
        *("COALESCE(i, {INTEGER})", "NULLIF({INTEGER}, {INTEGER})", "CAST({BIGINT} AS INTEGER)", "ASCII({VARCHAR})"),
        *("CAST({DOUBLE} AS INTEGER)", "CAST(n AS INTEGER)", "TIMESTAMPDIFF(HOUR, {TIMESTAMP}, {TIMESTAMP})"),
        "CAST({VARCHAR} AS INTEGER)",
    ],
    "BIGINT": [
        *("({BIGINT} + {INTEGER})", "({BIGINT} * {BIGINT})", "({BIGINT} / {BIGINT})", "(- {BIGINT})", "ABS({BIGINT})"),
        *(
            "CAST({INTEGER} AS BIGINT)",
            "EXTRACT(DOW FROM {DATE})",
            "EXTRACT(HOUR FROM {TIMESTAMP})",
            "MOD(l, {BIGINT})",
        ),
        *("EXTRACT(WEEK FROM {TIMESTAMP})", "EXTRACT(EPOCH FROM {TIMESTAMP})", "CASE WHEN {BOOLEAN} THEN {BIGINT} END"),
    ],
    "DOUBLE": [
        *("({DOUBLE} + {DOUBLE})", "({DOUBLE} * {INTEGER})", "({DOUBLE} / {DOUBLE})", "(- {DOUBLE})", "ABS({DOUBLE})"),
        *("FLOOR({DOUBLE})", "CEIL({DOUBLE})", "ROUND({DOUBLE}, 2)", "SIGN({DOUBLE})", "CAST({BIGINT} AS DOUBLE)"),
        *("CASE WHEN {BOOLEAN} THEN {DOUBLE} ELSE {INTEGER} END", "COALESCE(d, {DOUBLE})", "TRUNCATE({DOUBLE})"),
        "CAST(n AS DOUBLE)",
    ],
    "DECIMAL": ["(n + o)", "(n * {TINYINT})", "(o - {INTEGER})", "ROUND(n, 1)", "FLOOR(o)", "(- n)", "COALESCE(n, o)"],
    "VARCHAR": [
        *("({VARCHAR} || {VARCHAR})", "UPPER({VARCHAR})", "LOWER({VARCHAR})", "TRIM({VARCHAR})"),
        *("TRIM(LEADING 'a' FROM {VARCHAR})", "REPLACE({VARCHAR}, 'a', {VARCHAR})", "CAST({INTEGER} AS VARCHAR)"),
        *("CASE WHEN {BOOLEAN} THEN {VARCHAR} ELSE 'abc' END", "COALESCE(s, {VARCHAR})", "NULLIF(s, {VARCHAR})"),
        *("CAST({DATE} AS VARCHAR)", "CAST({BOOLEAN} AS VARCHAR)", "CAST({TIMESTAMP} AS VARCHAR)"),
        "SUBSTRING(UPPER('abcdefg') FROM {INTEGER} FOR 2)",
    ],
    "DATE": ["FLOOR({DATE} TO MONTH)", "FLOOR({DATE} TO WEEK)", "CAST({TIMESTAMP} AS DATE)", "COALESCE(a, {DATE})"],
    "TIMESTAMP": ["FLOOR({TIMESTAMP} TO HOUR)", "CAST({DATE} AS TIMESTAMP)", "CASE WHEN {BOOLEAN} THEN p ELSE q END"],
}


@st.composite
def expressions(draw: st.DrawFn, kind: str | None = None, depth: int = 3) -> str:
    """An expression of a type."""
    kind = kind or draw(st.sampled_from(sorted(_FORMS)))
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        return draw(st.sampled_from([*_COLUMNS[kind] * 3, *_LITERALS[kind]]))
    form = draw(st.sampled_from(_FORMS[kind]))
    while "{" in form:
        before, _, rest = form.partition("{")
        inner, _, after = rest.partition("}")
        form = before + draw(expressions(inner, depth - 1)) + after
    return form
