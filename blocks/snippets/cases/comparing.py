"""Compares what came with what was expected, whatever the order, and says what differs in the words of the file."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from blocks.snippets.cases.values import comparable, fitted, is_matcher

_MOST = 10


def differences(
    expected: Sequence[Mapping[str, Any]], batches: Iterable[pa.RecordBatch], schema: pa.Schema
) -> list[str]:
    """Lines about rows that are missing or were not expected; none if there are none.

    Only columns that some expected row names are compared; one that a row leaves out is null there.

    Args:
      expected: rows of the file.
      batches: what came.
      schema: of the batches.
    """
    names = [name for name in schema.names if any(name in row for row in expected)]
    came = [row for batch in batches for row in batch.select(names or schema.names).to_pylist()]
    if not expected:
        return _told([], [_shown(row) for row in came])
    wanted = [_Wanted(row, schema, names) for row in expected]
    missing, unexpected = unmatched(wanted, came, lambda one, row: one.fits(row))
    return _told(
        _counted([_shown(one.row) for one in missing], [_shown(row) for row in expected], short=True),
        _counted([_shown(row) for row in unexpected], [_shown(row) for row in came], short=False),
    )


def reject_differences(expected: Sequence[Mapping[str, Any]], came: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines about rejects; an expected one names some of the columns of a reject."""

    def fits(one: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
        return all(_reject_value(row.get(key)) == _reject_value(value) for key, value in one.items())

    missing, unexpected = unmatched(expected, came, fits)
    shown = [
        _shown({key: row[key] for key in ("code", "block", "field_path", "message") if row.get(key)})
        for row in unexpected
    ]
    return [f"rejects: {line}" for line in _told([_shown(one) for one in missing], shown)]


def _reject_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


class _Wanted:
    """One expected row.

    Args:
      row: of the file.
      schema: of what came.
      names: columns that are compared.
    """

    def __init__(self, row: Mapping[str, Any], schema: pa.Schema, names: list[str]) -> None:
        self.row = row
        self._open = [name for name in names if is_matcher(row.get(name), schema.field(name).type)]
        plain = [name for name in names if name not in self._open]
        self._plain = {name: comparable(fitted(row.get(name), schema.field(name).type)) for name in plain}

    def fits(self, came: Mapping[str, Any]) -> bool:
        # That a column is masked in the way that a matcher says was checked with the schema.
        return all(came[name] is not None for name in self._open) and all(
            comparable(came[name]) == value for name, value in self._plain.items()
        )


def unmatched(
    wanted: Sequence[Any], came: Sequence[Any], fits: Callable[[Any, Any], bool]
) -> tuple[list[Any], list[Any]]:
    """What is left of both when as many as can be are paired, each with one that fits.

    With matchers a row may fit several; augmenting paths (Kuhn's algorithm) find a largest pairing.
    """
    candidates = [[number for number, one in enumerate(came) if fits(want, one)] for want in wanted]
    taken: dict[int, int] = {}

    def place(want: int, seen: set[int]) -> bool:
        for one in candidates[want]:
            if one in seen:
                continue
            seen.add(one)
            if one not in taken or place(taken[one], seen):
                taken[one] = want
                return True
        return False

    missing = [wanted[number] for number in range(len(wanted)) if not place(number, set())]
    return missing, [one for number, one in enumerate(came) if number not in taken]


def _counted(left: list[str], all_of_them: list[str], short: bool) -> list[str]:
    """Rows that found no pair; of one of which others did, once, and how often it came and should have come.

    Args:
      left: rows without a pair.
      all_of_them: rows with and without.
      short: whether these are expected rows.
    """
    alone, every = Counter(left), Counter(all_of_them)
    lines: list[str] = []
    for row in left:
        pairs = every[row] - alone[row]
        if not pairs:
            lines.append(row)
            continue
        came, wanted = (pairs, every[row]) if short else (every[row], pairs)
        line = f"{row} (came {came} {'time' if came == 1 else 'times'}, expected {wanted})"
        if line not in lines:
            lines.append(line)
    return lines


def _told(missing: list[str], unexpected: list[str]) -> list[str]:
    lines = []
    for word, rows in (("missing", missing), ("unexpected", unexpected)):
        lines += [f"{word}: {row}" for row in rows[:_MOST]]
        if len(rows) > _MOST:
            lines.append(f"{word}: and {len(rows) - _MOST} more")
    return lines


def _shown(row: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {_text(value)}" for name, value in row.items()) + "}"


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | date):
        return str(value)
    if isinstance(value, Mapping):
        return _shown(value)
    if isinstance(value, tuple):
        return f"{_text(value[0])}: {_text(value[1])}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return repr(value) if isinstance(value, bytes) or (isinstance(value, str) and not value.isalnum()) else str(value)
