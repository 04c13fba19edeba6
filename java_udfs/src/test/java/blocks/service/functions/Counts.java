package blocks.service.functions;

import blocks.udf.Example;
import blocks.udf.Function;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

/** Counts its calls: another result each time. */
@Function(
    name = "test_counts",
    description = "How often it was called.",
    arguments = {"number"},
    deterministic = false,
    examples = @Example(call = "test_counts(0) > 0", result = "TRUE"))
public final class Counts implements BeamSqlUdf {
  private static final AtomicLong CALLS = new AtomicLong();

  public static Long eval(Long number) {
    return number + CALLS.incrementAndGet();
  }
}
