"""BigQuery as the destination of a write, through Beam's own transform and the Storage Write API.

This was built and tested without Google's service: the tests see that Beam's transform gets the right table, method and
row schema. It was never run against BigQuery.
"""

from collections.abc import Iterator
from typing import Any, NoReturn

import apache_beam as beam

from blocks.core.errors import ConfigError, Problem, WarehouseError
from blocks.core.policy import Policy
from blocks.writing.plan import CommitResult

PREFIX = "bigquery:"


def table_of(destination: str) -> tuple[str, str, str] | None:
    """(project, dataset, table) of `bigquery:project.dataset.table`, or None if it does not have this form."""
    parts = destination.removeprefix(PREFIX).rsplit(".", 2)
    return (parts[0], parts[1], parts[2]) if destination.startswith(PREFIX) and len(parts) == 3 and all(parts) else None


def option_problems(destination: str, **given: bool) -> Iterator[Problem]:
    """A problem for every option that BigQuery's write does not have.

    Args:
      destination: as the user wrote it.
      given: name of an option of `WriteWarehouse` to whether it was given.
    """
    if table_of(destination) is None:
        yield Problem(f"`{destination}` is not a destination", "destination", "write `bigquery:project.dataset.table`")
    for name, is_given in given.items():
        if is_given:
            fix = "make the BigQuery table yourself, partitioned as you like, and leave it out"
            yield Problem(f"`{name}` does not go with destination=", name, fix)


def storage_write(destination: str) -> Any:
    """Beam's `WriteToBigQuery` for a destination, appending through the Storage Write API.

    Raises:
      ConfigError: Beam's Google Cloud extra is not installed.
    """
    from apache_beam.io.gcp import bigquery, bigquery_tools

    named = table_of(destination)
    assert named is not None
    # Without the extra this name is None, and Beam fails with a TypeError about isinstance.
    if not isinstance(getattr(bigquery_tools, "TableReference", None), type):
        _missing_extra()
    project, dataset, table = named
    try:
        return bigquery.WriteToBigQuery(
            table=f"{project}:{dataset}.{table}",
            method=bigquery.WriteToBigQuery.Method.STORAGE_WRITE_API,
            create_disposition=bigquery.BigQueryDisposition.CREATE_IF_NEEDED,
            write_disposition=bigquery.BigQueryDisposition.WRITE_APPEND,
        )
    except ValueError as cause:
        raise ConfigError(
            f"`{destination}` does not name a table of BigQuery",
            where="WriteWarehouse, destination",
            fix="write `bigquery:project.dataset.table`, names as BigQuery allows them",
        ) from cause


def _missing_extra() -> NoReturn:
    raise ConfigError(
        "writing to BigQuery needs Beam's Google Cloud extra",
        where="WriteWarehouse, destination",
        fix="pip install 'apache-beam[gcp]'",
    )


def write(pcoll: beam.PCollection, destination: str, policy: Policy) -> beam.PCollection:
    """Applies the write to batches.

    Rows that BigQuery refuses stop the pipeline; there are no commits to tell of, so the result stays empty.
    """
    from blocks.core.batches import AsRows

    write_rows = storage_write(destination)
    written = pcoll | "Rows" >> AsRows(policy=policy) | "Write" >> write_rows
    refused = written.failed_rows_with_errors
    return refused | "Refused" >> beam.ParDo(_Stop(destination)).with_output_types(CommitResult)


class _Stop(beam.DoFn):
    def __init__(self, destination: str) -> None:
        self._destination = destination

    def process(self, _: Any) -> NoReturn:
        # BigQuery's message may quote values of the row.
        raise WarehouseError(
            "BigQuery refused a row",
            where=self._destination,
            fix="compare the columns of the BigQuery table with blocks.describe(schema)",
        )
