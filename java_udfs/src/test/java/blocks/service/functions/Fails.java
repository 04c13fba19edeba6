package blocks.service.functions;

import blocks.udf.Example;
import blocks.udf.Function;
import blocks.udf.Nulls;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

/** Fails on one value and says it, as careless functions do. */
@Function(
    name = "test_fails",
    description = "Fails on 'bad'.",
    arguments = {"text"},
    nulls = Nulls.CALL,
    examples = @Example(call = "test_fails('a')", result = "'A'"))
public final class Fails implements BeamSqlUdf {
  public static String eval(String text) {
    if (text != null && text.startsWith("bad")) {
      throw new IllegalStateException("cannot take " + text);
    }
    return text == null ? "none" : text.toUpperCase(java.util.Locale.ROOT);
  }
}
