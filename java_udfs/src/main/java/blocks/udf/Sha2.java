package blocks.udf;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.beam.sdk.extensions.sql.BeamSqlUdf;

@Function(
    name = "sha2",
    description =
        "SHA-2 of a text in UTF-8, or of bytes, in lower-case hexadecimal: 224, 256, 384 or 512 bits, 256 unless given."
            + " Not a mask: who can guess the value can hash it; hmac_sha256 is one.",
    arguments = {"value", "bits"},
    examples = {
      @Example(
          call = "sha2('abc')",
          result = "'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'"),
      @Example(
          call = "sha2('abc', 224)",
          result = "'23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7'")
    })
public final class Sha2 implements BeamSqlUdf {
  private static final long USUAL = 256;
  private static final Map<Long, MessageDigest> EMPTY =
      Stream.of(224L, 256L, 384L, 512L).collect(Collectors.toMap(bits -> bits, bits -> Digests.named("SHA-" + bits)));

  public static String eval(String value) {
    return eval(value, USUAL);
  }

  public static String eval(String value, Long bits) {
    return value == null || bits == null ? null : hash(value.getBytes(StandardCharsets.UTF_8), bits);
  }

  public static String eval(byte[] value) {
    return eval(value, USUAL);
  }

  public static String eval(byte[] value, Long bits) {
    return value == null || bits == null ? null : hash(value, bits);
  }

  private static String hash(byte[] value, long bits) {
    MessageDigest empty = EMPTY.get(bits);
    if (empty == null) {
      throw new IllegalArgumentException("SHA-2 has 224, 256, 384 or 512 bits");
    }
    return HexFormat.of().formatHex(Digests.copy(empty).digest(value));
  }
}
