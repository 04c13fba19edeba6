package blocks.udf;

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "mask_left",
    description =
        "Masks the first characters of a text: X for an upper-case letter, x for a lower-case one, n for a digit,"
            + " - for anything else, or the characters given; NULL leaves a class as it is.",
    arguments = {"text", "count", "upper", "lower", "digit", "other"},
    nulls = Nulls.CALL,
    examples = {
      @Example(call = "mask_left('4111-2222', 2)", result = "'nn11-2222'"),
      @Example(call = "mask_left('4111-2222', 2, '*', '*', '*', NULL)", result = "'**11-2222'"),
      @Example(call = "mask_left(CAST(NULL AS VARCHAR), 2)", result = "NULL")
    })
public final class MaskLeft implements BeamSqlUdf {
  public static String eval(String text, Long count) {
    return Part.LEFT.masked(text, count, Characters.usual());
  }

  public static String eval(String text, Long count, String upper, String lower, String digit, String other) {
    return Part.LEFT.masked(text, count, Characters.of(upper, lower, digit, other));
  }
}
