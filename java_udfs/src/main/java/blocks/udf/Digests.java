package blocks.udf;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Message digests of the platform. */
final class Digests {
  private Digests() {}

  static MessageDigest named(String algorithm) {
    try {
      return MessageDigest.getInstance(algorithm);
    } catch (NoSuchAlgorithmException cause) {
      throw new IllegalStateException("this Java has no " + algorithm, cause);
    }
  }

  /** A copy of a digest that has taken in its first part: cheaper than to look it up and feed it again. */
  static MessageDigest copy(MessageDigest digest) {
    try {
      return (MessageDigest) digest.clone();
    } catch (CloneNotSupportedException cause) {
      throw new IllegalStateException("a digest of this Java cannot be copied", cause);
    }
  }
}
