package blocks.service.functions;

import blocks.udf.Example;
import blocks.udf.Function;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

/** Ends in the errors of Java that are no exceptions. */
@Function(
    name = "test_errs",
    description = "Calls itself for ever on 'deep', asks for more memory than there can be on 'memory'.",
    arguments = {"text"},
    examples = @Example(call = "test_errs('a')", result = "'a'"))
public final class Errs implements BeamSqlUdf {
  public static String eval(String text) {
    switch (text) {
      case "deep":
        return deeper(text) + text;
      case "memory":
        throw new OutOfMemoryError("none left for " + text);
      case "assert":
        throw new AssertionError("not " + text);
      default:
        return text;
    }
  }

  private static String deeper(String text) {
    return deeper(text) + text;
  }
}
