package blocks.service.functions;

import blocks.udf.Example;
import blocks.udf.Function;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

/** Its class cannot be initialized. */
@Function(
    name = "test_unmade",
    description = "Never runs.",
    arguments = {"number"},
    examples = @Example(call = "test_unmade(1)", result = "1"))
public final class Unmade implements BeamSqlUdf {
  private static final long START = Long.parseLong("marker-7731");

  public static Long eval(Long number) {
    return START + number;
  }
}
