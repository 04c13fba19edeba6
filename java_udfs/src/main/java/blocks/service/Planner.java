package blocks.service;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.beam.sdk.Pipeline;
import org.apache.beam.sdk.extensions.sql.impl.BeamCalciteTable;
import org.apache.beam.sdk.extensions.sql.impl.CalciteQueryPlanner;
import org.apache.beam.sdk.extensions.sql.impl.JdbcConnection;
import org.apache.beam.sdk.extensions.sql.impl.JdbcDriver;
import org.apache.beam.sdk.extensions.sql.impl.ParseException;
import org.apache.beam.sdk.extensions.sql.impl.QueryPlanner;
import org.apache.beam.sdk.extensions.sql.impl.QueryPlanner.QueryParameters;
import org.apache.beam.sdk.extensions.sql.impl.SqlConversionException;
import org.apache.beam.sdk.extensions.sql.impl.rel.BeamRelNode;
import org.apache.beam.sdk.extensions.sql.impl.rel.BeamSqlRelUtils;
import org.apache.beam.sdk.extensions.sql.impl.schema.BeamPCollectionTable;
import org.apache.beam.sdk.extensions.sql.meta.BeamSqlTable;
import org.apache.beam.sdk.extensions.sql.meta.catalog.Catalog;
import org.apache.beam.sdk.extensions.sql.meta.catalog.InMemoryCatalogManager;
import org.apache.beam.sdk.extensions.sql.meta.provider.ReadOnlyTableProvider;
import org.apache.beam.sdk.options.PipelineOptions;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.schemas.SchemaCoder;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.transforms.windowing.FixedWindows;
import org.apache.beam.sdk.transforms.windowing.Window;
import org.apache.beam.sdk.values.PBegin;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PCollection.IsBounded;
import org.apache.beam.sdk.values.Row;
import org.apache.beam.sdk.values.WindowingStrategy;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.runtime.CalciteContextException;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.schema.SchemaPlus;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.sql.SqlKind;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.sql.SqlNode;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.sql.parser.SqlParseException;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.sql.parser.SqlParserPos;
import org.apache.beam.vendor.calcite.v1_40_0.org.apache.calcite.tools.ValidationException;
import org.joda.time.Duration;

/** Beam SQL's planner, with the functions of the library, and its mistakes as {@link Problem}s. */
final class Planner {
  private static final int MESSAGE_LENGTH = 500;

  private Planner() {}

  /** What a query can be asked about a table before it runs. */
  record Table(Schema schema, boolean bounded, boolean windowed) {}

  /** The plan of a query over tables that are there. */
  static BeamRelNode plan(
      String query, Map<String, BeamSqlTable> tables, PipelineOptions options, List<String> jars, long deadlineMillis) {
    InMemoryCatalogManager catalogs = new InMemoryCatalogManager();
    catalogs.registerTableProvider(new ReadOnlyTableProvider("PCOLLECTION", tables));
    JdbcConnection connection = JdbcDriver.connect(catalogs, options);
    QueryPlanner planner = CalciteQueryPlanner.FACTORY.createPlanner(connection, KeptRules.all());
    SchemaPlus schema = connection.getCurrentSchemaPlus();
    SchemaPlus known = schema.getSubSchema(Catalog.DEFAULT);
    tables.forEach(
        (name, table) -> schema.add(name, new NullableTable(table, (BeamCalciteTable) known.getTable(name))));
    Functions.register(schema, jars, deadlineMillis);
    try {
      refuseStatements(planner.parse(query));
      return planner.convertToBeamRel(query, QueryParameters.ofNone());
    } catch (Problem problem) {
      throw problem;
    } catch (Throwable cause) {
      throw problem(cause);
    }
  }

  private static void refuseStatements(SqlNode parsed) {
    // The planner would throw an AssertionError, or carry them out.
    if (!parsed.getKind().belongsTo(SqlKind.QUERY)) {
      SqlParserPos place = parsed.getParserPosition();
      String what = "only queries can be run, not " + parsed.getKind().sql.replace('_', ' ');
      throw new Problem(
          "unsupported",
          what,
          place.getLineNum(),
          place.getColumnNum(),
          place.getEndLineNum(),
          place.getEndColumnNum());
    }
  }

  /** Plans a query and makes its steps, and runs nothing; gives the schema of its rows. */
  static Schema check(
      String query, Map<String, Table> tables, PipelineOptions options, List<String> jars, long deadlineMillis) {
    Pipeline pipeline = Pipeline.create(options);
    Map<String, BeamSqlTable> made = new LinkedHashMap<>();
    tables.forEach(
        (name, table) -> made.put(name, new BeamPCollectionTable<>(pipeline.apply(name, new Nothing(table)))));
    BeamRelNode node = plan(query, made, options, jars, deadlineMillis);
    return rows(pipeline, GuardedCalc.in(node, null)).getSchema();
  }

  /** The rows of a plan. */
  static PCollection<Row> rows(Pipeline pipeline, BeamRelNode node) {
    return told(() -> BeamSqlRelUtils.toPCollection(pipeline, node));
  }

  /** Makes steps; what cannot be made is a {@link Problem}. */
  static <T> T told(Supplier<T> steps) {
    try {
      return steps.get();
    } catch (Problem problem) {
      throw problem;
    } catch (Throwable cause) {
      Problem told = problem(cause);
      throw told.json().get("kind").equals("plan") ? new Problem("unsupported", told.getMessage()) : told;
    }
  }

  /** A table of no rows. */
  private static final class Nothing extends PTransform<PBegin, PCollection<Row>> {
    private final transient Table table;

    Nothing(Table table) {
      this.table = table;
    }

    @Override
    public PCollection<Row> expand(PBegin begin) {
      PCollection<Row> rows =
          PCollection.createPrimitiveOutputInternal(
              begin.getPipeline(),
              WindowingStrategy.globalDefault(),
              table.bounded() ? IsBounded.BOUNDED : IsBounded.UNBOUNDED,
              SchemaCoder.of(table.schema()));
      return table.windowed() ? rows.apply(Window.into(FixedWindows.of(Duration.standardMinutes(1)))) : rows;
    }
  }

  /** What a failure of the planner says of the query, without its stack. */
  static Problem problem(Throwable failure) {
    String kind = failure instanceof SqlConversionException ? "plan" : "";
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof Problem) {
        return (Problem) cause;
      }
      if (cause instanceof SqlParseException) {
        SqlParserPos place = ((SqlParseException) cause).getPos();
        String what = firstLine(cause.getMessage());
        return place == null
            ? new Problem("parse", what)
            : new Problem(
                "parse",
                what,
                place.getLineNum(),
                place.getColumnNum(),
                place.getEndLineNum(),
                place.getEndColumnNum());
      }
      if (cause instanceof CalciteContextException) {
        CalciteContextException at = (CalciteContextException) cause;
        Throwable inner = at.getCause() == null ? at : at.getCause();
        return new Problem(
            "validate",
            firstLine(inner.getMessage()),
            at.getPosLine(),
            at.getPosColumn(),
            at.getEndPosLine(),
            at.getEndPosColumn());
      }
      if (cause instanceof ValidationException || cause instanceof ParseException) {
        kind = "validate";
      }
    }
    Throwable root = failure;
    while (root.getCause() != null && root.getCause() != root) {
      root = root.getCause();
    }
    if (kind.isEmpty()) {
      kind = root instanceof UnsupportedOperationException ? "unsupported" : "plan";
    }
    if (root instanceof OutOfMemoryError || root instanceof StackOverflowError) {
      return new Problem("plan", "the query is too large or too deeply nested for the planner");
    }
    String said = root.getMessage() == null ? "" : firstLine(root.getMessage());
    return new Problem(kind, said.isEmpty() ? "the planner failed with " + root.getClass().getSimpleName() : said);
  }

  private static String firstLine(String message) {
    String line = message.strip().lines().findFirst().orElse("");
    return line.length() > MESSAGE_LENGTH ? line.substring(0, MESSAGE_LENGTH) + " ..." : line;
  }
}
