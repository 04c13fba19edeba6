package blocks.udf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import com.fasterxml.jackson.databind.JsonNode;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every scalar function against its table of cases, and against what all of them promise. */
final class ScalarCasesTest {
  private static final List<String> NASTY =
      List.of(
          "", " ", "\0", "\ud800", "a\udc00b", "\ud83d\ude00", "%", "%%%", "::", "[", "@", "@@", "$", "{", "-",
          "\u202e",
          "\uffff", "e\u0301", "0x10", "1e309", "'", "\"", "\\", "\n", "http://", "http://[", "a".repeat(9_000),
          "\ud83d\ude00".repeat(4_000), "[".repeat(9_000), "1".repeat(9_000), "@".repeat(9_000), ":".repeat(9_000));

  private static Stream<JsonNode> scalars() {
    return StreamSupport.stream(Cases.index().spliterator(), false)
        .filter(function -> function.get("kind").asText().equals("scalar"));
  }

  private static List<Method> evals(JsonNode function) throws ClassNotFoundException {
    return Arrays.stream(Class.forName(function.get("class").asText()).getMethods())
        .filter(method -> method.getName().equals("eval"))
        .toList();
  }

  private static Object call(Method method, List<Object> arguments) throws Throwable {
    Object on =
        Modifier.isStatic(method.getModifiers()) ? null : method.getDeclaringClass().getConstructor().newInstance();
    try {
      return method.invoke(on, arguments.toArray());
    } catch (InvocationTargetException cause) {
      throw cause.getCause();
    }
  }

  private static boolean takes(Method method, List<Object> arguments) {
    Class<?>[] types = method.getParameterTypes();
    if (types.length != arguments.size()) {
      return false;
    }
    for (int place = 0; place < types.length; place++) {
      if (arguments.get(place) != null && !types[place].isInstance(arguments.get(place))) {
        return false;
      }
    }
    return true;
  }

  private static Method overload(JsonNode function, List<Object> arguments) throws ClassNotFoundException {
    return evals(function).stream().filter(method -> takes(method, arguments)).findFirst().orElseThrow();
  }

  @TestFactory
  Stream<DynamicTest> everyCaseGivesItsResult() {
    return scalars().flatMap(function -> casesOf(function, function.get("name").asText()));
  }

  private static Stream<DynamicTest> casesOf(JsonNode function, String name) {
    List<Cases.Case> cases = Cases.of(name);
    return Stream.iterate(0, place -> place < cases.size(), place -> place + 1)
        .map(place -> dynamicTest(name + " " + place, () -> check(function, cases.get(place))));
  }

  private static void check(JsonNode function, Cases.Case one) throws Throwable {
    Method method = overload(function, one.arguments());
    if (!one.error().isEmpty()) {
      RuntimeException error = assertThrows(RuntimeException.class, () -> call(method, one.arguments()));
      assertEquals(one.error(), error.getClass().getSimpleName());
      assertShowsNoValue(error, one.arguments());
      return;
    }
    Object result = call(method, one.arguments());
    assertEquals(one.result(), result instanceof Integer ? (Object) ((Integer) result).longValue() : result);
  }

  private static void assertShowsNoValue(Throwable error, List<Object> arguments) {
    for (Throwable at = error; at != null; at = at.getCause()) {
      for (Object argument : arguments) {
        boolean telling = argument instanceof String && ((String) argument).length() > 5;
        assertFalse(telling && String.valueOf(at.getMessage()).contains((String) argument), error.getMessage());
      }
    }
  }

  /** Arguments of the first case that calls the overload without a null. */
  private static List<Object> sample(JsonNode function, Method method) {
    return Cases.of(function.get("name").asText()).stream()
        .map(Cases.Case::arguments)
        .filter(arguments -> takes(method, arguments) && !arguments.contains(null))
        .findFirst()
        .orElseGet(() -> new ArrayList<>(Arrays.stream(method.getParameterTypes()).map(ScalarCasesTest::any).toList()));
  }

  private static Object any(Class<?> type) {
    return type == byte[].class ? new byte[1] : type == Long.class ? (Object) 1L : type == Double.class ? 1.0 : "a";
  }

  @TestFactory
  Stream<DynamicTest> anyNullArgumentGivesNullWhereTheFunctionSaysSo() {
    return scalars()
        .filter(function -> function.get("nulls").asText().equals("null"))
        .map(function -> dynamicTest(function.get("name").asText(), () -> checkNulls(function)));
  }

  private static void checkNulls(JsonNode function) throws Throwable {
    for (Method method : evals(function)) {
      for (int place = 0; place < method.getParameterCount(); place++) {
        List<Object> arguments = new ArrayList<>(sample(function, method));
        arguments.set(place, null);
        assertNull(call(method, arguments), method.toString());
      }
    }
  }

  @TestFactory
  Stream<DynamicTest> nastyTextsGiveAValueOrAnErrorThatShowsNothing() {
    return scalars().map(function -> dynamicTest(function.get("name").asText(), () -> checkNasty(function)));
  }

  private static void checkNasty(JsonNode function) throws Throwable {
    for (Method method : evals(function)) {
      for (int place = 0; place < method.getParameterCount(); place++) {
        for (String text : NASTY) {
          List<Object> arguments = new ArrayList<>(sample(function, method));
          if (arguments.get(place) instanceof String) {
            arguments.set(place, text);
            checkOne(method, arguments, text);
          }
        }
      }
    }
  }

  private static void checkOne(Method method, List<Object> arguments, String text) throws Throwable {
    try {
      Object first = call(method, arguments);
      assertEquals(first, call(method, arguments));
      boolean texts = first instanceof String && Collections.frequency(arguments, text) == 1;
      assertTrue(!texts || ((String) first).length() <= 20 * (text.length() + 1_000));
    } catch (IllegalArgumentException error) {
      assertShowsNoValue(error, arguments);
    } catch (StackOverflowError error) {
      fail(method + " needs a stack as deep as its argument is long");
    }
  }
}
