package blocks.udf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The codes are those of the library's mask `hmac` with this key: a test in Python holds these same ones against it.
 */
final class HmacSha256Test {
  private static final String SECRET = "test-only key, 32 bytes or longer";

  @TempDir Path folder;

  private String key(String name, String secret) throws IOException {
    return "file:" + Files.writeString(folder.resolve(name), secret);
  }

  @Test
  void theCodeIsThatOfThePythonLibrary() throws IOException {
    String uri = key("main", SECRET + "\n");
    String code = "main:9d941ce7b9bcac61261f8e7f0712a9e687f92d62b7b903d6ecd91fd1da5f96b6";
    assertEquals(code, HmacSha256.eval("ada@example.com", "main", "pii.email", uri));
    assertEquals(code, HmacSha256.eval("  ADA@Example.COM ", "main", "pii.email", uri));
    assertEquals(
        "main:a6be738d6d749df1d7866040daa55097345cb784e00b368cd116443e73dff9d2",
        HmacSha256.eval("Große  STRAẞE\u00a07", "main", "pii.address", uri));
    assertEquals(
        "main:de79c3a9c32924dbb8246f9fd5e5192a6dd9e1b60b5685736703729268835a9a",
        HmacSha256.eval("A b".getBytes(StandardCharsets.UTF_8), "main", "pii.email", uri));
  }

  @Test
  void domainAndKeySeparateCodesAndTheSpellingOfASecretDoesNot() throws IOException {
    String uri = key("main", SECRET);
    String code = HmacSha256.eval("a", "main", "pii.email", uri);
    assertNotEquals(code, HmacSha256.eval("a", "main", "pii.phone", uri));
    assertNotEquals(code, HmacSha256.eval("a", "main", "pii.email", key("other", SECRET + "!")));
    String hex = java.util.HexFormat.of().formatHex(SECRET.getBytes(StandardCharsets.UTF_8));
    assertEquals(code, HmacSha256.eval("a", "main", "pii.email", key("hex", "hex:" + hex + "\r\n")));
  }

  @Test
  void namesStandForUrisAsTheEnvironmentListsThem() {
    Map<String, String> named = Keys.named(" main = env:A ;old=file:/run/a=b;main=env:B;=env:C;none;");
    assertEquals(Map.of("main", "env:A", "old", "file:/run/a=b"), named);
    assertEquals(Map.of(), Keys.named(""));
    Exception error = assertThrows(IllegalArgumentException.class, () -> HmacSha256.eval("a", SECRET, "d"));
    assertTrue(error.getMessage().contains("BLOCKS_SQL_KEYS"));
    assertFalse(error.getMessage().contains("test-only"));
  }

  @Test
  void noMessageShowsASecret() throws IOException {
    for (String secret : new String[] {"short", "hex:nothexadecimalatall0", "base64:****************"}) {
      String uri = key("bad", secret);
      Exception error = assertThrows(IllegalArgumentException.class, () -> HmacSha256.eval("a", "main", "d", uri));
      assertFalse(error.getMessage().contains(secret.substring(Math.min(7, secret.length() - 3))), error.getMessage());
    }
    Exception error = assertThrows(IllegalArgumentException.class, () -> HmacSha256.eval("a", "main", "d", SECRET));
    assertFalse(error.getMessage().contains("test-only"));
  }
}
