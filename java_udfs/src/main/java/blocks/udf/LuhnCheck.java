package blocks.udf;

import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "luhn_check",
    description =
        "Whether the last digit is the check digit of the others (Luhn, ISO/IEC 7812-1), as in card numbers. Spaces and"
            + " hyphens between digits are passed over; false of anything else, and of fewer than two digits.",
    arguments = "text",
    examples = {
      @Example(call = "luhn_check('4111 1111 1111 1111')", result = "TRUE"),
      @Example(call = "luhn_check('4111111111111112')", result = "FALSE")
    })
public final class LuhnCheck implements BeamSqlUdf {
  public static Boolean eval(String text) {
    if (text == null) {
      return null;
    }
    long sum = 0;
    long digits = 0;
    for (int index = text.length() - 1; index >= 0; index--) {
      char character = text.charAt(index);
      if (character >= '0' && character <= '9') {
        int digit = character - '0';
        int twice = 2 * digit;
        sum += digits % 2 == 0 ? digit : twice > 9 ? twice - 9 : twice;
        digits++;
      } else if (character != ' ' && character != '-') {
        return false;
      }
    }
    return digits > 1 && sum % 10 == 0;
  }
}
