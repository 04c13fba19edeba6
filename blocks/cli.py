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
sql_service = typer.Typer(help="The service of Beam SQL: shared by your processes, or warmed up.", no_args_is_help=True)
app.add_typer(sql_service, name="sql-service")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A snippet: a pipeline in YAML.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the snippet; may be repeated.")
]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="The parameter `from` of the snippet.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="The parameter `to` of the snippet.")]
State = Annotated[
    Path | None, typer.Option("--state", metavar="FILE", help="What the last run left behind; in .blocks/plans if not.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; it may show values of records.")]


@app.command()
def run(
    file: File,
    set_: Set = None,
    from_: From = None,
    to: To = None,
    runner: Annotated[
        str, typer.Option("--runner", help="Where it runs: local, prism, flink, spark or dataflow.")
    ] = "local",
    flink_master: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A Flink cluster; without it, one in a process here.")
    ] = None,
    flink_memory: Annotated[str | None, typer.Option(help="Heap of the Flink job server, as 2g.")] = None,
    job_endpoint: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="A job server that runs already, for spark or flink.")
    ] = None,
    environment_type: Annotated[
        str | None, typer.Option(help="Where workers run: LOOPBACK, DOCKER, PROCESS or EXTERNAL.")
    ] = None,
    environment_config: Annotated[
        str | None, typer.Option(help="The image, the command, or HOST:PORT of the worker pool.")
    ] = None,
    prism_location: Annotated[Path | None, typer.Option(help="The program `prism`.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="A pipeline option of Beam; may be repeated."),
    ] = None,
    state: State = None,
    debug: Debug = False,
) -> None:
    """Run a snippet, and report rows, rejects, times and tables."""
    with shown_errors(debug):
        from blocks.commands.running import run_snippet
        from blocks.engines import EngineOptions

        given = EngineOptions(
            flink_master=flink_master,
            flink_memory=flink_memory,
            job_endpoint=job_endpoint,
            environment_type=environment_type,
            environment_config=environment_config,
            prism_location=prism_location,
            options=tuple(option or ()),
        )
        run_snippet(file, set_ or (), from_, to, runner, given, state)


@app.command()
def check(
    file: File,
    set_: Set = None,
    from_: From = None,
    to: To = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are mistakes.")] = False,
    debug: Debug = False,
) -> None:
    """Build a snippet without running it, and report every mistake at its place."""
    with shown_errors(debug):
        from blocks.commands.running import check_file

        check_file(file, set_ or (), from_, to, strict)


@app.command()
def explain(
    file: File,
    set_: Set = None,
    from_: From = None,
    to: To = None,
    form: Annotated[str, typer.Option("--format", help="text or mermaid.")] = "text",
    whole: Annotated[bool, typer.Option("--all", help="Every column, also those that stay as they are.")] = False,
    debug: Debug = False,
) -> None:
    """Show what each step does to columns and labels, and where it puts data."""
    with shown_errors(debug):
        from blocks.commands.explaining import explain_file

        explain_file(file, set_ or (), from_, to, form, whole)


@app.command("test")
def run_tests(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A snippet; or a folder of SQL functions, or a catalog that names functions."
        ),
    ],
    set_: Set = None,
    from_: From = None,
    to: To = None,
    only: Annotated[str, typer.Option("-k", metavar="TEXT", help="Only tests with this in their name.")] = "",
    debug: Debug = False,
) -> None:
    """Run the tests of a snippet, in batch and as a stream; or the examples of SQL functions, on both engines."""
    with shown_errors(debug):
        from blocks.commands.testing import run_tests_of

        run_tests_of(file, set_ or (), from_, to, only)


@app.command()
def plan(
    file: File,
    set_: Set = None,
    from_: From = None,
    to: To = None,
    state: State = None,
    debug: Debug = False,
) -> None:
    """Show which stages changed since the last run, why, and what a run will rewrite."""
    with shown_errors(debug):
        from blocks.commands.planning import plan_file

        plan_file(file, set_ or (), from_, to, state)


@app.command()
def doctor(
    policy: Annotated[Path | None, typer.Option(metavar="FILE", help="A policy whose keys to look for.")] = None,
    network: Annotated[bool, typer.Option("--network", help="Ask the Maven repository too.")] = False,
    debug: Debug = False,
) -> None:
    """Look at the environment, and say what to do about what is not right."""
    with shown_errors(debug):
        from blocks.commands import doctor as examining

        examining.doctor(policy, network)


Own = Annotated[
    Path | None, typer.Option("--catalog", metavar="FILE", help="A catalog of your own, and the functions it names.")
]


@app.command()
def catalog(own: Own = None, debug: Debug = False) -> None:
    """List the blocks, and the functions of SQL."""
    with shown_errors(debug):
        from blocks.commands.showing import show_catalog

        show_catalog(own)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A block or a function of the catalog.")],
    own: Own = None,
    debug: Debug = False,
) -> None:
    """Show what a block does and its options, or what a function of SQL does and how it is called."""
    with shown_errors(debug):
        from blocks.commands.showing import show as show_one

        show_one(name, own)


@app.command()
def providers(debug: Debug = False) -> None:
    """Print the listing with which plain Beam YAML can use the blocks."""
    with shown_errors(debug):
        from blocks.snippets.beam_yaml import listing

        print(listing(), end="")


@app.command()
def describe(
    schema: Annotated[str, typer.Argument(metavar="FILE[:NAME]", help="A schema file, and a name in it.")],
    debug: Debug = False,
) -> None:
    """Show a schema: its fields with types, labels and roles."""
    with shown_errors(debug):
        from blocks.commands.showing import show_schema

        show_schema(schema)


@app.command("check-sql")
def check_sql(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Files of one query each; - is standard input.")
    ],
    schema: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TABLE=]FILE:NAME", help="Schema of an input, PCOLLECTION unless named; may be repeated."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A parameter of the query; may be repeated.")
    ] = None,
    functions: Annotated[
        list[str] | None, typer.Option(metavar="FOLDER", help="Functions of your own in SQL; may be repeated.")
    ] = None,
    jar: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Functions of your own in Java or Scala; may be repeated."),
    ] = None,
    catalog: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A catalog that names functions of your own.")
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The policy: what may be shuffled, and seen by your functions.")
    ] = None,
    masked: Annotated[
        str | None,
        typer.Option(
            metavar="DESTINATION", help="The inputs come as MaskColumns masks them for this destination of the policy."
        ),
    ] = None,
    dialect: Annotated[str, typer.Option(help="beam, bigquery, duckdb, spark, postgres or snowflake.")] = "beam",
    engine: Annotated[str, typer.Option(help="auto, beam or duckdb.")] = "auto",
    timestamps: Annotated[str, typer.Option(help="exact, or milliseconds to cut finer times.")] = "exact",
    strict: Annotated[bool, typer.Option("--strict", help="Rewrite nothing; warnings are mistakes.")] = False,
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    sql: Annotated[bool, typer.Option("--sql", help="Show what the engine gets.")] = False,
    debug: Debug = False,
) -> None:
    """Check queries as RunSql does, without running them, and report every mistake at its place."""
    with shown_errors(debug):
        from blocks.commands.sql import Given, check_queries

        given = Given(
            schema or (),
            set_ or (),
            functions or (),
            jar or (),
            catalog,
            policy,
            masked,
            dialect,
            engine,
            timestamps,
            strict,
        )
        check_queries(files, given, form, sql)


@sql_service.command("start")
def start_sql_service(
    memory: Annotated[str, typer.Option(help="Heap of its Java, as 2g.")] = "1g",
    debug: Debug = False,
) -> None:
    """Start a service that all your processes share."""
    with shown_errors(debug):
        from blocks.commands.sql_service import start

        start(memory)


@sql_service.command("status")
def show_sql_service(debug: Debug = False) -> None:
    """Show the shared service; exit code 1 where none runs."""
    with shown_errors(debug):
        from blocks.commands.sql_service import status

        status()


@sql_service.command("stop")
def stop_sql_service(debug: Debug = False) -> None:
    """End the shared service."""
    with shown_errors(debug):
        from blocks.commands.sql_service import stop

        stop()


@sql_service.command("class-path")
def show_class_path(debug: Debug = False) -> None:
    """Print the class path to compile functions of your own with."""
    with shown_errors(debug):
        from blocks.commands.sql_service import class_path

        class_path()


@sql_service.command("warm")
def warm_sql_service(debug: Debug = False) -> None:
    """Make the cache with which the service starts faster; about 20 s, once a version."""
    with shown_errors(debug):
        from blocks.commands.sql_service import warm

        warm()


@app.command("new-block")
def new_block(
    name: Annotated[str, typer.Argument(help="A verb and what it is done to, such as BucketAmounts.")],
    folder: Annotated[Path, typer.Option("--folder", help="The repository.")] = Path(),
    package: Annotated[str | None, typer.Option("--package", help="Where the module goes, such as our_blocks.")] = None,
    catalog_: Annotated[Path | None, typer.Option("--catalog", help="The catalog file in the repository.")] = None,
    tests: Annotated[Path | None, typer.Option("--tests", help="The folder for the test in the repository.")] = None,
    debug: Debug = False,
) -> None:
    """Write the module, catalog entry and test of a new block, which pass as they are."""
    with shown_errors(debug):
        from blocks.commands.new_block import show_new_block

        show_new_block(name, folder, package, catalog_, tests)


@app.command("expansion-service")
def expansion_service(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = 0,
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "localhost",
    environment_type: Annotated[
        str | None, typer.Option(help="Where blocks run: DOCKER, EXTERNAL or PROCESS; a worker in it unless given.")
    ] = None,
    environment_config: Annotated[
        str | None, typer.Option(help="The image, HOST:PORT of the worker pool, or the command.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Serve the blocks to pipelines in Java, Scala and other languages (docs/other-languages.md)."""
    with shown_errors(debug):
        from blocks.commands.expansion import serve

        serve(port, host, environment_type, environment_config)


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
