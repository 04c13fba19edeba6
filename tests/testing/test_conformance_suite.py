"""The suite as a team uses it: three lines, any catalog, a test a promise."""

import os
import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from blocks.core.batches import AsBatches, AsRows
from blocks.core.errors import CatalogError, SchemaError
from blocks.testing import CHECKS, Conformance, Feed, batch_for, batches_for, collect

ROOT = Path(__file__).parents[2]
SCHEMA = pa.schema([pa.field("number", pa.int64(), metadata={"blocks.label": "public"}), ("text", pa.string())])


def of(**attributes):
    """A test class as a user would write it."""
    return type("TestOurs", (Conformance,), {"__module__": __name__, **attributes})


class TestOneBlock(Conformance):
    """The class itself, on one block and two promises, so that pytest's part runs too."""

    blocks = ("RenameColumns",)
    leave_out = tuple(check.name for check in CHECKS if check.name not in ("builds_from_config", "conserves_rows"))


def test_a_test_is_named_after_block_major_trial_and_promise(tmp_path):
    (tmp_path / "test_ours.py").write_text(
        "from blocks.testing import Conformance\n\n\nclass TestOurs(Conformance):\n"
        f"    catalog, blocks = {str(ROOT / 'catalog.yaml')!r}, ('RenameColumns', 'UnionBatches')\n"
    )
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "--strict-markers"]
    # `-k` as `nox -s "block(UnionBatches)"` asks for one block.
    done = subprocess.run(
        [*command, "-m", "not slow", "-k", "[UnionBatches-"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    found = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    assert "TestOurs::test_conforms[UnionBatches-1-plain-any_bundling]" in found
    assert {name.split("[")[1].split("-")[0] for name in found} == {"UnionBatches"}
    assert [check.name for check in CHECKS if check.slow] == ["many_bundlings"]
    assert not [name for name in found if "many_bundlings" in name]


def test_every_trial_of_every_entry_is_a_case():
    cases = of(catalog=ROOT / "catalog.yaml").cases()
    assert len(cases) == sum(len(case.entry.trials) for case in {case.entry.name: case for case in cases}.values())
    assert {"ReadJson-1-plain", "FlattenRecords-1-inner"} <= {case.name for case in cases}


def test_what_is_about_the_entry_is_asked_once():
    cases = of(catalog=ROOT / "catalog.yaml", blocks=("FlattenRecords",)).cases()
    (documented,) = [check for check in CHECKS if check.name == "is_documented"]
    assert [documented.of(case) for case in cases] == [True, False]


def test_the_catalog_is_found_in_a_folder_above():
    assert of(catalog="catalog.yaml", blocks=("AsRows",)).cases()[0].root == ROOT


def test_a_catalog_that_is_not_there_is_an_error():
    with pytest.raises(CatalogError, match=r"no `nowhere\.yaml`"):
        of(catalog="nowhere.yaml").cases()


def test_a_block_that_the_catalog_lacks_is_an_error_with_the_nearest_name():
    with pytest.raises(CatalogError, match="did you mean `MaskColumns`"):
        of(catalog="catalog.yaml", blocks=("MaskColumn",)).cases()


def test_the_names_of_the_package_load_neither_pytest_nor_beam_before_they_are_used():
    look = "print(sorted({'pytest', 'apache_beam', 'pyarrow'} & set(sys.modules)))"
    use = "from blocks.testing import Conformance, RecordedOutputs"
    code = f"import sys, blocks.testing; {look}; {use}; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "False"]


def test_a_misspelt_name_is_an_attribute_error():
    import blocks.testing

    with pytest.raises(AttributeError, match="no attribute `Conformanze`"):
        blocks.testing.Conformanze  # noqa: B018


@pytest.mark.parametrize(
    "options", [{}, {"bundles": 3}, {"stream": True}, {"layout": "sliced"}, {"layout": "dictionary"}]
)
def test_a_feed_brings_in_exactly_its_rows(options):
    feed = Feed(tuple(batches_for(SCHEMA, 100, size=7)), **options)
    with beam.Pipeline(runner=feed.runner(), options=feed.options()) as p:
        found = collect(p | feed.source())
    key = [("number", "ascending"), ("text", "ascending")]
    assert found.table().sort_by(key).equals(pa.Table.from_batches(feed.batches).sort_by(key))
    assert found.exact


def test_rows_and_windows_are_collected():
    rows = [beam.Row(number=1, text="a"), beam.Row(number=2, text=None)]
    with beam.Pipeline(runner=FnApiRunner()) as p:
        batches = p | beam.Create(rows) | AsBatches(SCHEMA)
        found = collect(batches | AsRows())
        windowed = collect(
            p
            | "More" >> beam.Create([beam.transforms.window.TimestampedValue(beam.Row(number=1, text="a"), 5)])
            | beam.WindowInto(beam.window.FixedWindows(10))
            | "Batches" >> AsBatches(SCHEMA)
        )
    assert sorted(found.table().to_pylist(), key=str) == [{"number": 1, "text": "a"}, {"number": 2, "text": None}]
    assert [window for window, _ in windowed.windowed()] == ["[0.0, 10.0)"]


def test_what_has_no_columns_is_not_collected():
    with pytest.raises(SchemaError):
        collect(beam.Pipeline() | beam.Create([1]))


def test_a_batch_of_another_schema_than_declared_is_not_collected():
    from blocks.core.batch_type import BatchType
    from blocks.core.errors import BatchTypeError

    other = batch_for(SCHEMA, 3).rename_columns(["x", "y"]).serialize().to_pybytes()
    schema = batch_for(SCHEMA, 0).rename_columns(["x", "y"]).schema
    read = beam.Map(lambda written: pa.ipc.read_record_batch(pa.py_buffer(written), schema))
    with pytest.raises(BatchTypeError), beam.Pipeline(runner=FnApiRunner()) as p:
        collect(p | beam.Create([other]) | read.with_output_types(BatchType(SCHEMA)))
