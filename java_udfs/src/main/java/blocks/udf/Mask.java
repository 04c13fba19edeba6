package blocks.udf;

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "mask",
    description =
        "Masks every character of a text: X for an upper-case letter, x for a lower-case one, n for a digit, - for"
            + " anything else, or the characters given; NULL leaves a class as it is.",
    arguments = {"text", "upper", "lower", "digit", "other"},
    nulls = Nulls.CALL,
    examples = {
      @Example(call = "mask('Ada 42')", result = "'Xxx-nn'"),
      @Example(call = "mask('Ada 42', '*', '*', NULL, NULL)", result = "'*** 42'"),
      @Example(call = "mask(CAST(NULL AS VARCHAR))", result = "NULL")
    })
public final class Mask implements BeamSqlUdf {
  public static String eval(String text) {
    return text == null ? null : Characters.usual().mask(text, 0, Long.MAX_VALUE);
  }

  public static String eval(String text, String upper, String lower, String digit, String other) {
    return text == null ? null : Characters.of(upper, lower, digit, other).mask(text, 0, Long.MAX_VALUE);
  }
}
