package blocks.udf;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** How often each value of a group was there. */
public final class Counts implements State<Counts> {
  /** Of different values of a group; past it the aggregate fails rather than guess. */
  public static final int MOST = 100_000;

  private final Kind kind;
  private final Map<Object, Long> counts;
  private int setting = Settings.NONE;

  /** An empty one of values of this kind. */
  public Counts(Kind kind) {
    this.kind = kind;
    // Arrays of bytes are equal by order only.
    this.counts = kind == Kind.VARBINARY ? new TreeMap<>(kind) : new HashMap<>();
  }

  /** Counts one more of a value. */
  public void add(Object value) {
    add(kind.of(value), 1);
  }

  private void add(Object value, long count) {
    counts.merge(value, count, Math::addExact);
    if (counts.size() > MOST) {
      throw new IllegalArgumentException(
          "a group has more than " + MOST + " different values: group by more columns, or coarsen the values first");
    }
  }

  /** Each value with its count, in the order of values. */
  List<Map.Entry<Object, Long>> sorted() {
    List<Map.Entry<Object, Long>> sorted = new ArrayList<>(counts.entrySet());
    sorted.sort(Map.Entry.comparingByKey(kind));
    return sorted;
  }

  /** How often each value was there, in no order. */
  public Collection<Long> numbers() {
    return counts.values();
  }

  int setting() {
    return setting;
  }

  void set(Object given, String name, int most) {
    setting = Settings.same(setting, given, name, most);
  }

  @Override
  public void merge(Counts other) {
    setting = Settings.merged(setting, other.setting, "k");
    other.counts.forEach(this::add);
  }

  @Override
  public void write(DataOutput out) throws IOException {
    out.writeInt(setting);
    out.writeInt(counts.size());
    for (Map.Entry<Object, Long> entry : sorted()) {
      kind.write(entry.getKey(), out);
      out.writeLong(entry.getValue());
    }
  }

  @Override
  public void read(DataInput in) throws IOException {
    setting = in.readInt();
    counts.clear();
    for (int left = in.readInt(); left > 0; left--) {
      counts.put(kind.read(in), in.readLong());
    }
  }
}
