"""`blocks sql-service`: the service of Beam SQL, shared by the processes of one user."""

import os

import typer

from blocks.commands.failing import FAILED


def start(memory: str) -> None:
    """Starts the shared service, and prints where it is."""
    from blocks.engines.sql_service import start_shared

    found = start_shared(memory)
    typer.echo(f"the SQL service runs on {found.address}, process {found.pid}")
    typer.echo("pipelines of this user take it from now on; end it with: blocks sql-service stop")


def status() -> None:
    """Prints the shared service; ends with 1 where none runs."""
    from blocks.engines.sql_service import status as found_status

    found = found_status()
    if found is None:
        typer.echo("no shared SQL service; each process starts its own when it needs one")
        raise typer.Exit(FAILED)
    typer.echo(f"the SQL service runs on {found.address}, process {found.pid}, version {found.version}")
    for name, value in sorted(found.hello.items()):
        typer.echo(f"  {name}: {value}")
    typer.echo(f"  log: {found.log}")


def stop() -> None:
    """Ends the shared service."""
    from blocks.engines.sql_service import stop_shared

    typer.echo("the SQL service has ended" if stop_shared() else "no shared SQL service ran")


def class_path() -> None:
    """Prints what a function in Java or Scala is compiled with."""
    from blocks.engines.sql_service.jar import class_path as archives

    typer.echo(os.pathsep.join(map(str, archives())))


def warm() -> None:
    """Makes the cache with which the service starts faster."""
    from blocks.engines.sql_service.warm import warm as make_cache

    typer.echo(f"the service starts from {make_cache()}")
