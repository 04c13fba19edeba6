package blocks.udf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** What the sketches promise about their errors and their size. */
final class SketchesTest {
  private static double value(Random random, int shape) {
    return switch (shape) {
      case 0 -> random.nextDouble();
      case 1 -> Math.exp(20 * random.nextGaussian());
      case 2 -> random.nextGaussian() * 1e-3;
      default -> random.nextInt(7) - 3;
    };
  }

  @Test
  void everyQuantileOfDDSketchIsWithinOnePercent() {
    for (int run = 0; run < 40; run++) {
      Random random = new Random(run);
      int shape = run % 4;
      double[] values = IntStream.range(0, 1 + random.nextInt(2_000)).mapToDouble(at -> value(random, shape)).toArray();
      double[] sorted = values.clone();
      Arrays.sort(sorted);
      for (double quantile : new double[] {0, 0.001, 0.25, 0.5, 0.9, 0.99, 1}) {
        DDSketch sketch = new DDSketch();
        sketch.ask(quantile);
        Arrays.stream(values).forEach(sketch::add);
        double exact = sorted[(int) Math.floor(quantile * (values.length - 1))];
        assertEquals(exact, sketch.quantile(), Math.abs(exact) * DDSketch.ACCURACY * (1 + 1e-9));
      }
    }
  }

  @Test
  void theSmallestAndTheGreatestDoublesHaveBins() {
    for (double extreme : new double[] {Double.MIN_VALUE, Double.MIN_NORMAL, Double.MAX_VALUE, 1}) {
      DDSketch sketch = new DDSketch();
      sketch.ask(0.5);
      IntStream.range(0, 3).forEach(time -> sketch.add(extreme));
      sketch.add(-extreme);
      sketch.add(Double.POSITIVE_INFINITY);
      assertEquals(extreme, sketch.quantile(), extreme * DDSketch.ACCURACY);
    }
  }

  @Test
  void aSketchOfAllMagnitudesStaysBoundedAndExactAtTheTop() throws IOException {
    DDSketch sketch = new DDSketch();
    sketch.ask(0.9);
    for (int exponent = -1074; exponent < 1024; exponent++) {
      for (double fraction = 1; fraction < 2; fraction += 0.02) {
        sketch.add(Math.scalb(fraction, exponent));
      }
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    sketch.write(new DataOutputStream(out));
    assertTrue(out.size() < 64 << 10, "bytes: " + out.size());
    sketch = new DDSketch();
    sketch.ask(1);
    sketch.add(Double.MAX_VALUE);
    assertEquals(Double.MAX_VALUE, sketch.quantile());
  }

  @Test
  void hyperLogLogIsWithinFourStandardErrorsAtEverySize() {
    HyperLogLog sketch = new HyperLogLog();
    int checked = 0;
    for (int value = 1; value <= 300_000; value++) {
      sketch.add(XxHash64.hash(("user " + value).getBytes(StandardCharsets.UTF_8)));
      if (value < 20 || value % 9_973 == 0) {
        assertEquals(value, sketch.estimate(), Math.max(0.5, 4 * 0.0082 * value));
        checked++;
      }
    }
    assertTrue(checked > 40);
  }

  @Test
  void hyperLogLogHasTheBytesOfItsRegistersInOrderAtEverySizeAndAfterMergesAndTripsThroughBytes() throws IOException {
    for (int size : new int[] {0, 1, 4, 5, 100, 1_023, 1_024, 1_025, 1_100, 5_400, 5_600, 8_000, 300_000}) {
      byte[] registers = new byte[1 << HyperLogLog.PRECISION];
      HyperLogLog sketch = new HyperLogLog();
      HyperLogLog other = new HyperLogLog();
      Random random = new Random(size);
      for (int value = 0; value < size; value++) {
        long hash = random.nextLong();
        int register = (int) (hash >>> 64 - HyperLogLog.PRECISION);
        int rank = Long.numberOfLeadingZeros(hash << HyperLogLog.PRECISION) + 1;
        registers[register] = (byte) Math.max(registers[register], rank);
        (random.nextInt(3) > 0 ? sketch : other).add(hash);
      }
      byte[] expected = written(registers);
      for (HyperLogLog merged : List.of(merged(sketch, other), merged(other, sketch), merged(sketch, sketch, other))) {
        assertArrayEquals(expected, written(merged));
        HyperLogLog read = new HyperLogLog();
        read.add(-1);
        read.read(new DataInputStream(new ByteArrayInputStream(expected)));
        assertArrayEquals(expected, written(read));
        assertEquals(read.estimate(), merged.estimate());
        assertEquals(size, merged.estimate(), Math.max(0.5, 4 * 0.0082 * size));
      }
    }
  }

  private static HyperLogLog merged(HyperLogLog... sketches) {
    HyperLogLog merged = new HyperLogLog();
    for (HyperLogLog sketch : sketches) {
      merged.merge(sketch);
    }
    return merged;
  }

  private static byte[] written(HyperLogLog sketch) throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    sketch.write(new DataOutputStream(out));
    return out.toByteArray();
  }

  /** The form of states that were written before: how many registers are not 0, and these or, where shorter, all. */
  private static byte[] written(byte[] registers) throws IOException {
    int used = (int) IntStream.range(0, registers.length).filter(register -> registers[register] > 0).count();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    DataOutputStream out = new DataOutputStream(bytes);
    out.writeShort(used);
    if (3 * used > registers.length) {
      out.write(registers);
      return bytes.toByteArray();
    }
    for (int register = 0; register < registers.length; register++) {
      if (registers[register] > 0) {
        out.writeShort(register);
        out.writeByte(registers[register]);
      }
    }
    return bytes.toByteArray();
  }

  @Test
  void xxHash64GivesTheHashesOfItsSpecification() {
    assertEquals(0xEF46DB3751D8E999L, XxHash64.hash(new byte[0]));
    assertEquals(0xD24EC4F1A98C6E5BL, XxHash64.hash("a".getBytes(StandardCharsets.UTF_8)));
    assertEquals(0x44BC2CF5AD770999L, XxHash64.hash("abc".getBytes(StandardCharsets.UTF_8)));
  }
}
