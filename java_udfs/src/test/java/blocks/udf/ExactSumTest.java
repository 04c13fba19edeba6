package blocks.udf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Sums against BigDecimal, which is exact too. */
final class ExactSumTest {
  private static final BigDecimal UNITS = new BigDecimal(BigInteger.ONE.shiftLeft(-ExactSum.UNIT));

  private static double any(Random random) {
    double value = Double.longBitsToDouble(random.nextLong());
    return Double.isFinite(value) ? value : 0;
  }

  @Test
  void sumsAndProductsOfAnyDoublesAreExact() {
    for (int seed = 0; seed < 200; seed++) {
      Random random = new Random(seed);
      ExactSum sum = new ExactSum();
      BigDecimal exact = BigDecimal.ZERO;
      for (int count = random.nextInt(20); count > 0; count--) {
        double left = any(random);
        double right = any(random);
        sum.add(left);
        sum.addProduct(left, right);
        exact = exact.add(new BigDecimal(left)).add(new BigDecimal(left).multiply(new BigDecimal(right)));
      }
      assertEquals(exact.multiply(UNITS).toBigIntegerExact(), sum.units());
    }
  }

  @Test
  void extremesAreExact() {
    ExactSum sum = new ExactSum();
    sum.addProduct(Double.MIN_VALUE, Double.MIN_VALUE);
    sum.addProduct(Double.MAX_VALUE, Double.MAX_VALUE);
    sum.addProduct(Double.MAX_VALUE, -Double.MAX_VALUE);
    sum.add(-0.0);
    assertEquals(BigInteger.ONE.shiftLeft(-2148 - ExactSum.UNIT), sum.units());
  }

  @Test
  void millionsOfAdditionsCarryInTime() {
    ExactSum sum = new ExactSum();
    for (int count = 0; count < 3_000_000; count++) {
      sum.add(-0x1.fffffffffffffp31);
    }
    BigDecimal exact = new BigDecimal(-0x1.fffffffffffffp31).multiply(new BigDecimal(3_000_000));
    assertEquals(exact.multiply(UNITS).toBigIntegerExact(), sum.units());
  }

  @Test
  void doublingByMergesStaysExactAndKeepsTheOtherAsItIs() throws IOException {
    ExactSum sum = new ExactSum();
    sum.add(-1.5);
    BigInteger expected = sum.units();
    for (int round = 0; round < 60; round++) {
      ExactSum other = new ExactSum();
      other.read(new DataInputStream(new ByteArrayInputStream(written(sum))));
      BigInteger before = other.units();
      sum.merge(other);
      assertEquals(before, other.units());
      expected = expected.shiftLeft(1);
      assertEquals(expected, sum.units());
    }
  }

  @Test
  void aSumThatCancelsHasTheBytesOfNoSum() throws IOException {
    ExactSum sum = new ExactSum();
    sum.add(1e300);
    sum.add(1e-300);
    sum.add(-1e300);
    sum.add(-1e-300);
    assertEquals(BigInteger.ZERO, sum.units());
    assertEquals(new String(written(new ExactSum()), "ISO-8859-1"), new String(written(sum), "ISO-8859-1"));
  }

  @Test
  void nanAndInfinitiesAreNoted() {
    ExactSum sum = new ExactSum();
    sum.add(1);
    assertTrue(sum.isFinite());
    sum.addProduct(Double.POSITIVE_INFINITY, -1);
    assertFalse(sum.isFinite());
  }

  private static byte[] written(ExactSum sum) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    sum.write(new DataOutputStream(out));
    return out.toByteArray();
  }
}
