"""A service that several processes of one user share, from `start_shared` to `stop_shared`.

Its address and token are in a file that only the user can read; without the file, each process starts its own.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blocks.engines.errors import EngineError
from blocks.engines.sql_service import process

if TYPE_CHECKING:
    from blocks.engines.sql_service.client import SqlService


@dataclass(frozen=True)
class SharedStatus:
    """A shared service.

    Attributes:
      address: `host:port`.
      pid: of its process.
      version: of its archive.
      log: file.
      hello: what it says of itself: versions of Beam and Java, how many functions.
    """

    address: str
    pid: int
    version: str
    log: Path
    hello: dict[str, Any]


def state_folder() -> Path:
    """Where the shared service is known: under `$XDG_RUNTIME_DIR`, or the user's cache."""
    base = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "blocks" / "sql-service"


def start_shared(memory: str = process.MEMORY) -> SharedStatus:
    """Starts the shared service, or finds it running.

    Raises:
      EngineError: it cannot be started, or one of another version runs.
    """
    with _locked():
        running = status()
        if running is not None:
            connect()
            return running
        private, token = process.new_folder()
        pid = 0
        try:
            pid, version = process.start_detached(private, memory)
            address = process.wait_detached(private / "log", pid)
            state = {"address": address, "token": token, "pid": pid, "version": version, "folder": str(private)}
            process.write_private(state_folder() / "state.json", json.dumps(state))
        except BaseException:
            # Nobody would know of it.
            process.kill(pid)
            shutil.rmtree(private, ignore_errors=True)
            raise
        found = status()
        assert found is not None
        return found


def status() -> SharedStatus | None:
    """The shared service, None where none runs; what a service that is gone has left is removed."""
    state = _state()
    if state is None:
        return None
    from blocks.engines.sql_service.client import SqlService

    try:
        # Its own version: a status is no handshake.
        found = SqlService(state["address"], state["token"], state["version"])
    except EngineError:
        if process.is_running(state["pid"]):
            raise
        _clean(state)
        return None
    with contextlib.closing(found):
        return SharedStatus(
            state["address"], state["pid"], state["version"], Path(state["folder"]) / "log", found.hello
        )


def stop_shared() -> bool:
    """Stops the shared service; False where none ran.

    Raises:
      EngineError: it does not end.
    """
    with _locked():
        state = _state()
        if state is None:
            return False
        from blocks.engines.sql_service.client import SqlService

        running = process.is_running(state["pid"])
        with (
            contextlib.suppress(EngineError),
            contextlib.closing(SqlService(state["address"], state["token"], state["version"])) as found,
        ):
            found.stop()
        if running and not process.wait_ended(state["pid"], 10):
            process.kill(state["pid"])
        _clean(state)
        return running


def connect() -> "SqlService | None":
    """The shared service, None where none runs.

    Raises:
      EngineError: one of another version runs.
    """
    state = _state()
    if state is None:
        return None
    from blocks.engines.sql_service.client import SqlService
    from blocks.engines.sql_service.jar import ready_jar

    if not process.is_running(state["pid"]):
        _clean(state)
        return None
    return SqlService(state["address"], state["token"], process.version(ready_jar()))


def _state() -> dict[str, Any] | None:
    path = state_folder() / "state.json"
    try:
        about = path.stat()
        if about.st_uid != os.getuid() or about.st_mode & 0o077:
            fix = f"remove {path}; somebody else could have written it"
            raise EngineError("the state of the shared SQL service is not private", where=str(path), fix=fix)
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def _clean(state: dict[str, Any]) -> None:
    # Another process may have started a new one by now.
    if _state() == state:
        with contextlib.suppress(FileNotFoundError):
            (state_folder() / "state.json").unlink()
    folder = Path(state["folder"])
    if folder.name.startswith("blocks-sql-"):
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    import fcntl

    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
