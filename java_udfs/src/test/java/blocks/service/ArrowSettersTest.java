package blocks.service;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.math.BigDecimal;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.DecimalVector;
import org.junit.jupiter.api.Test;

/** Decimals of any size in columns of few digits. */
final class ArrowSettersTest {
  private static BigDecimal written(String decimal) {
    try (BufferAllocator allocator = new RootAllocator();
        DecimalVector vector = new DecimalVector("price", allocator, 4, 2)) {
      vector.allocateNew(1);
      ArrowSetters.of(vector, "price").set(0, new BigDecimal(decimal));
      return vector.getObject(0);
    }
  }

  @Test
  void aDecimalIsRoundedHalfUpToTheDeclaredScale() {
    assertEquals(new BigDecimal("0.01"), written("0.005"));
    assertEquals(new BigDecimal("-0.01"), written("-0.005"));
    assertEquals(new BigDecimal("0.00"), written("0.0049999"));
    assertEquals(new BigDecimal("0.00"), written("0.0009"));
    assertEquals(new BigDecimal("99.99"), written("99.9949"));
    assertEquals(new BigDecimal("0.00"), written("1E-1000000000"));
    assertEquals(new BigDecimal("0.00"), written("0E+1000000000"));
  }

  @Test
  void aDecimalOfMoreDigitsIsRefusedWithoutBeingWrittenOut() {
    for (String decimal : new String[] {"99.995", "100", "-100", "1E+2", "1E+1000000000"}) {
      SqlFailure failure = assertThrows(SqlFailure.class, () -> written(decimal));
      assertEquals("blocks.sql: a decimal of the column `price` has more than 4 digits", failure.getMessage());
      assertFalse(failure.getMessage().contains(decimal));
    }
  }
}
