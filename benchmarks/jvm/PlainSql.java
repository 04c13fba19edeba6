package blocks.benchmarks;

import blocks.udf.ApproxCountDistinct;
import blocks.udf.MaskLeft;
import java.util.Map;
import org.apache.beam.fn.harness.ExternalWorkerService;
import org.apache.beam.sdk.coders.CannotProvideCoderException;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.coders.CoderRegistry;
import org.apache.beam.sdk.expansion.ExternalTransformRegistrar;
import org.apache.beam.sdk.expansion.service.ExpansionServer;
import org.apache.beam.sdk.expansion.service.ExpansionService;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;
import org.apache.beam.sdk.extensions.sql.SqlTransform;
import org.apache.beam.sdk.options.PipelineOptionsFactory;
import org.apache.beam.sdk.transforms.Combine.CombineFn;
import org.apache.beam.sdk.transforms.ExternalTransformBuilder;
import org.apache.beam.sdk.transforms.PTransform;
import org.apache.beam.sdk.values.PCollection;
import org.apache.beam.sdk.values.PInput;
import org.apache.beam.sdk.values.Row;

/**
 * Beam's own expansion service and worker in one JVM, as one writes them for Python's `SqlTransform` with functions of
 * one's own. Prints `ready PORT`.
 */
public final class PlainSql {
  private PlainSql() {}

  /** No arguments. */
  public static void main(String[] arguments) throws Exception {
    String worker = new ExternalWorkerService(PipelineOptionsFactory.create()).start().getApiServiceDescriptor().getUrl();
    String[] options = {"--defaultEnvironmentType=EXTERNAL", "--defaultEnvironmentConfig=" + worker};
    ExpansionServer server = ExpansionServer.create(new ExpansionService(options), "localhost", 0);
    System.out.println("ready " + server.getPort());
    System.out.flush();
    Thread.currentThread().join();
  }

  /** Found by the expansion service. */
  public static final class Registrar implements ExternalTransformRegistrar {
    @Override
    public Map<String, ExternalTransformBuilder<?, ?, ?>> knownBuilderInstances() {
      return Map.of("beam:external:java:sql:v1", new Builder());
    }
  }

  /** What Python's `SqlTransform` sends. */
  public static final class Config {
    private String query;

    public void setQuery(String query) {
      this.query = query;
    }

    public void setDialect(String dialect) {}

    public void setDdl(String ddl) {}
  }

  private static final class Builder implements ExternalTransformBuilder<Config, PInput, PCollection<Row>> {
    @Override
    public PTransform<PInput, PCollection<Row>> buildExternal(Config config) {
      return SqlTransform.query(config.query)
          .registerUdf("mask_left", MaskFirst.class)
          .registerUdaf("approx_count_distinct", new Distinct());
    }
  }

  /** Beam takes one `eval` of a class. */
  public static final class MaskFirst implements BeamSqlUdf {
    public static String eval(String text, Long count) {
      return MaskLeft.eval(text, count);
    }
  }

  /** The library's aggregate with the types that Beam reads from a class. */
  @SuppressWarnings({"unchecked", "rawtypes"})
  public static final class Distinct extends CombineFn<String, Object, Long> {
    private final CombineFn inner = new ApproxCountDistinct();

    @Override
    public Object createAccumulator() {
      return inner.createAccumulator();
    }

    @Override
    public Object addInput(Object state, String value) {
      return inner.addInput(state, value);
    }

    @Override
    public Object mergeAccumulators(Iterable<Object> states) {
      return inner.mergeAccumulators(states);
    }

    @Override
    public Long extractOutput(Object state) {
      return (Long) inner.extractOutput(state);
    }

    @Override
    public Coder<Object> getAccumulatorCoder(CoderRegistry registry, Coder<String> input)
        throws CannotProvideCoderException {
      return inner.getAccumulatorCoder(registry, input);
    }
  }
}
