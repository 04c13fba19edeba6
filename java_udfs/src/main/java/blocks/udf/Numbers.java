package blocks.udf;

import java.math.BigDecimal;
import java.math.BigInteger;

/**
 * A number of one type as another. Calcite lets an INTEGER column stand where an aggregate takes BIGINT, and gives it
 * the value as it is.
 */
final class Numbers {
  private static final String FITS = "a number does not fit into the argument of a function";
  private static final int MOST_WHOLE_DIGITS = 19;

  private Numbers() {}

  /** A whole number, cut towards zero as SQL's CAST does it. */
  static Long toLong(Object number) {
    if (number instanceof BigDecimal || number instanceof Double || number instanceof Float) {
      BigDecimal decimal = toDecimal(number);
      // Asked before they are written out: 1E1000000000 has that many.
      long wholeDigits = (long) decimal.precision() - decimal.scale();
      if (decimal.signum() == 0 || wholeDigits <= 0) {
        return 0L;
      }
      BigInteger value = wholeDigits > MOST_WHOLE_DIGITS ? null : decimal.toBigInteger();
      if (value == null || value.bitLength() > 63) {
        throw new ArithmeticException(FITS);
      }
      return value.longValue();
    }
    return ((Number) number).longValue();
  }

  static Double toDouble(Object number) {
    return ((Number) number).doubleValue();
  }

  /** Of a binary fraction the shortest decimal that reads as it, as SQL shows it. */
  static BigDecimal toDecimal(Object number) {
    if (number instanceof BigDecimal) {
      return (BigDecimal) number;
    }
    if (number instanceof Double || number instanceof Float) {
      if (!Double.isFinite(((Number) number).doubleValue())) {
        throw new ArithmeticException(FITS);
      }
      return new BigDecimal(number.toString());
    }
    return BigDecimal.valueOf(((Number) number).longValue());
  }
}
