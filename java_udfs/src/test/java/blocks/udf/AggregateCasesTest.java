package blocks.udf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.time.LocalDate;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.apache.beam.sdk.coders.Coder;
import org.apache.beam.sdk.schemas.Schema;
import org.apache.beam.sdk.schemas.Schema.FieldType;
import org.apache.beam.sdk.values.Row;
import org.joda.time.Instant;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every aggregate against its table of cases, and that neither order nor merges show in its state. */
final class AggregateCasesTest {
  private static final int RUNS = 30;
  private static final List<String> TEXTS = List.of("", "a", "b", "\ud83d\ude00", "\uffff", "e\u0301", "ab");

  private static Stream<JsonNode> aggregates() {
    return StreamSupport.stream(Cases.index().spliterator(), false)
        .filter(function -> function.get("kind").asText().equals("aggregate"));
  }

  private static List<Aggregate<?>> overloads(JsonNode function) {
    try {
      Object made = Class.forName(function.get("class").asText()).getConstructor().newInstance();
      return new ArrayList<>(((Aggregate<?>) made).overloads());
    } catch (ReflectiveOperationException cause) {
      throw new IllegalStateException(cause);
    }
  }

  @TestFactory
  Stream<DynamicTest> everyCaseGivesItsResultInAnyOrder() {
    return aggregates().flatMap(function -> casesOf(function, function.get("name").asText()));
  }

  private static Stream<DynamicTest> casesOf(JsonNode function, String name) {
    List<Cases.Case> cases = Cases.of(name);
    return IntStream.range(0, cases.size())
        .mapToObj(place -> dynamicTest(name + " " + place, () -> check(function, cases.get(place))));
  }

  private static void check(JsonNode function, Cases.Case one) {
    Aggregate<?> aggregate =
        overloads(function).stream()
            .filter(each -> takes(each, one.types()))
            .findFirst()
            .orElseThrow();
    if (one.error().isEmpty()) {
      checkResult(aggregate, one.rows(), one.result());
    } else {
      RuntimeException error = assertThrows(RuntimeException.class, () -> run(aggregate, one.rows(), new Random(0)));
      assertEquals(one.error(), error.getClass().getSimpleName());
    }
  }

  private static boolean takes(Aggregate<?> aggregate, List<String> types) {
    List<String> declared = aggregate.argumentTypes().stream().map(type -> SqlTypes.of(type).orElseThrow()).toList();
    return types.size() >= declared.size() - aggregate.optionalArguments()
        && types.size() <= declared.size()
        && declared.subList(0, types.size()).equals(types);
  }

  private static void checkResult(Aggregate<?> aggregate, List<List<Object>> rows, Object expected) {
    for (int seed = 0; seed < RUNS; seed++) {
      assertSame(expected, run(aggregate, rows, new Random(seed)));
    }
  }

  private static void assertSame(Object expected, Object found) {
    if (expected instanceof List<?>) {
      assertEquals(((List<?>) expected).size(), ((List<?>) found).size());
      for (int place = 0; place < ((List<?>) expected).size(); place++) {
        assertSame(((List<?>) expected).get(place), ((List<?>) found).get(place));
      }
    } else if (expected instanceof byte[]) {
      assertArrayEquals((byte[]) expected, (byte[]) found);
    } else {
      assertEquals(expected, found);
    }
  }

  @TestFactory
  Stream<DynamicTest> aMissingArgumentIsRefusedAndNotGuessed() {
    return aggregates()
        .flatMap(function -> overloads(function).stream())
        .filter(one -> one.argumentTypes().size() - one.optionalArguments() > 1)
        .map(one -> dynamicTest(one.getClass().getSimpleName(), () -> checkMissing(one)));
  }

  private static <S extends State<S>> void checkMissing(Aggregate<S> aggregate) {
    S state = aggregate.createAccumulator();
    Exception error = assertThrows(IllegalArgumentException.class, () -> aggregate.addInput(state, 1L));
    assertTrue(error.getMessage().contains("GROUP BY"));
  }

  @TestFactory
  Stream<DynamicTest> statesOfTheSameRowsHaveTheSameBytesInAnyOrderAndTreeOfMerges() {
    return aggregates()
        .flatMap(
            function ->
                overloads(function).stream()
                    .map(one -> dynamicTest(function.get("name").asText() + one.argumentTypes(), () -> checkLaw(one))));
  }

  private static void checkLaw(Aggregate<?> aggregate) {
    for (int seed = 0; seed < RUNS; seed++) {
      Random random = new Random(seed);
      List<List<Object>> rows = rows(aggregate, random);
      byte[] bytes = bytes(aggregate, rows, random);
      for (int again = 0; again < 4; again++) {
        assertArrayEquals(bytes, bytes(aggregate, rows, random));
      }
      assertTrue(!aggregate.returnType().getNullable() == (run(aggregate, List.of(), random) != null));
    }
  }

  private static List<List<Object>> rows(Aggregate<?> aggregate, Random random) {
    List<List<Object>> rows = new ArrayList<>();
    double quantile = random.nextInt(11) / 10.0;
    int setting = 1 + random.nextInt(5);
    int size = random.nextInt(40);
    for (int row = 0; row < size; row++) {
      List<Object> arguments = new ArrayList<>();
      for (FieldType type : aggregate.argumentTypes()) {
        boolean settles = aggregate instanceof Percentile && arguments.size() == 1;
        Object constant = settles ? (Object) quantile : (Object) setting;
        arguments.add(settles || type.equals(FieldType.INT32) ? constant : any(type, random));
      }
      rows.add(arguments);
    }
    return rows;
  }

  private static Object any(FieldType type, Random random) {
    if (random.nextInt(12) == 0) {
      return null;
    }
    int small = random.nextInt(9) - 4;
    return switch (SqlTypes.of(type).orElseThrow()) {
      case "BOOLEAN" -> small > 0;
      case "BIGINT" -> random.nextBoolean() ? (Object) (long) small : random.nextLong();
      case "DOUBLE" -> random.nextInt(3) > 0 ? small * 0.1 : number(random);
      case "DECIMAL" -> new BigDecimal(small).movePointLeft(random.nextInt(3)).setScale(4);
      case "VARCHAR" -> TEXTS.get(random.nextInt(TEXTS.size()));
      case "VARBINARY" -> new byte[] {(byte) small, (byte) random.nextInt(2)};
      case "DATE" -> LocalDate.ofEpochDay(small);
      case "TIME" -> LocalTime.ofSecondOfDay(100 + small);
      case "TIMESTAMP" -> Instant.ofEpochMilli(small);
      default -> throw new IllegalArgumentException(type.toString());
    };
  }

  /** Of any magnitude, so that sums in plain doubles would depend on the order. */
  private static double number(Random random) {
    double any = Double.longBitsToDouble(random.nextLong());
    return Double.isFinite(any) ? any : random.nextDouble();
  }

  private static <S extends State<S>> Object run(Aggregate<S> aggregate, List<List<Object>> rows, Random random) {
    return aggregate.extractOutput(merged(aggregate, rows, random));
  }

  private static <S extends State<S>> byte[] bytes(Aggregate<S> aggregate, List<List<Object>> rows, Random random) {
    return encoded(aggregate, merged(aggregate, rows, random));
  }

  /** The rows shuffled, cut into bundles, and merged as a random tree with a trip through bytes here and there. */
  private static <S extends State<S>> S merged(Aggregate<S> aggregate, List<List<Object>> rows, Random random) {
    List<List<Object>> shuffled = new ArrayList<>(rows);
    Collections.shuffle(shuffled, random);
    List<S> states = new ArrayList<>();
    states.add(aggregate.createAccumulator());
    for (List<Object> row : shuffled) {
      if (random.nextInt(4) == 0) {
        states.add(aggregate.createAccumulator());
      }
      S last = states.get(states.size() - 1);
      states.set(states.size() - 1, aggregate.addInput(last, input(aggregate, row)));
    }
    while (states.size() > 1) {
      int many = 2 + random.nextInt(2);
      List<S> some = new ArrayList<>();
      for (int left = Math.min(many, states.size()); left > 0; left--) {
        S state = states.remove(random.nextInt(states.size()));
        some.add(random.nextBoolean() ? state : decoded(aggregate, encoded(aggregate, state)));
      }
      states.add(aggregate.mergeAccumulators(some));
    }
    return states.get(0);
  }

  /** As Beam SQL hands it over: the value itself, or a row, and null where one is null. */
  private static Object input(Aggregate<?> aggregate, List<Object> row) {
    if (row.contains(null)) {
      return null;
    }
    if (row.size() == 1) {
      return row.get(0);
    }
    Schema.Builder schema = Schema.builder();
    for (int place = 0; place < row.size(); place++) {
      schema.addField("f" + place, aggregate.argumentTypes().get(place));
    }
    return Row.withSchema(schema.build()).attachValues(row);
  }

  private static <S extends State<S>> byte[] encoded(Aggregate<S> aggregate, S state) {
    Coder<S> coder = aggregate.getAccumulatorCoder(null, null);
    assertNotNull(coder);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try {
      coder.encode(state, out);
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    }
    return out.toByteArray();
  }

  private static <S extends State<S>> S decoded(Aggregate<S> aggregate, byte[] bytes) {
    try {
      return aggregate.getAccumulatorCoder(null, null).decode(new ByteArrayInputStream(bytes));
    } catch (IOException cause) {
      throw new UncheckedIOException(cause);
    }
  }
}
