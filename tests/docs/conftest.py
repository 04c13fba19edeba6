"""The site, built once, and the browser."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# In the session `docs` everything must be there; elsewhere what needs it is skipped.
REQUIRED = os.environ.get("BLOCKS_REQUIRE_CHROMIUM") == "1"


def build(source: Path, output: Path, *, config: Path = ROOT / "docs") -> subprocess.CompletedProcess[str]:
    """Builds a site as `nox -s docs` does: warnings are errors, references must lead somewhere."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-c", str(config)]
    return subprocess.run([*command, str(source), str(output)], capture_output=True, text=True, timeout=280)


@pytest.fixture(scope="session")
def builder() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`build`, where Sphinx is installed."""
    if not REQUIRED and not all(map(importlib.util.find_spec, ("sphinx", "myst_parser", "furo", "sphinx_copybutton"))):
        pytest.skip("needs the dependency group `docs`: nox -s docs")
    return build


@pytest.fixture(scope="session")
def site(builder: Callable[..., subprocess.CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site: that of BLOCKS_SITE, or one built for these tests."""
    if "BLOCKS_SITE" in os.environ:
        return Path(os.environ["BLOCKS_SITE"]).resolve()
    output = tmp_path_factory.mktemp("site")
    result = builder(ROOT / "docs", output)
    assert result.returncode == 0, result.stderr
    return output


class Chromium:
    """Headless Chromium without a network, one process a call."""

    def __init__(self, program: str, profile: Path) -> None:
        self._program, self._profile = program, profile

    def dom(self, address: str) -> str:
        """The document after its scripts have run."""
        return self._run("--virtual-time-budget=10000", "--dump-dom", address)

    def screenshot(self, page: Path, output: Path, width: int, height: int) -> None:
        """Writes a PNG of what a window of this size shows."""
        shown = ("--hide-scrollbars", "--force-device-scale-factor=1", f"--window-size={width},{height}")
        # A colour scheme of its own would make every pixel differ on a machine that prefers the dark one.
        light = "--blink-settings=preferredColorScheme=1"
        self._run(*shown, light, f"--screenshot={output}", page.resolve().as_uri())

    def _run(self, *arguments: str) -> str:
        # The pages are our own files, and root cannot start the sandbox; every host leads nowhere.
        fixed = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={self._profile}")
        offline = "--host-resolver-rules=MAP * ~NOTFOUND"
        command = [self._program, *fixed, offline, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Chromium:
    """The browser; without it tests are skipped, or fail where BLOCKS_REQUIRE_CHROMIUM is 1."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        if REQUIRED:
            pytest.fail("no chromium on the PATH: apt-get install chromium fonts-dejavu-core")
        pytest.skip("no chromium on the PATH")
    return Chromium(program, tmp_path_factory.mktemp("chromium"))
