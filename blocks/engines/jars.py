"""Java archives from a Maven repository, as a lock file names them: coordinates and SHA-256, resolved once.

    beam-runners-flink ... -> flink.lock, one line a jar: `SHA-256  group:artifact:version`

Nothing is resolved here and no Maven is needed; what is fetched is what was tried. The archives are kept in the user's
cache, so that a second run needs no network. Source: the Maven repository layout
(https://maven.apache.org/repositories/layout.html), the XDG base directory specification.
"""

import hashlib
import http.client
import os
import sys
import tempfile
import urllib.error
import urllib.request
import xml.etree.ElementTree as ET  # reads the user's own settings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from apache_beam.utils.subprocess_server import JavaJarServer

from blocks.core.errors import ConfigError, Problem, all_problems
from blocks.engines.errors import EngineError

# Where Beam itself fetches its archives from.
MAVEN_CENTRAL = str(JavaJarServer.MAVEN_CENTRAL_REPOSITORY)
FLINK_LOCK = Path(__file__).with_name("flink.lock")
_TIMEOUT_SECONDS = 60
_TRIES = 3
_AT_ONCE = 8
# Of progress, at most.
_LINES = 10


class JarError(EngineError):
    """Java archives that cannot be had, or are not what the lock file says.

    To do: fetch them again where there is a network; where a hash differs, find out who changed the file.
    """


@dataclass(frozen=True, slots=True)
class Jar:
    """A line of a lock file.

    Attributes:
      group: such as `org.apache.beam`.
      artifact: such as `beam-sdks-java-core`.
      version: such as `2.62.0`.
      sha256: of the file, in hex.
    """

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def path(self) -> str:
        """Where it is in a repository, and in the cache."""
        folder = self.group.replace(".", "/")
        return f"{folder}/{self.artifact}/{self.version}/{self.artifact}-{self.version}.jar"


def read_lock(lock: Path) -> tuple[Jar, ...]:
    """The archives of a lock file, in its order, which is that of the class path.

    Raises:
      ConfigError: every line that is not `SHA-256  group:artifact:version`.
    """
    jars = []
    with all_problems(lock.name, ConfigError) as problems:
        for number, line in enumerate(lock.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            digest, _, coordinates = line.partition("  ")
            parts = coordinates.split(":")
            plain = all(part and not set(part) & set("/\\ ") and ".." not in part for part in parts)
            if len(digest) != 64 or set(digest) - set("0123456789abcdef") or len(parts) != 3 or not plain:
                what = "expected a SHA-256 in hex, two spaces and group:artifact:version"
                problems.append(Problem(what, f"line {number}", "take the line from version control"))
            else:
                jars.append(Jar(parts[0], parts[1], parts[2], digest))
    return tuple(jars)


def repository_url() -> str:
    """Where archives come from: `BLOCKS_MAVEN_URL`, the mirror in `~/.m2/settings.xml`, or Maven Central."""
    given = os.environ.get("BLOCKS_MAVEN_URL") or _mirror(Path.home() / ".m2" / "settings.xml")
    return (given or MAVEN_CENTRAL).rstrip("/")


def _mirror(settings: Path) -> str:
    """URL of the first mirror of Maven Central in a settings file, empty without one."""
    try:
        root = ET.parse(settings).getroot()  # noqa: S314  # the user's own file
    except (OSError, ET.ParseError):
        return ""
    for mirror in root.iterfind(".//{*}mirror"):
        of = {part.strip() for part in (mirror.findtext("{*}mirrorOf") or "").split(",")}
        if of & {"*", "central", "external:*"} and "!central" not in of:
            return (mirror.findtext("{*}url") or "").strip()
    return ""


def cache_folder() -> Path:
    """Where archives are kept: `$XDG_CACHE_HOME/blocks/maven`, or under `~/.cache`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "blocks" / "maven"


def told_in_lines(what: str = "fetching Java archives") -> Callable[[int, int], None]:
    """What to call with how many of how many archives are there: a few lines on standard error."""

    def tell(done: int, total: int) -> None:
        if done == total or done % max(1, total // _LINES) == 0:
            print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)

    return tell


def fetch_jars(
    lock: Path,
    *,
    cache: Path | None = None,
    repository: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Path, ...]:
    """Makes sure that every archive of a lock file is in the cache, and gives their paths in the lock's order.

    An archive appears in the cache whole and verified or not at all, also when several processes fetch at once.

    Args:
      lock: as `flink.lock` beside this module.
      cache: `cache_folder()` unless given.
      repository: URL (http, https or file) of a Maven repository, `repository_url()` unless given.
      progress: called with how many of how many archives are there.

    Raises:
      ConfigError: the lock file cannot be read.
      JarError: every archive that could not be had or is not the one that was locked; nothing of these is kept.
    """
    jars = read_lock(lock)
    folder, source = cache or cache_folder(), repository or repository_url()
    paths = tuple(folder / jar.path for jar in jars)
    # A file is only ever renamed into the cache after it was verified.
    wanted = [(jar, path) for jar, path in zip(jars, paths, strict=True) if not path.exists()]
    done = len(jars) - len(wanted)
    with all_problems(f"{lock.name} from {_shown(source)}", JarError) as problems, ThreadPoolExecutor(_AT_ONCE) as pool:
        for problem in pool.map(lambda one: _fetch(one[0], one[1], source), wanted):
            done += 1
            if problem is not None:
                problems.append(problem)
            elif progress is not None:
                progress(done, len(jars))
    return paths


def _fetch(jar: Jar, path: Path, source: str) -> Problem | None:
    where = f"{jar.group}:{jar.artifact}:{jar.version}"
    why = ""
    for _ in range(_TRIES):
        try:
            content = _read(f"{source}/{jar.path}")
        except urllib.error.HTTPError as error:
            why = f"the repository answered {error.code}"
            if error.code < 500:
                break
        # An HTTPException is what a cut download raises.
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = f"{type(error).__name__}: {getattr(error, 'reason', '') or error}"
        else:
            return _keep(jar, path, content, where)
    fix = "check the network, or set BLOCKS_MAVEN_URL to a Maven repository that has it"
    return Problem(f"could not be fetched: {why}", where, fix)


def _read(url: str) -> bytes:
    if not url.startswith(("https://", "http://", "file://")):
        raise ValueError("a repository is an http, https or file URL")
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310  # the schemes are checked
        return bytes(answer.read())


def _keep(jar: Jar, path: Path, content: bytes, where: str) -> Problem | None:
    found = hashlib.sha256(content).hexdigest()
    if found != jar.sha256:
        what = f"expected SHA-256 {jar.sha256}, got {found} ({len(content)} bytes)"
        return Problem(what, where, "do not use this repository, or find out who changed the archive")
    write_whole(path, content)
    return None


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file of the cache, with the folders that it needs; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(content)
        os.replace(part, path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def _shown(url: str) -> str:
    """The URL without a user's name and password."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
