package blocks.udf;

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "mask_right",
    description =
        "Masks the last characters of a text: X for an upper-case letter, x for a lower-case one, n for a digit,"
            + " - for anything else, or the characters given; NULL leaves a class as it is.",
    arguments = {"text", "count", "upper", "lower", "digit", "other"},
    nulls = Nulls.CALL,
    examples = {
      @Example(call = "mask_right('4111-2222', 2)", result = "'4111-22nn'"),
      @Example(call = "mask_right('4111-2222', 2, '*', '*', '*', NULL)", result = "'4111-22**'"),
      @Example(call = "mask_right(CAST(NULL AS VARCHAR), 2)", result = "NULL")
    })
public final class MaskRight implements BeamSqlUdf {
  public static String eval(String text, Long count) {
    return Part.RIGHT.masked(text, count, Characters.usual());
  }

  public static String eval(String text, Long count, String upper, String lower, String digit, String other) {
    return Part.RIGHT.masked(text, count, Characters.of(upper, lower, digit, other));
  }
}
