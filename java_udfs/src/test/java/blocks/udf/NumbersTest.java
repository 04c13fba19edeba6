package blocks.udf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.math.BigDecimal;
import org.junit.jupiter.api.Test;

/** Numbers as whole numbers of 64 bits. */
final class NumbersTest {
  @Test
  void aNumberIsCutTowardsZero() {
    assertEquals(1L, Numbers.toLong(new BigDecimal("1.99")));
    assertEquals(-1L, Numbers.toLong(-1.99));
    assertEquals(0L, Numbers.toLong(new BigDecimal("1E-1000000000")));
    assertEquals(0L, Numbers.toLong(new BigDecimal("0E1000000000")));
    assertEquals(Long.MAX_VALUE, Numbers.toLong(new BigDecimal("9223372036854775807.9")));
    assertEquals(Long.MIN_VALUE, Numbers.toLong(new BigDecimal("-9223372036854775808.9")));
  }

  @Test
  void whatDoesNotFitIsRefusedWithoutBeingWrittenOut() {
    for (String text : new String[] {"9223372036854775808", "-9223372036854775809", "1E19", "1E1000000000"}) {
      Exception error = assertThrows(ArithmeticException.class, () -> Numbers.toLong(new BigDecimal(text)));
      assertFalse(error.getMessage().contains(text));
    }
  }
}
