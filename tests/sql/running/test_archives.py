"""Archives of functions are looked at when the block is made: each fault is an error then."""

import hashlib
import json
import struct
import zipfile
from pathlib import Path

import pytest

from blocks.core.errors import Problem
from blocks.sql.running.archives import INDEX, NEWEST_JAVA, read_archives

GOOD = {"format": 1, "functions": []}


def jar(path: Path, *, java: int = 17, index: bytes | None = json.dumps(GOOD).encode(), **more: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/Own.class", struct.pack(">IHH", 0xCAFEBABE, 0, java + 44) + b"rest")
        archive.writestr("META-INF/versions/99/a/Own.class", struct.pack(">IHH", 0xCAFEBABE, 0, 200))
        for name, content in more.items():
            archive.writestr(name, content)
        if index is not None:
            archive.writestr(INDEX, index)
    return path


def read(*given: object) -> tuple[list[object], list[Problem]]:
    problems: list[Problem] = []
    return read_archives(list(given), problems), problems


def test_an_archive_is_told_with_its_hash_and_its_functions(tmp_path):
    path = jar(tmp_path / "own.jar")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    for given in (str(path), path, {"path": str(path)}, {"path": path, "sha256": sha256.upper()}):
        (found,), problems = read(given)
        assert (found.path, found.sha256, found.index, problems) == (path, sha256, GOOD, [])


def test_an_archive_with_another_hash_is_not_used(tmp_path):
    path = jar(tmp_path / "own.jar")
    found, problems = read({"path": str(path), "sha256": "0" * 64})
    assert found == []
    assert "expected " + "0" * 64 in problems[0].what
    assert problems[0].where == "udf_jars[1]"


def test_an_archive_that_is_written_anew_is_read_again(tmp_path):
    path = jar(tmp_path / "own.jar")
    ((first,), _) = read(path)
    jar(path, more=b"x")
    ((second,), _) = read(path)
    assert first.sha256 != second.sha256


def test_all_faults_of_all_archives_are_told_at_once(tmp_path):
    (tmp_path / "text.jar").write_text("no archive")
    (tmp_path / "cut.jar").write_bytes(jar(tmp_path / "whole.jar").read_bytes()[:-30])
    found, problems = read(
        tmp_path / "nowhere.jar",
        tmp_path / "text.jar",
        tmp_path / "cut.jar",
        jar(tmp_path / "new.jar", java=NEWEST_JAVA + 1),
        jar(tmp_path / "odd.jar", index=b"{"),
        {"path": "x.jar", "sha256": "abc", "sha": "1"},
        7,
        jar(tmp_path / "good.jar"),
    )
    assert [one.path.name for one in found] == ["good.jar"]
    assert [(one.where, one.what.replace(str(tmp_path), "T")) for one in problems] == [
        ("udf_jars[1]", "cannot read T/nowhere.jar: No such file or directory"),
        ("udf_jars[2]", "T/text.jar is no Java archive"),
        ("udf_jars[3]", "T/cut.jar is no Java archive"),
        (
            "udf_jars[4]",
            f"T/new.jar is compiled for Java {NEWEST_JAVA + 1}, and the SQL service runs on Java {NEWEST_JAVA}",
        ),
        ("udf_jars[5]", f"T/odd.jar has an index that is not JSON ({INDEX})"),
        ("udf_jars[6]", "unknown key `sha`"),
        ("udf_jars[6]", "`sha256` is not 64 hex digits"),
        ("udf_jars[7]", "no path of an archive"),
    ]
    assert all(one.fix for one in problems)


@pytest.mark.parametrize("given", [None, "", {}, {"path": 3}])
def test_what_is_no_path_is_a_problem(given):
    assert [one.what for one in read(given)[1]] == ["no path of an archive"]
