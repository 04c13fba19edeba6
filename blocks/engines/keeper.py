"""Runs a command for as long as its owner lives, and no longer.

    python -S -I keeper.py COMMAND...

The owner holds the other end of standard input. When it closes, because the owner closed it, ended or was killed, the
command is ended too. A process cannot promise this for itself, and only Linux can tell a child that its parent died.
Uses nothing but the standard library: it starts in a few milliseconds and knows nothing of `blocks`.
"""

import contextlib
import os
import subprocess
import sys
import threading

# What a server gets to end by itself before it is killed.
GRACE_SECONDS = 5.0


def main(command: list[str]) -> int:
    """Gives the exit code of the command, as a shell does: 128 and the signal's number if it was killed."""
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  # its owner's command
    threading.Thread(target=_end_with_the_owner, args=(child,), daemon=True).start()
    code = child.wait()
    return code if code >= 0 else 128 - code


def _end_with_the_owner(child: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    child.terminate()
    try:
        child.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
