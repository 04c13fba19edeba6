package blocks.service;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

/** What of a line of a library goes into the log. */
final class LogsTest {
  @Test
  void onlyATextThatIsSureToBeConstantIsWritten() {
    assertEquals("the worker {} ended", Logs.constant("the worker {} ended", new Object[] {"w-7731"}));
    assertEquals("", Logs.constant("the worker w-7731 ended", null));
    assertEquals("", Logs.constant("the worker w-7731 ended", new Object[] {"more"}));
    assertEquals("", Logs.constant(null, new Object[] {"more"}));
  }

  @Test
  void aValueThatLooksLikeAPlaceForAnArgumentIsNotWritten() {
    assertEquals("", Logs.constant("cannot read {\"card\": 7731, \"more\": {}}", null));
    assertEquals("", Logs.constant("cannot read {\"card\": 7731, \"more\": {}}", new Object[0]));
  }
}
