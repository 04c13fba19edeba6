"""Runs the trials of a block on a few rows, for its page.

What a page shows is what a real pipeline gave when the page was made: the rows that went in, the tables that came out,
and the rejects. The rows are those of `examples/orders/orders.jsonl` where a trial takes orders, and otherwise a few
that are made from the trial's own values. The conformance suite runs the same trials on many more.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.types as pat

from blocks.catalog.model import Entry, Trial
from blocks.catalog.reading import read_catalog
from blocks.catalog.reference.few_rows import few_rows, rows_of_json, with_bad, with_values
from blocks.testing.conformance.case import Case
from blocks.testing.feeding import Feed

ROOT = Path(__file__).parents[3]
# The column with the window of a row, where there are windows; not a name that a block gives.
WINDOW = "(window)"
_ORDERS = "examples/orders/order.yaml"
# Lines that a reader of orders rejects, so that its page shows rejects.
_BAD_ORDERS = '{"order_id": "o-6", "ordered_at": "2026-03-02T09:00:00Z", "amount": "twelve"}\n{"order_id": "o-7", \n'
_KEY = "a key of the documents only: never use it for data"


@dataclass
class Shown:
    """What a page shows of a trial.

    Attributes:
      config: as it is written in a snippet.
      file: text of the input file, of a block that reads text; else empty.
      inputs: the tables that go in.
      outputs: title to table; no title for the only one of most blocks.
      rejects: None where nothing was rejected.
    """

    config: dict[str, Any]
    file: str = ""
    inputs: list[pa.Table] = field(default_factory=list)
    outputs: dict[str, pa.Table] = field(default_factory=dict)
    rejects: pa.Table | None = None


def shown(entry: Entry, trial: Trial) -> Shown:
    """Runs a trial on a few rows.

    Raises:
      BlocksError: whatever the block raises; no page is made from a trial that fails.
    """
    case = Case(entry, trial, read_catalog(), ROOT)
    if trial.input == _ORDERS:
        rows = rows_of_json((ROOT / _ORDERS).with_name("orders.jsonl").read_text(encoding="utf-8"), case.schema)
        rows = with_values(rows, trial.values)
    else:
        rows = few_rows(case.schema, trial.values)
    rows = with_bad(rows, trial.bad)
    several = case.kind == "several"
    # A case deals out batches to several inputs; any other block gets all rows at once.
    batches = tuple(rows.slice(number, 1) for number in range(rows.num_rows)) if several else (rows,)
    feed = _WithBadOrders(batches) if trial.input == _ORDERS else Feed(batches)
    with _key_of_documents():
        result = case.run(feed)
    run = Shown(_named(trial.config, case))
    run.outputs = {name: _ordered(found) for name, found in result.outputs.items()}
    run.rejects = result.rejects if result.rejects.num_rows else None
    files = sorted(result.folder.glob("input/*.jsonl"))
    if files:
        run.file = files[0].read_text(encoding="utf-8")
    elif several:
        run.inputs = [pa.Table.from_batches(batches[start::2]) for start in (0, 1)]
    else:
        run.inputs = list(result.fed)
    return run


@contextmanager
def _key_of_documents() -> Iterator[None]:
    before = os.environ.get("BLOCKS_MASK_KEY")
    os.environ["BLOCKS_MASK_KEY"] = _KEY
    try:
        yield
    finally:
        del os.environ["BLOCKS_MASK_KEY"]
        if before is not None:
            os.environ["BLOCKS_MASK_KEY"] = before


class _WithBadOrders(Feed):
    def write(self, folder: Path, form: Literal["json", "parquet"]) -> str:
        pattern = super().write(folder, form)
        if form == "json":
            with (folder / "part-0000.jsonl").open("a", encoding="utf-8") as file:
                file.write(_BAD_ORDERS)
        return pattern


def _named(config: Mapping[str, Any], case: Case) -> dict[str, Any]:
    """The config with names in the place of the folders of a run."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(one) for key, one in value.items()}
        if isinstance(value, list):
            return [plain(one) for one in value]
        return value.replace("${folder}/", "").replace("${folder}", ".") if isinstance(value, str) else value

    files = {name: f"orders.{'parquet' if case.file_form(name) == 'parquet' else 'jsonl'}" for name in config}
    return {name: files[name] if value == "${input}" else plain(value) for name, value in config.items()}


def _ordered(found: list[tuple[str, pa.RecordBatch]]) -> pa.Table:
    """The rows in the order of their windows, and of their first column where there are several batches."""
    if not found:
        return pa.table({})
    tables = [
        pa.Table.from_batches([batch]).add_column(0, WINDOW, pa.repeat(pa.scalar(_times(window)), batch.num_rows))
        for window, batch in found
    ]
    rows = pa.concat_tables(tables)
    if len(found) > 1:
        plain = [field.name for field in rows.schema if not pat.is_nested(field.type)]
        rows = rows.sort_by([(name, "ascending") for name in plain[:2]])
    windowed = any(_times(window) for window, _ in found)
    return rows if windowed else rows.drop_columns([WINDOW])


def _times(window: str) -> str:
    """`09:00 to 10:00`, from the text that Beam gives an interval window; nothing for the global window."""
    match = re.fullmatch(r"\[([\d.]+), ([\d.]+)\)", window)
    if match is None:
        return ""
    return " to ".join(f"{datetime.fromtimestamp(float(seconds), UTC):%H:%M}" for seconds in match.groups())
