package blocks.service.functions;

import blocks.udf.Example;
import blocks.udf.Function;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

/** Never comes back from a negative number. */
@Function(
    name = "test_loops",
    description = "Loops on a negative number.",
    arguments = {"number"},
    examples = @Example(call = "test_loops(1)", result = "1"))
public final class Loops implements BeamSqlUdf {
  private static volatile long at;

  public static Long eval(Long number) {
    while (number != null && number < 0) {
      at++;
    }
    return number;
  }
}
