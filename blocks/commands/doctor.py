"""`blocks doctor`: looks at the environment and says what to do about what is not right."""

import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import typer
from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import Version
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blocks.commands.failing import FAILED
from blocks.core.errors import BlocksError

OK, WARN, FAIL = "ok", "warn", "fail"
_STYLES = {OK: "green", WARN: "yellow", FAIL: "bold red"}
_PACKAGE = "blocks-beam"
_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
_FREE_GIB = 2
_SECONDS = 20


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
      name: of it.
      state: `ok`; `warn` for what only some uses need; `fail` for what stops everything.
      found: in words, never a secret.
      fix: what to do; empty if it is right.
    """

    name: str
    state: str
    found: str
    fix: str = ""


def doctor(policy: Path | None = None, network: bool = False) -> None:
    """Prints a table of everything that was looked at, and ends with 1 if something fails.

    Args:
      policy: whose keys to look for.
      network: whether to ask the Maven repository too.
    """
    found = list(checks(policy, network))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found", overflow="fold")
    table.add_column("to do", overflow="fold", ratio=1)
    for one in found:
        table.add_row(Text(one.name), Text(one.state, style=_STYLES[one.state]), Text(one.found), Text(one.fix))
    console = Console()
    console.print(table)
    failed, warned = (sum(one.state == state for one in found) for state in (FAIL, WARN))
    console.print(Text(f"{failed} failed, {warned} to look at" if failed or warned else "all is well"))
    if failed:
        raise typer.Exit(FAILED)


def checks(policy: Path | None = None, network: bool = False) -> Iterator[Check]:
    """Everything that is looked at, in the order of the table."""
    needed, python = _requirements()
    yield _python(python)
    for requirement in needed:
        yield package(requirement)
    yield _catalog()
    yield from _extras()
    if policy is not None:
        yield from _keys(policy)
    yield _writable("working directory", Path())
    yield _writable("cache of Java archives", _cache())
    yield _disk("working directory", Path())
    yield _disk("temporary folder", Path(tempfile.gettempdir()))
    if network:
        yield _network()


def _requirements() -> tuple[list[Requirement], str]:
    """What the package needs: of the installed package, or of the checkout."""
    try:
        texts, python = metadata.requires(_PACKAGE) or [], str(metadata.metadata(_PACKAGE)["Requires-Python"] or "")
    except metadata.PackageNotFoundError:
        if not _PROJECT.exists():
            return [], ""
        project = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]
        texts, python = project["dependencies"], project["requires-python"]
    return list(_parsed(texts)), python


def _parsed(texts: Iterable[str]) -> Iterator[Requirement]:
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        # What only an extra needs is no requirement of the package.
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def _python(bounds: str) -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if bounds and not Requirement(f"python{bounds}").specifier.contains(version):
        return Check("Python", FAIL, version, f"use Python {bounds}")
    return Check("Python", OK, version)


def package(requirement: Requirement) -> Check:
    """Whether a package is there in a version that was tried."""
    install = f"{Path(sys.executable).name} -m pip install '{requirement}'"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return Check(requirement.name, FAIL, "not installed", install)
    if not requirement.specifier.contains(Version(version), prereleases=True):
        return Check(requirement.name, FAIL, f"{version}, needs {requirement.specifier}", install)
    return Check(requirement.name, OK, version)


def _catalog() -> Check:
    from blocks.catalog.reading import read_catalog

    try:
        entries = read_catalog().entries
        for entry in entries:
            entry.load()
    except BlocksError as error:
        return Check("catalog", FAIL, error.problems[0].what, error.problems[0].fix)
    except ImportError as error:
        return Check("catalog", FAIL, f"{type(error).__name__}: {error}", "install what the block needs")
    return Check("catalog", OK, f"{len(entries)} blocks")


def _extras() -> Iterator[Check]:
    from blocks.engines.java import java_program
    from blocks.engines.prism import prism_program

    yield _tool("Java (for flink)", java_program, _java_version)
    yield _tool("Prism (for prism)", prism_program, str)
    gcp = find_spec("google") is not None and find_spec("google.cloud") is not None
    there = gcp and find_spec("google.cloud.bigquery") is not None
    install = f"{Path(sys.executable).name} -m pip install '{_PACKAGE}[gcp]'"
    yield (
        Check("Google Cloud", OK, "installed")
        if there
        else Check("Google Cloud", WARN, "not installed", f"for BigQuery and Dataflow: {install}")
    )


def _tool(name: str, find: Callable[[], Path], version: Callable[[Path], str]) -> Check:
    try:
        return Check(name, OK, version(find()))
    except BlocksError as error:
        return Check(name, WARN, error.what, error.fix)
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name, WARN, f"does not start: {type(error).__name__}", "install it again")


def _java_version(program: Path) -> str:
    command = [str(program), "-version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS)  # noqa: S603
    return (told.stderr or told.stdout).splitlines()[0]


def _keys(file: Path) -> Iterator[Check]:
    from blocks.core.policy import read_policy

    try:
        policy = read_policy(file)
    except BlocksError as error:
        yield from (Check(f"policy {file}", FAIL, one.what, f"{one.where}: {one.fix}") for one in error.problems)
        return
    ring = policy.key_ring()
    for name in policy.keys:
        try:
            ring.derive(name, "doctor", 16)
        except BlocksError as error:
            yield Check(f"key {name}", FAIL, error.what, error.fix)
        else:
            yield Check(f"key {name}", OK, "can be opened, and is long enough")
    if not policy.keys:
        yield Check(f"policy {file}", OK, "needs no key")


def _cache() -> Path:
    from blocks.engines.jars import cache_folder

    return cache_folder()


def _writable(name: str, folder: Path) -> Check:
    at = folder
    while not at.exists() and at != at.parent:
        at = at.parent
    try:
        with tempfile.TemporaryFile(dir=at):
            pass
    except OSError as error:
        what = f"{folder}: {error.strerror or type(error).__name__}"
        return Check(name, FAIL, what, "make it writable, or work in another folder")
    return Check(name, OK, "can be written")


def _disk(name: str, folder: Path) -> Check:
    free = shutil.disk_usage(folder).free / 2**30
    label = f"space, {name}"
    if free < _FREE_GIB:
        return Check(label, WARN, f"{free:.1f} GiB free", "make room: tables and shuffles are written there")
    return Check(label, OK, f"{free:.0f} GiB free")


def _network() -> Check:
    from blocks.engines.jars import repository_url

    address = repository_url()
    if not address.startswith(("https://", "http://")):
        return Check("Maven repository", OK, "a local folder")
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - the scheme is checked above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return Check("Maven repository", OK, f"answers ({answer.status})")
    except urllib.error.HTTPError as error:
        # Some repositories list no folders; that they answer is what matters.
        return Check("Maven repository", OK, f"answers ({error.code})")
    except (OSError, ValueError) as error:
        fix = "check network and proxy; it is needed once, for `--runner flink`"
        return Check("Maven repository", WARN, f"no answer: {type(error).__name__}", fix)
