"""What Beam SQL's planner takes of a function, and Beam 2.70 then cannot run.

Each row was found by running it: name -> a limit for each argument (the last one holds for those that follow), which is
None, or (types that work, what to do for others). A function without a row runs with whatever its signature takes.
"""

from blocks.sql.types import INTEGERS, NUMERIC, TEXT, TIMES

Limit = tuple[tuple[str, ...], str]
SMALL = ("TINYINT", "SMALLINT", "INTEGER")
_TEXT: Limit = (TEXT, "give it a text")
_WHOLE: Limit = (INTEGERS, "take whole numbers")
_INTEGER: Limit = (SMALL, "write CAST(x AS INTEGER)")
# Calcite takes no other whole number here, not even a smaller one.
_JUST_INTEGER: Limit = (("INTEGER",), "write CAST(x AS INTEGER)")
_BIGINT: Limit = (("BIGINT",), "write CAST(x AS BIGINT)")
_NO_BYTES: Limit = ((*NUMERIC, *TEXT, *TIMES, "BOOLEAN"), "take TO_HEX of bytes, or an element or field of the value")
_NOT_BYTES: Limit = ((*NUMERIC, *TEXT, *TIMES, "BOOLEAN"), "take TO_HEX of the bytes")
LIMITS: dict[str, tuple[Limit | None, ...]] = {
    **dict.fromkeys(("BITAND", "BITNOT", "BITOR", "BITXOR"), (_WHOLE,)),
    **dict.fromkeys(("BIT_AND", "BIT_OR", "BIT_XOR"), (_BIGINT,)),
    **dict.fromkeys(("JSON_DEPTH", "JSON_PRETTY", "JSON_STORAGE_SIZE", "JSON_TYPE"), (_TEXT,)),
    **dict.fromkeys(("JSON_EXISTS", "JSON_KEYS", "JSON_LENGTH", "JSON_QUERY", "JSON_VALUE"), (_TEXT, None)),
    "LAST_DAY": ((("DATE", "TIMESTAMP"), "take a DATE or TIMESTAMP"),),
    **dict.fromkeys(("MAX", "MIN"), (_NO_BYTES,)),
    "OCTET_LENGTH": ((("VARBINARY",), "write LENGTH(x) or CHAR_LENGTH(x) for a text"),),
    "OVERLAY": (_NOT_BYTES, _NOT_BYTES, _INTEGER),
    "POSITION": (None, None, _INTEGER),
    **dict.fromkeys(("RAND", "RAND_INTEGER"), (_INTEGER,)),
    **dict.fromkeys(("ROUND", "TRUNCATE"), (None, _JUST_INTEGER)),
    "SUBSTRING": (_NOT_BYTES, _WHOLE, None),
    "TO_HEX": ((("VARBINARY",), "a text has no bytes of its own; write TO_HEX(SHA256(x)) for a digest"),),
}
# Beam has no Java for a NULL without a type among their arguments.
NO_NULL = frozenset(("ROUND", "TRUNCATE"))
# Methods of Java that take no NULL: they fail on the first row that has one.
FAILS_ON_NULL = frozenset(("IS_INF", "IS_NAN"))
