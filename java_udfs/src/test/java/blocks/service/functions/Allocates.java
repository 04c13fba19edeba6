package blocks.service.functions;

import blocks.udf.Example;
import blocks.udf.Function;
import java.util.ArrayList;
import java.util.List;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

/** Takes as many MiB as it is told. */
@Function(
    name = "test_allocates",
    description = "Allocates so many MiB.",
    arguments = {"mebibytes"},
    examples = @Example(call = "test_allocates(1)", result = "1"))
public final class Allocates implements BeamSqlUdf {
  public static Long eval(Long mebibytes) {
    List<byte[]> held = new ArrayList<>();
    for (long one = 0; mebibytes != null && one < mebibytes; one++) {
      held.add(new byte[1 << 20]);
    }
    return (long) held.size();
  }
}
