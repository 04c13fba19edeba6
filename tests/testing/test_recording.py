"""Recorded outputs: made once, replayed for ever; every way to break them unseen is seen."""

import functools
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from blocks.catalog.reading import read_catalog
from blocks.core import labels
from blocks.core.errors import CatalogError
from blocks.core.windows import WindowRows
from blocks.shaping.rename_columns import RenameColumns
from blocks.testing.recording import changed, damaged, main, record, unrecorded
from blocks.testing.records import records_of

INPUT = {
    "at": {"type": "timestamp", "required": True, "label": "public", "event_time": True},
    "email": {"type": "string", "label": "pii.email"},
    "number": "int64",
}
ENTRY = {
    "name": "RenameColumns",
    "version": "1.0.0",
    "status": "stable",
    "class": "blocks.shaping.rename_columns:RenameColumns",
    "summary": "Gives columns other names.",
    "modes": ["batch"],
    "rejects": False,
    "state": False,
    "since": "0.1.0",
    "takes": ["batches"],
    "gives": "batches",
    "columns": {"needs": [{"option": "columns", "form": "keys"}], "gives": {"columns": "input", "renamed": "columns"}},
    "conserves": "rows_in = rows_out",
    "example": {"columns": {"email": "contact"}},
    "trials": [
        {
            "config": {"columns": {"email": "contact"}},
            "input": INPUT,
            "before": [{"type": "MaskColumns", "config": {"policy": "privacy.yaml", "destination": "here"}}],
        }
    ],
}
POLICY = {
    "keys": {"main": "env:BLOCKS_MASK_KEY"},
    "destinations": {"here": {"labels": {"pii.email": {"method": "hmac", "key": "main"}, "public": "keep"}}},
}


class Place:
    """A catalog of one block, and its records."""

    def __init__(self, folder: Path) -> None:
        self.catalog, self.records = folder / "catalog.yaml", folder / "recorded"
        (folder / "privacy.yaml").write_text(yaml.safe_dump(POLICY))
        self.write()

    def write(self, **changes) -> None:
        text = yaml.safe_dump({"blocks": [{**ENTRY, **changes}]}, sort_keys=False)
        self.catalog.write_text(text)

    def record(self) -> list[str]:
        return record(self.catalog, folder=self.records)

    def problems(self) -> list[str]:
        catalog = read_catalog(self.catalog)
        found = [*unrecorded(catalog, self.records)]
        for one in records_of(self.records):
            found += [*damaged(one), *changed(one, catalog)]
        return [problem.what for problem in found]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Somewhere else than where the key and the policy of the record are."""
    monkeypatch.setenv("BLOCKS_MASK_KEY", "another key than that of the records, 32 bytes")
    found = Place(tmp_path)
    # A catalog is read again when its file has changed, which it may within the clock's resolution.
    from blocks.catalog import reading

    monkeypatch.setattr(reading, "_read", reading._read.__wrapped__)
    return found


def shouted(self, schema):
    """A batch function of RenameColumns that changes a value beside the names."""
    output = self.output_schema(schema)
    place = output.get_field_index("contact")

    def rename(batch):
        columns = list(batch.columns)
        columns[place] = pc.utf8_upper(columns[place])
        return pa.RecordBatch.from_arrays(columns, schema=output)

    return rename


def test_a_record_needs_nothing_but_itself(place):
    assert place.record() == ["RenameColumns-1.0.0-plain"]
    (place.catalog.parent / "privacy.yaml").write_text("destinations: {}\n")
    assert place.problems() == []
    (found,) = records_of(place.records)
    output = found.outputs()["output"]
    assert output.num_rows == 150
    assert output.schema.names == ["at", "contact", "number"]
    assert labels.masked_of(output.schema.field("contact")).method == "hmac"


def test_recording_again_leaves_a_released_record_as_it_is(place):
    place.record()
    (found,) = records_of(place.records)
    before = {file: file.stat().st_mtime_ns for file in found.folder.iterdir()}
    assert place.record() == []
    assert {file: file.stat().st_mtime_ns for file in found.folder.iterdir()} == before


def test_a_change_without_a_new_major_fails_and_is_not_recorded_over(place, monkeypatch):
    place.record()
    (found,) = records_of(place.records)
    sums = found.sums()
    monkeypatch.setattr(RenameColumns, "batch_function", shouted)
    (what,) = place.problems()
    assert what.startswith("RenameColumns 1.0.0 no longer gives what RenameColumns 1.0.0 gave: output: ")
    with pytest.raises(CatalogError, match=r"no longer gives") as caught:
        place.record()
    assert "make it a new major: keep the class of RenameColumns@1 as it was" in caught.value.fix
    assert found.sums() == sums


def test_a_new_minor_has_to_give_what_the_old_one_gave(place, monkeypatch):
    place.record()
    place.write(version="1.1.0")
    assert place.problems() == ["RenameColumns 1.1.0 is stable, and its trial `plain` is not recorded"]
    assert place.record() == ["RenameColumns-1.1.0-plain"]
    assert [one.name for one in records_of(place.records)] == ["RenameColumns-1.0.0-plain", "RenameColumns-1.1.0-plain"]
    monkeypatch.setattr(RenameColumns, "batch_function", shouted)
    assert len(place.problems()) == 2


def test_a_patch_needs_no_record_of_its_own(place):
    place.record()
    place.write(version="1.0.1")
    assert place.record() == []
    assert place.problems() == []


def test_a_label_that_changes_is_a_change(place, monkeypatch):
    place.record()
    plain = RenameColumns.output_schema

    def unlabelled(self, schema):
        output = plain(self, schema)
        return output.set(1, labels.with_labels(output.field(1), []))

    monkeypatch.setattr(RenameColumns, "output_schema", unlabelled)
    (what,) = place.problems()
    assert "`contact` was string True {b'blocks.label': b'pii.email'" in what


def test_one_bit_of_a_record_is_enough(place):
    place.record()
    (found,) = records_of(place.records)
    file = found.folder / "output.arrow"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert [problem.what for problem in damaged(found)] == ["output.arrow was changed"]


@pytest.mark.parametrize(("name", "said"), [("output.arrow", "is gone"), ("more.arrow", "is not of the record")])
def test_a_file_too_few_or_too_many_is_found(place, name, said):
    place.record()
    (found,) = records_of(place.records)
    file = found.folder / name
    file.unlink() if file.exists() else file.touch()
    assert [problem.what for problem in damaged(found)] == [f"{name} {said}"]


def test_a_version_that_goes_down_is_an_error(place):
    place.write(version="1.2.0")
    place.record()
    place.write(version="1.1.3")
    with pytest.raises(CatalogError, match=r"is 1\.1\.3 in the catalog, and 1\.2\.0 was recorded"):
        place.record()
    assert place.problems()[0].endswith("a version goes down")


def test_a_major_that_was_recorded_stays(place):
    place.record()
    place.write(version="2.0.0")
    assert place.problems()[1:] == ["RenameColumns 1.0.0 was recorded, and its major is no longer in the catalog"]


def test_a_stable_block_without_a_record_is_found(place):
    assert place.problems() == ["RenameColumns 1.0.0 is stable, and its trial `plain` is not recorded"]
    place.write(status="experimental")
    assert place.problems() == []


def test_an_experimental_block_is_recorded_again(place, monkeypatch):
    place.write(status="experimental")
    place.record()
    monkeypatch.setattr(RenameColumns, "batch_function", shouted)
    assert place.record() == ["RenameColumns-1.0.0-plain"]
    assert place.problems() == []


def test_a_released_record_stays_released_whatever_the_status_says_now(place, monkeypatch):
    place.record()
    place.write(status="experimental")
    monkeypatch.setattr(RenameColumns, "batch_function", shouted)
    with pytest.raises(CatalogError, match="no longer gives"):
        place.record()


def test_windows_and_rejects_are_recorded(tmp_path):
    root = Path(__file__).parents[2]
    record(root / "catalog.yaml", ["WindowRows", "ReadJson"], tmp_path)
    found = {one.name: one for one in records_of(tmp_path)}
    windows = found["WindowRows-1.1.0-sliding"].outputs()["output"].column("(window)").to_pylist()
    assert len(set(windows)) > 5
    assert all(window.startswith("[") for window in windows)
    codes = found["ReadJson-1.0.0-plain"].outputs()["rejects"].column("code").to_pylist()
    assert {"malformed_json", "wrong_type"} <= set(codes)


def test_a_window_that_changes_is_a_change(tmp_path, monkeypatch):
    root = Path(__file__).parents[2]
    record(root / "catalog.yaml", ["WindowRows"], tmp_path)
    plain = WindowRows.__init__

    @functools.wraps(plain)
    def shifted(self, *given, **options):
        plain(self, *given, **options)
        self._windowing.windowfn.offset += 60

    monkeypatch.setattr(WindowRows, "__init__", shifted)
    catalog = read_catalog(root / "catalog.yaml")
    assert all(list(changed(one, catalog)) for one in records_of(tmp_path))


def test_the_command_tells_what_it_did(place, capsys):
    arguments = ["RenameColumns", "--catalog", str(place.catalog), "--folder", str(place.records)]
    assert main(arguments) == 0
    assert "recorded RenameColumns-1.0.0-plain" in capsys.readouterr().out
    assert main(["RenameColumn", *arguments[1:]]) == 2
    assert "did you mean `RenameColumns`" in capsys.readouterr().err


def test_a_record_that_could_not_be_made_leaves_none(place):
    place.write(trials=[{**ENTRY["trials"][0], "config": {"columns": {"none": "x"}}}])
    with pytest.raises(CatalogError):
        place.record()
    assert records_of(place.records) == []
    shutil.rmtree(place.records, ignore_errors=True)


def test_the_order_of_a_config_is_part_of_it(place):
    place.write(trials=[{"config": {"columns": {"number": "z", "email": "a"}}, "input": INPUT}])
    place.record()
    (found,) = records_of(place.records)
    assert list(found.facts()["config"]["columns"]) == ["number", "email"]
