"""Every code that a block of the catalog gives a reject: what it means, and what to do about the record.

A block's catalog entry lists its codes; the page of errors and codes in the documents is made from both. Blocks of
other teams may have codes of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Code:
    """What a reject with this code says.

    Attributes:
      meaning: what is wrong with the record.
      fix: what the people who own the pipeline or the data can do.
    """

    meaning: str
    fix: str


CODES: Mapping[str, Code] = MappingProxyType(
    {
        "malformed_json": Code(
            "not JSON (RFC 8259): syntax, invalid UTF-8, NaN or infinity, a field of the schema given twice",
            "show the sender the place; `source` and `position` say where it is",
        ),
        "wrong_type": Code(
            "a field has a value that does not fit its type",
            "if the value is right, widen the type in the schema; else it is the sender's",
        ),
        "missing_field": Code(
            "a required field is missing or null",
            "if it may be missing, make the field optional in the schema; else it is the sender's",
        ),
        "unknown_field": Code(
            "a field that the schema does not have (only with `strict`)",
            "add the field to the schema with a label, or read without `strict`",
        ),
        "bad_event_time": Code(
            "the event time is missing, null or no time",
            "give the field the `epoch` or type that the sender writes, or name another event time",
        ),
        "too_large": Code(
            "the record has more than `max_record_bytes`",
            "raise `max_record_bytes` if such records are meant to be",
        ),
        "too_deep": Code(
            "the record is nested deeper than `max_depth`",
            "raise `max_depth` (at most 512) if such records are meant to be",
        ),
        "cast_failed": Code(
            "a value that cannot be given the type without being changed",
            "cast to a wider type, or mend the value before",
        ),
        "expression_failed": Code(
            "a SQL expression that has no value for this row: a cast, an overflow, a division by zero",
            "say in the expression what such rows give, with CASE, TRY_CAST or NULLIF",
        ),
        "failed_function": Code(
            "a function that a SQL query calls failed on the row; the message has its name",
            "look at what the function says of its arguments; guard the call with CASE, or mend the function",
        ),
        "check_failed": Code(
            "the row does not meet an expectation of CheckRows; the message says which",
            "mend the data at its source, or the expectation",
        ),
        "no_match": Code(
            "the table of `JoinTable` has no row with the key of this row (only with `how: reject`)",
            "add the key to the table, or join with `how: left`",
        ),
        "late": Code(
            "in a stream: the event is older than what is remembered (in aggregations: than the newest event of its "
            "key less `lateness`), so that nobody knows whether it is a duplicate",
            "raise `remember` (`lateness`), at the price of more state, or replay such events in batch",
        ),
        "too_early": Code(
            "in a stream of aggregations: the event, or when it became known, is further ahead of the clock than "
            "`ahead`",
            "look at the sender's clock and the `epoch` of the field; raise `ahead` if such events are meant to be",
        ),
        "outside_date_range": Code(
            "with `mode: replace` and `date_range`: the event time is not in the range, so that a run again would not "
            "replace the row",
            "run the range that the row belongs to",
        ),
        "null_key": Code(
            "a column of the key is null: in `WriteWarehouse` with `mode: upsert`, in aggregations",
            "choose a key that every row has, or mend the record at its source",
        ),
        "null_event_id": Code(
            "in aggregations: the event id, a column of `identity`, or `known_at` is null",
            "choose an id that every event has, or name columns that identify events together",
        ),
        "conflict": Code(
            "in aggregations: another event has the same key, time and id, and other content, with a smaller hash",
            "look at why one event is told twice in different words; give events that differ different ids",
        ),
        "time_out_of_range": Code(
            "a partition by a time beyond the years 1 to 9999",
            "look at the `epoch` of the field: seconds that are read as milliseconds, or the reverse, give such years",
        ),
    }
)
