package blocks.benchmarks;

import blocks.udf.Example;
import blocks.udf.Function;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "java_step",
    description = "The next of a row of numbers.",
    arguments = "number",
    examples = @Example(call = "java_step(1)", result = "38"))
public final class JavaStep implements BeamSqlUdf {
  public static Long eval(Long number) {
    return number == null ? null : (Long) ((number * 31 + 7) % 1_000_003);
  }
}
