"""No circle of imports: a worker begins with the step that it is handed, so every module may be the first one.

In a circle the order decides whether a name is there yet; what works in the process that submits a pipeline, where
everything has been imported, then fails in a worker that starts anew.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def modules(package: Path) -> dict[str, Path]:
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules that run before this one does, itself and the packages around it left out."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = []
        if isinstance(node, ast.Import):
            targets = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            targets = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
        for target in targets:
            parts = target.split(".")
            for end in range(1, len(parts) + 1):
                part = ".".join(parts[:end])
                if part in known and part != name and not name.startswith(f"{part}."):
                    yield part


def circle(package: Path) -> list[str]:
    known = modules(package)
    try:
        TopologicalSorter({name: set(imported(name, path, known)) for name, path in known.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_module_imports_itself_in_a_circle() -> None:
    assert circle(ROOT / "blocks") == []


@pytest.mark.parametrize("through", ["direct", "a package"])
def test_a_circle_is_found(through: str, tmp_path: Path) -> None:
    package = tmp_path / "p"
    (package / "ops").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "ops" / "codes.py").write_text("import os\n")
    inner = "from p.ops.codes import plain\n" if through == "a package" else "from p.ops.unique import Unique\n"
    (package / "hashing.py").write_text(inner)
    (package / "ops" / "unique.py").write_text("from p.hashing import hashes_of\n")
    (package / "ops" / "__init__.py").write_text("from p.ops.unique import Unique\n" if through == "a package" else "")
    assert {"p.hashing", "p.ops.unique"} <= set(circle(package))
