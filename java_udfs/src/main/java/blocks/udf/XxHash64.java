package blocks.udf;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** XXH64 of bytes, with seed 0, after its specification (xxHash, doc/xxhash_spec.md). */
final class XxHash64 {
  private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle INTS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final long ONE = 0x9E3779B185EBCA87L;
  private static final long TWO = 0xC2B2AE3D27D4EB4FL;
  private static final long THREE = 0x165667B19E3779F9L;
  private static final long FOUR = 0x85EBCA77C2B2AE63L;
  private static final long FIVE = 0x27D4EB2F165667C5L;

  private XxHash64() {}

  static long hash(byte[] bytes) {
    int at = 0;
    long hash = FIVE;
    if (bytes.length >= 32) {
      long a = ONE + TWO;
      long b = TWO;
      long c = 0;
      long d = -ONE;
      for (; at <= bytes.length - 32; at += 32) {
        a = round(a, (long) LONGS.get(bytes, at));
        b = round(b, (long) LONGS.get(bytes, at + 8));
        c = round(c, (long) LONGS.get(bytes, at + 16));
        d = round(d, (long) LONGS.get(bytes, at + 24));
      }
      hash =
          Long.rotateLeft(a, 1) + Long.rotateLeft(b, 7) + Long.rotateLeft(c, 12) + Long.rotateLeft(d, 18);
      hash = mix(mix(mix(mix(hash, a), b), c), d);
    }
    hash += bytes.length;
    for (; at <= bytes.length - 8; at += 8) {
      hash = Long.rotateLeft(hash ^ round(0, (long) LONGS.get(bytes, at)), 27) * ONE + FOUR;
    }
    if (at <= bytes.length - 4) {
      hash = Long.rotateLeft(hash ^ ((int) INTS.get(bytes, at) & 0xFFFFFFFFL) * ONE, 23) * TWO + THREE;
      at += 4;
    }
    for (; at < bytes.length; at++) {
      hash = Long.rotateLeft(hash ^ (bytes[at] & 0xFF) * FIVE, 11) * ONE;
    }
    hash = (hash ^ hash >>> 33) * TWO;
    hash = (hash ^ hash >>> 29) * THREE;
    return hash ^ hash >>> 32;
  }

  private static long round(long lane, long input) {
    return Long.rotateLeft(lane + input * TWO, 31) * ONE;
  }

  private static long mix(long hash, long lane) {
    return (hash ^ round(0, lane)) * ONE + FOUR;
  }
}
