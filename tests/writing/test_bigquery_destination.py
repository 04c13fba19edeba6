"""Beam's BigQuery write is built for real; only the Java service that would expand it is stood in for."""

import re

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.io.gcp import bigquery as beam_bigquery
from apache_beam.io.gcp import bigquery_tools
from warehouse_data import Batches, batch_of, pipeline

from blocks.core.errors import ConfigError, PrivacyError, WarehouseError
from blocks.writing import bigquery
from blocks.writing.warehouse import WriteWarehouse

HAS_EXTRA = isinstance(getattr(bigquery_tools, "TableReference", None), type)
ROWS = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string())])


class TableReference:
    """What Beam needs of Google's class where the extra is not installed."""

    def __init__(self, projectId=None, datasetId=None, tableId=None):  # noqa: N803
        self.projectId, self.datasetId, self.tableId = projectId, datasetId, tableId


@pytest.fixture
def expanded(monkeypatch):
    """What Beam would send to the Java service, with the type of the rows."""
    seen = []

    class Recorded(beam.PTransform):
        def __init__(self, identifier, expansion_service, **options):
            super().__init__()
            self.options = {"identifier": identifier, **options}

        def expand(self, pcoll):
            seen.append((self.options, pcoll.element_type))
            failed = pcoll | beam.Filter(lambda row: row.id < 0)
            wrapped = failed | beam.Map(lambda row: (row, "quotes a secret"))
            return {"FailedRowsWithErrors": wrapped, "failed_rows_with_errors": wrapped}

    if not HAS_EXTRA:
        monkeypatch.setattr(bigquery_tools, "TableReference", TableReference)
        monkeypatch.setattr(beam_bigquery, "TableReference", TableReference)
        monkeypatch.setattr(bigquery_tools, "regex", re, raising=False)
        monkeypatch.setattr(bigquery_tools, "_TABLE_PATTERN", r"[\w$ -]{1,1024}")
    monkeypatch.setattr(beam_bigquery, "SchemaAwareExternalTransform", Recorded)
    monkeypatch.setattr(beam_bigquery, "BeamJarExpansionService", lambda *_: None)
    return seen


def build(batch=None, **options):
    with pipeline() as p:
        block = WriteWarehouse("t", destination="bigquery:my-project.data_set.table_1", **options)
        _ = p | Batches([batch or batch_of([{"id": 1, "name": "n"}], ROWS)], ROWS) | block


def test_beams_write_gets_the_table_the_method_and_the_types_of_the_rows(expanded):
    build()
    ((options, element_type),) = expanded
    assert options["identifier"] == "beam:schematransform:org.apache.beam:bigquery_storage_write:v2"
    assert options["table"] == "my-project:data_set.table_1"
    assert options["write_disposition"] == "WRITE_APPEND"
    assert options["create_disposition"] == "CREATE_IF_NEEDED"
    fields = dict(element_type._fields)
    assert list(fields) == ["id", "name"]
    assert "int" in str(fields["id"])
    assert "str" in str(fields["name"])


def test_a_row_that_bigquery_refuses_stops_the_pipeline_without_its_values(expanded):
    with pytest.raises(Exception, match="BigQuery refused a row") as error:
        build(batch_of([{"id": -1, "name": "n"}], ROWS))
    assert "secret" not in str(error.value)
    assert WarehouseError.__name__ in str(error.value) or isinstance(error.value, WarehouseError)


@pytest.mark.skipif(HAS_EXTRA, reason="Beam's Google Cloud extra is installed")
def test_without_the_extra_the_error_has_the_line_to_install_it():
    with pytest.raises(ConfigError, match="needs Beam's Google Cloud extra") as error:
        build()
    assert "pip install 'apache-beam[gcp]'" in str(error.value)


def test_the_policy_holds_for_bigquery_too():
    labelled = pa.schema([pa.field("name", pa.string(), metadata={"blocks.label": "pii.name"})])
    with pytest.raises(PrivacyError):
        _ = pipeline() | Batches([], labelled) | WriteWarehouse("t", destination="bigquery:p.d.t")


@pytest.mark.parametrize(
    ("destination", "named"),
    [
        ("bigquery:p.d.t", ("p", "d", "t")),
        ("bigquery:example.com:p.d.t", ("example.com:p", "d", "t")),
        ("bigquery:d.t", None),
        ("bigquery:p..t", None),
        ("snowflake:p.d.t", None),
    ],
)
def test_a_destination_names_project_dataset_and_table(destination, named):
    assert bigquery.table_of(destination) == named


def test_a_name_that_bigquery_does_not_allow_is_told(expanded):
    with pytest.raises(ConfigError, match="does not name a table of BigQuery"):
        _ = pipeline() | Batches([], ROWS) | WriteWarehouse("t", destination="bigquery:My Project.d.t")
