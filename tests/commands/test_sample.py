"""The rows that a run shows at its end: a terminal is no destination of the policy."""

import pyarrow as pa
import pytest
from rich.console import Console

from blocks.commands.running import _sample, print_report
from blocks.core import labels
from blocks.core.labels import Masked
from blocks.snippets.running import RunReport, StepReport
from blocks.snippets.tables import TableReport


def test_the_sample_shows_public_and_masked_columns_and_no_raw_private_one() -> None:
    raw = labels.with_labels(pa.field("mail", pa.string()), ["pii.email"])
    nested = pa.field("who", pa.struct([labels.with_labels(pa.field("name", pa.string()), ["pii.name"])]))
    mark = Masked("hmac", "main", {}, "string").to_json()
    masked = labels.put(raw.with_name("code"), {labels.MASKED: mark})
    public = labels.with_labels(pa.field("amount", pa.int64()), ["public"])
    schema = pa.schema([raw, nested, masked, public])
    rows = [{"mail": "raw@example.com", "who": {"name": "Raw"}, "code": "main:12", "amount": 7}]
    report = TableReport("t", "here", 1, pa.Table.from_pylist(rows, schema=schema), {})
    console = Console(width=200, record=True)
    console.print(_sample(report))
    text = console.export_text()
    assert "raw@example.com" not in text
    assert "Raw" not in text
    assert "main:12" in text
    assert "7" in text
    assert "2 more columns" in text


@pytest.mark.parametrize(("rows_out", "said"), [(0, True), (1, False)])
def test_a_step_that_rejected_every_record_is_pointed_out(rows_out: int, said: bool) -> None:
    step = StepReport("feed/ReadJson", "ReadJson", 36, rows_out, 36 - rows_out, 0.1)
    console = Console(width=200, record=True)
    print_report(console, RunReport("feed", 1.0, (step,), {"malformed_json": 36 - rows_out}, "", ()))
    assert ("`feed/ReadJson` rejected every record" in console.export_text()) is said
