"""Writes the lock files from `pom.xml`, with Maven: what the service runs with, and what compiles it.

    python java_udfs/lock.py

Run it after a change of the dependencies; nothing else here needs Maven.
"""

import hashlib
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SERVICE_LOCK = HERE.parent / "blocks" / "engines" / "sql_service" / "service.lock"
TEST_LOCK = HERE / "test.lock"
_SERVICE = """\
# The class path of the SQL service: Beam SQL, its worker and Arrow, without what reaches clouds and databases (see
# java_udfs/pom.xml). Written by java_udfs/lock.py; the order is that of the class path.
"""
_TEST = """\
# What the tests in Java and Scala need beside service.lock. Written by java_udfs/lock.py.
"""


def resolved(scope: str) -> list[tuple[str, str, str, Path]]:
    """Group, artifact, version and file of every archive of a scope, in the order of the class path."""
    with tempfile.NamedTemporaryFile("r") as output:
        command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:build-classpath"]
        subprocess.run(  # noqa: S603  # our own command
            [*command, f"-DincludeScope={scope}", f"-Dmdep.outputFile={output.name}"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        paths = [Path(one) for one in output.read().strip().split(":")]
    found = []
    for path in paths:
        version, artifact = path.parent.name, path.parent.parent.name
        parts = path.parent.parent.parent.parts
        group = ".".join(parts[parts.index("repository") + 1 :])
        found.append((group, artifact, version, path))
    return found


def locked(archives: list[tuple[str, str, str, Path]]) -> str:
    """The lines of a lock file."""
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {group}:{artifact}:{version}\n"
        for group, artifact, version, path in archives
    )


def main() -> None:
    """Writes both."""
    service = resolved("runtime")
    SERVICE_LOCK.write_text(_SERVICE + locked(service), encoding="utf-8")
    known = {one[:3] for one in service}
    TEST_LOCK.write_text(_TEST + locked([one for one in resolved("test") if one[:3] not in known]), encoding="utf-8")


if __name__ == "__main__":
    main()
