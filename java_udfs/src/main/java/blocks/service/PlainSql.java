package blocks.service;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.beam.model.pipeline.v1.ExternalTransforms.ExternalConfigurationPayload;
import org.apache.beam.model.pipeline.v1.RunnerApi;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.coders.RowCoder;
import org.apache.beam.sdk.extensions.sql.impl.schema.BeamPCollectionTable;
import org.apache.beam.sdk.extensions.sql.meta.BeamSqlTable;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.schemas.SchemaTranslation;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollectionTuple;
import org.apache.beam.sdk.values.Row;

/** Beam's own `SqlTransform` of Python over rows, with the library's functions: what {@link RunSql} is measured by. */
final class PlainSql implements TablesProvider<PCollection<Row>> {
  static final String URN = "beam:external:java:sql:v1";
  private static final long DEADLINE_MILLIS = 30_000;

  @Override
  public PTransform<PCollectionTuple, PCollection<Row>> getTransform(
      RunnerApi.FunctionSpec spec, PipelineOptions options) {
    String query = query(spec);
    return new PTransform<>() {
      @Override
      public PCollection<Row> expand(PCollectionTuple input) {
        Map<String, BeamSqlTable> tables = new LinkedHashMap<>();
        boolean only = input.getAll().size() == 1;
        input
            .getAll()
            .forEach((tag, rows) -> tables.put(only ? "PCOLLECTION" : tag.getId(), new BeamPCollectionTable<>(rows)));
        Pipeline pipeline = input.getPipeline();
        return Planner.rows(
            pipeline, Planner.plan(query, tables, pipeline.getOptions(), List.of(), DEADLINE_MILLIS));
      }
    };
  }

  private static String query(RunnerApi.FunctionSpec spec) {
    try {
      ExternalConfigurationPayload payload = ExternalConfigurationPayload.parseFrom(spec.getPayload());
      return RowCoder.of(SchemaTranslation.schemaFromProto(payload.getSchema()))
          .decode(payload.getPayload().newInput())
          .getString("query");
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    }
  }
}
