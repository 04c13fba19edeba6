package blocks.service;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.coders.ByteArrayCoder;
import org.apache.beam.sdk.extensions.sql.impl.rel.BeamRelNode;
import org.apache.beam.sdk.extensions.sql.impl.utils.CalciteUtils;
import org.apache.beam.sdk.extensions.sql.meta.BeamSqlTable;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.transforms.ParDo;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollectionTuple;
import org.apache.beam.sdk.values.Row;
import org.apache.beam.sdk.values.TupleTag;

/**
 * A query over tables whose rows come and go as Arrow batches.
 *
 * <p>Input: a PCollection of bare IPC messages for each table. Output: `rows`, the same for the result, and `errors`,
 * an IPC stream for each row in which a function failed (none where such a row stops the pipeline).
 */
final class RunSql extends PTransform<PCollectionTuple, PCollectionTuple> {
  static final String URN = "blocks:sql:run:v1";
  private static final TupleTag<byte[]> ROWS = new TupleTag<>("rows");
  private static final TupleTag<byte[]> ERRORS = new TupleTag<>("errors");

  private final transient Config config;

  RunSql(Config config) {
    super("RunSql");
    this.config = config;
  }

  /**
   * What the caller says of a query.
   *
   * @param tables by name: the IPC message of the schema, and the event-time column or null
   * @param output the IPC message of the schema that the result has
   */
  record Config(
      String query,
      Map<String, TableConfig> tables,
      byte[] output,
      List<String> jars,
      long deadlineMillis,
      int rows,
      boolean collect) {
    static Config of(byte[] json) {
      try {
        return of(new ObjectMapper().readTree(json));
      } catch (IOException cause) {
        throw new UncheckedIOException(cause);
      }
    }

    static Config of(JsonNode node) {
      Map<String, TableConfig> tables = new LinkedHashMap<>();
      node.get("tables").fields().forEachRemaining(one -> tables.put(one.getKey(), TableConfig.of(one.getValue())));
      List<String> jars = new ArrayList<>();
      node.path("jars").forEach(jar -> jars.add(jar.asText()));
      return new Config(
          node.get("query").asText(),
          tables,
          node.hasNonNull("output") ? Base64.getDecoder().decode(node.get("output").asText()) : null,
          jars,
          node.path("deadline_ms").asLong(30_000),
          node.path("rows").asInt(32_768),
          node.path("errors").asText("stop").equals("collect"));
    }
  }

  /** One table of a config. */
  record TableConfig(byte[] schema, String eventTime, boolean bounded, boolean windowed) {
    static TableConfig of(JsonNode node) {
      return new TableConfig(
          Base64.getDecoder().decode(node.get("schema").asText()),
          node.hasNonNull("event_time") ? node.get("event_time").asText() : null,
          node.path("bounded").asBoolean(true),
          node.path("windowed").asBoolean(false));
    }

    Schema beamSchema() {
      try {
        return ArrowTypes.beamSchema(ArrowTypes.read(schema).getFields());
      } catch (ArrowTypes.Unsupported cause) {
        throw new Problem("unsupported", cause.getMessage());
      }
    }
  }

  @Override
  public PCollectionTuple expand(PCollectionTuple input) {
    Map<String, BeamSqlTable> tables = new LinkedHashMap<>();
    config.tables().forEach(
        (name, table) ->
            tables.put(
                name,
                new BatchTable(
                    name,
                    input.get(new TupleTag<byte[]>(name)),
                    table.schema(),
                    table.beamSchema(),
                    table.eventTime())));
    Pipeline pipeline = input.getPipeline();
    FailedRows failed = config.collect() ? new FailedRows() : null;
    BeamRelNode plan =
        Planner.plan(config.query(), tables, pipeline.getOptions(), config.jars(), config.deadlineMillis());
    PCollection<byte[]> batches = batches(pipeline, GuardedCalc.in(plan, failed));
    PCollection<byte[]> errors = (failed == null ? new FailedRows() : failed).all(pipeline);
    return PCollectionTuple.of(ROWS, batches).and(ERRORS, errors);
  }

  private PCollection<byte[]> batches(Pipeline pipeline, BeamRelNode plan) {
    byte[] declared =
        config.output() != null
            ? config.output()
            : ArrowTypes.write(ArrowTypes.arrowSchema(CalciteUtils.toSchema(plan.getRowType())));
    BatchBuffers buffers = new BatchBuffers(declared, config.rows());
    if (plan instanceof GuardedCalc) {
      PCollection<byte[]> direct = Planner.told(() -> ((GuardedCalc) plan).batches(buffers));
      if (direct != null) {
        return direct;
      }
    }
    PCollection<Row> rows = Planner.rows(pipeline, plan);
    return rows.apply("Batches", ParDo.of(new WriteBatches(buffers))).setCoder(ByteArrayCoder.of());
  }
}
