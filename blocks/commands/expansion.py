"""`blocks expansion-service`."""

import signal

from rich.console import Console

from blocks.catalog.reading import read_catalog
from blocks.snippets.expansion.service import LOOPBACK, ExpansionService

_ENDS = (signal.SIGINT, signal.SIGTERM)


def serve(port: int, host: str, environment_type: str | None, environment_config: str | None) -> None:
    """Serves the blocks of the catalog until it is interrupted or terminated; prints where.

    Args:
      port: 0 for any that is free.
      host: interface to listen on.
      environment_type: Beam's, where blocks will run; a worker in this process unless given.
      environment_config: of that environment, such as the image of DOCKER.

    Raises:
      ConfigError: an environment without its config.
      ServiceError: the port is taken, or the host is not one of this machine.
    """
    console = Console(highlight=False, soft_wrap=True)
    service = ExpansionService(
        port=port, host=host, environment_type=environment_type, environment_config=environment_config
    )
    # Before the service starts its threads, which inherit it: the signals wait for `sigwait`, in no thread's middle.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    with service:
        entries = read_catalog().entries
        console.print(f"expansion service at {service.address}, {len(entries)} blocks; end it with Ctrl-C")
        if host not in (LOOPBACK, "127.0.0.1", "::1", "[::1]"):
            console.print("whoever reaches this address can run code with the rights of this process", style="bold red")
        signal.sigwait(_ENDS)
