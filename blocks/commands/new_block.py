"""`blocks new-block`: a module, a catalog entry and a test of a new block, that pass as they are."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from string import Template

from blocks.core.errors import ConfigError, Problem, all_problems, nearest

_NAME = re.compile(r"([A-Z][a-z0-9]*){2,}")
_PACKAGE = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")
_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Plan:
    """What is going to be written.

    Attributes:
      files: path to content; none of them is there.
      catalog: the catalog file.
      content: of it, with the new entry.
    """

    files: dict[Path, str]
    catalog: Path
    content: str


def new_block(
    name: str,
    *,
    folder: Path = Path(),
    package: str | None = None,
    catalog: Path | None = None,
    tests: Path | None = None,
) -> list[Path]:
    """Writes a new block; nothing that is there is overwritten, but the catalog gets an entry more.

    Args:
      name: a verb and what it is done to, in CamelCase.
      folder: of the repository.
      package: dotted, where the module goes; unless given `blocks.shaping` in a checkout of this library, otherwise
        the package of the project, or `our_blocks`.
      catalog: file, relative to the folder.
      tests: folder for the test, relative to the folder.

    Returns:
      The files that were written, the catalog first.

    Raises:
      ConfigError: everything that is wrong with name, package, catalog or files, and then nothing is written.
    """
    is_library = (folder / "blocks" / "catalog" / "names.py").exists()
    package = package or ("blocks.shaping" if is_library else _package_of(folder))
    default_tests = Path("tests", *package.split(".")[1:]) if is_library else Path("tests")
    plan = _plan(
        name, folder, package, folder / (catalog or "catalog.yaml"), folder / (tests or default_tests), is_library
    )
    for file, content in plan.files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    plan.catalog.write_text(plan.content, encoding="utf-8")
    return [plan.catalog, *plan.files]


def _plan(name: str, folder: Path, package: str, catalog: Path, tests: Path, is_library: bool) -> Plan:
    word = "_".join(re.findall(r"[A-Z][a-z0-9]*", name)).lower()
    home = folder.joinpath(*package.split("."))
    module, test = home / f"{word}.py", tests / f"test_{word}.py"
    with all_problems("new-block", ConfigError) as problems:
        if not _NAME.fullmatch(name):
            fix = "write a verb and what it is done to, as in BucketAmounts"
            problems.append(Problem(f"`{name}` is no name of a block", "NAME", fix))
        if not _PACKAGE.fullmatch(package):
            fix = "write words of small letters with dots between, as in our_blocks"
            problems.append(Problem(f"`{package}` is no package", "--package", fix))
        for file in (module, test):
            if file.exists():
                problems.append(Problem("the file is there already", str(file), "choose another name, or remove it"))
        text = catalog.read_text(encoding="utf-8") if catalog.is_file() else _file("catalog.yaml.txt")
        if catalog.is_file():
            problems.extend(_catalog_problems(catalog, name))
    words = {
        "name": name,
        "package": package,
        "module": word,
        "since": _since(folder, is_library),
        "catalog": catalog.name,
        # A linter keeps imports of the library's own apart.
        "gap": "\n" if is_library else "",
    }
    files = {module: _filled("module.py.txt", words)}
    files[test] = _filled("test_values.py.txt" if is_library else "test.py.txt", words)
    for parent in [home, *home.parents]:
        if parent == folder or folder not in parent.parents:
            break
        if not (parent / "__init__.py").exists():
            files[parent / "__init__.py"] = '"""Blocks of our own."""\n'
    if not is_library and not (folder / "conftest.py").exists():
        files[folder / "conftest.py"] = '"""So that pytest finds the packages beside this file."""\n'
    return Plan(files, catalog, with_entry(text, _filled("entry.yaml.txt", words)))


def with_entry(catalog: str, entry: str) -> str:
    """The text of a catalog with an entry after its last one; everything else, comments too, stays as it is.

    Args:
      catalog: text of the file.
      entry: text, `- name: ...` at the start of the line.
    """
    catalog = re.sub(r"^blocks:\s*\[\s*\]", "blocks:", catalog, flags=re.MULTILINE)
    lines = catalog.rstrip("\n").split("\n")
    start = next(number for number, line in enumerate(lines) if re.match(r"blocks:", line))
    # The list goes on to the next key, or to the end; comments and blank lines before that key belong to it.
    end = next((n for n in range(start + 1, len(lines)) if re.match(r"[^\s#-]", lines[n])), len(lines))
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    indents = [match[1] for line in lines[start:end] if (match := re.match(r"( *)- ", line))]
    indent = indents[0] if indents else "  "
    added = [indent + line if line else line for line in entry.rstrip("\n").split("\n")]
    between = [""] if end > start + 1 else []
    return "\n".join([*lines[:end], *between, *added, *lines[end:]]) + "\n"


def _catalog_problems(catalog: Path, name: str) -> Iterator[Problem]:
    from blocks.catalog.reading import read_catalog

    try:
        known = [entry.name for entry in read_catalog(catalog).entries]
    except ConfigError as error:
        yield from error.problems
        return
    if name in known:
        yield Problem(f"the catalog has a block `{name}`", str(catalog), f"choose another name; {nearest(name, known)}")


def _package_of(folder: Path) -> str:
    """The package of the folder's project, if it has one there."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, tomllib.TOMLDecodeError):
        return "our_blocks"
    package = re.sub(r"\W", "_", str(project.get("name", ""))).lower()
    return package if package and (folder / package / "__init__.py").exists() else "our_blocks"


def _since(folder: Path, is_library: bool) -> str:
    if not is_library:
        return "0.1.0"
    content = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    return str(content["project"]["version"])


def _file(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _filled(name: str, words: dict[str, str]) -> str:
    return Template(_file(name)).substitute(words)


def show_new_block(name: str, folder: Path, package: str | None, catalog: Path | None, tests: Path | None) -> None:
    """Writes a new block, and says what was written and what to do next."""
    catalog_file, *files = new_block(name, folder=folder, package=package, catalog=catalog, tests=tests)
    print(
        f"entry {name} in {catalog_file.relative_to(folder) if catalog_file.is_relative_to(folder) else catalog_file}"
    )
    for file in files:
        print(f"wrote {file.relative_to(folder) if file.is_relative_to(folder) else file}")
    if (folder / "blocks" / "catalog" / "names.py").exists():
        print("next: python -m blocks.catalog.stub, nox -s docs")
    test = next(file for file in files if file.name.startswith("test_"))
    print(f"next: pytest {test.relative_to(folder) if test.is_relative_to(folder) else test}")
