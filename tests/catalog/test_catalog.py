"""The catalog: its own entries hold, and every mistake in one is reported at its place."""

import subprocess
import sys
from pathlib import Path

import apache_beam as beam
import pytest

import blocks
from blocks.catalog.names import catalog_file, public_names
from blocks.catalog.options import REQUIRED, described_arguments, kind_of, options_of
from blocks.catalog.reading import read_catalog
from blocks.core.errors import CatalogError

ENTRIES = read_catalog().entries
GOOD = """\
blocks:
  - name: MaskColumns
    version: 1.0.0
    status: stable
    class: blocks.masking.mask_columns:MaskColumns
    summary: Masks columns.
    modes: [batch]
    rejects: false
    state: false
    since: 0.1.0
    takes: [batches]
    gives: batches
    columns: {gives: {columns: input, labels: masked}}
    conserves: rows_in = rows_out
    example: {policy: policy.yaml}
    trials: [{config: {policy: policy.yaml}, input: {id: int64}}]
names:
  describe: blocks.core.schema:describe
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "catalog.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path) -> list[tuple[str, str]]:
    with pytest.raises(CatalogError) as caught:
        read_catalog(path)
    return [(one.what, one.where.rpartition("catalog.yaml")[2]) for one in caught.value.problems]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_entry_names_a_transform_of_its_name(entry):
    cls = entry.load()
    assert issubclass(cls, beam.PTransform)
    assert cls.__name__ == entry.name


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_what_an_entry_says_of_rejects_is_what_the_block_takes(entry):
    assert ("rejects" in options_of(entry.load())) == entry.rejects


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_examples_and_input_files_use_options_that_the_block_has(entry):
    options = options_of(entry.load())
    assert set(entry.example) <= set(options)
    assert set(entry.input_files) <= set(options)
    required = {name for name, option in options.items() if option.default is REQUIRED}
    assert required <= set(entry.example)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_option_is_described_in_the_docstring(entry):
    assert set(described_arguments(entry.load())) == set(options_of(entry.load()))


def test_no_block_takes_the_name_of_a_transform_of_beam_yaml():
    from blocks.snippets.building import beam_types

    assert not {entry.name for entry in ENTRIES} & beam_types()


def test_a_good_catalog_is_read(tmp_path):
    catalog = read_catalog(write(tmp_path, GOOD))
    assert [(entry.name, entry.major) for entry in catalog.entries] == [("MaskColumns", 1)]
    assert catalog.names == {"describe": "blocks.core.schema:describe"}


def test_all_mistakes_are_reported_at_their_places(tmp_path):
    text = (
        GOOD.replace("version: 1.0.0", "version: 1.0")
        .replace("status: stable", "status: solid")
        .replace("modes: [batch]", "mode: [batch]")
        .replace("class: blocks.masking.mask_columns:MaskColumns", "class: MaskColumns")
        .replace("describe: blocks.core.schema:describe", "describe: schema")
    )
    assert problems_of(write(tmp_path, text)) == [
        ("entry `MaskColumns`: unknown key `mode`", ":7:5"),
        # 1.0 in YAML is a number.
        ("entry `MaskColumns`: version: input should be a valid string", ":3:14"),
        ("entry `MaskColumns`: status: is not 'experimental', 'stable' or 'deprecated'", ":4:13"),
        ("entry `MaskColumns`: class: is not of the right form", ":5:12"),
        ("entry `MaskColumns`: modes: is missing", ":2:5"),
        ("`describe` has no `module:attribute`", ":18:13"),
    ]


def test_two_entries_of_one_name_and_major_are_an_error(tmp_path):
    entry = GOOD.split("names:")[0].removeprefix("blocks:\n")
    text = "blocks:\n" + entry + entry.replace("1.0.0", "1.2.0")
    assert problems_of(write(tmp_path, text)) == [("two entries of `MaskColumns` with the major version 1", ":17:11")]


def test_two_majors_of_one_name_may_stand_side_by_side(tmp_path):
    entry = GOOD.split("names:")[0].removeprefix("blocks:\n")
    catalog = read_catalog(write(tmp_path, "blocks:\n" + entry + entry.replace("1.0.0", "2.0.0")))
    assert catalog.block("MaskColumns").version == "2.0.0"


def majors(folder: Path, *versions: str) -> Path:
    entry = GOOD.split("names:")[0].removeprefix("blocks:\n")
    text = "".join(entry.replace("version: 1.0.0", f"version: {version}") for version in versions)
    return write(folder, f"blocks:\n{text}names: {{}}\n")


def test_a_version_that_goes_down_is_an_error(tmp_path):
    path = majors(tmp_path, "2.1.0", "1.4.0")
    assert problems_of(path) == [("the version of `MaskColumns` goes down, from 2.1.0 to 1.4.0", ":18:14")]


def test_a_later_major_cannot_have_come_earlier(tmp_path):
    path = majors(tmp_path, "1.0.0", "2.0.0")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("since: 0.1.0", "since: 0.3.0", 1), encoding="utf-8")
    assert problems_of(path) == [("`MaskColumns` 2.0.0 came in 0.1.0, before 1.0.0 in 0.3.0", ":25:12")]


@pytest.mark.parametrize(
    ("asked", "got"),
    [
        (("MaskColumns",), "2.3.1"),
        (("MaskColumns", 1), "1.2.0"),
        (("MaskColumns", "1"), "1.2.0"),
        (("MaskColumns", "1.1"), "1.2.0"),
        (("MaskColumns@2",), "2.3.1"),
        (("MaskColumns@2.3.1",), "2.3.1"),
    ],
)
def test_a_version_is_asked_for_by_major_or_by_what_it_must_not_be_older_than(tmp_path, asked, got):
    assert read_catalog(majors(tmp_path, "1.2.0", "2.3.1")).block(*asked).version == got


@pytest.mark.parametrize(
    ("asked", "what", "fix"),
    [
        (("MaskColumns", 3), "no version 3 of `MaskColumns`", "there is: MaskColumns@1 (1.2.0), MaskColumns@2 (2.3.1)"),
        (
            ("MaskColumns@1.3",),
            "no version 1.3 of `MaskColumns`",
            "there is: MaskColumns@1 (1.2.0), MaskColumns@2 (2.3.1)",
        ),
        (("MaskColumns@latest",), "`latest` is no version", "write a major, as in MaskColumns@2"),
        (("MaskColumn@1",), "no block `MaskColumn`", "did you mean `MaskColumns`? there is: MaskColumns"),
    ],
)
def test_a_version_that_is_not_there_is_told_with_those_that_are(tmp_path, asked, what, fix):
    with pytest.raises(CatalogError) as caught:
        read_catalog(majors(tmp_path, "1.2.0", "2.3.1")).block(*asked)
    assert (caught.value.what, caught.value.fix) == (what, fix)


def test_a_name_without_a_version_means_no_experimental_major_while_there_is_another(tmp_path):
    path = majors(tmp_path, "1.2.0", "2.0.0")
    text = path.read_text(encoding="utf-8")
    before, _, after = text.rpartition("status: stable")
    path.write_text(f"{before}status: experimental{after}", encoding="utf-8")
    catalog = read_catalog(path)
    assert catalog.block("MaskColumns").version == "1.2.0"
    assert catalog.block("MaskColumns", version=2).version == "2.0.0"


def test_every_name_of_an_equation_is_counted_by_every_trial(tmp_path):
    path = write(tmp_path, GOOD.replace("rows_in = rows_out", "rows_in = rows_out + dropped"))
    what = "entry `MaskColumns`: trial `plain` does not count `dropped`, which `conserves` names"
    assert problems_of(path) == [(what, ":16:14")]


def test_an_equation_of_another_form_is_an_error(tmp_path):
    path = write(tmp_path, GOOD.replace("rows_in = rows_out", "'rows_in == rows_out'"))
    assert problems_of(path) == [("entry `MaskColumns`: conserves: is not of the right form", ":14:16")]


def test_a_block_that_is_a_name_too_is_an_error(tmp_path):
    text = GOOD + "  MaskColumns: blocks.core.schema:describe\n"
    assert problems_of(write(tmp_path, text)) == [("`MaskColumns` is a block and a name", ":19:16")]


def test_a_missing_class_says_what_the_module_has(tmp_path):
    path = write(tmp_path, GOOD.replace(":MaskColumns", ":MaskColumn"))
    with pytest.raises(CatalogError, match=r"no `MaskColumn` in `blocks.masking.mask_columns`") as caught:
        read_catalog(path).block("MaskColumns").load()
    assert "did you mean `MaskColumns`?" in caught.value.fix


def test_a_missing_module_is_named(tmp_path):
    path = write(tmp_path, GOOD.replace("mask_columns:", "mask_column:"))
    with pytest.raises(CatalogError, match=r"no module `blocks.masking.mask_column`"):
        read_catalog(path).block("MaskColumns").load()


def test_an_unknown_block_gets_the_nearest_name():
    with pytest.raises(CatalogError) as caught:
        blocks.load("MaskColumn")
    assert caught.value.what == "no block `MaskColumn`"
    assert caught.value.fix.startswith("did you mean `MaskColumns`?")


def test_a_catalog_that_is_no_mapping_is_refused(tmp_path):
    with pytest.raises(CatalogError, match="a catalog has `blocks`"):
        read_catalog(write(tmp_path, "- a\n"))


def test_the_quick_reading_for_names_agrees_with_the_checked_one():
    catalog = read_catalog()
    expected = {entry.name: catalog.block(entry.name).target for entry in catalog.entries} | catalog.names
    assert public_names() == expected


def test_a_checkout_reads_the_catalog_at_its_root():
    assert catalog_file() == Path(blocks.__file__).parents[1] / "catalog.yaml"


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (str | None, "text"),
        (int | float, "a whole number or a number"),
        (list[str], "a list of text"),
        (dict[str, int], "a mapping of text to a whole number"),
        (list[str | int], "a list of (text or a whole number)"),
    ],
)
def test_types_are_told_in_words_of_yaml(annotation, words):
    assert kind_of(annotation) == words


def test_the_stub_for_type_checkers_agrees_with_the_catalog():
    from blocks.catalog.stub import stub_file, stub_text

    assert stub_file().read_text(encoding="utf-8") == stub_text(read_catalog())


@pytest.mark.slow
def test_mypy_sees_the_class_behind_a_public_name(tmp_path):
    pytest.importorskip("mypy")
    source = tmp_path / "user.py"
    source.write_text("import blocks\nreveal_type(blocks.describe)\nblocks.Describe\n", encoding="utf-8")
    root = Path(blocks.__file__).parents[1]
    options = ["--follow-imports=silent", "--cache-dir", str(tmp_path / "cache"), "--no-error-summary"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(source)], cwd=root, capture_output=True, text=True, check=False
    )
    assert 'Revealed type is "def (schema: Any) -> blocks.core.schema.' in run.stdout
    assert 'Module has no attribute "Describe"' in run.stdout
