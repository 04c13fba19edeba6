package blocks.udf;

/**
 * Arguments of an aggregate that set how it works, such as k, and so must be one and the same in all rows of a group.
 */
final class Settings {
  /** No row was there yet. */
  static final int NONE = -1;

  private Settings() {}

  /** The setting of a row, held against that of the rows before. */
  static int same(int held, Object given, String name, int most) {
    double value = ((Number) given).doubleValue();
    if (!(value >= 1 && value <= most) || value != Math.rint(value)) {
      throw new IllegalArgumentException("`" + name + "` must be a whole number from 1 to " + most);
    }
    return merged(held, (int) value, name);
  }

  /** The setting of two states, of which either can have none yet. */
  static int merged(int held, int other, String name) {
    if (held != NONE && other != NONE && held != other) {
      throw differs(name);
    }
    return held == NONE ? other : held;
  }

  static IllegalArgumentException differs(String name) {
    return new IllegalArgumentException("`" + name + "` must be the same in all rows of a group: write a number");
  }
}
