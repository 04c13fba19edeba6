package blocks.udf;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;

/**
 * A sum of doubles and of products of two doubles without any rounding, so that the order of additions and merges
 * cannot matter: a fixed-point number wide enough for every product, of which only the digits in use are held (Kulisch,
 * "Computer Arithmetic and Validity": the long accumulator).
 *
 * <p>About 5 digits of 8 bytes for data of one magnitude, 135 at most. That a NaN or an infinity was there is noted
 * apart.
 */
public final class ExactSum implements State<ExactSum> {
  /** The exponent of the lowest digit: the smallest product is 2^-2148; a multiple of 32. */
  static final int UNIT = -2176;

  private static final MathContext PRECISION = new MathContext(40);
  private static final int DIGIT = 32;
  private static final long MASK = 0xFFFFFFFFL;
  private static final int MOST_PENDING = 1 << 29;

  /** Signed digits of 32 bits, lowest first, in 64 so that carries can wait. */
  private long[] digits = new long[0];

  /** Which digit, counted from the unit, the first of them is. */
  private int first;

  /** How many additions the digits took since carries were settled. */
  private int pending;

  private boolean nan;
  private boolean infinite;
  private boolean negativeInfinite;

  /** Adds a number. */
  public void add(double value) {
    if (Double.isFinite(value)) {
      addExact(significand(value), 0, exponent(value), value < 0);
    } else {
      addSpecial(value);
    }
  }

  /** Adds the product of two numbers. */
  public void addProduct(double left, double right) {
    if (Double.isFinite(left) && Double.isFinite(right)) {
      long one = significand(left);
      long other = significand(right);
      addExact(
          one * other, Math.multiplyHigh(one, other), exponent(left) + exponent(right), left < 0 != right < 0);
    } else {
      addSpecial(left * right);
    }
  }

  @Override
  public void merge(ExactSum other) {
    nan |= other.nan;
    infinite |= other.infinite;
    negativeInfinite |= other.negativeInfinite;
    if (other.digits.length > 0) {
      settle();
      long[] theirs = other.digits.clone();
      int from = other.first;
      hold(from, from + theirs.length);
      long carry = 0;
      for (int index = 0; index < theirs.length; index++) {
        long sum = theirs[index] + carry;
        carry = sum >> DIGIT;
        digits[from - first + index] += sum & MASK;
      }
      pending = 2;
      if (carry != 0) {
        addDigit(from + theirs.length, Math.abs(carry) & MASK, carry < 0);
        addDigit(from + theirs.length + 1, Math.abs(carry) >>> DIGIT, carry < 0);
      }
    }
  }

  /** Whether the sum is a number: no NaN and no infinity was added. */
  public boolean isFinite() {
    return !(nan || infinite || negativeInfinite);
  }

  /** The sum in units of 2^-2176. */
  BigInteger units() {
    settle();
    byte[] bytes = new byte[4 * digits.length + 8];
    for (int index = 0; index < digits.length; index++) {
      long digit = digits[index];
      int wide = index == digits.length - 1 ? 12 : 4;
      for (int place = 0; place < wide; place++) {
        bytes[bytes.length - 1 - 4 * index - place] = (byte) (digit >> Math.min(8 * place, 63));
      }
    }
    return digits.length == 0 ? BigInteger.ZERO : new BigInteger(bytes).shiftLeft(DIGIT * first);
  }

  /** A quotient of whole numbers as a double. */
  static double quotient(BigInteger dividend, BigInteger divisor) {
    int zeros = Math.min(zeros(dividend), zeros(divisor));
    return new BigDecimal(dividend.shiftRight(zeros))
        .divide(new BigDecimal(divisor.shiftRight(zeros)), PRECISION)
        .doubleValue();
  }

  /** The root of a quotient of whole numbers as a double. */
  static double rootOfQuotient(BigInteger dividend, BigInteger divisor) {
    int zeros = Math.min(zeros(dividend), zeros(divisor));
    return new BigDecimal(dividend.shiftRight(zeros))
        .divide(new BigDecimal(divisor.shiftRight(zeros)), PRECISION)
        .sqrt(PRECISION)
        .doubleValue();
  }

  @Override
  public void write(DataOutput out) throws IOException {
    out.writeByte((nan ? 1 : 0) | (infinite ? 2 : 0) | (negativeInfinite ? 4 : 0));
    BigInteger units = units();
    int zeros = zeros(units);
    byte[] bytes = units.shiftRight(zeros).toByteArray();
    out.writeShort(zeros);
    out.writeShort(bytes.length);
    out.write(bytes);
  }

  @Override
  public void read(DataInput in) throws IOException {
    int flags = in.readByte();
    nan = (flags & 1) != 0;
    infinite = (flags & 2) != 0;
    negativeInfinite = (flags & 4) != 0;
    int zeros = in.readShort();
    byte[] bytes = new byte[in.readShort()];
    in.readFully(bytes);
    BigInteger units = new BigInteger(bytes).shiftLeft(zeros % DIGIT);
    digits = new long[0];
    first = 0;
    pending = 0;
    boolean negative = units.signum() < 0;
    BigInteger left = units.abs();
    for (int digit = zeros / DIGIT; left.signum() != 0; digit++) {
      addDigit(digit, left.longValue() & MASK, negative);
      left = left.shiftRight(DIGIT);
    }
  }

  private static int zeros(BigInteger number) {
    return Math.max(number.getLowestSetBit(), 0);
  }

  private static long significand(double value) {
    long bits = Double.doubleToRawLongBits(value);
    long fraction = bits & 0xFFFFFFFFFFFFFL;
    return (bits & 0x7FF0000000000000L) == 0 ? fraction : fraction | 0x10000000000000L;
  }

  private static int exponent(double value) {
    return Math.max(Math.getExponent(value), Double.MIN_EXPONENT) - 52;
  }

  private void addSpecial(double value) {
    nan |= Double.isNaN(value);
    infinite |= value == Double.POSITIVE_INFINITY;
    negativeInfinite |= value == Double.NEGATIVE_INFINITY;
  }

  private void addExact(long low, long high, int exponent, boolean negative) {
    if ((low | high) == 0) {
      return;
    }
    int place = exponent - UNIT;
    int shift = place % DIGIT;
    int digit = place / DIGIT;
    hold(digit, digit + (high == 0 ? 3 : 5));
    addShifted(digit, low & MASK, shift, negative);
    addShifted(digit + 1, low >>> DIGIT, shift, negative);
    if (high != 0) {
      addShifted(digit + 2, high & MASK, shift, negative);
      addShifted(digit + 3, high >>> DIGIT, shift, negative);
    }
    // Two parts can meet in one digit.
    pending += 2;
    if (pending > MOST_PENDING) {
      settle();
    }
  }

  private void addShifted(int digit, long part, int shift, boolean negative) {
    long shifted = part << shift;
    int index = digit - first;
    if (negative) {
      digits[index] -= shifted & MASK;
      digits[index + 1] -= shifted >>> DIGIT;
    } else {
      digits[index] += shifted & MASK;
      digits[index + 1] += shifted >>> DIGIT;
    }
  }

  private void addDigit(int digit, long part, boolean negative) {
    if (part != 0) {
      hold(digit, digit + 1);
      digits[digit - first] += negative ? -part : part;
      pending++;
    }
  }

  /** Makes room for the digits [from, to). */
  private void hold(int from, int to) {
    if (digits.length == 0) {
      digits = new long[to - from];
      first = from;
    } else if (from < first || to > first + digits.length) {
      int start = Math.min(from, first);
      long[] more = new long[Math.max(to, first + digits.length) - start];
      System.arraycopy(digits, 0, more, first - start, digits.length);
      digits = more;
      first = start;
    }
  }

  /** Carries: each digit but the last is then from 0 to 2^32 - 1, and the last is small. */
  private void settle() {
    if (pending == 0) {
      return;
    }
    long carry = 0;
    for (int index = 0; index < digits.length - 1; index++) {
      long sum = digits[index] + carry;
      digits[index] = sum & MASK;
      carry = sum >> DIGIT;
    }
    long last = digits[digits.length - 1] + carry;
    digits[digits.length - 1] = last;
    pending = 0;
    if (last > Integer.MAX_VALUE || last < Integer.MIN_VALUE) {
      digits[digits.length - 1] = last & MASK;
      hold(first, first + digits.length + 1);
      digits[digits.length - 1] = last >> DIGIT;
    }
  }
}
