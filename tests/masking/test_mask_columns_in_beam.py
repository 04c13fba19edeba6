"""MaskColumns and UnmaskColumns in a pipeline: rows, types, errors on the worker, and no key in what is pickled."""

import base64
import bz2
import logging
import pickle
import re
import urllib.parse
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.internal import pickler
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to
from mask_cases import KEYS, SECRET, VARIABLE, labelled, masked

from blocks.core import labels
from blocks.core.batch_type import BatchType
from blocks.core.errors import BatchTypeError, ColumnError, ConfigError, MaskKeyError, PrivacyError, SchemaError
from blocks.masking.mask_columns import MaskColumns
from blocks.masking.unmask_columns import UnmaskColumns

SCHEMA = pa.schema(
    [
        labelled("id", pa.int64(), "public"),
        labelled("email", pa.string(), "pii.email"),
        pa.field("user", pa.struct([labelled("name", pa.string(), "pii.name"), labelled("n", pa.int32(), "public")])),
        labelled("card", pa.string(), "pii.card"),
    ]
)
ROWS = [
    {"id": 1, "email": "ana@example.org", "user": {"name": "Ana", "n": 1}, "card": "4111111111111111"},
    {"id": 2, "email": None, "user": None, "card": None},
    {"id": 3, "email": "bea@example.org", "user": {"name": None, "n": None}, "card": "4000"},
]
POLICY = {
    "keys": KEYS,
    "destinations": {
        "warehouse": {
            "protected": True,
            "labels": {
                "public": "keep",
                "pii.email": {"method": "hmac", "key": "main"},
                "pii.name": {"method": "encrypt", "key": "main"},
                "pii.card": {"method": "mask_keep_right", "n": 4},
            },
        }
    },
}


def batches(p: beam.Pipeline, schema: pa.Schema = SCHEMA, rows: Any = ROWS) -> beam.PCollection:
    batch = pa.RecordBatch.from_pylist(rows, schema=schema)
    return p | beam.Create([0]) | "Batch" >> beam.Map(lambda _: batch).with_output_types(BatchType(schema))


def assert_rows(found: beam.PCollection, expected: list[dict[str, Any]]) -> None:
    rows = found | "Rows" >> beam.FlatMap(lambda batch: batch.to_pylist()).with_output_types(dict)
    assert_that(rows, equal_to(expected))


def masked_rows() -> list[dict[str, Any]]:
    emails = masked(pa.array([row["email"] for row in ROWS]), "hmac", "pii.email").to_pylist()
    names = masked(pa.array(["Ana"]), "encrypt", "pii.name").to_pylist()
    return [
        {"id": 1, "email": emails[0], "user": {"name": names[0], "n": 1}, "card": "nnnnnnnnnnnn1111"},
        {"id": 2, "email": None, "user": None, "card": None},
        {"id": 3, "email": emails[2], "user": {"name": None, "n": None}, "card": "4000"},
    ]


def test_rows_are_masked_in_order_and_the_schema_says_how() -> None:
    with beam.Pipeline(runner=FnApiRunner()) as p:
        found = batches(p) | MaskColumns(POLICY)
        assert_rows(found, masked_rows())
    how = {
        leaf.path: leaf.masked and (leaf.masked.method, leaf.masked.key)
        for leaf in labels.leaves(found.element_type.schema)
    }
    assert how == {
        "id": None,
        "email": ("hmac", "main"),
        "user.name": ("encrypt", "main"),
        "user.n": None,
        "card": ("mask_keep_right", ""),
    }


def test_unmasking_gives_back_what_was_encrypted_and_its_label_without_the_mark() -> None:
    expected = [{**row, "user": original["user"]} for row, original in zip(masked_rows(), ROWS, strict=True)]
    with beam.Pipeline(runner=FnApiRunner()) as p:
        found = batches(p) | MaskColumns(POLICY) | UnmaskColumns(["user"], keys=KEYS)
        assert_rows(found, expected)
    name = found.element_type.schema.field("user").type.field("name")
    assert (labels.labels_of(name), labels.masked_of(name)) == ({"pii.name"}, None)


def test_batches_without_rows_pass() -> None:
    block = MaskColumns(POLICY)
    empty = pa.RecordBatch.from_pylist([], schema=SCHEMA)
    found = block.batch_function(SCHEMA)(empty)
    assert found.num_rows == 0
    assert found.schema.equals(block.output_schema(SCHEMA), check_metadata=True)


def test_unmasked_columns_are_refused_at_the_next_door() -> None:
    p = beam.Pipeline(runner=FnApiRunner())
    _ = batches(p) | MaskColumns(POLICY) | UnmaskColumns(keys=KEYS) | beam.Reshuffle()
    with pytest.raises(PrivacyError, match=r"user\.name"):
        p.run()


def test_every_column_that_may_not_pass_is_named_when_the_pipeline_is_built() -> None:
    schema = pa.schema([*SCHEMA, pa.field("unlabelled", pa.string()), labelled("secret", pa.string(), "secret")])
    with pytest.raises(PrivacyError) as caught:
        beam.Pipeline(runner=FnApiRunner()) | beam.Create([]).with_output_types(BatchType(schema)) | MaskColumns(POLICY)
    assert [problem.where for problem in caught.value.problems] == ["field `unlabelled`", "field `secret`"]
    assert "secret: drop" in str(caught.value)


def test_the_destination_is_another_if_it_is_named() -> None:
    with pytest.raises(PrivacyError, match="does not name `online`"):
        MaskColumns(POLICY, destination="online").output_schema(SCHEMA)


def test_a_pcollection_without_a_batch_type_is_refused_with_what_to_add() -> None:
    with pytest.raises(BatchTypeError, match="MaskColumns") as caught:
        beam.Pipeline(runner=FnApiRunner()) | beam.Create([1]) | MaskColumns(POLICY)
    assert "AsBatches" in str(caught.value)


def test_a_key_that_the_worker_does_not_have_stops_the_run_and_not_the_building(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv(VARIABLE)
    p = beam.Pipeline(runner=FnApiRunner())
    _ = batches(p) | MaskColumns(POLICY)
    with pytest.raises(Exception, match="BLOCKS_TEST_MASK_KEY is not set") as caught:
        p.run()
    assert "MaskKeyError" in str(caught.value) or isinstance(caught.value, MaskKeyError)
    assert "ana@example.org" not in str(caught.value) + caplog.text


def opened(data: bytes) -> list[bytes]:
    """The bytes, and everything that Beam pickled, compressed and encoded within them."""
    return [data, *(bz2.decompress(base64.b64decode(found)) for found in re.findall(rb"QlpoO[A-Za-z0-9+/]+=*", data))]


def secret_forms() -> list[bytes]:
    raw = SECRET.encode()
    return [
        raw,
        raw.hex().encode(),
        base64.b64encode(raw)[:-4],
        base64.b64encode(b"x" + raw)[4:-4],
        base64.b64encode(b"xx" + raw)[4:-4],
        urllib.parse.quote(raw).encode(),
    ]


def test_no_key_is_in_any_pickle_of_the_pipeline_or_of_its_blocks(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(SECRET)
    policy = {**POLICY, "keys": {"main": f"file:{key}"}}
    mask, unmask = MaskColumns(policy), UnmaskColumns(keys={"main": f"env:{VARIABLE}"})
    batch = pa.RecordBatch.from_pylist(ROWS, schema=SCHEMA)
    # The keys have been opened in this process before anything is pickled.
    sealed = mask.batch_function(SCHEMA)(batch)
    assert unmask.batch_function(sealed.schema)(sealed).to_pylist()[0]["user"]["name"] == "Ana"
    p = beam.Pipeline(runner=FnApiRunner())
    _ = batches(p) | mask | unmask
    texts = [
        *opened(p.to_runner_api().SerializeToString()),
        *opened(pickler.dumps(mask)),
        *opened(pickler.dumps(unmask)),
        pickle.dumps(mask._policy),
        repr(mask._policy).encode(),
        repr(vars(mask)).encode(),
    ]
    assert sum(str(key).encode() in text for text in texts) > 2, "the pickles are readable: the key's URI is in them"
    assert not [form for form in secret_forms() for text in texts if form in text]


def test_no_key_and_no_value_is_logged(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    with caplog.at_level(logging.DEBUG), beam.Pipeline(runner=FnApiRunner()) as p:
        _ = batches(p) | MaskColumns(POLICY) | UnmaskColumns(keys=KEYS)
    out, err = capfd.readouterr()
    for text in (SECRET, "ana@example.org", "Ana\x01", "4111111111111111"):
        assert text not in caplog.text + out + err


@pytest.mark.parametrize(
    ("columns", "keys", "error", "what"),
    [
        (["mail"], KEYS, ColumnError, "no column `mail`"),
        (["id"], KEYS, ColumnError, "`id` is not masked"),
        (["email"], KEYS, SchemaError, "masked by hmac, which nobody can undo"),
        (["user"], {"next": "env:X"}, SchemaError, "no key `main`"),
        ("user", KEYS, ConfigError, "expected a list of columns"),
        (["user"], {"main": SECRET}, ConfigError, "a key is a URI, and this is none"),
    ],
)
def test_what_cannot_be_unmasked_is_said_when_the_pipeline_is_built(
    columns: Any, keys: dict[str, str], error: type[Exception], what: str
) -> None:
    masked_schema = MaskColumns(POLICY).output_schema(SCHEMA)
    with pytest.raises(error) as caught:
        UnmaskColumns(columns, keys=keys).output_schema(masked_schema)
    assert what in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_struct_with_other_masks_beside_the_encrypted_one_can_be_named() -> None:
    inner = pa.struct([labelled("name", pa.string(), "pii.name"), labelled("card", pa.string(), "pii.card")])
    schema = pa.schema([pa.field("user", inner)])
    batch = pa.RecordBatch.from_pylist([{"user": {"name": "Ana", "card": "12345"}}], schema=schema)
    sealed = MaskColumns(POLICY).batch_function(schema)(batch)
    found = UnmaskColumns(["user"], keys=KEYS).batch_function(sealed.schema)(sealed)
    assert found.to_pylist() == [{"user": {"name": "Ana", "card": "n2345"}}]


def test_the_wrong_key_stops_the_run_without_showing_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    sealed = MaskColumns(POLICY).batch_function(SCHEMA)(pa.RecordBatch.from_pylist(ROWS, schema=SCHEMA))
    with pytest.raises(MaskKeyError, match="not encrypted with this key") as caught:
        UnmaskColumns(keys={"main": KEYS["other"]}).batch_function(sealed.schema)(sealed)
    assert sealed.to_pylist()[0]["user"]["name"] not in str(caught.value)


def test_a_destination_that_nobody_knows_is_one_error_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as caught:
        MaskColumns(POLICY, destination="warehous")
    assert caught.value.what == "the policy has no destination `warehous`"
    assert "did you mean `warehouse`?" in caught.value.fix
