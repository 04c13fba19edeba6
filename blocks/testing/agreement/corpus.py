"""The corpus: queries in `.sql` files, several in a file, with what is expected of each, and the tables that they read.

    -- defaults: tables: orders, users; expect: valid

    -- case: two columns
    SELECT order_id, amount FROM orders

    -- case: an alias twice; expect: odd
    ...

A case without a header of its own has that of its file. `valid` means that Beam's planner takes the query, `invalid`
that it does not; what is `odd` is recorded, and nobody expects anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import pyarrow as pa

from blocks.core.schema import read_schema

Expect = Literal["valid", "invalid", "odd"]
_DEFAULTS, _CASE = "-- defaults: ", "\n-- case: "


@dataclass(frozen=True, slots=True)
class Case:
    """A written query.

    Attributes:
      file: in which it stands, without `.sql`.
      name: unique in the file.
      tables: names of those it may read.
      expect: of Beam's planner.
      query: its text, with the line ends that the file has.
    """

    file: str
    name: str
    tables: tuple[str, ...]
    expect: Expect
    query: str

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def read_corpus(folder: Path) -> list[Case]:
    """All cases under a folder, by file and in the order of the files.

    Raises:
      ValueError: a file or a case that breaks the form, or a name that stands twice in a file.
    """
    found = [case for path in sorted(folder.glob("*.sql")) for case in _cases(path)]
    names = [str(case) for case in found]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"cases of one name: {', '.join(sorted(repeated))}")
    return found


def read_tables(folder: Path) -> dict[str, pa.Schema]:
    """The schemas of `tables/`, by the names of their files."""
    return {path.stem: read_schema(path) for path in sorted((folder / "tables").glob("*.yaml"))}


def _cases(path: Path) -> Iterator[Case]:
    # Bytes, because line ends are part of some cases.
    text = path.read_bytes().decode()
    first, *parts = text.split(_CASE)
    if not first.startswith(_DEFAULTS):
        raise ValueError(f"{path.name} does not begin with `{_DEFAULTS}tables: ...; expect: ...`")
    defaults = _header(first.removeprefix(_DEFAULTS).strip(), path)
    for part in parts:
        head, query = part.split("\n", 1)
        name, *more = head.split("; ")
        header = {**defaults, **_header("; ".join(more), path)}
        expect = header["expect"]
        if expect not in get_args(Expect):
            raise ValueError(f"{path.name}: {name}: expect is {' or '.join(get_args(Expect))}, not {expect}")
        tables = tuple(header["tables"].split(", "))
        yield Case(path.stem, name, tables, cast("Expect", expect), _body(query))


def _header(text: str, path: Path) -> Mapping[str, str]:
    pairs = [part.split(": ", 1) for part in text.split("; ") if part]
    if any(len(pair) != 2 or pair[0] not in ("tables", "expect") for pair in pairs):
        raise ValueError(f"{path.name}: a header has `tables:` and `expect:` only, not {text!r}")
    return {pair[0]: pair[1] for pair in pairs}


def _body(query: str) -> str:
    """Without the line break that ends the case and the empty line before the next."""
    return query.removesuffix("\n").removesuffix("\n").removesuffix("\r")
