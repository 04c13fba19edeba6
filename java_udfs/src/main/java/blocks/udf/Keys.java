package blocks.udf;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Mask keys, opened on the worker as the library's Python side opens them, so that both give the same masks: a name
 * stands for a URI, {@code env:NAME} or {@code file:PATH}, and each use derives a key of its own (HKDF-SHA-256, RFC
 * 5869).
 *
 * <p>A name is looked up in the environment variable {@value #VARIABLE} of the worker ({@code
 * main=env:BLOCKS_MASK_KEY;old=file:/run/secrets/old}). A secret is never part of a query, a message or a log.
 */
final class Keys {
  /** The environment variable that names keys. */
  static final String VARIABLE = "BLOCKS_SQL_KEYS";

  private static final int LEAST_BYTES = 16;
  private static final Map<String, String> NAMED = named(System.getenv().getOrDefault(VARIABLE, ""));

  private Keys() {}

  /** Name to URI, of a list of such; of two of one name the first counts. */
  static Map<String, String> named(String list) {
    Map<String, String> uris = new HashMap<>();
    for (String entry : list.split(";")) {
      int equals = entry.indexOf('=');
      if (equals > 0) {
        uris.putIfAbsent(entry.substring(0, equals).strip(), entry.substring(equals + 1).strip());
      }
    }
    return uris;
  }

  /** The URI of a name. */
  static String uri(String name) {
    String uri = NAMED.get(name);
    if (uri == null) {
      // The name is not shown: a secret pasted in its place would be.
      throw new IllegalArgumentException(
          "no key of this name is known to the worker: name it in the policy's keys or in " + VARIABLE);
    }
    return uri;
  }

  /** 32 bytes for one purpose, from the secret at a URI. */
  static byte[] derive(String uri, String purpose) {
    byte[] secret = open(uri);
    if (secret.length < LEAST_BYTES) {
      throw new IllegalArgumentException("the key has fewer than " + LEAST_BYTES + " bytes: use 32 random ones");
    }
    byte[] pseudorandom = hmac(new byte[32], secret);
    byte[] info = ("blocks/1/" + purpose).getBytes(StandardCharsets.UTF_8);
    byte[] block = Arrays.copyOf(info, info.length + 1);
    block[info.length] = 1;
    return hmac(pseudorandom, block);
  }

  private static byte[] open(String uri) {
    if (uri.startsWith("env:")) {
      String value = System.getenv(uri.substring(4));
      if (value == null) {
        throw new IllegalArgumentException("the environment variable of a key is not set on the worker");
      }
      return decoded(value.getBytes(StandardCharsets.UTF_8));
    }
    if (uri.startsWith("file:")) {
      try {
        return decoded(withoutLineBreak(Files.readAllBytes(Path.of(uri.substring(5)))));
      } catch (IOException cause) {
        throw new IllegalArgumentException("the file of a key cannot be read on the worker");
      }
    }
    throw new IllegalArgumentException("the URI of a key is none: write env:NAME or file:PATH, never the secret");
  }

  private static byte[] withoutLineBreak(byte[] bytes) {
    int length = bytes.length;
    if (length > 0 && bytes[length - 1] == '\n') {
      length--;
    }
    if (length > 0 && bytes[length - 1] == '\r') {
      length--;
    }
    return Arrays.copyOf(bytes, length);
  }

  private static byte[] decoded(byte[] secret) {
    String text = new String(secret, StandardCharsets.ISO_8859_1);
    try {
      if (text.startsWith("hex:")) {
        return HexFormat.of().parseHex(text.substring(4));
      }
      return text.startsWith("base64:") ? Base64.getDecoder().decode(text.substring(7)) : secret;
    } catch (IllegalArgumentException cause) {
      // The cause's message can show characters of the secret.
      throw new IllegalArgumentException("a key says hex: or base64: and is not");
    }
  }

  private static byte[] hmac(byte[] key, byte[] message) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(message);
    } catch (GeneralSecurityException cause) {
      throw new IllegalStateException("this Java has no HMAC-SHA-256", cause);
    }
  }
}
