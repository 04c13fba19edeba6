"""The `blocks` command.

Only what the command line itself needs is imported here: `blocks --help` answers without Beam.

Exit codes: 0 for success, 1 for a pipeline that failed while it ran, 2 for mistakes in what the user wrote.
"""

from pathlib import Path
from typing import Annotated

import typer

from blocks.commands.failing import shown_errors

app = typer.Typer(
    name="blocks",
    help="Reusable Apache Beam transforms: check and run pipelines in YAML, look into the catalog.",
    no_args_is_help=True,
    add_completion=False,
    # Errors are shown by `shown_errors`; a rich traceback would print local variables, and so values of records.
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
simulate = typer.Typer(help="Write simulated events.", no_args_is_help=True)
app.add_typer(simulate, name="simulate")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A snippet: a pipeline in YAML.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the snippet; may be repeated.")
]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="The parameter `from` of the snippet.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="The parameter `to` of the snippet.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; it may show values of records.")]


@app.command()
def run(
    file: File,
    set_: Set = None,
    from_: From = None,
    to: To = None,
    runner: Annotated[str, typer.Option("--runner", help="Where it runs: local.")] = "local",
    debug: Debug = False,
) -> None:
    """Run a snippet, and report rows, rejects, times and tables."""
    with shown_errors(debug):
        from blocks.commands.running import run_snippet

        run_snippet(file, set_ or (), from_, to, runner)


@app.command()
def check(file: File, set_: Set = None, from_: From = None, to: To = None, debug: Debug = False) -> None:
    """Build a snippet without running it, and report every mistake at its place."""
    with shown_errors(debug):
        from blocks.commands.running import check_snippet

        check_snippet(file, set_ or (), from_, to)


@app.command()
def catalog(debug: Debug = False) -> None:
    """List the blocks."""
    with shown_errors(debug):
        from blocks.commands.showing import show_catalog

        show_catalog()


@app.command()
def show(name: Annotated[str, typer.Argument(help="A block of the catalog.")], debug: Debug = False) -> None:
    """Show what a block does, and its options."""
    with shown_errors(debug):
        from blocks.commands.showing import show_block

        show_block(name)


@app.command()
def describe(
    schema: Annotated[str, typer.Argument(metavar="FILE[:NAME]", help="A schema file, and a name in it.")],
    debug: Debug = False,
) -> None:
    """Show a schema: its fields with types, labels and roles."""
    with shown_errors(debug):
        from blocks.commands.showing import show_schema

        show_schema(schema)


@simulate.command("partner-events")
def partner_events(
    events: Annotated[int, typer.Option(help="How many records, bad ones included.")],
    out: Annotated[Path, typer.Option(help="File; .gz and .zst are compressed.")],
    seed: Annotated[int, typer.Option(help="Another seed, other events.")] = 0,
    bad: Annotated[float, typer.Option(help="Share of records that are bad.")] = 0.0,
    late: Annotated[float, typer.Option(help="Share of good records that are 2 to 48 hours late.")] = 0.0,
    days: Annotated[int, typer.Option(help="Days that the events lie in.")] = 7,
    users: Annotated[int | None, typer.Option(help="How many different users.")] = None,
    debug: Debug = False,
) -> None:
    """Write nested events of the kind that a financial partner sends; the same bytes for the same options."""
    with shown_errors(debug):
        from blocks.commands.simulating import simulate_partner_events

        simulate_partner_events(out, events=events, seed=seed, bad=bad, late=late, days=days, users=users)


def main() -> None:
    """Runs the command."""
    app()


if __name__ == "__main__":
    main()
