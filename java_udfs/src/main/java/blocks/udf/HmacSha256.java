package blocks.udf;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "hmac_sha256",
    description =
        "HMAC-SHA-256 of a value as KEY:DIGEST, the same as the mask method `hmac` of the library: texts are folded"
            + " first (case, white space, Unicode NFC), bytes are taken as they are, and the domain, empty unless"
            + " given, is part of the message. The key is named as in the policy, never written; a fourth argument"
            + " gives its URI (env:NAME or file:PATH) where the worker knows no names.",
    arguments = {"value", "key", "domain", "uri"},
    examples = @Example(call = "hmac_sha256(CAST(NULL AS VARCHAR), 'main')", result = "NULL"))
public final class HmacSha256 implements BeamSqlUdf {
  private static final int BLOCK = 64;
  private static final int MOST_PREPARED = 1_000;
  private static final Map<Use, Prepared> PREPARED = new ConcurrentHashMap<>();

  public static String eval(String value, String key) {
    return eval(value, key, "");
  }

  public static String eval(String value, String key, String domain) {
    return value == null || key == null || domain == null ? null : eval(value, key, domain, Keys.uri(key));
  }

  public static String eval(String value, String key, String domain, String uri) {
    return value == null || key == null || domain == null || uri == null
        ? null
        : code(CaseFolding.canonical(value).getBytes(StandardCharsets.UTF_8), key, domain, uri);
  }

  public static String eval(byte[] value, String key) {
    return eval(value, key, "");
  }

  public static String eval(byte[] value, String key, String domain) {
    return value == null || key == null || domain == null ? null : eval(value, key, domain, Keys.uri(key));
  }

  public static String eval(byte[] value, String key, String domain, String uri) {
    return value == null || key == null || domain == null || uri == null ? null : code(value, key, domain, uri);
  }

  private static String code(byte[] message, String key, String domain, String uri) {
    if (PREPARED.size() > MOST_PREPARED) {
      PREPARED.clear();
    }
    Prepared prepared = PREPARED.computeIfAbsent(new Use(uri, domain), HmacSha256::prepare);
    return key + ":" + HexFormat.of().formatHex(prepared.code(message));
  }

  private static Prepared prepare(Use use) {
    if (use.domain.indexOf('\0') >= 0) {
      throw new IllegalArgumentException("the domain of an HMAC must not hold a NUL, which ends it in the message");
    }
    byte[] secret = Arrays.copyOf(Keys.derive(use.uri, "hmac-sha256"), BLOCK);
    MessageDigest inner = padded(secret, 0x36);
    inner.update(use.domain.getBytes(StandardCharsets.UTF_8));
    inner.update((byte) 0);
    return new Prepared(inner, padded(secret, 0x5C));
  }

  private static MessageDigest padded(byte[] secret, int pad) {
    byte[] block = secret.clone();
    for (int index = 0; index < BLOCK; index++) {
      block[index] ^= (byte) pad;
    }
    MessageDigest digest = Digests.named("SHA-256");
    digest.update(block);
    return digest;
  }

  private record Use(String uri, String domain) {}

  /** The two hashes of RFC 2104 after their first block. */
  private record Prepared(MessageDigest inner, MessageDigest outer) {
    byte[] code(byte[] message) {
      return Digests.copy(outer).digest(Digests.copy(inner).digest(message));
    }
  }
}
